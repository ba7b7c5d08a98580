package testenv_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	_ "github.com/restic-exporter/restic-exporter/internal/golden" // go test ./... -update
	"github.com/restic-exporter/restic-exporter/internal/testenv"
)

// TestNeedsNonesuch is not a test: TestMissing runs it.
func TestNeedsNonesuch(t *testing.T) {
	if os.Getenv("TESTENV_NONESUCH") == "" {
		t.Skip("TestMissing runs it")
	}
	testenv.Tool(t, "nonesuch")
	t.Fatal("it went on")
}

func TestMissing(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	try := func(ci string) (output string, ok bool) {
		cmd := exec.Command(self, "-test.run=^TestNeedsNonesuch$", "-test.v")
		cmd.Env = []string{"TESTENV_NONESUCH=1", "CI=" + ci}
		out, err := cmd.CombinedOutput()
		return string(out), err == nil
	}
	const reason = "LEFT OUT: nonesuch is missing; make setup installs it"
	output, ok := try("")
	assert.True(t, ok, output)
	assert.Contains(t, output, reason)
	assert.Contains(t, output, "--- SKIP")
	output, ok = try("true")
	assert.False(t, ok, output)
	assert.Contains(t, output, reason)
}

func TestTool(t *testing.T) {
	dir := t.TempDir()
	want := filepath.Join(dir, "tool")
	require.NoError(t, os.WriteFile(want, nil, 0o755))
	t.Setenv("PATH", dir)
	assert.Equal(t, want, testenv.Tool(t, "tool"))
}
