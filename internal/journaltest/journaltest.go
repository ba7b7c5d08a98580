// Package journaltest finds the recordings in testdata, and turns the export format into
// real journal files.
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

// Recordings returns the paths of the recordings of all releases, which are in the export
// format. It finds testdata from the working directory, which in a test is the directory of
// the package.
func Recordings(t testing.TB) []string {
	t.Helper()
	dir, err := os.Getwd()
	require.NoError(t, err)
	for dir != "/" {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		dir = filepath.Dir(dir)
	}
	paths, err := filepath.Glob(dir + "/testdata/*/*.export")
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(paths), 160)
	return paths
}

// Title returns the release and the situation of a recording, such as "0.19.1/first-run".
func Title(path string) string {
	return filepath.Base(filepath.Dir(path)) + "/" + strings.TrimSuffix(filepath.Base(path), ".export")
}

// Write writes a journal file from entries in the export format. flags are flags of
// systemd-journal-remote, such as --compress=no.
func Write(t testing.TB, file string, export []byte, flags ...string) {
	t.Helper()
	cmd := exec.Command(testenv.Tool(t, "systemd-journal-remote"), append(flags, "--output="+file, "-")...)
	cmd.Stdin = bytes.NewReader(export)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// Dir returns a new directory with a journal file of these entries.
func Dir(t testing.TB, export []byte, flags ...string) string {
	t.Helper()
	dir := t.TempDir()
	Write(t, filepath.Join(dir, "system.journal"), export, flags...)
	return dir
}
