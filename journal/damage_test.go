package journal

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restic-exporter/restic-exporter/internal/journaltest"
	"github.com/restic-exporter/restic-exporter/internal/testenv"
)

// damagedLog is a log of which every line tells its place.
func damagedLog() log {
	l := log{manager(id1, starting, "Starting")}
	for i := range 200 {
		l = append(l, line(id1, 7, fmt.Sprintf("line %d %s", i, strings.Repeat("x", i))))
	}
	return append(l, manager(id1, succeeded, "ok"))
}

// TestDamage reads journal files that are cut off or have wrong bytes. What is
// read is some of what was written, unchanged and in order, or an error; it
// neither crashes nor hangs.
func TestDamage(t *testing.T) {
	whole, err := os.ReadFile(damagedLog().dir(t) + "/system.journal")
	require.NoError(t, err)
	used := len(whole)
	for used > 0 && whole[used-1] == 0 {
		used--
	}
	rng := rand.New(rand.NewPCG(1, 2))
	damages := map[string]func() []byte{
		"cut off": func() []byte { return whole[:rng.IntN(used)] },
		// Of the above libsystemd reads nothing.
		"cut off, and its header says so": func() []byte {
			const headerSize, arenaSize, tailObject = 88, 96, 136
			b := append([]byte(nil), whole[:(used/2+rng.IntN(used/2))&^7]...)
			binary.LittleEndian.PutUint64(b[arenaSize:], uint64(len(b))-binary.LittleEndian.Uint64(b[headerSize:]))
			copy(b[tailObject:][:8], b[headerSize:]) // else it is refused
			return b
		},
		"wrong bytes": func() []byte {
			b := append([]byte(nil), whole...)
			for range 20 {
				b[300+rng.IntN(used-300)] ^= byte(1 + rng.IntN(255))
			}
			return b
		},
		"a wrong header": func() []byte {
			b := append([]byte(nil), whole...)
			b[rng.IntN(270)] ^= byte(1 + rng.IntN(255))
			return b
		},
	}
	// Of 12,000 lines. libsystemd leaves out a file that is cut off, and all of an
	// array that is.
	least := map[string]int{"cut off": 0, "cut off, and its header says so": 0, "wrong bytes": 8000, "a wrong header": 6000}
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			read, changed := 0, 0
			for range 60 {
				dir := t.TempDir()
				require.NoError(t, os.WriteFile(dir+"/system.journal", damage(), 0o644))
				r := Reader{Dir: dir}
				done := make(chan struct{})
				go func() {
					defer close(done)
					r.Latest(t.Context(), unit)
					last := -1
					got, err := collectWhole(r.Skim(t.Context(), unit, id1, keepAll))
					lines := 0
					for _, e := range got {
						if e.Kind != Output {
							continue
						}
						lines++
						var n int
						_, syntax := fmt.Sscanf(string(e.Message), "line %d", &n)
						if syntax != nil || string(e.Message) != fmt.Sprintf("line %d %s", n, strings.Repeat("x", n)) {
							changed++
							continue
						}
						assert.True(t, n > last || !strings.HasPrefix(name, "cut off"))
						last = n
					}
					ended := slices.ContainsFunc(got, func(e Entry) bool { return e.Event == EventSucceeded })
					if err == nil && ended {
						assert.Positive(t, lines, "nothing was read, and no error")
					}
					read += lines
				}()
				select {
				case <-done:
				case <-time.After(20 * time.Second):
					require.Fail(t, "it hangs")
				}
			}
			t.Logf("%d lines read, %d of them changed", read, changed)
			assert.GreaterOrEqual(t, read, least[name])
			assert.LessOrEqual(t, changed, read/100)
			if strings.HasPrefix(name, "cut off") {
				assert.Zero(t, changed)
			}
		})
	}
}

