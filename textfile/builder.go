package textfile

import (
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/restic-exporter/restic-exporter/parser"
)

type builder struct {
	report *Report
	old    state
	series map[string][]series
}

func (b *builder) set(name string, v float64, labels ...string) {
	b.series[name] = append(b.series[name], series{labels, v})
}

// setTime sets a time, unless it is unknown.
func (b *builder) setTime(name string, t time.Time, labels ...string) {
	if !t.IsZero() {
		b.set(name, seconds(t), labels...)
	}
}

// keep takes over what the file holds of the named families.
func (b *builder) keep(names ...string) {
	for _, name := range names {
		b.keepSeries(name, func([]string) bool { return true })
	}
}

func (b *builder) keepSeries(name string, which func(labels []string) bool) {
	for _, s := range b.old[name] {
		if which(s.labels) && !math.IsNaN(s.value) {
			b.set(name, s.value, s.labels...)
		}
	}
}

// oneOf sets a series for each of the values, 1 for the one that holds.
func (b *builder) oneOf(name, holds string, values []string) {
	for _, v := range values {
		b.set(name, truth(v == holds), v)
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func seconds(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }

// elapsed is exact to the microsecond, as journald is: Duration.Seconds adds up
// two floats, and 1.862985 becomes 1.8629850000000001.
func elapsed(d time.Duration) float64 { return float64(d.Microseconds()) / 1e6 }

// exporter makes the metrics of the exporter's own work.
func (b *builder) exporter() {
	r := b.report
	backups, unparsed := 0, 0
	for _, run := range r.Processes {
		unparsed += run.SyntaxErrors
		if run.Backup != nil || run.Command == parser.CommandBackup && run.DryRun && run.Done {
			backups++
		}
	}
	b.set("restic_exporter_build_info", 1, r.Version, r.Revision, r.GoVersion)
	b.set("restic_exporter_log_entries", float64(r.Entries))
	b.set("restic_exporter_dropped_entries", float64(r.Dropped))
	b.set("restic_exporter_unparsed_lines", float64(unparsed))
	b.set("restic_exporter_backups", float64(backups))
}

// families puts the series into families, as the file has them.
func (b *builder) families() []*dto.MetricFamily {
	common := map[string]string{"unit": b.report.Unit}
	maps.Copy(common, b.report.Labels)
	common["unit"] = b.report.Unit

	var mfs []*dto.MetricFamily
	for _, f := range families {
		if len(b.series[f.name]) == 0 {
			continue
		}
		mf := &dto.MetricFamily{Name: new(f.name), Help: new(f.help), Type: dto.MetricType_GAUGE.Enum()}
		for _, s := range b.series[f.name] {
			labels := maps.Clone(common)
			for i, name := range f.labels {
				labels[name] = s.labels[i]
			}
			m := &dto.Metric{Gauge: &dto.Gauge{Value: new(s.value)}}
			for _, name := range slices.Sorted(maps.Keys(labels)) {
				m.Label = append(m.Label, &dto.LabelPair{Name: new(name), Value: new(labels[name])})
			}
			mf.Metric = append(mf.Metric, m)
		}
		slices.SortFunc(mf.Metric, compareLabels)
		mfs = append(mfs, mf)
	}
	return mfs
}

func compareLabels(a, b *dto.Metric) int {
	return slices.CompareFunc(a.Label, b.Label, func(x, y *dto.LabelPair) int {
		if c := strings.Compare(x.GetName(), y.GetName()); c != 0 {
			return c
		}
		// Places count up: 10 comes behind 9.
		if n, m := len(x.GetValue()), len(y.GetValue()); x.GetName() == "backup" && n != m {
			return n - m
		}
		return strings.Compare(x.GetValue(), y.GetValue())
	})
}
