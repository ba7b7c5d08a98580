package metrics

import (
	"slices"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/restic-exporter/restic-exporter/invocation"
)

// A builder collects the series of a run.
type builder struct {
	run      *invocation.Run
	options  Options
	labels   []*dto.LabelPair // the labels of every series, sorted by name
	old      state            // the series of the file
	series   map[*family][]*dto.Metric
	happened map[occurrence]bool
	now      time.Time
}

func newBuilder(run *invocation.Run, old state, o Options) *builder {
	b := &builder{run: run, options: o, old: old, series: make(map[*family][]*dto.Metric), happened: make(map[occurrence]bool), now: time.Now()}
	for name, value := range o.Labels {
		if name != "unit" {
			b.labels = append(b.labels, &dto.LabelPair{Name: &name, Value: &value})
		}
	}
	b.labels = append(b.labels, &dto.LabelPair{Name: new("unit"), Value: &run.Unit})
	slices.SortFunc(b.labels, compareNames)
	return b
}

// set adds a series to a family. labels are the values of the labels that the family
// declares.
func (b *builder) set(f *family, v float64, labels ...string) {
	m := &dto.Metric{Gauge: &dto.Gauge{Value: &v}, Label: slices.Clone(b.labels)}
	for i, name := range f.labels {
		m.Label = append(m.Label, &dto.LabelPair{Name: new(name), Value: new(labels[i])})
	}
	slices.SortFunc(m.Label, compareNames)
	b.series[f] = append(b.series[f], m)
}

// setTime adds a series whose value is a time, unless the time is unknown.
func (b *builder) setTime(f *family, t time.Time, labels ...string) {
	if !t.IsZero() {
		b.set(f, seconds(t), labels...)
	}
}

// oneOf adds a series for each of the values: 1 for the one that holds, 0 for the others.
func oneOf[T ~string](b *builder, f *family, holds T, values []T) {
	for _, v := range values {
		b.set(f, truth(v == holds), string(v))
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func seconds(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }

// elapsed returns d in seconds. Like journald, it is exact to the microsecond, whereas
// Duration.Seconds adds two floats and turns 1.862985 into 1.8629850000000001.
func elapsed(d time.Duration) float64 { return float64(d.Microseconds()) / 1e6 }

// families returns the families, sorted by name and with sorted series.
func (b *builder) families() []*dto.MetricFamily {
	var mfs []*dto.MetricFamily
	for f, all := range b.series {
		if !slices.IsSortedFunc(all, compareLabels) {
			slices.SortStableFunc(all, compareLabels)
		}
		// In a file that someone has edited, two series can differ only by a label that
		// adopt has removed.
		all = slices.CompactFunc(all, func(x, y *dto.Metric) bool { return compareLabels(x, y) == 0 })
		mfs = append(mfs, &dto.MetricFamily{Name: new(f.name), Help: new(f.help), Type: dto.MetricType_GAUGE.Enum(), Metric: all})
	}
	slices.SortFunc(mfs, func(a, b *dto.MetricFamily) int { return strings.Compare(a.GetName(), b.GetName()) })
	return mfs
}

func compareNames(a, b *dto.LabelPair) int { return strings.Compare(a.GetName(), b.GetName()) }

func compareLabels(a, b *dto.Metric) int {
	return slices.CompareFunc(a.Label, b.Label, func(x, y *dto.LabelPair) int {
		if c := strings.Compare(x.GetName(), y.GetName()); c != 0 {
			return c
		}
		// Sort numbers of backups as numbers: 10 comes after 9.
		if n, m := len(x.GetValue()), len(y.GetValue()); x.GetName() == "backup" && n != m {
			return n - m
		}
		return strings.Compare(x.GetValue(), y.GetValue())
	})
}
