package testenv

import (
	"encoding/json"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// GoTool returns the path of the program that is built from a version of a Go module. The
// program is a tool of the tests, so this module does not depend on it: GoTool builds it
// once, with its own go.mod, and keeps it in the user's cache directory.
func GoTool(t testing.TB, module, version string) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	name := path.Base(module)
	program := filepath.Join(cache, "restic-exporter-tools", name+"-"+version, name)
	if _, err := os.Stat(program); err == nil {
		return program
	}
	run := func(args ...string) []byte {
		cmd := exec.Command("go", args...)
		cmd.Dir = t.TempDir() // outside of this module
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("go %v: %v\n%s", args, err, stderr.String())
		}
		return out
	}
	var source struct{ Dir string }
	if err := json.Unmarshal(run("mod", "download", "-json", module+"@"+version), &source); err != nil {
		t.Fatal(err)
	}
	run("build", "-C", source.Dir, "-trimpath", "-o", program, ".")
	return program
}
