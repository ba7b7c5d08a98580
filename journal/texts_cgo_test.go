//go:build cgo

package journal

import (
	"strings"
	"testing"

	"github.com/coreos/go-systemd/v22/sdjournal"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestTexts: libsystemd says the same directly and through go-systemd, and the
// direct way is open with the go-systemd that go.mod names.
func TestTexts(t *testing.T) {
	l := log{
		line(id1, 7, "first"), line(id1, 7, ""), line(id1, 7, "bytes \x00\xff\n of any kind"),
		line(id1, 7, strings.Repeat("compressed ", 10_000)), {"_PID=7"}, line(id1, 7, "last"),
	}
	r := Reader{Dir: l.dir(t)}
	read := func(way func(*sdjournal.Journal) func() ([]byte, bool, error)) (texts []string) {
		err := r.open(func(b backend) error {
			j := b.(libsystemd).j
			require.NotNil(t, handleOf(j))
			require.True(t, resolve())
			require.NoError(t, j.SeekHead())
			for next := way(j); ; {
				text, more, err := next()
				if err != nil || !more {
					return err
				}
				want, err := j.GetRealtimeUsec()
				require.NoError(t, err)
				got, err := b.(libsystemd).realtime()
				require.NoError(t, err)
				assert.Equal(t, want, got)
				if text == nil {
					text = []byte("(none)")
				}
				texts = append(texts, string(text))
			}
		})
		require.NoError(t, err)
		return texts
	}
	var want []string
	for _, f := range l {
		text := "(none)"
		for _, field := range f {
			if message, ok := strings.CutPrefix(field, "MESSAGE="); ok {
				text = message
			}
		}
		want = append(want, text)
	}
	assert.Equal(t, want, read(copiedTexts))
	assert.Equal(t, want, read(texts))
}
