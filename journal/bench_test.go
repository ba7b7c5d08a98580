package journal

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"testing"

	"github.com/stretchr/testify/require"
)

// benchLog is a run of many lines among as many of other units.
func benchLog(n int) log {
	l := append(make(log, 0, 2*n), manager(id1, starting, "Starting"))
	for i := range n - 1 {
		l = append(l,
			line(id1, 7, fmt.Sprintf("unchanged /srv/data/some/directory/file-%07d", i)),
			fields{"MESSAGE=nothing of ours", "_PID=99", "_SYSTEMD_UNIT=other.service", "_SYSTEMD_INVOCATION_ID=" + id2.String()})
	}
	return l
}

// BenchmarkEntries reads the run in each way; "skim" leaves out every line that
// it may.
func BenchmarkEntries(b *testing.B) {
	const n = 50_000
	l := benchLog(n)
	text := l.export()
	reader := Reader{Dir: l.dir(b)}
	export, err := OpenRecording(bytes.NewReader(text))
	require.NoError(b, err)
	got := 0
	for name, entries := range map[string]func(context.Context, string, ID) iter.Seq2[Entry, error]{
		"reader": reader.Entries, "journalctl": throughJournalctl{reader}.Entries, "export": export.Entries,
		"skim": func(ctx context.Context, unit string, id ID) iter.Seq2[Entry, error] {
			return reader.Skim(ctx, unit, id, skipper(func([]byte, func() int) bool { return true }))
		},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			got = 0
			for b.Loop() {
				for e, err := range entries(b.Context(), unit, id1) {
					if err != nil {
						b.Fatal(err)
					}
					got += e.Parts
				}
			}
			if got != b.N*n {
				b.Fatal("entries are missing")
			}
			b.ReportMetric(float64(got)/b.Elapsed().Seconds(), "entries/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func BenchmarkLatest(b *testing.B) {
	reader := Reader{Dir: benchLog(50_000).dir(b)}
	b.ReportAllocs()
	for b.Loop() {
		if id, err := reader.Latest(b.Context(), unit); err != nil || id != id1 {
			b.Fatal(id, err)
		}
	}
}
