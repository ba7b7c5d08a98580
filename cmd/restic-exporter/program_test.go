package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restic-exporter/restic-exporter/internal/journaltest"
	"github.com/restic-exporter/restic-exporter/internal/metrictest"
	"github.com/restic-exporter/restic-exporter/internal/server"
	"github.com/restic-exporter/restic-exporter/internal/testenv"
	"github.com/restic-exporter/restic-exporter/journal"
	"github.com/restic-exporter/restic-exporter/textfile"
)

const (
	goodRun   = "../../testdata/0.19.1/second-run-prune.export"
	failedRun = "../../testdata/0.19.1/wrong-password.export"
)

func TestHelp(t *testing.T) {
	got := call(t, nil, "", "--help")
	assert.Equal(t, result{stdout: got.stdout}, got)
	lines := strings.Split(strings.TrimSuffix(got.stdout, "\n"), "\n")
	assert.LessOrEqual(t, len(lines), 50, "it fits on a screen")
	for _, line := range lines {
		assert.LessOrEqual(t, len(line), 80, line)
	}
	for _, name := range []string{"unit", "output", "invocation", "journal", "user", "action", "label", "max-age", "version", "help"} {
		assert.Contains(t, got.stdout, "--"+name)
	}
	assert.Equal(t, got, call(t, nil, "", "-h"))
}

func TestVersion(t *testing.T) {
	want := result{stdout: "restic-exporter 0.0.0 (revision 0123456789ab, go1.26)\n"}
	assert.Equal(t, want, call(t, nil, "", "--version"))
}

// TestWrongUsage: nothing is read and nothing written.
func TestWrongUsage(t *testing.T) {
	tests := map[string]struct {
		args []string
		says string
	}{
		"unknown flag":             {[]string{"--verbose"}, "flag provided but not defined: -verbose"},
		"flag without value":       {[]string{"--unit"}, "flag needs an argument: -unit"},
		"two recordings":           {[]string{"a", "b"}, "one LOG at a time"},
		"empty recording's name":   {[]string{""}, "the name of LOG is empty"},
		"journal and recording":    {[]string{"--journal", "x", "y"}, "either --journal or LOG"},
		"no unit":                  {[]string{"--unit", ""}, "not the name of a unit"},
		"a path for a unit":        {[]string{"--unit", "../../etc/passwd"}, "not the name of a unit"},
		"a unit with a line break": {[]string{"--unit", "a\nb"}, "not the name of a unit"},
		"a unit too long":          {[]string{"--unit", strings.Repeat("a", 256)}, "not the name of a unit"},
		"a timer":                  {[]string{"--unit", "restic-backup.timer"}, "want a service, as restic-backup.service"},
		"a template": {[]string{"--unit", "restic@.service"},
			"a template does not run; name an instance, as in restic@NAME.service"},
		"an ID too short":          {[]string{"--invocation", "abc"}, "invalid invocation ID"},
		"an ID that is none":       {[]string{"--invocation", strings.Repeat("x", 32)}, "want 32 hexadecimal digits"},
		"label without value":      {[]string{"--label", "site"}, "want NAME=VALUE, as in site=berlin"},
		"label's name":             {[]string{"--label", "my-site=x"}, `invalid label name "my-site"`},
		"label's name, reserved":   {[]string{"--label", "__name__=x"}, `invalid label name "__name__"`},
		"label unit":               {[]string{"--label", "unit=x"}, `label "unit" is taken`},
		"label of a metric":        {[]string{"--label", "state=x"}, `label "state" is taken`},
		"label twice":              {[]string{"--label", "a=1", "--label", "a=2"}, `label "a" is given twice`},
		"label, no UTF-8":          {[]string{"--label", "a=\xff"}, "is not UTF-8"},
		"action without name":      {[]string{"--action", "=x"}, "want NAME=IDENTIFIER"},
		"action without script":    {[]string{"--action", "backup"}, "want NAME=IDENTIFIER"},
		"one script, two actions":  {[]string{"--action", "a=x.sh", "--action", "b=x.sh"}, `identifier "x.sh" is both "a" and "b"`},
		"age":                      {[]string{"--max-age", "soon"}, "want a duration, such as 26h or 2d"},
		"age below 0":              {[]string{"--max-age", "-1h"}, "want a duration above 0"},
		"age 0":                    {[]string{"--max-age", "0"}, "want a duration above 0"},
		"output that is ignored":   {[]string{"--output", "x.txt"}, "must end in .prom"},
		"output, empty":            {[]string{"--output", ""}, "want a path; leave the flag out for the default"},
		"journal, empty":           {[]string{"--journal="}, "want a path; leave the flag out for the default"},
		"output, a hidden name":    {[]string{"--output", "/x/.prom"}, "must end in .prom"},
		"a path for a namespace":   {[]string{"--namespace", "../x"}, "is not the name of a journal namespace"},
		"namespace, empty":         {[]string{"--namespace", ""}, "is not the name of a journal namespace"},
		"namespace of a recording": {[]string{"--namespace", "x", "log"}, "--namespace works only with system units"},
		"namespace of a user":      {[]string{"--namespace", "x", "--user"}, "--namespace works only with system units"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := call(t, nil, "", tt.args...)
			assert.Equal(t, result{code: 2, stderr: got.stderr}, got)
			assert.Contains(t, got.stderr, tt.says)
			assert.Contains(t, got.stderr, "restic-exporter --help")
			assert.Equal(t, 1, strings.Count(got.stderr, "\n"), "one line")
		})
	}
}

