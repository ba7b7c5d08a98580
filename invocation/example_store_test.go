package invocation_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/restic-exporter/restic-exporter/invocation"
	"github.com/restic-exporter/restic-exporter/journal"
)

// lastBackups prints the last run of each unit of each host. It does not believe what a
// host sent in the name of another.
func lastBackups(ctx context.Context, w io.Writer, store journal.Store) error {
	hosts, err := store.Hosts(ctx, time.Now().AddDate(0, 0, -30), "restic-*.service")
	if err != nil {
		return err
	}
	for _, h := range hosts {
		if h.Err != nil {
			fmt.Fprintf(w, "%s: %v\n", h.Name, h.Err)
		}
		for _, u := range h.Units {
			run, err := invocation.Read(ctx, store.Source(u), u.Unit, journal.ID{}, invocation.Options{})
			if err != nil { // such as ErrRunning
				fmt.Fprintf(w, "%s %s: %v\n", u.Host, u.Unit, err)
				continue
			}
			fmt.Fprintf(w, "%s %s %s %s\n", run.Host, run.Unit, run.Status(), run.Reason())
		}
	}
	return nil
}

// The last backup of each host of a store.
func Example_store() {
	store := journal.Store{URL: "https://logs.example.com:9428", SenderField: "sender"}
	if err := lastBackups(context.Background(), os.Stdout, store); err != nil {
		log.Fatal(err)
	}
}
