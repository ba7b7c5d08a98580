package textfile

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restic-exporter/restic-exporter/internal/testenv"
)

// TestFaults lets every system call on the way to the file fail, and kills the
// program at each of them. Whatever happens, a reader sees the old file or the
// new one, and on an error nothing is left beside it.
func TestFaults(t *testing.T) {
	testenv.Long(t)
	strace := testenv.Tool(t, "strace")
	if out, err := exec.Command(strace, "-o", "/dev/null", "true").CombinedOutput(); err != nil {
		testenv.LeaveOut(t, "strace may not trace here: "+string(out))
	}
	self, err := os.Executable()
	require.NoError(t, err)
	const old = "old 1\n"
	faults := []string{"signal=KILL", "error=ENOSPC", "error=EIO", "error=EACCES"}
	calls := []string{
		"openat", "flock", "newfstatat,fstat", "read", "write", "fchmod", "fchmodat", "fsync", "close", "renameat,renameat2,rename",
	}
	// Without any one of these the file is not whole, or not there.
	needed := []string{"fchmod", "fsync", "renameat,renameat2,rename"}
	hit := make(map[string]int)
	for _, call := range calls {
		for _, fault := range faults {
			for when := 1; ; when++ {
				dir := t.TempDir()
				name := filepath.Join(dir, "x.prom")
				require.NoError(t, os.WriteFile(name, []byte(old), 0o644))
				log := filepath.Join(t.TempDir(), "log")
				cmd := exec.Command(strace, "-f", "-o", log, "-e", "trace="+call,
					"-e", fmt.Sprintf("inject=%s:%s:when=%d", call, fault, when), self, "-test.run=^TestHelperWrite$")
				cmd.Env = []string{"TEXTFILE_TEST_WRITE=" + name, "GOMAXPROCS=1"}
				failed := cmd.Run() != nil
				trace, err := os.ReadFile(log)
				require.NoError(t, err)
				injected := strings.Contains(string(trace), "(INJECTED)") || strings.Contains(string(trace), "killed by SIGKILL")
				if injected {
					hit[call+" "+fault]++
					if slices.Contains(needed, call) {
						assert.True(t, failed, "%s of %s number %d went unnoticed", fault, call, when)
					}
				}

				text, err := os.ReadFile(name)
				require.NoError(t, err)
				assert.Contains(t, []string{old, oneText}, string(text), "%s %s %d", call, fault, when)
				entries, err := os.ReadDir(dir)
				require.NoError(t, err)
				for _, e := range entries {
					if e.Name() == "x.prom" {
						continue
					}
					assert.False(t, strings.HasSuffix(e.Name(), ".prom"), "the collector would read %s", e.Name())
					assert.Equal(t, "signal=KILL", fault, "%s is left behind after %s number %d: %s", e.Name(), call, when, trace)
				}
				if !injected || when == 40 {
					break
				}
			}
		}
	}
	for _, call := range append(needed, "openat", "write", "close") {
		for _, fault := range faults {
			assert.Positive(t, hit[call+" "+fault], "%s was never hit by %s", call, fault)
		}
	}
}
