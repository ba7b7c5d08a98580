package textfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	_ "github.com/restic-exporter/restic-exporter/internal/golden" // go test ./... -update
	"github.com/restic-exporter/restic-exporter/internal/testenv"
)

// gauge makes a family of one series for each value.
func gauge(name string, values ...float64) *dto.MetricFamily {
	mf := &dto.MetricFamily{Name: new(name), Help: new("Help."), Type: dto.MetricType_GAUGE.Enum()}
	for i, v := range values {
		m := &dto.Metric{Gauge: &dto.Gauge{Value: new(v)}}
		m.Label = []*dto.LabelPair{{Name: new("n"), Value: new(string(rune('a' + i)))}}
		mf.Metric = append(mf.Metric, m)
	}
	return mf
}

const oneText = "# HELP x Help.\n# TYPE x gauge\nx{n=\"a\"} 1\n"

func TestEncode(t *testing.T) {
	withTimestamp := gauge("x", 1)
	withTimestamp.Metric[0].TimestampMs = new(int64(1))
	twice := gauge("x", 1, 2)
	twice.Metric[1].Label = twice.Metric[0].Label
	tests := map[string]struct {
		mfs       []*dto.MetricFamily
		want, err string
	}{
		"one":  {mfs: []*dto.MetricFamily{gauge("x", 1)}, want: oneText},
		"none": {},
		"a timestamp": {
			mfs: []*dto.MetricFamily{withTimestamp}, err: "metric family x has a timestamp, which the textfile collector refuses",
		},
		"a family twice": {mfs: []*dto.MetricFamily{gauge("x", 1), gauge("x", 2)}, err: "there are two metric families named x"},
		"a series twice": {mfs: []*dto.MetricFamily{twice}, err: "metric family x has two series with the same labels"},
		"without series": {mfs: []*dto.MetricFamily{gauge("x")}, err: `MetricFamily has no metrics: name:"x" help:"Help." type:GAUGE`},
		"a nil family":   {mfs: []*dto.MetricFamily{nil}, err: "a metric family is nil"},
		"a nil series": {
			mfs: []*dto.MetricFamily{{Name: new("x"), Metric: []*dto.Metric{nil}}}, err: "metric family x has a series that is nil",
		},
		"without its name": {mfs: []*dto.MetricFamily{gauge("x", 1), gauge("", 1)}, err: "MetricFamily has no name"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			err := Encode(&b, tt.mfs)
			if tt.err != "" {
				require.Error(t, err)
				assert.Contains(t, strings.ReplaceAll(err.Error(), "  ", " "), tt.err)
				assert.Empty(t, b.String())
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tt.want, b.String())
		})
	}
}

func TestDecode(t *testing.T) {
	mfs, err := Decode(strings.NewReader(oneText))
	require.NoError(t, err)
	require.Len(t, mfs, 1)
	assert.Equal(t, gauge("x", 1).String(), mfs[0].String())

	for name, text := range map[string]string{
		"no metrics":    "hello there\n",
		"no value":      "x{n=\"a\"} \n",
		"cut off":       "# HELP x Help.\n# TYPE x gauge\nx{n=\"a\"",
		"HTML":          "<html>\n",
		"HELP twice":    "# HELP x a\n# HELP x a\nx 1\n",
		"invalid UTF-8": "x{n=\"\xff\"} 1\n",
	} {
		_, err := Decode(strings.NewReader(text))
		assert.Error(t, err, name)
	}
}

