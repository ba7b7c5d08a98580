package textfile_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	dto "github.com/prometheus/client_model/go"

	"github.com/restic-exporter/restic-exporter/textfile"
)

// Any program can leave metrics for node_exporter.
func ExampleWriteFile() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	name := filepath.Join(dir, "backlog.prom")
	err = textfile.WriteFile(name, []*dto.MetricFamily{{
		Name: new("backlog_jobs"), Help: new("Jobs that wait."), Type: dto.MetricType_GAUGE.Enum(),
		Metric: []*dto.Metric{{Gauge: &dto.Gauge{Value: new(3.0)}}},
	}})
	if err != nil {
		log.Fatal(err)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s", text)
	// Output:
	// # HELP backlog_jobs Jobs that wait.
	// # TYPE backlog_jobs gauge
	// backlog_jobs 3
}

// A count that outlasts the program that counts.
func ExampleUpdate() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	for range 3 {
		err := textfile.Update(filepath.Join(dir, "calls.prom"), func(old []*dto.MetricFamily, err error) ([]*dto.MetricFamily, error) {
			if err != nil {
				return nil, err
			}
			calls := 1.0
			if len(old) > 0 {
				calls += old[0].Metric[0].Gauge.GetValue()
			}
			fmt.Println(calls)
			return []*dto.MetricFamily{{
				Name: new("calls"), Help: new("Calls so far."), Type: dto.MetricType_GAUGE.Enum(),
				Metric: []*dto.Metric{{Gauge: &dto.Gauge{Value: &calls}}},
			}}, nil
		})
		if err != nil {
			log.Fatal(err)
		}
	}
	// Output:
	// 1
	// 2
	// 3
}
