package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restic-exporter/restic-exporter/internal/journaltest"
)

// renamed returns a recording as that of another unit, all of it in another run.
func renamed(t testing.TB, recording, unit string, run int) string {
	text, err := os.ReadFile(recording)
	require.NoError(t, err)
	s := strings.ReplaceAll(string(text), "restic-backup.service", unit)
	for line := range strings.Lines(s) {
		if id, ok := strings.CutPrefix(line, "_SYSTEMD_INVOCATION_ID="); ok && strings.Contains(s, "\nINVOCATION_ID="+id) {
			return strings.ReplaceAll(s, id, fmt.Sprintf("%032x\n", run))
		}
	}
	t.Fatalf("%s has no run", recording)
	return ""
}

// words returns entries of a unit in the export format, a second apart.
func words(unit string, run, from int, entries ...string) string {
	var b strings.Builder
	for i, e := range entries {
		at := 1_900_000_000_000_000 + (from+i)*1_000_000
		fmt.Fprintf(&b, "__CURSOR=s=%032x;i=%x\n__REALTIME_TIMESTAMP=%d\n__MONOTONIC_TIMESTAMP=%d\n"+
			"_BOOT_ID=%032x\n_HOSTNAME=t1\n_MACHINE_ID=%032x\n",
			9, from+i+1, at, from+i+1, 7, 8)
		message, ours := strings.CutPrefix(e, "line ")
		switch {
		case ours:
			fmt.Fprintf(&b, "_PID=%d\n_SYSTEMD_UNIT=%s\n_SYSTEMD_INVOCATION_ID=%032x\nSYSLOG_IDENTIFIER=sh\n_COMM=sh\nMESSAGE=%s\n\n",
				100+run, unit, run, message)
		case strings.HasPrefix(e, "refused"):
			fmt.Fprintf(&b, "_PID=1\nUNIT=%s\nSYSLOG_IDENTIFIER=systemd\nMESSAGE_ID=be02cf6855d2428ba40df7e9d022f03d\n"+
				"JOB_RESULT=dependency\nMESSAGE=Dependency failed\n\n", unit)
		case strings.HasPrefix(e, "warned"):
			fmt.Fprintf(&b, "_PID=1\nUNIT=%s\nSYSLOG_IDENTIFIER=systemd\nMESSAGE_ID=c772d24e9a884cbeb9ea12625c306c01\n"+
				"MESSAGE=Unknown key name\n\n", unit)
		default:
			fmt.Fprintf(&b, "_PID=1\nUNIT=%s\nINVOCATION_ID=%032x\nSYSLOG_IDENTIFIER=systemd\n%s\n\n", unit, run,
				strings.ReplaceAll(e, ";", "\n"))
		}
	}
	return b.String()
}

const (
	startingWord  = "MESSAGE_ID=7d4958e842da4a758f6c1cdc7b36dcc5;MESSAGE=Starting"
	succeededWord = "MESSAGE_ID=7ad2d189f7e94e70a38c781354912448;MESSAGE=Deactivated successfully."
	failedWord    = "MESSAGE_ID=d9b373ed55a64feb8242e02dbe79a49c;UNIT_RESULT=exit-code;MESSAGE=Failed with result 'exit-code'."
)

// manyUnits is the journal of a machine with several units.
func manyUnits(t testing.TB) string {
	return renamed(t, goodRun, "restic-good.service", 1) +
		renamed(t, failedRun, "restic-failed.service", 2) +
		// The latest run did not come as far as restic.
		renamed(t, goodRun, "restic-early.service", 3) +
		words("restic-early.service", 4, 0, startingWord, "line mount: no such device", failedWord) +
		words("restic-never.service", 0, 10, "refused") +
		words("restic-notes.service", 5, 20, startingWord, "line nothing to do with it", succeededWord) +
		words("restic-running.service", 6, 30, startingWord, "line open repository") +
		words("restic-misspelt.service", 0, 40, "warned") +
		// Its beginning is gone, and so is what restic said of it, if it is a backup at all.
		words("restic-beheaded.service", 10, 50, "line half of it", succeededWord) +
		renamed(t, goodRun, "restic-exporter@x.service", 7) +
		renamed(t, goodRun, "other.service", 8)
}

func promFiles(t testing.TB, dir string) map[string]string {
	names, err := filepath.Glob(dir + "/*")
	require.NoError(t, err)
	files := make(map[string]string)
	for _, name := range names {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		files[filepath.Base(name)] = string(text)
	}
	return files
}

