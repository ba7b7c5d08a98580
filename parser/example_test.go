package parser_test

import (
	"bytes"
	"fmt"
	"time"

	"github.com/restic-exporter/restic-exporter/parser"
)

// The output of one command, as os/exec returns it.
func ExampleParse() {
	out := []byte(`using parent snapshot 53f36d46

Files:           7 new,     5 changed,   221 unmodified
Dirs:            0 new,     8 changed,    19 unmodified
Added to the repository: 1.051 MiB (1.033 MiB stored)

processed 233 files, 8.662 MiB in 0:02
snapshot 2564248e saved
`)
	runs, err := parser.Parse(bytes.Lines(out))
	if err != nil {
		fmt.Println(err) // a line that could not be read; the rest was
	}
	for _, run := range runs {
		fmt.Println(run.Command, run.Done, run.Backup.Files, *run.Backup.StoredBytes, run.Backup.Duration)
	}
	// Output: backup true {7 5 221} 1083179 2s
}

// A log that several processes wrote to, line by line.
func ExampleCollector() {
	start := time.Date(2026, 11, 23, 0, 9, 21, 0, time.UTC)
	var c parser.Collector
	for i, l := range []struct {
		pid  int
		text string
	}{
		{5031, "Files:           1 new,     0 changed,     0 unmodified"},
		{5040, "check all packs"},
		{5031, "Dirs:            0 new,     1 changed,     0 unmodified"},
		{5031, "Added to the repo: 653 B"},
		{5040, "no errors were found"},
		{5031, "processed 1 files, 12 B in 0:00"},
		{5031, "snapshot 2564248e saved"},
	} {
		c.Add(parser.Line{
			Source: "restic-backup.sh", PID: l.pid,
			Time: start.Add(time.Duration(i) * time.Second),
			Text: []byte(l.text),
		})
	}
	for _, run := range c.Processes() {
		fmt.Println(run.PID, run.Command, run.End.Sub(run.Start), run.Done)
	}
	fmt.Println(c.Spans()[0].Duration())
	// Output:
	// 5031 backup 6s true
	// 5040 check 3s true
	// 6s
}