// TestHostileValues: whatever a flag is given, the answer is an exit status, and
// lines of text or metrics that node_exporter reads.
func TestHostileValues(t *testing.T) {
	values := []string{
		"", " ", "-", "--", "-h", "=", "a=", "=a", "a==", "\x00", "a\x00b=c", "a\nb", "a=\"\n\\", "\xff\xfe", "a=\xff", "\x1b[2J",
		"%s%n%d", "$(id)", "`id`", "; id",
		"../../../../etc/passwd", "/dev/zero/x", "/proc/self/mem", "/dev/full", "~root", "*", "[", "99999999999999999999", "-1", "NaN",
		"1e999", "0x10", "2d", "\u202e", "\U0010ffff",
		strings.Repeat("a", 1<<20), strings.Repeat("f", 32), "a=" + strings.Repeat("b", 1<<20), "unit=x", "__name__=x", "le=1", "state=x",
	}
	flags := []string{"--unit", "--invocation", "--label", "--action", "--max-age", "--output", "--journal", "--namespace", "--user"}
	journals := journalOf(t, failedRun)
	log, err := filepath.Abs(failedRun)
	require.NoError(t, err)
	dir := t.TempDir()
	t.Chdir(dir)
	for _, flag := range flags {
		for _, value := range values {
			for _, from := range [][]string{{log}, {"--journal", journals}} {
				if flag == "--journal" {
					from = nil
				}
				args := slices.Concat([]string{flag, value}, from)
				if flag == "--user" {
					args = slices.Concat([]string{flag + "=" + value}, from)
				}
				if flag != "--output" {
					args = slices.Concat([]string{"--output", "-"}, args)
				}
				name := fmt.Sprintf("%.80q", args)
				got := call(t, nil, "", args...)
				want := 0
				if _, err := parseFlags(args); err != nil {
					want = 2
				} else if strings.Contains(got.stderr, "restic-exporter: error: ") {
					want = 1
				}
				assert.Equal(t, want, got.code, name)
				for line := range strings.Lines(got.stderr) {
					assert.Regexp(t, `^restic-exporter: (error|warning): [^[:cntrl:]]*\n$`, line, name)
				}
				switch {
				case got.code != 0:
					assert.Empty(t, got.stdout, name)
				case got.stdout != "" && value != "-h":
					metrictest.Flat(t, got.stdout)
				}
			}
		}
	}
	// What --output names may be there, and no other file.
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestFlags(t *testing.T) {
	defaults := options{
		unit: "restic-backup.service", labels: map[string]string{},
		actions: map[string]string{"restic-backup.sh": "backup", "cleanup-backups.sh": "cleanup", "restic-prune.sh": "prune"},
	}
	tests := map[string]struct {
		args []string
		want func(o *options)
	}{
		"none":        {nil, func(*options) {}},
		"unit, short": {[]string{"--unit", "x"}, func(o *options) { o.unit = "x.service" }},
		"unit, whole": {[]string{"-unit=x.service"}, func(o *options) { o.unit = "x.service" }},
		"instance, escaped": {
			[]string{"--unit", `restic@srv-data\x20x.service`}, func(o *options) { o.unit = `restic@srv-data\x20x.service` },
		},
		"flags behind LOG": {
			[]string{"a.log", "--unit", "x", "--user"}, func(o *options) { o.log, o.unit, o.user = "a.log", "x.service", true },
		},
		"standard input":     {[]string{"-"}, func(o *options) { o.log = "-" }},
		"LOG like a flag":    {[]string{"--", "--odd"}, func(o *options) { o.log = "--odd" }},
		"age in Go's words":  {[]string{"--max-age", "26h30m"}, func(o *options) { o.maxAge = 26*time.Hour + 30*time.Minute }},
		"age in Prometheus'": {[]string{"--max-age", "2d"}, func(o *options) { o.maxAge = 48 * time.Hour }},
		"labels": {
			[]string{"--label", "a=1", "--label", "b=x=y"}, func(o *options) { o.labels = map[string]string{"a": "1", "b": "x=y"} },
		},
		"action in place of": {[]string{"--action", "backup=my.sh", "--action", "backup=other.sh"}, func(o *options) {
			o.actions = map[string]string{
				"my.sh": "backup", "other.sh": "backup", "cleanup-backups.sh": "cleanup", "restic-prune.sh": "prune",
			}
		}},
		"ID with dashes": {[]string{"--invocation", "01234567-89ab-cdef-0123-456789abcdef"}, func(o *options) {
			require.NoError(t, o.invocation.UnmarshalText([]byte("0123456789abcdef0123456789abcdef")))
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			want := defaults
			tt.want(&want)
			got, err := parseFlags(tt.args)
			require.NoError(t, err)
			assert.Equal(t, want, got)
		})
	}
}

// journalOf makes a real journal of recordings.
func journalOf(t testing.TB, recordings ...string) string {
	dir := t.TempDir()
	for i, recording := range recordings {
		export, err := os.ReadFile(recording)
		require.NoError(t, err)
		journaltest.Write(t, fmt.Sprintf("%s/%d.journal", dir, i), export)
	}
	return dir
}

// TestJournalFile: one file is read, and none beside it.
func TestJournalFile(t *testing.T) {
	file := filepath.Join(journalOf(t, goodRun, failedRun), "0.journal")
	odd := filepath.Join(t.TempDir(), "remote-*?[a]@x")
	require.NoError(t, os.Rename(file, odd))
	assert.Equal(t, metricsOf(t, goodRun), byPackages(t, journal.Reader{File: odd}), "another program")
	assert.Equal(t, metricsOf(t, goodRun), metricsOf(t, "--journal", odd, "--output", "-"))
	dir := t.TempDir()
	assert.Equal(t, result{}, call(t, nil, "", "--journal", odd, "--unit", "restic-*", "--output", dir))
	text, err := os.ReadFile(dir + "/restic-backup.prom")
	require.NoError(t, err)
	assert.Equal(t, metricsOf(t, goodRun), string(text))
	assert.Contains(t, call(t, nil, "", "--journal", odd, "--namespace", "x").stderr, "--journal DIR")
}

// rewrite makes a recording of another with some words replaced by others of
// the same length.
func rewrite(t *testing.T, recording string, oldnew ...string) string {
	text, err := os.ReadFile(recording)
	require.NoError(t, err)
	name := filepath.Join(t.TempDir(), "rewritten")
	require.NoError(t, os.WriteFile(name, []byte(strings.NewReplacer(oldnew...).Replace(string(text))), 0o644))
	return name
}

// cut makes a recording of the first entries of another that contain none of
// the words.
func cut(t *testing.T, recording string, words ...string) string {
	text, err := os.ReadFile(recording)
	require.NoError(t, err)
	var kept []string
	for _, entry := range entriesOf(t, string(text)) {
		if !slices.ContainsFunc(words, func(word string) bool { return strings.Contains(entry, word) }) {
			kept = append(kept, entry)
		}
	}
	name := filepath.Join(t.TempDir(), "cut")
	require.NoError(t, os.WriteFile(name, []byte(strings.Join(kept, "")), 0o644))
	return name
}

// TestBadInput: exit status 1, one line that says what to do, and the file that
// is there stays.
func TestBadInput(t *testing.T) {
	const old = "restic_repo_files{unit=\"restic-backup.service\",state=\"new\"} 1\n"
	dir := t.TempDir()
	output := filepath.Join(dir, "restic-backup.prom")
	write := func(name, text string) string {
		name = filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(name, []byte(text), 0o644))
		return name
	}
	empty := t.TempDir()
	const verdict = "7ad2d189f7e94e70a38c781354912448"

	tests := map[string]struct {
		args  []string
		stdin string
		says  []string
	}{
		"no such unit": {
			[]string{"--journal", journalOf(t, goodRun), "--unit", "nonesuch"},
			"", []string{"no invocation of nonesuch.service in the journal", "is the name right"},
		},
		"no such invocation": {
			[]string{"--journal", journalOf(t, goodRun), "--invocation", strings.Repeat("a", 32)},
			"", []string{"no invocation of restic-backup.service in the journal", "journalctl _SYSTEMD_INVOCATION_ID=aaaa"},
		},
		"no such unit in LOG": {
			[]string{goodRun, "--unit", "nonesuch"}, "", []string{"no invocation of nonesuch.service in ../../testdata", "--unit"},
		},
		"no such user unit": {
			[]string{"--journal", journalOf(t, goodRun), "--user"}, "", []string{"no invocation", "this user's units"},
		},
		"no journal": {
			[]string{"--journal", filepath.Join(empty, "none")}, "", []string{"none: no such file or directory"},
		},
		"no journal file": {
			[]string{"--journal", write("elf.journal", "\x7fELF")}, "", []string{"elf.journal", "it is not a journal file"},
		},
		"no journal files": {[]string{"--journal", empty}, "", []string{"no journal file among its 0 entries"}},
		"no recording":     {[]string{filepath.Join(empty, "none")}, "", []string{"none: no such file or directory"}},
		"a directory":      {[]string{empty}, "", []string{"is a directory", "--journal " + empty}},
		"empty recording": {[]string{write("empty", "")}, "",
			[]string{"it is empty; want the output of journalctl -o export, -o json --all or -o short-iso, or of restic"}},
		"empty standard input": {[]string{"-"}, "", []string{"standard input", "it is empty"}},
		"no format": {
			[]string{write("prose", "Dear diary,\nnothing happened.\n")}, "", []string{"nothing in it is restic's", "journalctl -o export"},
		},
		"binary": {[]string{write("elf", "\x7fELF\x00\x00")}, "", []string{"it is not text"}},
		"a journal file": {
			[]string{filepath.Join(journalOf(t, goodRun), "0.journal")}, "", []string{"read it with --journal"},
		},
		"cut off": {
			[]string{write("cut", "__REALTIME_TIMESTAMP=1\nMESSAGE=x\n")}, "", []string{"the recording is cut off"},
		},
		"a run that goes on, LOG": {
			[]string{cut(t, goodRun, verdict, "Finished")}, "", []string{"ends before the run", "record it again when the run has ended"},
		},
		"a run that goes on": {
			[]string{"--journal", journalOf(t, cut(t, goodRun, verdict, "Finished"))},
			"", []string{"still going on", "run this again when it has ended"},
		},
		"an ID in a format without": {
			[]string{"--invocation", strings.Repeat("a", 32), write("iso", "2026-11-23T00:00:00+0000 host a[1]: b\n")}, "",
			[]string{"no invocation of restic-backup.service"},
		},
		"output directory missing": {
			[]string{goodRun, "--output", filepath.Join(empty, "none", "x.prom")}, "",
			[]string{"no such file or directory", "create the directory, or use another --output"},
		},
		"output directory, by its slash": {[]string{goodRun, "--output", filepath.Join(empty, "none.prom") + "/"}, "",
			[]string{"the directory", "none.prom/ does not exist; create it, or name another"}},
		"output directory is a file": {
			[]string{goodRun, "--output", filepath.Join(write("file", ""), "x.prom")}, "", []string{"not a directory"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.WriteFile(output, []byte(old), 0o644))
			args := tt.args
			if !slices.Contains(args, "--output") {
				args = append([]string{"--output", output}, args...)
			}
			got := call(t, nil, tt.stdin, args...)
			assert.Equal(t, result{code: 1, stderr: got.stderr}, got)
			for _, says := range tt.says {
				assert.Contains(t, got.stderr, says)
			}
			assert.Equal(t, 1, strings.Count(got.stderr, "\n"), "one line: %s", got.stderr)
			assert.True(t, strings.HasPrefix(got.stderr, "restic-exporter: error: "), got.stderr)
			text, err := os.ReadFile(output)
			require.NoError(t, err)
			assert.Equal(t, old, string(text))
			names, err := os.ReadDir(dir)
			require.NoError(t, err)
			assert.Len(t, names, 1, "nothing is left behind")
		})
	}
}

