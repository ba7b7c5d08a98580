package invocation_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/restic-exporter/restic-exporter/invocation"
	"github.com/restic-exporter/restic-exporter/journal"
)

// recorded returns what "journalctl -o export" printed of a unit's runs.
func recorded() journal.Source {
	file, err := os.Open("../testdata/0.19.1/second-run-prune.export")
	if err != nil {
		log.Fatal(err)
	}
	recording, err := journal.OpenRecording(file)
	if err != nil {
		log.Fatal(err)
	}
	return recording
}

// The last backup of a unit, from a recording. For the local journal, use
// journal.Reader{} in place of recorded().
func ExampleRead() {
	run, err := invocation.Read(context.Background(), recorded(), "restic-backup.service", journal.ID{}, invocation.Options{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(run.Status(), run.End.Sub(run.Start))
	for _, p := range run.Processes {
		if p.Backup != nil {
			fmt.Println(p.Backup.Files.New, "new files,", p.Backup.ProcessedBytes, "bytes read")
		}
	}
	// Output:
	// success 3.867417s
	// 7 new files, 9082765 bytes read
}