// TestDecodeLarge: what is read part by part is as if it were read at once.
func TestDecodeLarge(t *testing.T) {
	var want []*dto.MetricFamily
	for _, name := range []string{"a", "b", "c"} {
		mf := gauge(name)
		for i := range 3000 {
			m := &dto.Metric{Gauge: &dto.Gauge{Value: new(float64(i))}}
			m.Label = []*dto.LabelPair{{Name: new("n"), Value: new("of \"" + strconv.Itoa(i) + "\"\n")}}
			mf.Metric = append(mf.Metric, m)
		}
		want = append(want, mf)
	}
	var text bytes.Buffer
	require.NoError(t, Encode(&text, want))
	require.Greater(t, text.Len(), 3*partSize)
	text.WriteString("\n# a comment\n\na{n=\"more\"} 3000\n")
	want[0].Metric = append(want[0].Metric, &dto.Metric{
		Gauge: &dto.Gauge{Value: new(3000.0)}, Label: []*dto.LabelPair{{Name: new("n"), Value: new("more")}},
	})
	got, err := Decode(bytes.NewReader(text.Bytes()))
	require.NoError(t, err)
	require.Len(t, got, 3)
	for i := range want {
		assert.Equal(t, want[i].String(), got[i].String())
	}
	lines := bytes.Count(text.Bytes(), []byte("\n"))
	for more, says := range map[string]string{
		"nonsense\n":             fmt.Sprintf("text format parsing error in line %d", lines+1),
		"# HELP a Again.\nd 1\n": `second HELP line for metric name "a"`,
		"# TYPE a gauge\na 1\n":  `reported after samples`,
	} {
		_, err := Decode(strings.NewReader(text.String() + more))
		assert.ErrorContains(t, err, says)
	}
}

// TestDecodeLimits: no text takes long, or much memory.
func TestDecodeLimits(t *testing.T) {
	labels := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `a%d="",`, i)
		}
		return b.String()
	}
	lines := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format+"\n", i)
		}
		return b.String()
	}
	for text, says := range map[string]string{
		"x{" + labels(64) + "} 1\n":                                   "",
		"x{" + labels(65) + "} 1\n":                                   "line 1 has more than 64 labels",
		"y 1\nx{" + labels(25_000) + "} 1\n":                          "line 2 is longer than 16 KiB",
		"# HELP x " + strings.Repeat("y", 20_000):                     "line 1 is longer than 16 KiB",
		lines(3000, "x{"+labels(60)+`b="%d"} 1`):                      "too many series with this many labels",
		lines(200_000, `x{a="b"} %d`):                                 "too many series, or too many different labels",
		lines(200_000, `x{a="%d"} 1`):                                 "too many series, or too many different labels",
		lines(60_000, "# HELP x%d Help."):                             "a family does not end within 512 KiB",
		"#TYPE x HISTOGRAM\n" + lines(60_000, `x_bucket{le="%d"} 1`):  "a family does not end within 512 KiB",
		"# TYPE x histogram\n" + lines(60_000, `x_bucket{le="%d"} 1`): "a family does not end within 512 KiB",
	} {
		_, err := Decode(strings.NewReader(text))
		if says == "" {
			assert.NoError(t, err)
		} else {
			assert.ErrorContains(t, err, says)
		}
	}
}

// content returns the names in a directory and the text of one of them.
func content(t *testing.T, name string) ([]string, string) {
	entries, err := os.ReadDir(filepath.Dir(name))
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	return names, string(text)
}

func TestWriteFile(t *testing.T) {
	for _, umask := range []int{0o000, 0o022, 0o077, 0o777} {
		name := filepath.Join(t.TempDir(), "x.prom")
		before := syscall.Umask(umask)
		err := WriteFile(name, []*dto.MetricFamily{gauge("x", 1)})
		syscall.Umask(before)
		require.NoError(t, err)
		st, err := os.Stat(name)
		require.NoError(t, err)
		assert.Equal(t, fs.FileMode(0o644), st.Mode())
		names, text := content(t, name)
		assert.Equal(t, []string{"x.prom"}, names)
		assert.Equal(t, oneText, text)
	}
}

