package metrics

import (
	"testing"

	"github.com/restic-exporter/restic-exporter/invocation"
)

func BenchmarkFamilies(b *testing.B) {
	r := run(0, invocation.Succeeded, backupRun(0, small), pruneRun, checkRun)
	old := families(b, r, nil, builds)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n = len(flat(families(b, r, old, builds)))
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "series/s")
}