// TestManyFiles reads a run among five thousand journal files.
func TestManyFiles(t *testing.T) {
	n := 5000
	if testing.Short() {
		n = 500
	}
	dir := damagedLog().dir(t)
	other := log{line(id2, 9, "other", "_SYSTEMD_UNIT=other.service")}.dir(t)
	for i := range n {
		require.NoError(t, os.Link(other+"/system.journal", fmt.Sprintf("%s/user-%d.journal", dir, i)))
	}
	r := Reader{Dir: dir}
	id, err := r.Latest(t.Context(), unit)
	require.NoError(t, err)
	assert.Equal(t, id1, id)
	got, err := collect(r.Entries(t.Context(), unit, id1))
	require.NoError(t, err)
	assert.Len(t, got, 202)
}

// TestVacuum has journalctl remove the files of a run while it is read. Vacuuming
// empties files that others have open too: all is read, or there is an error.
func TestVacuum(t *testing.T) {
	whole := damagedLog()
	for kind, read := range map[string]func(Reader) iter.Seq2[Entry, error]{
		"entries":    func(r Reader) iter.Seq2[Entry, error] { return r.Entries(t.Context(), unit, id1) },
		"skim":       func(r Reader) iter.Seq2[Entry, error] { return r.Skim(t.Context(), unit, id1, keepAll) },
		"journalctl": func(r Reader) iter.Seq2[Entry, error] { return throughJournalctl{r}.Entries(t.Context(), unit, id1) },
	} {
		t.Run(kind, func(t *testing.T) {
			dir := t.TempDir()
			for i, half := range []log{whole[:100], whole[100:]} {
				archive(t, half, i*100, fmt.Sprintf("%s/system@%032x-%016x-%016x.journal", dir, 1, i+1, i+1))
			}
			r := Reader{Dir: dir}
			n := 0
			var failure error
			for _, err := range read(r) {
				if failure = err; err != nil {
					break
				}
				if n++; n == 1 {
					out, err := exec.Command(testenv.Tool(t, "journalctl"), "--directory="+dir, "--vacuum-size=1").CombinedOutput()
					require.NoError(t, err, "%s", out)
					left, err := filepath.Glob(dir + "/*.journal")
					require.NoError(t, err)
					require.Empty(t, left, "%s", out)
				}
			}
			if failure == nil {
				assert.Equal(t, len(whole), n)
			}
			_, err := r.Latest(t.Context(), unit)
			assert.ErrorIs(t, err, ErrFormat)
		})
	}
}

// TestIncomplete reads runs of which the journal does not hold the beginning,
// and others that have none.
func TestIncomplete(t *testing.T) {
	other := append(manager(id2, starting, "Starting other"), "UNIT=other.service")
	tests := map[string]struct {
		log  log
		want error
	}{
		"whole": {
			log{
				manager(id1, starting, "Starting"), line(id1, 7, "a"), manager(id1, succeeded, "ok"), manager(id1, started, "Finished"),
			}, nil,
		},
		"vacuumed": {log{line(id1, 7, "a"), other, line(id1, 7, "b")}, ErrIncomplete},
		"vacuumed, ended": {
			log{other, line(id1, 7, "b"), manager(id1, succeeded, "ok"), manager(id1, started, "Finished")}, ErrIncomplete,
		},
		"vacuumed, late": {
			log{
				other, line(id1, 7, "b"), manager(id1, succeeded, "ok"), manager(id1, started, "Finished the backup."), line(id1, 7, "c"),
			}, ErrIncomplete,
		},
		"a simple unit":    {log{other, manager(id1, started, "Started"), line(id1, 7, "a"), manager(id1, succeeded, "ok")}, nil},
		"simple and quick": {log{other, line(id1, 7, "a"), manager(id1, started, "Started"), manager(id1, succeeded, "ok")}, nil},
		"a silent manager": {log{line(id1, 7, "a"), line(id1, 7, "b")}, ErrIncomplete},
		"no output":        {log{other, manager(id1, failed, "Failed", "UNIT_RESULT=resources")}, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := Reader{Dir: tt.log.dir(t)}
			whole, err := collect(recordingOf(t, r).Entries(t.Context(), unit, id1))
			require.NoError(t, err)
			got, err := collectWhole(r.Entries(t.Context(), unit, id1))
			assert.Equal(t, tt.want, err)
			assert.Len(t, got, len(whole))
			got, err = collectWhole(r.Skim(t.Context(), unit, id1, keepAll))
			assert.Equal(t, tt.want, err)
			assert.Len(t, got, len(whole))
		})
	}
}

