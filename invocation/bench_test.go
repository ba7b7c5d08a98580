package invocation_test

import (
	"bytes"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restic-exporter/restic-exporter/invocation"
	"github.com/restic-exporter/restic-exporter/journal"
)

func BenchmarkRead(b *testing.B) {
	export, err := os.ReadFile("../testdata/0.19.1/second-run-prune.export")
	require.NoError(b, err)
	b.SetBytes(int64(len(export)))
	b.ReportAllocs()
	for b.Loop() {
		recording, err := journal.OpenRecording(bytes.NewReader(export))
		require.NoError(b, err)
		run, err := invocation.Read(b.Context(), recording, "restic-backup.service", journal.ID{}, invocation.Options{})
		require.NoError(b, err)
		require.Len(b, run.Processes, 4)
	}
}
