package metrics_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"

	"github.com/restic-exporter/restic-exporter/invocation"
	"github.com/restic-exporter/restic-exporter/journal"
	"github.com/restic-exporter/restic-exporter/metrics"
)

// A program that serves the metrics of a unit itself. What a run says nothing about is
// kept from the scrape before.
func Example_serve() {
	file, err := os.Open("../testdata/0.19.1/second-run-prune.export")
	if err != nil {
		log.Fatal(err)
	}
	source, err := journal.OpenRecording(file) // or journal.Reader{}, the local journal
	if err != nil {
		log.Fatal(err)
	}
	var kept []*dto.MetricFamily
	gatherer := prometheus.GathererFunc(func() ([]*dto.MetricFamily, error) {
		run, err := invocation.Read(context.Background(), source, "restic-backup.service", journal.ID{}, invocation.Options{})
		if err != nil {
			return nil, err
		}
		mfs, err := metrics.Families(run, kept, metrics.Options{})
		kept = mfs
		return mfs, err
	})
	// One scrape at a time, as kept is not locked.
	handler := promhttp.HandlerFor(gatherer, promhttp.HandlerOpts{MaxRequestsInFlight: 1})
	http.Handle("/metrics", handler)

	server := httptest.NewServer(http.DefaultServeMux)
	defer server.Close()
	reply, err := http.Get(server.URL + "/metrics")
	if err != nil {
		log.Fatal(err)
	}
	text, err := io.ReadAll(reply.Body)
	if err != nil {
		log.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "restic_run_status") {
			fmt.Print(line)
		}
	}
	// Output:
	// restic_run_status{status="failed",unit="restic-backup.service"} 0
	// restic_run_status{status="partial",unit="restic-backup.service"} 0
	// restic_run_status{status="success",unit="restic-backup.service"} 1
}