// TestFirstIsGone: what was read first is in the journal no more.
func TestFirstIsGone(t *testing.T) {
	r := Reader{Dir: log{manager(id1, starting, "Starting"), line(id1, 7, "a"), line(id1, 7, "b")}.dir(t)}
	at := func(n int) time.Time { return t0.Add(time.Duration(n) * time.Second) }
	for name, tt := range map[string]struct {
		read progress
		want error
	}{
		"it is there":        {progress{starting: true, firstNote: at(0), firstLine: at(1), lastLine: at(2)}, nil},
		"an earlier line":    {progress{starting: true, firstNote: at(-2), firstLine: at(-1), lastLine: at(2)}, ErrIncomplete},
		"none is left":       {progress{starting: true, firstNote: at(-2)}, ErrIncomplete},
		"nothing was read":   {progress{}, nil},
		"no word on a start": {progress{firstLine: at(1), lastLine: at(2)}, ErrIncomplete},
	} {
		t.Run(name, func(t *testing.T) {
			for _, open := range []func(func(backend) error) error{r.open, throughJournalctl{r}.open} {
				require.NoError(t, open(func(b backend) error {
					p := pass{ctx: t.Context(), b: b, s: r.selector(unit), id: id1, progress: tt.read}
					assert.Equal(t, tt.want, p.complete(Entry{}))
					return nil
				}))
			}
		})
	}
}

func recordingOf(t *testing.T, r Reader) *Recording {
	out, err := exec.Command(testenv.Tool(t, "journalctl"), "--directory="+r.Dir, "--output=export").Output()
	require.NoError(t, err)
	return recording(t, out)
}

// A skipper is a Skipper.
type skipper func(text []byte, pid func() int) bool

func (s skipper) Skip(text []byte, pid func() int) bool { return s(text, pid) }

// keepAll leaves nothing out.
var keepAll = skipper(func([]byte, func() int) bool { return false })

// archive writes a part of a log, which begins at an entry of the whole, as a
// journal file that is written no more.
func archive(t testing.TB, part log, begin int, name string) {
	whole := append(make(log, begin), part...)
	for i := range begin {
		whole[i] = line(id2, 9, "other", "_SYSTEMD_UNIT=other.service")
	}
	text, err := os.ReadFile(whole.dir(t) + "/system.journal")
	require.NoError(t, err)
	const state, archived = 16, 2
	text[state] = archived
	require.NoError(t, os.WriteFile(name, text, 0o644))
}

// TestFilesTakeTurns reads a run whose entries lie in two files by turns, as
// those of a user's unit do, and in neither file in one piece.
func TestFilesTakeTurns(t *testing.T) {
	whole := damagedLog()
	dir := t.TempDir()
	for i := range 2 {
		turns := slices.Clone(whole)
		for k := range turns {
			if k%2 == i {
				turns[k] = line(id2, 9, "other", "_SYSTEMD_UNIT=other.service")
			}
		}
		require.NoError(t, os.Rename(turns.dir(t)+"/system.journal", fmt.Sprintf("%s/%d.journal", dir, i)))
	}
	want, err := collect(Reader{Dir: whole.dir(t)}.Entries(t.Context(), unit, id1))
	require.NoError(t, err)
	require.Len(t, want, len(whole))
	got, err := collect(Reader{Dir: dir}.Entries(t.Context(), unit, id1))
	require.NoError(t, err)
	assert.Equal(t, inShort(want), inShort(got))
	got, err = collect(throughJournalctl{Reader{Dir: dir}}.Entries(t.Context(), unit, id1))
	require.NoError(t, err)
	assert.Equal(t, inShort(want), inShort(got))
}