// TestOtherUnit: a file belongs to one unit.
func TestOtherUnit(t *testing.T) {
	output := filepath.Join(t.TempDir(), "backup.prom")
	require.Equal(t, result{}, call(t, nil, "", goodRun, "--output", output))
	want, err := os.ReadFile(output)
	require.NoError(t, err)
	other := rewrite(t, failedRun, "restic-backup.service", "restic-other2.service")
	assert.Equal(t, result{code: 1, stderr: "restic-exporter: error: writing the metrics of restic-other2.service to " + output +
		": the file is about another unit, restic-backup.service; " +
		"give each unit an --output of its own, or delete the file if that unit is gone\n"},
		call(t, nil, "", other, "--unit", "restic-other2", "--output", output))
	got, err := os.ReadFile(output)
	require.NoError(t, err)
	assert.Equal(t, string(want), string(got))
}

func TestUnreadableFile(t *testing.T) {
	output := filepath.Join(t.TempDir(), "x.prom")
	require.NoError(t, os.WriteFile(output, []byte("no metrics\n"), 0o644))
	got := call(t, nil, "", goodRun, "--output", output)
	assert.Equal(t, result{stderr: got.stderr}, got)
	assert.Contains(t, got.stderr, "warning: the values of earlier runs are lost: "+output)
	text, err := os.ReadFile(output)
	require.NoError(t, err)
	assert.Equal(t, metricsOf(t, goodRun), string(text))
}

