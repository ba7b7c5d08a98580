package parser_test

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/restic-exporter/restic-exporter/parser"
)

func benchmark(b *testing.B, log []byte) {
	lines := slices.Collect(bytes.Lines(log))
	now := time.Now()
	b.SetBytes(int64(len(log)))
	b.ReportAllocs()
	for b.Loop() {
		var c parser.Collector
		for _, text := range lines {
			c.Add(parser.Line{Source: "restic-backup.sh", PID: 7, Time: now, Text: text})
		}
	}
	b.ReportMetric(float64(len(lines))*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
}

func verbose(format string) []byte {
	var log []byte
	for i := range 10000 {
		log = fmt.Appendf(log, format, i)
	}
	return append(log, smallText...)
}

func BenchmarkUnchanged(b *testing.B) {
	benchmark(b, verbose("unchanged /srv/data/projects/2026/some-directory/file-%06d.dat\n"))
}

func BenchmarkNew(b *testing.B) {
	benchmark(b, verbose("new       /srv/data/projects/2026/file-%06d.dat, saved in 0.004s (1.953 KiB added, 1.002 KiB stored)\n"))
}

func BenchmarkForeign(b *testing.B) {
	benchmark(b, verbose("/var/backups/databases/customer-%06d.sql.gz: OK, dumped and compressed\n"))
}

func BenchmarkStatusJSON(b *testing.B) {
	benchmark(b, verbose(`{"message_type":"status","seconds_elapsed":12,"percent_done":0.52,"total_files":%d,"files_done":124,`+
		`"current_files":["/srv/data/a"]}`+"\n"))
}

func BenchmarkRecordings(b *testing.B) {
	benchmark(b, bytes.Join(messages(b), nil))
}
