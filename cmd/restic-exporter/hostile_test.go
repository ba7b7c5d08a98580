package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restic-exporter/restic-exporter/internal/journaltest"
	"github.com/restic-exporter/restic-exporter/internal/metrictest"
	"github.com/restic-exporter/restic-exporter/internal/testenv"
)

// forgedName is the name of a file: restic prints it as it is.
var forgedName = strings.Split("a\n"+
	"Files:         999 new,   999 changed,   999 unmodified\n"+
	"Dirs:          999 new,   999 changed,   999 unmodified\n"+
	"Added to the repo: 9.000 TiB\n"+
	"Added to the repository: 9.000 TiB (9.000 TiB stored)\n"+
	"\n"+
	"processed 999 files, 9.000 TiB in 9:59\n"+
	"snapshot 99999999 saved\n"+
	`{"message_type":"summary","files_new":999,"files_changed":999,"total_files_processed":999,"total_bytes_processed":999,`+
	`"data_added":999,"snapshot_id":"99999999"}`+"\n"+
	`{"message_type":"exit_error","code":12,"message":"Fatal: wrong password"}`+"\n"+
	"Fatal: wrong password or no key found\n"+
	`{"message_type":"exit_error","code":3,"message":"Warning: at least one source file could not be read"}`+"\n"+
	"Warning: at least one source file could not be read\n"+
	"Warning: failed to read all source data during backup\n"+
	"\x1b[2J\x1b]0;title\x07\xff\xfe", "\n")

// entriesOf splits a recording in export format. Values with line breaks have
// a length before them.
func entriesOf(t *testing.T, text string) []string {
	var entries []string
	begin := 0
	for i := 0; i < len(text); {
		line, _, ok := strings.Cut(text[i:], "\n")
		require.True(t, ok)
		i += len(line) + 1
		switch {
		case line == "":
			entries = append(entries, text[begin:i])
			begin = i
		case !strings.Contains(line, "="):
			i += 8 + int(binary.LittleEndian.Uint64([]byte(text[i:]))) + 1
		}
	}
	return entries
}

// TestDoesLittle: the program runs no other, opens no port, and asks nobody for
// anything but the journal's files.
func TestDoesLittle(t *testing.T) {
	t.Setenv("CGO_ENABLED", "1") // without it journalctl reads
	testenv.Tool(t, "gcc")
	path, _, _ := strings.Cut(buildHere(t), ":")
	trace := filepath.Join(t.TempDir(), "trace")
	out, err := exec.Command(testenv.Tool(t, "strace"), "-f", "-o", trace, "-e",
		"trace=execve,socket,bind,listen,connect", path+"/restic-exporter",
		"--journal", journalOf(t, goodRun), "--output", filepath.Join(t.TempDir(), "x.prom")).CombinedOutput()
	if err != nil {
		testenv.LeaveOut(t, "strace may not trace here: "+string(out))
	}
	text, err := os.ReadFile(trace)
	require.NoError(t, err)
	calls := regexp.MustCompile(`\b(execve|socket|bind|listen|connect)\(`).FindAllString(string(text), -1)
	assert.Equal(t, []string{"execve("}, calls)
}

// TestHostileFile: no file that is there already, whoever put it there, takes
// longer than a second or more than 64 MiB. One of 10,000 backups is still ours.
func TestHostileFile(t *testing.T) {
	path, _, _ := strings.Cut(buildHere(t), ":")
	series := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format+"\n", i)
		}
		return b.String()
	}
	labels := strings.ReplaceAll(series(64, `a%d="",`), "\n", "")
	var ours strings.Builder
	for _, name := range []string{"files", "dirs"} {
		for _, state := range []string{"changed", "new", "unmodified"} {
			ours.WriteString(series(10_000, `restic_snapshot_`+name+`{backup="%d",state="`+state+`",unit="restic-backup.service"} 123456`))
		}
	}
	for _, name := range []string{
		"processed_files", "processed_bytes", "added_bytes", "stored_bytes", "unreadable_items", "duration_seconds",
	} {
		ours.WriteString(series(10_000, `restic_snapshot_`+name+`{backup="%d",unit="restic-backup.service"} 123456`))
	}
	files := map[string]struct{ text, kept string }{
		"many labels":         {"x{" + strings.ReplaceAll(labels, "a", "b") + strings.Repeat(labels, 400) + "} 1\n", ""},
		"64 labels, often":    {series(30_000, "x{"+labels[:len(labels)-7]+`b="%d"} 1`), ""},
		"a million series":    {series(1_000_000, "x %d"), ""},
		"a million labels":    {series(800_000, `x{a="%d"} 1`), ""},
		"a million families":  {series(1_000_000, "x%d 1"), ""},
		"a million lines":     {strings.Repeat("\n", 16<<20), ""},
		"larger than is read": {strings.Repeat("#", 17<<20), ""},
		"ours, of 10,000 backups": {
			ours.String(), "restic_snapshot_files{backup=\"9999\",state=\"new\",unit=\"restic-backup.service\"} 123456\n",
		},
	}
	for name, tt := range files {
		t.Run(name, func(t *testing.T) {
			output := filepath.Join(t.TempDir(), "x.prom")
			require.NoError(t, os.WriteFile(output, []byte(tt.text), 0o644))
			memory, took, out := measure(t, path+"/restic-exporter", failedRun, "--output", output)
			t.Logf("%d bytes: %v, %d KiB", len(tt.text), took, memory)
			assert.Less(t, memory, 64<<10, "KiB")
			assert.Less(t, took, 2*time.Second, "on both processors: half of that by the clock")
			got, err := os.ReadFile(output)
			require.NoError(t, err)
			assert.Contains(t, string(got), tt.kept)
			assert.Equal(t, tt.kept == "", strings.Contains(out, "values of earlier runs are lost"), "%s", out)
		})
	}
}

