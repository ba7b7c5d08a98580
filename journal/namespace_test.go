package journal

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restic-exporter/restic-exporter/internal/journaltest"
)

// TestNamespace has a unit whose lines are in the journal of a namespace, and the manager's
// words in the default one. Together they are in order.
func TestNamespace(t *testing.T) {
	l := log{
		manager(id1, starting, "Starting"), line(id1, 7, "a"),
		manager(id1, exited, "exited", "COMMAND=ExecStartPre", "EXIT_CODE=exited", "EXIT_STATUS=1"),
		line(id1, 8, "b"), line(id1, 8, "c"), manager(id1, succeeded, "ok"),
		of("other.service", manager(id2, starting, "Starting")), of("other.service", line(id2, 9, "in the default journal")),
		of("other.service", manager(id2, succeeded, "ok")),
	}
	want, err := collectWhole(recording(t, l.export()).Entries(t.Context(), unit, id1))
	require.NoError(t, err)
	require.Len(t, want, 6)

	dir := t.TempDir()
	id := strings.Repeat("a", 32)
	var parts [2][]byte
	for entry := range bytes.SplitAfterSeq(l.export(), []byte("\n\n")) {
		n := 0
		if bytes.Contains(entry, []byte("_SYSTEMD_UNIT="+unit+"\n")) {
			n = 1
		}
		parts[n] = append(parts[n], entry...)
	}
	for n, name := range []string{id, id + ".backup"} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, name), 0o755))
		journaltest.Write(t, filepath.Join(dir, name, "system.journal"), parts[n])
	}
	of := Reader{Dir: dir}
	assert.Equal(t, []string{"backup"}, of.Namespaces())
	found, err := of.NamespaceOf(t.Context(), unit, id1, want[0].Time)
	require.NoError(t, err)
	assert.Equal(t, "backup", found)
	found, err = of.NamespaceOf(t.Context(), "other.service", id2, want[0].Time)
	require.NoError(t, err)
	assert.Empty(t, found)

	of.Namespace = "backup"
	for name, source := range map[string]Source{"libsystemd": of, "journalctl": throughJournalctl{of}} {
		got, err := collectWhole(source.Entries(t.Context(), unit, id1))
		require.NoError(t, err, name)
		require.Len(t, got, len(want), name)
		for i := range got {
			got[i].Boot = want[i].Boot // libsystemd is not asked for that of a line
		}
		assert.Equal(t, want, got, name)
	}
}
