package textfile

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restic-exporter/restic-exporter/internal/testenv"
)

// TestAlone builds programs of a module of their own, with cgo, as on a machine
// without libsystemd's headers. One that imports textfile alone needs neither
// these nor any package of ours.
func TestAlone(t *testing.T) {
	testenv.Tool(t, "gcc")
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	module, err := os.ReadFile(root + "/go.mod")
	require.NoError(t, err)
	const ours = "github.com/restic-exporter/restic-exporter"
	module = regexp.MustCompile(`(?m)^(module|tool) .*$`).ReplaceAll(module, nil)
	sums, err := os.ReadFile(root + "/go.sum")
	require.NoError(t, err)

	// These headers go first.
	headers := t.TempDir()
	require.NoError(t, os.Mkdir(headers+"/systemd", 0o755))
	for _, header := range []string{"sd-journal.h", "sd-id128.h", "sd-login.h", "sd-daemon.h"} {
		require.NoError(t, os.WriteFile(headers+"/systemd/"+header, []byte("#error not installed\n"), 0o644))
	}
	build := func(pkg string) (deps, out string, err error) {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(dir+"/go.mod", []byte("module alone\n"+string(module)+
			"\nrequire "+ours+" v0.0.0\nreplace "+ours+" => "+root+"\n"), 0o644))
		require.NoError(t, os.WriteFile(dir+"/go.sum", sums, 0o644))
		require.NoError(t, os.WriteFile(dir+"/main.go", []byte("package main\n\nimport _ \""+ours+"/"+pkg+"\"\n\nfunc main() {}\n"), 0o644))
		run := func(args ...string) (string, error) {
			cmd := exec.Command("go", args...)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "CGO_ENABLED=1", "CGO_CFLAGS=-I"+headers, "GOFLAGS=-mod=mod", "GOWORK=off")
			text, err := cmd.CombinedOutput()
			return string(text), err
		}
		deps, err = run("list", "-deps", ".")
		require.NoError(t, err, "%s", deps)
		out, err = run("build", "-o", dir+"/alone", ".")
		return deps, out, err
	}

	deps, out, err := build("textfile")
	assert.NoError(t, err, "%s", out)
	assert.NotContains(t, deps, "go-systemd")
	assert.Equal(t, 1, strings.Count(deps, ours), "%s", deps)

	_, out, err = build("journal")
	assert.Error(t, err, "or this test cannot fail")
	assert.Contains(t, out, "not installed")
}
