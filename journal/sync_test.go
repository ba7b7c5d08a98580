package journal

import (
	"context"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestSynchronize: what journald can answer. The live tests ask a real one, which has no
// reason to refuse.
func TestSynchronize(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "socket")
	l, err := net.Listen("unix", socket)
	require.NoError(t, err)
	defer l.Close()
	ask := func(t *testing.T, parts ...string) (asked string, err error) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		done := make(chan struct{})
		go func() {
			defer close(done)
			conn, err := l.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			buf := make([]byte, 1024)
			n, _ := conn.Read(buf)
			asked = string(buf[:n])
			for _, p := range parts {
				if p == "canceled" {
					cancel()
					io.Copy(io.Discard, conn) // until the other side gives up
					return
				}
				io.WriteString(conn, p)
			}
		}()
		err = synchronize(ctx, socket)
		<-done
		return asked, err
	}
	for name, tt := range map[string]struct {
		answer []string
		err    string
	}{
		"done":           {[]string{"{}\x00"}, ""},
		"done, in parts": {[]string{`{"param`, `eters":{}}`, "\x00"}, ""},
		"an error": {
			[]string{`{"error":"org.varlink.service.PermissionDenied"}` + "\x00"}, "journald answers org.varlink.service.PermissionDenied",
		},
		"not JSON":         {[]string{"done\x00"}, "journald's answer: invalid character 'd' looking for beginning of value"},
		"no answer":        {nil, io.ErrUnexpectedEOF.Error()},
		"half an answer":   {[]string{"{}"}, io.ErrUnexpectedEOF.Error()},
		"an endless one":   {[]string{strings.Repeat(" ", 2<<20)}, "journald's answer is too long"},
		"a NUL after that": {[]string{"{}\x00", "more"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			asked, err := ask(t, tt.answer...)
			assert.Equal(t, `{"method":"io.systemd.Journal.Synchronize"}`+"\x00", asked)
			if err == nil {
				err = errors.New("")
			}
			assert.EqualError(t, err, tt.err)
		})
	}
	t.Run("canceled", func(t *testing.T) {
		_, err := ask(t, "canceled")
		assert.ErrorIs(t, err, context.Canceled)
	})
}