// TestLockHeld: a lock that somebody holds is waited for, not for ever, and once.
func TestLockHeld(t *testing.T) {
	dir := t.TempDir()
	held, err := os.Open(dir)
	require.NoError(t, err)
	defer func() { held.Close() }()
	require.NoError(t, syscall.Flock(int(held.Fd()), syscall.LOCK_EX))
	begun := time.Now()
	require.NoError(t, WriteFile(filepath.Join(dir, "x.prom"), []*dto.MetricFamily{gauge("x", 1)}))
	assert.Greater(t, time.Since(begun), 4*time.Second)
	assert.Less(t, time.Since(begun), time.Minute)
	_, text := content(t, filepath.Join(dir, "x.prom"))
	assert.Equal(t, oneText, text)

	begun = time.Now()
	require.NoError(t, WriteFile(filepath.Join(dir, "y.prom"), []*dto.MetricFamily{gauge("x", 1)}))
	assert.Less(t, time.Since(begun), 4*time.Second, "the next file")
	held.Close()
	require.NoError(t, WriteFile(filepath.Join(dir, "z.prom"), []*dto.MetricFamily{gauge("x", 1)}))
	held, err = os.Open(dir)
	require.NoError(t, err)
	require.NoError(t, syscall.Flock(int(held.Fd()), syscall.LOCK_EX))
	begun = time.Now()
	require.NoError(t, WriteFile(filepath.Join(dir, "x.prom"), []*dto.MetricFamily{gauge("x", 1)}))
	assert.Greater(t, time.Since(begun), 4*time.Second, "it was free in between")
}

// TestLongName: the longest name of a unit makes a file.
func TestLongName(t *testing.T) {
	name := filepath.Join(t.TempDir(), strings.Repeat("a", 255-len(".service"))+".prom")
	require.NoError(t, WriteFile(name, []*dto.MetricFamily{gauge("x", 1)}))
	names, text := content(t, name)
	assert.Equal(t, []string{filepath.Base(name)}, names)
	assert.Equal(t, oneText, text)
}

// TestWriteFileSweeps: what a program that was killed has left behind goes, once
// it is nobody's any more.
func TestWriteFileSweeps(t *testing.T) {
	dir := t.TempDir()
	age := time.Now().Add(-2 * abandoned)
	for _, f := range []struct {
		name string
		old  bool
	}{
		{".x.prom.1.tmp", true}, {".x.prom.22.tmp", false}, {".x.prom.a.tmp", true}, {".y.prom.1.tmp", true}, {"x.prom.1.tmp", true},
	} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, f.name), nil, 0o600))
		if f.old {
			require.NoError(t, os.Chtimes(filepath.Join(dir, f.name), age, age))
		}
	}
	require.NoError(t, os.Mkdir(filepath.Join(dir, ".x.prom.3.tmp"), 0o700))
	require.NoError(t, os.Chtimes(filepath.Join(dir, ".x.prom.3.tmp"), age, age))

	require.NoError(t, WriteFile(filepath.Join(dir, "x.prom"), []*dto.MetricFamily{gauge("x", 1)}))
	names, _ := content(t, filepath.Join(dir, "x.prom"))
	assert.Equal(t, []string{".x.prom.22.tmp", ".x.prom.3.tmp", ".x.prom.a.tmp", ".y.prom.1.tmp", "x.prom", "x.prom.1.tmp"}, names)
}

// TestHugeDirectory: of a directory with very many names not all are looked at.
func TestHugeDirectory(t *testing.T) {
	dir := t.TempDir()
	for i := range sweepLimit * 3 / 2 {
		fd, err := syscall.Open(filepath.Join(dir, strconv.Itoa(i)), syscall.O_CREAT|syscall.O_WRONLY|syscall.O_CLOEXEC, 0o600)
		require.NoError(t, err)
		syscall.Close(fd)
	}
	allocations := testing.AllocsPerRun(1, func() { sweep(filepath.Join(dir, "x.prom")) })
	assert.Less(t, allocations, float64(sweepLimit)*1.1)
}