// TestManyUnits: each unit gets the file that a call for it alone writes.
func TestManyUnits(t *testing.T) {
	text := manyUnits(t)
	log := filepath.Join(t.TempDir(), "log")
	require.NoError(t, os.WriteFile(log, []byte(text), 0o644))
	for name, source := range map[string]func(t *testing.T) []string{
		"recording": func(*testing.T) []string { return []string{log} },
		"journal":   func(t *testing.T) []string { return []string{"--journal", journaltest.Dir(t, []byte(text))} },
	} {
		t.Run(name, func(t *testing.T) {
			from := source(t)
			want := make(map[string]string)
			for _, unit := range []string{"restic-good", "restic-failed", "restic-early", "restic-never"} {
				want[unit+".prom"] = metricsOf(t, append([]string{"--unit", unit, "--output", "-"}, from...)...)
			}
			dir := t.TempDir()
			assert.Equal(t, result{}, call(t, nil, "", append([]string{"--unit", "restic-*", "--output", dir}, from...)...))
			assert.Equal(t, want, promFiles(t, dir))

			// Once more changes nothing, and a unit that has a file is known as a backup.
			require.NoError(t, os.WriteFile(dir+"/restic-notes.prom", nil, 0o644))
			assert.Equal(t, result{}, call(t, nil, "", append([]string{"--unit", "restic-*", "--output", dir}, from...)...))
			got := promFiles(t, dir)
			assert.Contains(t, got["restic-notes.prom"], `unit="restic-notes.service"`)
			delete(got, "restic-notes.prom")
			assert.Equal(t, want, got)

			dir = t.TempDir()
			assert.Equal(t, result{},
				call(t, nil, "", append([]string{
					"--unit", "other", "--unit", "restic-[eg]*", "--unit", "other.service", "--output", dir,
				}, from...)...))
			got = promFiles(t, dir)
			assert.NotEmpty(t, got["other.prom"])
			delete(got, "other.prom")
			assert.Equal(t, map[string]string{
				"restic-good.prom": want["restic-good.prom"], "restic-early.prom": want["restic-early.prom"],
			}, got)
		})
	}
}

// TestManyUnitsTrouble: trouble with one unit does not keep the others from being written.
func TestManyUnitsTrouble(t *testing.T) {
	log := filepath.Join(t.TempDir(), "log")
	require.NoError(t, os.WriteFile(log, []byte(manyUnits(t)), 0o644))
	dir := t.TempDir()
	other := "restic_run_end_timestamp_seconds{unit=\"x.service\"} 1\n"
	require.NoError(t, os.WriteFile(dir+"/restic-good.prom", []byte(other), 0o644))

	got := call(t, nil, "", "--unit", "restic-*", "--unit", "restic-running", "--unit", "none", "--output", dir, log)
	assert.Equal(t, 1, got.code)
	for _, want := range []string{
		"restic-good.prom: the file is about another unit", "no invocation of none.service", "ends before the run does",
		"3 of 9 units failed",
	} {
		assert.Contains(t, got.stderr, want)
	}
	files := promFiles(t, dir)
	assert.Equal(t, other, files["restic-good.prom"])
	for _, name := range []string{"restic-failed.prom", "restic-early.prom", "restic-never.prom"} {
		assert.NotEmpty(t, files[name], name)
	}
	assert.Len(t, files, 4)

	for name, tt := range map[string]struct {
		code int
		says string
		args []string
	}{
		"nothing matches":   {1, "no unit backup-* in ", []string{"--unit", "backup-*", "--output", dir, log}},
		"no backup matches": {1, "no unit restic-not* in ", []string{"--unit", "restic-not*", "--output", dir, log}},
		"a directory is missing": {
			1, "the directory " + dir + "/none does not exist", []string{"--unit", "restic-*", "--output", dir + "/none", log},
		},
		"to standard output":      {2, "want --output DIR", []string{"--unit", "restic-*", "--output", "-", log}},
		"to one file":             {2, "want --output DIR", []string{"--unit", "a", "--unit", "b", "--output", dir + "/x.prom", log}},
		"of a recording, nowhere": {2, "want --output DIR", []string{"--unit", "restic-*", log}},
		"one run of many units": {
			2, "--invocation is a run of one unit", []string{"--unit", "a*", "--invocation", strings.Repeat("1", 32), "--output", dir},
		},
		"timers":                 {2, "want a service", []string{"--unit", "restic-*.timer", "--output", dir}},
		"a format without units": {1, "that names units", []string{"--unit", "a*", "--output", dir, "many_test.go"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := call(t, nil, "", tt.args...)
			assert.Equal(t, tt.code, got.code, got.stderr)
			assert.Contains(t, got.stderr, tt.says)
		})
	}
	assert.Equal(t, files, promFiles(t, dir))
}