// TestLongFields are compressed in the journal.
func TestLongFields(t *testing.T) {
	l := log{line(id1, 7, strings.Repeat("compressible ", 5000))}
	for kind, source := range l.sources(t, false) {
		got, err := collect(source.Entries(t.Context(), unit, id1))
		require.NoError(t, err, kind)
		assert.Equal(t, []says{{Output, strings.Repeat("compressible ", 5000), 0, "", 0, 1}}, inShort(got), kind)
	}
}

// TestCompressors reads a line that each of the three has compressed. This
// journald writes with one of them only, so what it wrote plain is replaced.
func TestCompressors(t *testing.T) {
	message := strings.Repeat("compressible ", 5000)
	l := log{line(id1, 7, "first"), line(id1, 7, message), line(id1, 7, "last")}
	plain, err := os.ReadFile(journaltest.Dir(t, l.export(), "--compress=no") + "/system.journal")
	require.NoError(t, err)
	payload := "MESSAGE=" + message
	at := bytes.Index(plain, []byte(payload))
	require.Positive(t, at)

	for name, c := range map[string]struct {
		command []string
		flag    byte // of the object, and its bit among the file's incompatible flags
		bit     int
		frame   func(packed []byte) []byte
	}{
		"xz":   {[]string{"xz", "--check=none", "--stdout"}, 1, 0, nil},
		"zstd": {[]string{"zstd", "--stdout", "--quiet", fmt.Sprint("--stream-size=", len(payload))}, 4, 3, nil},
		"lz4": {[]string{"lz4", "-B7", "--no-frame-crc", "--stdout", "--quiet"}, 2, 1, func(frame []byte) []byte {
			// The journal has a bare block behind the length of what is in it.
			const header = 7
			n := binary.LittleEndian.Uint32(frame[header:])
			return append(binary.LittleEndian.AppendUint64(nil, uint64(len(payload))), frame[header+4:][:n]...)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(testenv.Tool(t, c.command[0]), c.command[1:]...)
			cmd.Stdin = strings.NewReader(payload)
			packed, err := cmd.Output()
			require.NoError(t, err)
			if c.frame != nil {
				packed = c.frame(packed)
			}
			require.Less(t, len(packed), len(payload))

			// The layout is that of https://systemd.io/JOURNAL_FILE_FORMAT.
			const incompatible, compact = 12, 1 << 4
			object := at - 64
			if plain[incompatible]&compact != 0 {
				object -= 8
			}
			size := uint64(at - object + len(payload))
			require.Equal(t, size, binary.LittleEndian.Uint64(plain[object+8:]))
			file := bytes.Clone(plain)
			file[incompatible] |= 1 << c.bit
			file[object+1] = c.flag
			binary.LittleEndian.PutUint64(file[object+8:], uint64(at-object+len(packed)))
			clear(file[at:][:len(payload)])
			copy(file[at:], packed)
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(dir+"/system.journal", file, 0o644))

			want := []int{len("first"), len(message), len("last")}
			r := Reader{Dir: dir}
			for way, seq := range map[string]iter.Seq2[Entry, error]{
				"entries": r.Entries(t.Context(), unit, id1), "skim": r.Skim(t.Context(), unit, id1, keepAll),
				"journalctl": throughJournalctl{r}.Entries(t.Context(), unit, id1),
			} {
				entries, err := collect(seq)
				require.NoError(t, err, way)
				var got []int
				for _, e := range entries {
					got = append(got, len(e.Message))
				}
				require.Equal(t, want, got, way)
				assert.True(t, string(entries[1].Message) == message, way)
			}
		})
	}
}

