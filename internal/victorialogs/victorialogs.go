// Package victorialogs runs a real VictoriaLogs for tests. The module does not depend on
// it: it is a program that the tests build.
package victorialogs

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restic-exporter/restic-exporter/internal/server"
)

// Version is the version that the tests use.
const Version = "v1.52.1"

const module = "github.com/VictoriaMetrics/VictoriaLogs/app/victoria-logs@" + Version

// cached returns the path of the program in the user's cache, and whether it is there.
func cached(t testing.TB) (name string, ok bool) {
	cache, err := os.UserCacheDir()
	require.NoError(t, err)
	name = filepath.Join(cache, "restic-exporter-tools", "victoria-logs-"+Version, "victoria-logs")
	_, err = os.Stat(name)
	return name, err == nil
}

// Binary returns the path of the program. If the program is not in the user's cache, it
// builds it, which takes a minute; with -short it skips the test instead.
func Binary(t testing.TB) string {
	name, ok := cached(t)
	if ok {
		return name
	}
	if testing.Short() {
		t.Skip("VictoriaLogs is not built yet: run this once without -short")
	}
	cmd := exec.Command("go", "install", module)
	cmd.Dir = t.TempDir() // outside of the module
	cmd.Env = append(os.Environ(), "GOBIN="+filepath.Dir(name), "GOFLAGS=")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "building VictoriaLogs: %s", out)
	return name
}

// Flags are the flags without which a VictoriaLogs cannot be read.
var Flags = []string{"-journald.includeEntryMetadata"}

// Start starts a VictoriaLogs, which ends with the test, and returns its URL.
func Start(t testing.TB, flags ...string) string {
	return StartNode(t, flags...).URL
}

// A Node is a running VictoriaLogs.
type Node struct {
	URL string
	cmd *exec.Cmd
}

// StartNode is like Start, for tests that kill or stop the VictoriaLogs.
func StartNode(t testing.TB, flags ...string) *Node {
	n := start(t, t.TempDir(), flags...)
	t.Cleanup(n.Kill)
	return n
}

// Kill ends n at once.
func (n *Node) Kill() {
	n.cmd.Process.Kill()
	n.cmd.Wait()
}

// Stop asks n to end, and waits until it has written down what it holds.
func (n *Node) Stop(t testing.TB) {
	n.Signal(t, syscall.SIGTERM)
	n.cmd.Wait()
}

// Signal sends n a signal. After SIGSTOP it waits until n has stopped.
func (n *Node) Signal(t testing.TB, s os.Signal) {
	require.NoError(t, n.cmd.Process.Signal(s))
	for stopped := s != syscall.SIGSTOP; !stopped; time.Sleep(time.Millisecond) {
		states, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", n.cmd.Process.Pid))
		require.NoError(t, err)
		stopped = !slices.ContainsFunc(states, func(name string) bool {
			text, err := os.ReadFile(name)
			return err == nil && !strings.Contains(string(text), ") T ")
		})
	}
}

// StartCluster starts a VictoriaLogs with flags, and two others that store what is sent to
// it.
func StartCluster(t testing.TB, flags ...string) (front *Node, storage []*Node) {
	flags = append(slices.Clone(flags), Flags...)
	for range 2 {
		n := StartNode(t)
		storage = append(storage, n)
		flags = append(flags, "-storageNode="+strings.TrimPrefix(n.URL, "http://"))
	}
	return StartNode(t, flags...), storage
}

func start(t testing.TB, dir string, flags ...string) *Node {
	addr := server.Address(t)
	args := append([]string{"-httpListenAddr=" + addr, "-storageDataPath=" + dir, "-retentionPeriod=100y", "-loggerLevel=ERROR"}, flags...)
	n := &Node{"http://" + addr, exec.Command(Binary(t), args...)}
	n.cmd.Stderr = os.Stderr
	require.NoError(t, n.cmd.Start())
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		_, err := server.Get(n.URL + "/health")
		if err == nil {
			return n
		}
		if time.Now().After(deadline) {
			n.Kill()
			t.Fatalf("VictoriaLogs does not start: %v", err)
		}
	}
}

// shared is a VictoriaLogs for all tests of a package.
var shared struct {
	sync.Mutex
	node *Node
	dir  string
}

// Shared returns the URL of a VictoriaLogs that several tests share. Each test must use
// hosts of its own. [Main] stops it. With -short there is none if the program has not been
// built yet.
func Shared(t testing.TB) (at string, ok bool) {
	if _, ok := cached(t); !ok && testing.Short() {
		return "", false
	}
	shared.Lock()
	defer shared.Unlock()
	if shared.node == nil {
		dir, err := os.MkdirTemp("", "victorialogs-")
		require.NoError(t, err)
		shared.dir = dir
		shared.node = start(t, dir, Flags...)
	}
	return shared.node.URL, true
}

// Main runs the tests of a package that call [Shared].
func Main(m *testing.M) {
	code := m.Run()
	if shared.node != nil {
		shared.node.Kill()
	}
	if shared.dir != "" {
		os.RemoveAll(shared.dir)
	}
	os.Exit(code)
}

// Send sends entries in the export format, as systemd-journal-upload does, and makes them
// visible. extra are fields such as a proxy adds, like "sender=a".
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
	Flush(t, at)
}

// Flush makes visible what was sent. In a cluster, flush the front first.
func Flush(t testing.TB, at string) {
	resp, err := http.Post(at+"/internal/force_flush", "", strings.NewReader(""))
	require.NoError(t, err)
	resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode)
}
