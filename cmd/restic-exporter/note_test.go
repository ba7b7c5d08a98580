package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestFailedNote: a call by a service that fails says so beside the unit's file,
// which stays, and the next good call takes it back.
func TestFailedNote(t *testing.T) {
	dir := t.TempDir()
	output, note := filepath.Join(dir, "restic-backup.prom"), filepath.Join(dir, "restic-backup.exporter.prom")
	run := func(service bool, args ...string) (int, string) {
		var stderr bytes.Buffer
		p := program{
			getenv: func(string) string { return "" }, stdin: strings.NewReader(""), stdout: &stderr, stderr: &stderr, service: service,
		}
		return p.run(t.Context(), append([]string{"--output", dir, "--label", "site=berlin"}, args...)), stderr.String()
	}
	code, out := run(true, goodRun)
	require.Zero(t, code, "%s", out)
	want, err := os.ReadFile(output)
	require.NoError(t, err)
	bad := filepath.Join(dir, "none")

	code, _ = run(false, bad)
	assert.Equal(t, 1, code)
	assert.NoFileExists(t, note, "a person sees the exit status")
	for range 2 {
		code, out = run(true, bad)
		assert.Equal(t, 1, code)
		assert.Equal(t, 1, strings.Count(out, "\n"), "%s", out)
		text, err := os.ReadFile(note)
		require.NoError(t, err)
		assert.Contains(t, string(text), "\nrestic_exporter_failed{site=\"berlin\",unit=\"restic-backup.service\"} 1\n")
		got, err := os.ReadFile(output)
		require.NoError(t, err)
		assert.Equal(t, string(want), string(got))
	}
	code, _ = run(true, "--output", "-", goodRun)
	assert.Zero(t, code)
	assert.FileExists(t, note, "nothing was written beside it")
	code, out = run(false, goodRun)
	assert.Zero(t, code)
	assert.Empty(t, out)
	assert.NoFileExists(t, note)

	// A unit can have the name of another one's note.
	other := []byte("restic_backup_failure{unit=\"restic-backup.exporter.service\",timestamp=\"1\"} 0\n")
	require.NoError(t, os.WriteFile(note, other, 0o644))
	code, out = run(true, bad)
	assert.Equal(t, 1, code)
	assert.Contains(t, out, "it is the file of another unit")
	code, _ = run(true, goodRun)
	assert.Zero(t, code)
	text, err := os.ReadFile(note)
	require.NoError(t, err)
	assert.Equal(t, other, text)
}

func TestInService(t *testing.T) {
	for cgroup, want := range map[string]bool{
		"0::/system.slice/restic-backup.service\n":                                           true,
		"0::/system.slice/system-restic.slice/restic@a.service/sub\n":                        true,
		"12:cpu:/\n1:name=systemd:/system.slice/handler.service\n0::/\n":                     true,
		"0::/user.slice/user-1000.slice/user@1000.service/app.slice/restic-backup.service\n": true,
		"0::/user.slice/user-1000.slice/user@1000.service/init.scope\n":                      false,
		"0::/user.slice/user-0.slice/session-1.scope\n":                                      false,
		"12:cpu:/system.slice/x.service\n0::/\n":                                             false,
		"":                                                                                   false,
		"0\n::\n":                                                                            false,
	} {
		assert.Equal(t, want, inService([]byte(cgroup)), cgroup)
	}
}