func TestDroppedEntries(t *testing.T) {
	text, err := os.ReadFile(goodRun)
	require.NoError(t, err)
	_, id, _ := strings.Cut(string(text), "_SYSTEMD_INVOCATION_ID=")
	id = id[:32]
	note := "__REALTIME_TIMESTAMP=1795392562000000\n_PID=1\n_SYSTEMD_UNIT=systemd-journald.service\n" +
		"OBJECT_SYSTEMD_UNIT=restic-backup.service\n" +
		"OBJECT_SYSTEMD_INVOCATION_ID=" + id + "\nN_DROPPED=4711\n\n"
	got := call(t, nil, string(text)+note, "-", "--invocation", id)
	assert.Equal(t, result{stdout: got.stdout, stderr: got.stderr}, got)
	assert.Contains(t, got.stderr, "LogRateLimitIntervalSec=1s and LogRateLimitBurst=100000000")
	assert.Contains(t, got.stdout, "restic_exporter_dropped_entries{unit=\"restic-backup.service\"} 4711\n")
}

// TestStrip: what a wrapper puts before each line is cut, once.
func TestStrip(t *testing.T) {
	text, err := os.ReadFile("../../testdata/0.19.1/second-run-prune.log")
	require.NoError(t, err)
	var bare, prefixed strings.Builder
	for line := range strings.Lines(string(text)) {
		_, message, _ := strings.Cut(line, "]: ")
		bare.WriteString(message)
		prefixed.WriteString("backup-1  | " + message)
	}
	want := call(t, nil, bare.String(), "-")
	assert.Contains(t, want.stdout, "restic_exporter_backups{unit=\"restic-backup.service\"} 1\n")
	assert.Equal(t, want, call(t, nil, prefixed.String(), "-", "--strip", `^\S+ +\| `))
	assert.Equal(t, want, call(t, nil, prefixed.String(), "-", "--strip", `[a-z]+-1 +\| `), "not only with ^")
}

