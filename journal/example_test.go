package journal_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/restic-exporter/restic-exporter/journal"
)

// What a unit logged in its latest run, and the manager's verdict, from a recording
// that "journalctl -o export" made.
func ExampleRecording() {
	file, err := os.Open("../testdata/0.19.1/wrong-password.export")
	if err != nil {
		log.Fatal(err)
	}
	defer file.Close()
	recording, err := journal.OpenRecording(file)
	if err != nil {
		log.Fatal(err)
	}

	ctx := context.Background()
	const unit = "restic-backup.service"
	id, err := recording.Latest(ctx, unit)
	if err != nil {
		log.Fatal(err)
	}
	for entry, err := range recording.Entries(ctx, unit, id) {
		if err != nil {
			log.Fatal(err)
		}
		if entry.Kind == journal.Output {
			fmt.Printf("%s: %s\n", entry.Identifier, entry.Message)
		}
		if entry.Event == journal.EventFailed {
			fmt.Println(entry.Result)
		}
	}
	// Output:
	// restic-backup.sh: Fatal: wrong password or no key found
	// exit-code
}

// The same of the local journal, when the unit may just have ended.
func ExampleReader() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	const unit = "restic-backup.service"
	var reader journal.Reader
	if err := reader.Sync(ctx, unit); err != nil {
		log.Fatal(err)
	}
	for entry, err := range reader.Entries(ctx, unit, journal.ID{}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s %s\n", entry.Time, entry.Message)
	}
}
