// Package testenv checks for what a test needs besides Go: a program, root, time.
//
// If something is missing, the test is skipped, and go test -v prints the reason. If the
// environment variable CI is set, the test fails instead, so that nothing is left out
// there.
package testenv

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// places are directories in which Debian has programs, but which are not in an ordinary
// user's PATH.
var places = []string{"/usr/sbin", "/sbin", "/usr/lib/systemd", "/lib/systemd"}

// Tool returns the path of a program that the test runs. make setup installs these
// programs.
func Tool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	for _, dir := range places {
		if err == nil {
			break
		}
		path, err = exec.LookPath(filepath.Join(dir, name))
	}
	if err != nil {
		LeaveOut(t, name+" is missing; make setup installs it")
	}
	return path
}

// Root checks that the test runs as root.
func Root(t testing.TB) {
	t.Helper()
	if os.Getuid() != 0 {
		LeaveOut(t, "it needs root")
	}
}

// Long skips a test that takes more than a few seconds if -short is set, even in CI.
func Long(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("LEFT OUT with -short")
	}
}

// LeaveOut skips a test that cannot run here, and fails it if CI is set.
func LeaveOut(t testing.TB, reason string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal("LEFT OUT: " + reason)
	}
	t.Skip("LEFT OUT: " + reason)
}