// TestLinesThatCannotBeRead: the lines cost themselves, and it says so.
func TestLinesThatCannotBeRead(t *testing.T) {
	line := rewrite(t, goodRun, "processed 233 files", "processed 2x3 files")
	got := call(t, nil, "", line)
	assert.Equal(t, result{stdout: got.stdout, stderr: got.stderr}, got)
	assert.Contains(t, got.stderr, "restic-exporter: warning: restic-backup.service: process ")
	assert.Contains(t, got.stderr, `processed 2x3 files`)
	assert.Contains(t, got.stdout, "restic_exporter_unparsed_lines{unit=\"restic-backup.service\"} 1\n")
	assert.Contains(t, got.stdout, "restic_exporter_backups{unit=\"restic-backup.service\"} 0\n")
	assert.NotContains(t, got.stdout, "restic_snapshot_processed_files")
}

// TestWhichInvocation: a journal that holds two.
func TestWhichInvocation(t *testing.T) {
	const first, last = goodRun, failedRun // by their times
	dir := journalOf(t, last, first)
	idOf := func(recording string) string {
		text, err := os.ReadFile(recording)
		require.NoError(t, err)
		_, id, _ := strings.Cut(string(text), "\nINVOCATION_ID=")
		return id[:32]
	}
	assert.Equal(t, metricsOf(t, last), metricsOf(t, "--journal", dir, "--output", "-"), "the latest")
	assert.Equal(t, metricsOf(t, first), metricsOf(t, "--journal", dir, "--output", "-", "--invocation", idOf(first)))
	assert.Equal(t, metricsOf(t, last), metricsOf(t, "--journal", dir, "--output", "-", "--invocation", idOf(last)))

	var both bytes.Buffer
	for _, recording := range []string{first, last} {
		text, err := os.ReadFile(recording)
		require.NoError(t, err)
		both.Write(text)
	}
	got := call(t, nil, both.String(), "-", "--invocation", idOf(first))
	assert.Equal(t, result{stdout: metricsOf(t, first)}, got, "of a recording of both")
	assert.Equal(t, result{stdout: metricsOf(t, last)}, call(t, nil, both.String(), "-"))

	t.Run("an earlier run leaves a later one's file alone", func(t *testing.T) {
		output := filepath.Join(t.TempDir(), "x.prom")
		require.Equal(t, result{}, call(t, nil, "", "--journal", dir, "--output", output))
		got := call(t, nil, "", "--journal", dir, "--output", output, "--invocation", idOf(first))
		assert.Equal(t, result{code: 1, stderr: got.stderr}, got)
		assert.Contains(t, got.stderr, "the file is about a later run")
	})
	t.Run("a handler of another unit", func(t *testing.T) {
		// $INVOCATION_ID is the handler's own.
		env := map[string]string{
			"INVOCATION_ID": strings.Repeat("c", 32), "SERVICE_RESULT": "timeout",
			"MONITOR_UNIT": "other.service", "MONITOR_INVOCATION_ID": strings.Repeat("d", 32),
		}
		assert.Equal(t, result{stdout: metricsOf(t, last)}, call(t, env, "", "--journal", dir, "--output", "-"))
	})
}

