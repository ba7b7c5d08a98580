// Package victorialogs runs a real VictoriaLogs for tests. It is a tool of theirs, and
// no dependency of the module.
package victorialogs

import (
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Version is the one that the tests run against.
const Version = "v1.52.1"

const module = "github.com/VictoriaMetrics/VictoriaLogs/app/victoria-logs@" + Version

// binary returns the program. It builds it if it is not in the user's cache, which takes
// a minute: with -short the test is skipped then.
func binary(t testing.TB) string {
	cache, err := os.UserCacheDir()
	require.NoError(t, err)
	dir := filepath.Join(cache, "restic-exporter-tools", "victoria-logs-"+Version)
	name := filepath.Join(dir, "victoria-logs")
	if _, err := os.Stat(name); err == nil {
		return name
	}
	if testing.Short() {
		t.Skip("VictoriaLogs is not built yet: run this once without -short")
	}
	cmd := exec.Command("go", "install", module)
	cmd.Dir = t.TempDir() // outside of the module
	cmd.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "building VictoriaLogs: %s", out)
	return name
}

// Flags are what a VictoriaLogs has to be started with to be read from.
var Flags = []string{"-journald.includeEntryMetadata"}

// Start starts a VictoriaLogs with some flags, which ends with the test, and returns its URL.
func Start(t testing.TB, flags ...string) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := l.Addr().String()
	require.NoError(t, l.Close())
	args := append([]string{"-httpListenAddr=" + addr, "-storageDataPath=" + t.TempDir(), "-retentionPeriod=100y", "-loggerLevel=ERROR"}, flags...)
	cmd := exec.Command(binary(t), args...)
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	at := "http://" + addr
	require.Eventually(t, func() bool {
		resp, err := http.Get(at + "/health")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	}, 30*time.Second, 20*time.Millisecond, "VictoriaLogs does not start")
	return at
}

// Send sends entries in the export format, as systemd-journal-upload does, and makes
// them visible. A proxy in front adds extra fields, such as "sender=a".
func Send(t testing.TB, at string, export io.Reader, extra ...string) {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, at+"/insert/journald/upload", export)
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/vnd.fdo.journal")
	if len(extra) > 0 {
		req.Header.Set("VL-Extra-Fields", strings.Join(extra, ","))
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	said, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode, "%s", said)
	resp, err = http.Post(at+"/internal/force_flush", "", strings.NewReader(""))
	require.NoError(t, err)
	resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode)
}