// TestWriteFileErrors looks at what is left when a file cannot be written.
func TestWriteFileErrors(t *testing.T) {
	one := []*dto.MetricFamily{gauge("x", 1)}
	const old = "old 1\n"

	t.Run("no directory", func(t *testing.T) {
		assert.ErrorIs(t, WriteFile(filepath.Join(t.TempDir(), "none", "x.prom"), one), fs.ErrNotExist)
	})
	t.Run("a file for a directory", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "file")
		require.NoError(t, os.WriteFile(file, nil, 0o644))
		assert.ErrorIs(t, WriteFile(file+"/x.prom", one), syscall.ENOTDIR)
	})
	t.Run("a directory for the file", func(t *testing.T) {
		name := filepath.Join(t.TempDir(), "x.prom")
		require.NoError(t, os.Mkdir(name, 0o755))
		assert.Error(t, WriteFile(name, one))
		entries, err := os.ReadDir(filepath.Dir(name))
		require.NoError(t, err)
		assert.Len(t, entries, 1)
	})
	t.Run("a name that the collector ignores", func(t *testing.T) {
		for _, base := range []string{"x", "x.prom.tmp", ".prom"} {
			assert.ErrorContains(t, WriteFile(filepath.Join(t.TempDir(), base), one), "must end in .prom")
		}
	})
	t.Run("what is no metrics", func(t *testing.T) {
		for _, bad := range []*dto.MetricFamily{gauge("not a name", 1), gauge("x", 1, 2, 3)} {
			name := filepath.Join(t.TempDir(), "x.prom")
			require.NoError(t, os.WriteFile(name, []byte(old), 0o644))
			bad.Metric[0].Label[0].Name = new("no label")
			assert.Error(t, WriteFile(name, []*dto.MetricFamily{bad}))
			names, text := content(t, name)
			assert.Equal(t, []string{"x.prom"}, names)
			assert.Equal(t, old, text)
		}
	})
	t.Run("refused by the caller", func(t *testing.T) {
		name := filepath.Join(t.TempDir(), "x.prom")
		require.NoError(t, os.WriteFile(name, []byte(old), 0o644))
		refusal := errors.New("no")
		assert.Equal(t, refusal, Update(name, func([]*dto.MetricFamily, error) ([]*dto.MetricFamily, error) { return nil, refusal }))
		_, text := content(t, name)
		assert.Equal(t, old, text)
	})
	t.Run("a symbolic link", func(t *testing.T) {
		dir := t.TempDir()
		precious, name := filepath.Join(dir, "precious"), filepath.Join(dir, "x.prom")
		require.NoError(t, os.WriteFile(precious, []byte(old), 0o600))
		require.NoError(t, os.Symlink(precious, name))
		require.NoError(t, Update(name, func(old []*dto.MetricFamily, err error) ([]*dto.MetricFamily, error) {
			assert.Empty(t, old)
			assert.EqualError(t, err, name+" is a symbolic link")
			return one, nil
		}))
		st, err := os.Lstat(name)
		require.NoError(t, err)
		assert.True(t, st.Mode().IsRegular(), "the link is replaced")
		_, text := content(t, precious)
		assert.Equal(t, old, text, "what it pointed to is not written to")
	})
	t.Run("a pipe", func(t *testing.T) {
		name := filepath.Join(t.TempDir(), "x.prom")
		require.NoError(t, syscall.Mkfifo(name, 0o644))
		err := Update(name, func(_ []*dto.MetricFamily, err error) ([]*dto.MetricFamily, error) {
			assert.ErrorContains(t, err, "not a regular file")
			return one, nil
		})
		require.NoError(t, err)
		_, text := content(t, name)
		assert.Equal(t, oneText, text)
	})

	testenv.Root(t) // for full, read-only and other people's directories
	for name, tt := range map[string]struct {
		prepare func(dir string)
		want    error
	}{
		"full":      {func(dir string) { fill(t, dir) }, syscall.ENOSPC},
		"read-only": {func(dir string) { require.NoError(t, mount(dir, "remount,ro")) }, syscall.EROFS},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, mount(dir, "size=64k,nr_inodes=8"))
			t.Cleanup(func() { assert.NoError(t, syscall.Unmount(dir, 0)) })
			require.NoError(t, os.WriteFile(dir+"/x.prom", []byte(old), 0o644))
			tt.prepare(dir)
			before, _ := content(t, dir+"/x.prom")
			assert.ErrorIs(t, WriteFile(dir+"/x.prom", []*dto.MetricFamily{gauge("x", 1)}), tt.want)
			after, text := content(t, dir+"/x.prom")
			assert.Equal(t, before, after)
			assert.Equal(t, old, text)
		})
	}
	t.Run("somebody else's", func(t *testing.T) {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(dir+"/x.prom", []byte(old), 0o644))
		assert.Contains(t, asNobody(t, dir+"/x.prom"), "permission denied")
		names, text := content(t, dir+"/x.prom")
		assert.Equal(t, []string{"x.prom"}, names)
		assert.Equal(t, old, text)
	})
}

