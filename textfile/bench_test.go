package textfile

import (
	"path/filepath"
	"strconv"
	"testing"

	dto "github.com/prometheus/client_model/go"
)

// BenchmarkWriteFile is mostly what the file system takes to sync.
func BenchmarkWriteFile(b *testing.B) {
	name := filepath.Join(b.TempDir(), "x.prom")
	var mfs []*dto.MetricFamily
	for i := range 40 {
		mfs = append(mfs, gauge("x"+strconv.Itoa(i), 1, 2, 3))
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := WriteFile(name, mfs); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "files/s")
}
