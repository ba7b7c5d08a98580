package textfile

import (
	"path/filepath"
	"testing"
)

func BenchmarkFamilies(b *testing.B) {
	r := report(0, Succeeded, backupRun(0, small), pruneRun, checkRun)
	old := r.Families(nil)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n = len(flat(r.Families(old)))
	}
	b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "series/s")
}

// BenchmarkWriteFile is mostly what the file system takes to sync.
func BenchmarkWriteFile(b *testing.B) {
	name := filepath.Join(b.TempDir(), "x.prom")
	mfs := report(0, Succeeded, backupRun(0, small), pruneRun, checkRun).Families(nil)
	b.ReportAllocs()
	for b.Loop() {
		if err := WriteFile(name, mfs); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "files/s")
}