func mount(dir, options string) error {
	return exec.Command("mount", "-t", "tmpfs", "-o", options, "textfile-test", dir).Run()
}

func fill(t *testing.T, dir string) {
	file, err := os.Create(dir + "/filling")
	require.NoError(t, err)
	defer file.Close()
	for err == nil {
		_, err = file.Write(make([]byte, 4096))
	}
	require.ErrorIs(t, err, syscall.ENOSPC)
}

// asNobody writes a file as a user who may not, and returns what went wrong.
func asNobody(t *testing.T, name string) string {
	require.NoError(t, os.Chmod(filepath.Dir(filepath.Dir(name)), 0o755))
	require.NoError(t, os.Chmod(filepath.Dir(name), 0o755))
	self, err := os.Executable()
	require.NoError(t, err)
	program := filepath.Join(t.TempDir(), "textfile.test")
	text, err := os.ReadFile(self)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(program, text, 0o755))
	for dir := filepath.Dir(program); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		require.NoError(t, os.Chmod(dir, 0o755))
	}
	cmd := exec.Command(program, "-test.run=^TestHelperWrite$")
	cmd.Env = []string{"TEXTFILE_TEST_WRITE=" + name}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	assert.Error(t, err)
	return string(out)
}

// TestHelperWrite is no test: it is what asNobody, TestFaults and TestKilled run.
func TestHelperWrite(t *testing.T) {
	name := os.Getenv("TEXTFILE_TEST_WRITE")
	if name == "" {
		return
	}
	times, _ := strconv.Atoi(os.Getenv("TEXTFILE_TEST_TIMES"))
	for range max(1, times) {
		if err := WriteFile(name, []*dto.MetricFamily{gauge("x", 1)}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSymbolicLinkRace: somebody who may write in the directory puts symbolic links
// to another file under the name all the time. That file never changes, and what
// is written is never lost to it.
func TestSymbolicLinkRace(t *testing.T) {
	dir := t.TempDir()
	victim, name := filepath.Join(t.TempDir(), "victim"), filepath.Join(dir, "x.prom")
	require.NoError(t, os.WriteFile(victim, []byte("precious"), 0o600))
	var wg sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	links := 0
	wg.Go(func() {
		for ctx.Err() == nil {
			link := filepath.Join(dir, "link")
			if os.Symlink(victim, link) == nil && os.Rename(link, name) == nil {
				links++
			}
		}
	})
	for range 500 {
		assert.NoError(t, WriteFile(name, []*dto.MetricFamily{gauge("x", 1)}))
	}
	stop()
	wg.Wait()
	assert.Greater(t, links, 100)
	require.NoError(t, WriteFile(name, []*dto.MetricFamily{gauge("x", 1)}))
	names, text := content(t, name)
	assert.Equal(t, []string{"x.prom"}, names)
	assert.Equal(t, oneText, text)
	text2, err := os.ReadFile(victim)
	require.NoError(t, err)
	assert.Equal(t, "precious", string(text2))
	st, err := os.Stat(victim)
	require.NoError(t, err)
	assert.Equal(t, fs.FileMode(0o600), st.Mode())
}

// TestDirectoryVanishes: the directory is removed and made again all the time. A
// file is written whole or not at all.
func TestDirectoryVanishes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "textfiles")
	name := filepath.Join(dir, "x.prom")
	var wg sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	wg.Go(func() {
		for ctx.Err() == nil {
			os.Mkdir(dir, 0o755)
			time.Sleep(time.Millisecond)
			os.RemoveAll(dir)
		}
	})
	written, failed := 0, 0
	for deadline := time.Now().Add(20 * time.Second); (written < 20 || failed < 20) && time.Now().Before(deadline); {
		err := WriteFile(name, []*dto.MetricFamily{gauge("x", 1)})
		if err == nil {
			written++
		} else {
			failed++
			assert.ErrorIs(t, err, fs.ErrNotExist)
		}
		if text, err := os.ReadFile(name); err == nil {
			assert.Equal(t, oneText, string(text))
		}
	}
	stop()
	wg.Wait()
	assert.GreaterOrEqual(t, written, 20)
	assert.GreaterOrEqual(t, failed, 20)
}

// TestKilled kills writers at any time. A reader that runs all along sees whole
// files only.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "x.prom")
	require.NoError(t, WriteFile(name, []*dto.MetricFamily{gauge("x", 1)}))
	self, err := os.Executable()
	require.NoError(t, err)
	n := 100
	if testing.Short() {
		n = 10
	}

	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	reads := 0
	wg.Go(func() {
		for ctx.Err() == nil {
			files, err := filepath.Glob(dir + "/*.prom")
			if !assert.NoError(t, err) || !assert.Equal(t, []string{name}, files) {
				return
			}
			text, err := os.ReadFile(name)
			if !assert.NoError(t, err) || !assert.Equal(t, oneText, string(text)) {
				return
			}
			reads++
		}
	})
	killed := 0
	for i := range n {
		cmd := exec.Command(self, "-test.run=^TestHelperWrite$")
		cmd.Env = []string{"TEXTFILE_TEST_WRITE=" + name, "TEXTFILE_TEST_TIMES=1000000"}
		require.NoError(t, cmd.Start())
		// It starts within some milliseconds, and writes on until it is killed.
		time.Sleep(time.Duration(10+i%17) * time.Millisecond)
		require.NoError(t, cmd.Process.Kill())
		if cmd.Wait() != nil {
			killed++
		}
	}
	stop()
	wg.Wait()
	assert.Equal(t, n, killed)
	assert.Greater(t, reads, n)
	names, _ := content(t, name)
	for _, left := range names {
		assert.True(t, left == "x.prom" || strings.HasPrefix(left, ".x.prom.") && strings.HasSuffix(left, ".tmp"), left)
	}
}

