package journal

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// benchLog is a run of many lines among as many of other units.
func benchLog(n int) log {
	l := make(log, 0, 2*n)
	for i := range n {
		l = append(l,
			line(id1, 7, fmt.Sprintf("unchanged /srv/data/some/directory/file-%07d", i)),
			fields{"MESSAGE=nothing of ours", "_PID=99", "_SYSTEMD_UNIT=other.service", "_SYSTEMD_INVOCATION_ID=" + id2.String()})
	}
	return l
}

func BenchmarkEntries(b *testing.B) {
	const n = 50_000
	l := benchLog(n)
	text := l.export()
	reader := Reader{Dir: l.dir(b)}
	export, err := OpenRecording(bytes.NewReader(text))
	require.NoError(b, err)
	for name, source := range map[string]Source{"reader": reader, "journalctl": throughJournalctl{reader}, "export": export} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			got := 0
			for b.Loop() {
				for _, err := range source.Entries(b.Context(), unit, id1) {
					if err != nil {
						b.Fatal(err)
					}
					got++
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

// BenchmarkSkim leaves out every line that it may.
func BenchmarkSkim(b *testing.B) {
	const n = 50_000
	reader := Reader{Dir: benchLog(n).dir(b)}
	b.ReportAllocs()
	got := 0
	for b.Loop() {
		for _, err := range reader.Skim(b.Context(), unit, id1, func([]byte, func() int) bool { got++; return true }) {
			if err != nil {
				b.Fatal(err)
			}
			got++
		}
	}
	if got != b.N*n {
		b.Fatal("entries are missing")
	}
	b.ReportMetric(float64(got)/b.Elapsed().Seconds(), "entries/s")
	b.ReportMetric(0, "ns/op")
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
