package parser_test

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restic-exporter/restic-exporter/internal/journaltest"
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

// BenchmarkRecordings reads each recording as its own log, as invocation does.
func BenchmarkRecordings(b *testing.B) {
	var logs [][]parser.Line
	var size, lines int
	for _, name := range journaltest.Recordings(b) {
		log, n := entries(b, name)
		logs, size, lines = append(logs, log), size+n, lines+len(log)
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	for b.Loop() {
		for _, log := range logs {
			var c parser.Collector
			for _, l := range log {
				c.Add(l)
			}
			c.Processes()
		}
	}
	b.ReportMetric(float64(lines)*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
}

// entries returns the lines of a recording in the export format, and the length of
// their text.
func entries(b *testing.B, name string) (log []parser.Line, size int) {
	export, err := os.ReadFile(name)
	require.NoError(b, err)
	for entry := range bytes.SplitSeq(export, []byte("\n\n")) {
		var l parser.Line
		for field := range bytes.SplitSeq(entry, []byte("\n")) {
			name, value, _ := strings.Cut(string(field), "=")
			switch name {
			case "MESSAGE":
				l.Text = []byte(value)
			case "_PID":
				l.PID, err = strconv.Atoi(value)
				require.NoError(b, err)
			case "SYSLOG_IDENTIFIER":
				l.Source = value
			case "_COMM":
				l.Restic = value == "restic"
			case "__REALTIME_TIMESTAMP":
				usec, err := strconv.ParseInt(value, 10, 64)
				require.NoError(b, err)
				l.Time = time.UnixMicro(usec)
			}
		}
		if l.Text != nil {
			log, size = append(log, l), size+len(l.Text)
		}
	}
	require.NotEmpty(b, log)
	return log, size
}
