package parser_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restic-exporter/restic-exporter/internal/journaltest"
	"github.com/restic-exporter/restic-exporter/parser"
)

// messages returns the text that real restics printed, one file a recording:
// the MESSAGE fields of the exports, which is all that matters here.
func messages(tb testing.TB) [][]byte {
	tb.Helper()
	var logs [][]byte
	for _, name := range journaltest.Recordings(tb) {
		export, err := os.ReadFile(name)
		require.NoError(tb, err)
		var log []byte
		for line := range bytes.Lines(export) {
			if text, ok := bytes.CutPrefix(line, []byte("MESSAGE=")); ok {
				log = append(log, text...)
			}
		}
		logs = append(logs, log)
	}
	return logs
}

// runs gives each line a time of its own, in order, so that interleaving the
// lines of two processes changes neither's times.
func runs(lines []parser.Line) []parser.Process {
	var c parser.Collector
	for _, l := range lines {
		c.Add(l)
	}
	return c.Processes()
}

func linesOf(log []byte, pid int) []parser.Line {
	var lines []parser.Line
	for text := range bytes.Lines(log) {
		lines = append(lines, parser.Line{Source: "restic", PID: pid, Time: time.Unix(int64(len(lines)), 0), Text: text})
	}
	return lines
}

func byPID(runs []parser.Process) map[int]parser.Process {
	m := make(map[int]parser.Process)
	for _, r := range runs {
		m[r.PID] = r
	}
	return m
}

// Two processes whose lines are interleaved at random, with lines of others in
// between, are the same two runs.
func FuzzInterleave(f *testing.F) {
	logs := messages(f)
	for i, log := range logs {
		f.Add(log, logs[(i+len(logs)/2)%len(logs)], uint64(i))
	}
	f.Fuzz(func(t *testing.T, a, b []byte, seed uint64) {
		one, two := linesOf(a, 1), linesOf(b, 2)
		want := byPID(slices.Concat(runs(one), runs(two)))

		rng := rand.New(rand.NewPCG(seed, 0))
		var mixed []parser.Line
		for len(one)+len(two) > 0 {
			switch n := rng.IntN(len(one) + len(two) + 1); {
			case n < len(one):
				mixed, one = append(mixed, one[0]), one[1:]
			case n < len(one)+len(two):
				mixed, two = append(mixed, two[0]), two[1:]
			default:
				text := fmt.Sprintf("/var/backups/db-%d.sql.gz", n)
				mixed = append(mixed, parser.Line{Source: "cleanup-backups.sh", PID: 3 + n%3, Text: []byte(text)})
			}
		}
		assert.Equal(t, want, byPID(runs(mixed)))
	})
}

// Lines that are not restic's mean nothing, also in the middle of a process.
func FuzzForeignLines(f *testing.F) {
	for _, log := range messages(f) {
		f.Add(log, "Starting restic backup")
		f.Add(log, "/var/backups/db: 1 / 2 packs")
	}
	f.Fuzz(func(t *testing.T, log []byte, foreign string) {
		lines := linesOf(log, 1)
		// What one process alone makes nothing of, and is no part of a
		// multi-line message, is foreign.
		if len(runs(linesOf([]byte(foreign), 1))) > 0 || bytes.ContainsAny([]byte(foreign), "\n\r ") {
			t.Skip("not foreign")
		}
		mixed := make([]parser.Line, 0, 2*len(lines))
		for _, l := range lines {
			mixed = append(mixed, l, parser.Line{Source: "restic", PID: 1, Time: l.Time, Text: []byte(foreign)})
		}
		want, got := runs(lines), runs(mixed)
		for _, p := range slices.Concat(want, got) {
			undate(p.Forget)
		}
		assert.Equal(t, want, got)
	})
}

// What is printed last is true: no log before it changes the figures, nor whether
// all could be read.
func FuzzTrueSummaryWins(f *testing.F) {
	for _, log := range messages(f) {
		f.Add(log)
	}
	f.Fuzz(func(t *testing.T, before []byte) {
		before = append(bytes.ReplaceAll(before, []byte("restor"), nil), '\n')
		log := slices.Concat([]byte("no parent snapshot found, will read all files\n"), before,
			[]byte("unchanged /srv/\n"), []byte(smallText))
		got := runs(linesOf(log, 1))
		require.Len(t, got, 1)
		require.NotNil(t, got[0].Backup)
		want := small
		want.Saved = got[0].Backup.Saved
		assert.Equal(t, &want, got[0].Backup)
	})
}

// Lines that are idle change nothing but the ends of runs and spans, in the log
// of two processes at once.
func FuzzSkip(f *testing.F) {
	logs := messages(f)
	for i, log := range logs {
		f.Add(log, logs[(i+len(logs)/2)%len(logs)], uint64(i))
	}
	f.Add([]byte("unchanged /a\nunchanged /b\n"), []byte(smallText+"unchanged /c\n"), uint64(7))
	f.Add([]byte("error: open /a"+smallText+`{"message_type":"status",: permission denied`+"\n"), []byte("unchanged /b\n"), uint64(7))
	f.Add([]byte(`{"message_type":"status"}`+"\n"+`{"message_type":"status"}`+"\n"),
		[]byte(`{"message_type":"verbose_status"}`+"\n"), uint64(7))
	f.Fuzz(func(t *testing.T, a, b []byte, seed uint64) {
		// Each process says something first: every restic does.
		hello := []byte("open repository\n")
		one, two := linesOf(slices.Concat(hello, a), 1), linesOf(slices.Concat(hello, b), 2)
		rng := rand.New(rand.NewPCG(seed, 0))
		var mixed []parser.Line
		for len(one)+len(two) > 0 {
			if rng.IntN(len(one)+len(two)) < len(one) {
				mixed, one = append(mixed, one[0]), one[1:]
			} else {
				mixed, two = append(mixed, two[0]), two[1:]
			}
		}

		var c parser.Collector
		first, last := make(map[int]time.Time), make(map[int]time.Time)
		for i, l := range mixed {
			l.Time = time.Unix(int64(i), 0)
			mixed[i] = l
			if first[l.PID].IsZero() {
				first[l.PID] = l.Time
			}
			last[l.PID] = l.Time
			if !c.Skip(l.Text, func() int { return l.PID }) {
				c.Add(l)
			}
		}
		got := c.Processes()
		for i := range got {
			got[i].Start, got[i].End = first[got[i].PID], last[got[i].PID]
		}
		assert.Equal(t, runs(mixed), got)
	})
}