// TestClock: the clock went back during the run. Order is that of the journal.
func TestClock(t *testing.T) {
	l := log{line(id1, 7, "first"), line(id1, 7, "second"), line(id1, 7, "third")}
	text := strings.NewReplacer(fmt.Sprint(t0.Add(time.Second).UnixMicro()),
		fmt.Sprint(t0.Add(-time.Hour).UnixMicro())).Replace(string(l.export()))
	r := Reader{Dir: journaltest.Dir(t, []byte(text))}
	got, err := collect(r.Entries(t.Context(), unit, id1))
	require.NoError(t, err)
	assert.Equal(t, []says{{Output, "first", 0, "", 0, 1}, {Output, "second", 0, "", 0, 1}, {Output, "third", 0, "", 0, 1}}, inShort(got))
}

// TestClockBetween: the clock went back between two runs, so that the entries of
// the earlier one have the later times.
func TestClockBetween(t *testing.T) {
	l := log{
		manager(id2, starting, "Starting"), line(id2, 7, "earlier"), manager(id2, failed, "Failed", "UNIT_RESULT=exit-code"),
		late("late, of the earlier"),
		manager(id1, starting, "Starting"), line(id1, 7, "first"), manager(id1, failed, "Failed", "UNIT_RESULT=exit-code"), late("late"),
	}
	text := string(l.export())
	for i := 4; i < len(l); i++ {
		at := t0.Add(time.Duration(i) * time.Second)
		text = strings.Replace(text, fmt.Sprint(at.UnixMicro()), fmt.Sprint(at.Add(-time.Hour).UnixMicro()), 1)
	}
	r := Reader{Dir: journaltest.Dir(t, []byte(text))}
	want := []says{
		{Manager, "Starting", EventStarting, "", 0, 1}, {Output, "first", 0, "", 0, 1}, {Manager, "Failed", EventFailed, ExitCode, 0, 1},
		{Output, "late", 0, "", 0, 1},
	}
	sources := map[string]Source{"reader": r, "journalctl": throughJournalctl{r}, "skim": skimming{r}, "export": recording(t, []byte(text))}
	for kind, source := range sources {
		got, err := collectWhole(source.Entries(t.Context(), unit, id1))
		require.NoError(t, err, kind)
		assert.ElementsMatch(t, want, inShort(got), kind)
	}
}

var iterations = flag.Int("iterations", 1000, "how often TestLeaks reads")

// TestLeaks: a reader leaves neither memory nor files open.
func TestLeaks(t *testing.T) {
	n := *iterations
	if testing.Short() {
		n = 30
	}
	r := Reader{Dir: damagedLog().dir(t)}
	rounds := 0
	read := func() {
		id, err := r.Latest(t.Context(), unit)
		require.NoError(t, err)
		rounds++
		for _, err := range r.Skim(t.Context(), unit, id, keepAll) {
			require.NoError(t, err)
			if rounds%4 != 0 {
				break // the journal is closed here too
			}
		}
	}
	open := func() int {
		names, err := filepath.Glob("/proc/self/fd/*")
		require.NoError(t, err)
		return len(names)
	}
	for range 10 {
		read()
	}
	files, goroutines, memory := open(), runtime.NumGoroutine(), anonymous(t)
	for range n {
		read()
	}
	assert.LessOrEqual(t, open(), files+2)
	assert.LessOrEqual(t, runtime.NumGoroutine(), goroutines+2)
	after := anonymous(t)
	assert.LessOrEqual(t, after, memory+16<<10, "KiB")
	t.Logf("%d iterations: %d KiB of anonymous memory before, %d after", n, memory, after)
}

// anonymous is the memory of its own that this process has, in KiB.
func anonymous(t *testing.T) int {
	runtime.GC()
	text, err := os.ReadFile("/proc/self/status")
	require.NoError(t, err)
	_, rest, _ := strings.Cut(string(text), "RssAnon:")
	n := 0
	_, err = fmt.Sscan(rest, &n)
	require.NoError(t, err)
	return n
}
