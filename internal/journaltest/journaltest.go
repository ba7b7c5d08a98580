// Package journaltest has the recordings of testdata/ by name, and makes real
// journal files of what is in the export format.
package journaltest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restic-exporter/restic-exporter/internal/testenv"
)

// A Recording is what one restic wrote to a journal in one situation.
type Recording struct {
	Name   string // "0.19.1/first-run": the release and the situation
	Export string // the path of the recording, in the export format
	Prom   string // of the metrics that it gives
	Known  string // of what is known of the run, in JSON
}

// testdata is the directory of that name in the module's root. A test starts in
// its package's directory.
var testdata = func() string {
	dir, _ := os.Getwd()
	for dir != "/" {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		dir = filepath.Dir(dir)
	}
	return filepath.Join(dir, "testdata")
}()

// Get returns the recording of a name, such as "0.19.1/first-run".
func Get(name string) Recording {
	path := filepath.Join(testdata, name)
	return Recording{name, path + ".export", path + ".prom", path + ".json"}
}

// All returns the recordings of every release.
func All(t testing.TB) []Recording {
	t.Helper()
	paths, err := filepath.Glob(testdata + "/*/*.export")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(paths), 160)
	var all []Recording
	for _, path := range paths {
		name, err := filepath.Rel(testdata, path)
		require.NoError(t, err)
		all = append(all, Get(strings.TrimSuffix(name, ".export")))
	}
	return all
}

// Write makes a journal file of entries in the export format. Flags are those of
// systemd-journal-remote, such as --compress=no.
func Write(t testing.TB, file string, export []byte, flags ...string) {
	t.Helper()
	cmd := exec.Command(testenv.Tool(t, "systemd-journal-remote"), append(flags, "--output="+file, "-")...)
	cmd.Stdin = bytes.NewReader(export)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// Dir returns the directory of a new journal, which Write fills.
func Dir(t testing.TB, export []byte, flags ...string) string {
	t.Helper()
	dir := t.TempDir()
	Write(t, filepath.Join(dir, "system.journal"), export, flags...)
	return dir
}