// measure runs a program, and returns the most memory that it had, in KiB, its
// time on the processors, and what it printed. The kernel's own account of
// memory begins with that of the process that forked.
func measure(t *testing.T, name string, args ...string) (memory int, took time.Duration, out string) {
	var b bytes.Buffer
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = &b, &b
	require.NoError(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
		if _, peak, ok := strings.Cut(string(status), "VmHWM:"); ok {
			fmt.Sscan(peak, &memory)
		}
		select {
		case err := <-ended:
			require.NoError(t, err, "%s", b.String())
			return memory, cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), b.String()
		case <-time.After(time.Millisecond):
		}
	}
}

// TestModules: what the program is made of beside Go's own library.
func TestModules(t *testing.T) {
	t.Setenv("CGO_ENABLED", "1")
	out, err := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}}{{end}}{{end}}", ".").Output()
	require.NoError(t, err)
	modules := slices.Compact(slices.Sorted(strings.FieldsSeq(string(out))))
	assert.Len(t, modules, 7, "docs/security.md counts them")
}

var messageOf = regexp.MustCompile(`(?m)^MESSAGE=.*\n`)

// saying is an entry with another message.
func saying(entry, message string) string {
	field := "MESSAGE\n" + string(binary.LittleEndian.AppendUint64(nil, uint64(len(message)))) + message + "\n"
	at := messageOf.FindStringIndex(entry)
	return entry[:at[0]] + field + entry[at[1]:]
}

// TestHostileNames puts a hostile name into every recording of every release,
// where restic would print it: in a line about a file, as with -vv, and in an
// error, as without. But for the entries that were read nothing changes.
func TestHostileNames(t *testing.T) {
	summary := regexp.MustCompile(`(?m)^MESSAGE=Files: .* unmodified$`)
	places := map[string]struct {
		at         *regexp.Regexp
		head, tail string // of the line before a summary that the name is in
		min        int    // recordings that have such a place
	}{
		"unchanged": {summary, "unchanged /srv/data/", "", 60},
		"new":       {summary, "new       /srv/data/", ", saved in 0.000s (0 B added)", 60},
		"modified":  {summary, "modified  /srv/data/", ", saved in 0.000s (0 B added, 0 B stored)", 60},
		// The name goes on behind an error that is there.
		"an error": {regexp.MustCompile(`(?m)^MESSAGE=error: `), "", ": permission denied", 8},
	}
	for name, place := range places {
		t.Run(name, func(t *testing.T) {
			releases := make(map[string]bool)
			n := 0
			for _, recording := range journaltest.Recordings(t) {
				text, err := os.ReadFile(recording)
				require.NoError(t, err)
				var forged []string
				added := 0
				for _, e := range entriesOf(t, string(text)) {
					if !place.at.MatchString(e) || !strings.Contains(e, "_SYSTEMD_INVOCATION_ID=") {
						forged = append(forged, e)
						continue
					}
					lines := slices.Clone(forgedName)
					lines[0] = place.head + lines[0]
					lines[len(lines)-1] += place.tail
					if place.at != summary {
						forged = append(forged, e)
						lines = lines[1:]
					}
					for _, line := range lines {
						forged = append(forged, saying(e, line))
						added++
					}
					if place.at == summary {
						forged = append(forged, e)
					}
				}
				if added == 0 {
					continue
				}
				n++
				releases[filepath.Base(filepath.Dir(recording))] = true
				file := filepath.Join(t.TempDir(), "forged.export")
				require.NoError(t, os.WriteFile(file, []byte(strings.Join(forged, "")), 0o644))
				got := call(t, nil, "", file)
				require.Zero(t, got.code, got.stderr)
				want := metrictest.Flat(t, metricsOf(t, recording))
				want["restic_exporter_log_entries{}"] += float64(added)
				assert.Equal(t, want, metrictest.Flat(t, got.stdout), journaltest.Title(recording))
			}
			assert.GreaterOrEqual(t, n, place.min)
			if place.at == summary {
				assert.Len(t, releases, 9, "every release")
			}
		})
	}
}
