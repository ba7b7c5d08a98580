package invocation_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/restic-exporter/restic-exporter/invocation"
	"github.com/restic-exporter/restic-exporter/journal"
)

// The last backup of a unit, from what "journalctl -o export" printed. For the
// local journal, use the zero journal.Reader in place of the recording.
func ExampleRead() {
	file, err := os.Open("../testdata/0.19.1/second-run-prune.export")
	if err != nil {
		log.Fatal(err)
	}
	recording, err := journal.OpenRecording(file)
	if err != nil {
		log.Fatal(err)
	}
	run, err := invocation.Read(context.Background(), recording, "restic-backup.service", journal.ID{}, invocation.Options{})
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