// TestUpdateTogether lets many programs count in one file.
func TestUpdateTogether(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x.prom")
	const n = 50
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			err := Update(name, func(old []*dto.MetricFamily, err error) ([]*dto.MetricFamily, error) {
				count := 1.0
				if len(old) > 0 {
					count += old[0].Metric[0].GetGauge().GetValue()
				}
				return []*dto.MetricFamily{gauge("x", count)}, err
			})
			assert.NoError(t, err)
		})
	}
	wg.Wait()
	names, text := content(t, name)
	assert.Equal(t, []string{"x.prom"}, names)
	assert.Equal(t, strings.Replace(oneText, " 1\n", " 50\n", 1), text)
}

func TestUpdateUnreadable(t *testing.T) {
	tests := map[string]struct {
		text string
		want string
	}{
		"no metrics": {"hello there\n", "text format parsing error"},
		"too large":  {strings.Repeat("#", maxSize+1), "larger than 16 MiB"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "x.prom")
			require.NoError(t, os.WriteFile(name, []byte(tt.text), 0o600))
			err := Update(name, func(old []*dto.MetricFamily, err error) ([]*dto.MetricFamily, error) {
				assert.Empty(t, old)
				assert.ErrorContains(t, err, tt.want)
				return []*dto.MetricFamily{gauge("x", 1)}, nil
			})
			require.NoError(t, err)
			_, text := content(t, name)
			assert.Equal(t, oneText, text)
		})
	}
}