// TestTwice: a second call on one invocation changes nothing, and a failure
// counts once.
func TestTwice(t *testing.T) {
	for _, recording := range []string{goodRun, failedRun} {
		dir := t.TempDir()
		var texts []string
		for range 3 {
			require.Equal(t, result{}, call(t, nil, "", recording, "--output", dir))
			text, err := os.ReadFile(filepath.Join(dir, "restic-backup.prom"))
			require.NoError(t, err)
			texts = append(texts, string(text))
		}
		assert.Equal(t, metricsOf(t, recording), texts[0])
		assert.Equal(t, []string{texts[0], texts[0], texts[0]}, texts)
	}
}

// TestTwiceClock: the clock is set back when the exporter has been called by
// ExecStopPost=, so the manager's verdict has a time before the run.
func TestTwiceClock(t *testing.T) {
	text, err := os.ReadFile(failedRun)
	require.NoError(t, err)
	before, verdict, found := strings.Cut(string(text), "Failed with result")
	require.True(t, found)
	at := strings.LastIndex(before, "__REALTIME_TIMESTAMP=") + len("__REALTIME_TIMESTAMP=")
	us, err := strconv.ParseInt(before[at:at+16], 10, 64)
	require.NoError(t, err)
	back := before[:at] + strconv.FormatInt(us-3600e6, 10) + before[at+16:] + "Failed with result" + verdict

	file := filepath.Join(t.TempDir(), "x.prom")
	want := map[string]float64{"restic_run_consecutive_failures{}": 1, "restic_run_status{status=failed}": 1}
	for _, recording := range []string{string(text), back} {
		require.Equal(t, result{}, call(t, nil, recording, "-", "--output", file))
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		assert.Equal(t, want, metrictest.Pick(metrictest.Flat(t, string(text)), want))
	}
}

