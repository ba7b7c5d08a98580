// Package server runs real servers on the loopback for the length of a test.
package server

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restic-exporter/restic-exporter/internal/testenv"
)

// Address returns a free address of the loopback interface.
func Address(t testing.TB) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

// Start starts a server. If the test fails, it logs the server's output.
func Start(t testing.TB, args ...string) {
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	require.NoError(t, err)
	cmd := exec.Command(testenv.Tool(t, args[0]), args[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
		log.Close()
		if t.Failed() {
			text, err := os.ReadFile(log.Name())
			t.Logf("%s: %v\n%s", args[0], err, text)
		}
	})
}

// Get returns what an address serves. Any status but 200 is an error.
func Get(address string) (string, error) {
	reply, err := http.Get(address)
	if err != nil {
		return "", err
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	if err == nil && reply.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", reply.Status, text)
	}
	return string(text), err
}
