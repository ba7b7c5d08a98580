package metrics_test

import (
	"bytes"
	"fmt"
	"log"
	"time"

	"github.com/restic-exporter/restic-exporter/invocation"
	"github.com/restic-exporter/restic-exporter/metrics"
	"github.com/restic-exporter/restic-exporter/parser"
)

// A wrapper that runs restic itself knows how it ended and has its output. Other
// programs have the run from invocation.Read.
func ExampleFamilies() {
	processes, err := parser.Parse(bytes.Lines([]byte("Fatal: wrong password or no key found\n")))
	if err != nil {
		log.Fatal(err)
	}
	run := &invocation.Run{
		Unit: "my-wrapper.service", Outcome: invocation.Failed, ExitCode: new(12),
		Start: time.Unix(1_700_000_000, 0), End: time.Unix(1_700_000_001, 0), Processes: processes,
	}
	mfs, err := metrics.Families(run, nil, metrics.Options{})
	if err != nil {
		log.Fatal(err)
	}
	for _, mf := range mfs {
		for _, m := range mf.Metric {
			if mf.GetName() == "restic_run_failure_reason" && m.Gauge.GetValue() == 1 {
				fmt.Println(m.Label[0].GetValue())
			}
		}
	}
	// Output:
	// password
}