// TestOutput: where the metrics go.
func TestOutput(t *testing.T) {
	dir := t.TempDir()
	journal := journalOf(t, goodRun)
	require.Equal(t, result{}, call(t, nil, "", "--journal", journal, "--output", dir))
	require.Equal(t, result{}, call(t, nil, "", "--journal", journal, "--output", dir+"/mine.prom"))
	want := metricsOf(t, goodRun)
	for _, name := range []string{"restic-backup.prom", "mine.prom"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		assert.Equal(t, want, string(text))
		st, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
		assert.Equal(t, fs.FileMode(0o644), st.Mode())
	}

	found := t.TempDir()
	before := directories
	t.Cleanup(func() { directories = before })
	directories = []string{filepath.Join(dir, "none"), found}
	require.Equal(t, result{}, call(t, nil, "", "--journal", journal))
	_, err := os.Stat(filepath.Join(found, "restic-backup.prom"))
	assert.NoError(t, err, "the first that exists")

	directories = []string{filepath.Join(dir, "none"), filepath.Join(dir, "neither")}
	got := call(t, nil, "", "--journal", journal)
	assert.Equal(t, result{code: 1, stderr: got.stderr}, got)
	for _, says := range append(directories, "--output") {
		assert.Contains(t, got.stderr, says)
	}
}

// TestFlagsInMetrics: what flags add to the metrics.
func TestFlagsInMetrics(t *testing.T) {
	got := metricsOf(t, goodRun, "--label", "site=berlin", "--max-age", "26h", "--action", "sweep=cleanup-backups.sh",
		"--action", "cleanup=none.sh")
	assert.Equal(t, strings.Count(metricsOf(t, goodRun), "unit=")+1, strings.Count(got, `site="berlin"`))
	assert.Contains(t, got, "restic_run_max_age_seconds{site=\"berlin\",unit=\"restic-backup.service\"} 93600\n")
	assert.Contains(t, got, `restic_backup_duration_seconds{action="sweep",`)
	assert.NotContains(t, got, `action="cleanup"`)
}

// TestPipe: a recording that cannot be read twice.
func TestPipe(t *testing.T) {
	name := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, syscall.Mkfifo(name, 0o600))
	text, err := os.ReadFile(goodRun)
	require.NoError(t, err)
	go os.WriteFile(name, text, 0)
	assert.Equal(t, metricsOf(t, goodRun), metricsOf(t, name))
}

func TestBareOutput(t *testing.T) {
	got := call(t, nil, "Fatal: wrong password or no key found\n", "-")
	assert.Equal(t, result{stdout: got.stdout}, got)
	assert.NotContains(t, got.stdout, "restic_run_status", "nobody has given a verdict")
	assert.NotContains(t, got.stdout, "timestamp", "and there are no times")
	assert.Contains(t, got.stdout, "restic_exporter_log_entries{unit=\"restic-backup.service\"} 1\n")
}

// TestSay: whatever a log holds cannot put a line break or a control
// character in a message of ours that breaks it in two.
func TestSay(t *testing.T) {
	var b bytes.Buffer
	p := program{stderr: &b}
	p.say("warning", "a\nb\rc\x1b[2J\u009b\xff")
	assert.Equal(t, "restic-exporter: warning: a; b\ufffdc\ufffd[2J\ufffd\ufffd\n", b.String())
}

