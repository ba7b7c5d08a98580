package metrics

import (
	"maps"
	"math"
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
	old      state
	series   map[*family][]series
	happened map[occurrence]bool
}

func (b *builder) set(f *family, v float64, labels ...string) {
	b.series[f] = append(b.series[f], series{labels, v})
}

// setTime sets a time, unless it is unknown.
func (b *builder) setTime(f *family, t time.Time, labels ...string) {
	if !t.IsZero() {
		b.set(f, seconds(t), labels...)
	}
}

// oneOf sets a series for each of the values, 1 for the one that holds.
func oneOf[T ~string](b *builder, f *family, holds T, values []T) {
	for _, v := range values {
		b.set(f, truth(v == holds), string(v))
	}
}

func (b *builder) happens(e event, of string) { b.happened[occurrence{e, of}] = true }

// keep takes over what the file holds and no event of the run has ended.
func (b *builder) keep() {
	for f, all := range b.old {
		for _, s := range all {
			if end := f.kept.ends(s.labels); end.event != "" && !b.happened[end] && !math.IsNaN(s.value) {
				b.set(f, s.value, s.labels...)
			}
		}
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

// families puts the series into families, as the file has them.
func (b *builder) families() []*dto.MetricFamily {
	common := maps.Clone(b.options.Labels)
	if common == nil {
		common = make(map[string]string)
	}
	common["unit"] = b.run.Unit

	var mfs []*dto.MetricFamily
	for f, all := range b.series {
		mf := &dto.MetricFamily{Name: new(f.name), Help: new(f.help), Type: dto.MetricType_GAUGE.Enum()}
		for _, s := range all {
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
	slices.SortFunc(mfs, func(a, b *dto.MetricFamily) int { return strings.Compare(a.GetName(), b.GetName()) })
	return mfs
}

func compareLabels(a, b *dto.Metric) int {
	return slices.CompareFunc(a.Label, b.Label, func(x, y *dto.LabelPair) int {
		if c := strings.Compare(x.GetName(), y.GetName()); c != 0 {
			return c
		}
		// Places count up: 10 comes after 9.
		if n, m := len(x.GetValue()), len(y.GetValue()); x.GetName() == "backup" && n != m {
			return n - m
		}
		return strings.Compare(x.GetValue(), y.GetValue())
	})
}
