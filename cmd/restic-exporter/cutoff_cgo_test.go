//go:build cgo

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestCutOff reads a mapped file that another program has emptied.
func TestCutOff(t *testing.T) {
	if name := os.Getenv("CUT_OFF_TEST"); name != "" {
		file, err := os.Open(name)
		require.NoError(t, err)
		mapped, err := unix.Mmap(int(file.Fd()), 0, 4096, unix.PROT_READ, unix.MAP_SHARED)
		require.NoError(t, err)
		require.NoError(t, os.Truncate(name, 0))
		t.Fatal("it can be read: ", mapped[100])
	}
	name := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(name, make([]byte, 4096), 0o600))
	self, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(self, "-test.run=^TestCutOff$")
	cmd.Env = []string{"CUT_OFF_TEST=" + name}
	out, err := cmd.CombinedOutput()
	assert.EqualError(t, err, "exit status 1")
	assert.Equal(t, "restic-exporter: error: a journal file was cut off while it was read; the metrics are as they were, run this again\n", string(out))
}