func TestReadErrors(t *testing.T) {
	o := options{unit: "x.service"}
	assert.ErrorContains(t, o.explain(fs.ErrPermission, "the journal"), "run as root or as a user in the group systemd-journal")
	assert.ErrorContains(t, o.explain(journal.ErrUnavailable, "the journal"), "without libsystemd or journalctl")
}

// TestNodeExporter: node_exporter serves every series of two units' files.
func TestNodeExporter(t *testing.T) {
	dir := t.TempDir()
	require.Equal(t, result{}, call(t, nil, "", goodRun, "--output", dir, "--max-age", "26h"))
	other := rewrite(t, failedRun, "restic-backup.service", "restic-other2.service")
	require.Equal(t, result{}, call(t, nil, "", other, "--unit", "restic-other2", "--output", dir, "--label", "site=berlin"))

	served := scrape(t, dir)
	assert.Contains(t, served, "node_textfile_scrape_error 0\n")
	for _, name := range []string{"restic-backup.prom", "restic-other2.prom"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		for line := range strings.Lines(string(text)) {
			assert.Contains(t, served, line, "%s", name)
		}
	}
}

// scrape returns what a real node_exporter serves of a textfile directory.
func scrape(t *testing.T, dir string) string {
	address := server.Address(t)
	server.Start(t, "prometheus-node-exporter", "--collector.disable-defaults", "--collector.textfile",
		"--collector.textfile.directory="+dir,
		"--web.listen-address="+address)
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		text, err := server.Get("http://" + address + "/metrics")
		if err != nil && time.Now().Before(deadline) {
			continue
		}
		require.NoError(t, err)
		return text
	}
}

// TestPromtool: promtool has something to say about the shell exporter's five
// families alone, whose names were chosen long ago.
func TestPromtool(t *testing.T) {
	promtool := testenv.Tool(t, "promtool")
	legacy := []string{
		"restic_repo_files", "restic_repo_dirs", "restic_repo_size_bytes", "restic_backup_duration_seconds", "restic_backup_failure",
	}
	var all bytes.Buffer
	seen := make(map[string]bool)
	for _, recording := range journaltest.Recordings(t) {
		text, err := os.ReadFile(strings.TrimSuffix(recording, ".export") + ".prom")
		require.NoError(t, err)
		mfs, err := textfile.Decode(bytes.NewReader(text))
		require.NoError(t, err)
		for _, mf := range mfs {
			if !seen[mf.GetName()] && !slices.Contains(legacy, mf.GetName()) {
				seen[mf.GetName()] = true
				require.NoError(t, textfile.Encode(&all, append(mfs[:0:0], mf)))
			}
		}
	}
	assert.GreaterOrEqual(t, len(seen), 35, "families of our own")
	cmd := exec.Command(promtool, "check", "metrics")
	cmd.Stdin = &all
	out, err := cmd.CombinedOutput()
	assert.NoError(t, err)
	assert.Empty(t, string(out))
}

// TestTogether: many exporters at once for one unit leave one whole file, in
// which the failure counts once.
func TestTogether(t *testing.T) {
	dir := journalOf(t, failedRun)
	output := t.TempDir()
	before := rewrite(t, failedRun)
	require.Equal(t, result{}, call(t, nil, "", before, "--output", output+"/x.prom"))
	want, err := os.ReadFile(output + "/x.prom")
	require.NoError(t, err)
	stop := make(chan struct{})
	reader := make(chan error, 1)
	go func() {
		for {
			select {
			case <-stop:
				reader <- nil
				return
			default:
			}
			if text, err := os.ReadFile(output + "/x.prom"); err != nil || string(text) != string(want) {
				reader <- fmt.Errorf("%v: %q", err, text)
				return
			}
		}
	}()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 5 {
				assert.Equal(t, result{}, call(t, nil, "", "--journal", dir, "--output", output+"/x.prom"))
			}
		})
	}
	wg.Wait()
	close(stop)
	assert.NoError(t, <-reader, "a reader sees whole files only")
	names, err := os.ReadDir(output)
	require.NoError(t, err)
	assert.Len(t, names, 1)
}
