package metrics

import (
	"fmt"
	"math"
	"time"

	dto "github.com/prometheus/client_model/go"
)

// state has the series of a file that are about one unit. They are not copied, because
// the file may be large.
type state map[*family][]*dto.Metric

// stateOf returns the series of old that are about unit. They may have any type, because
// files of the shell exporter have no types.
func stateOf(unit string, old []*dto.MetricFamily) (state, error) {
	byName := make(map[string]*family, len(declared))
	for _, f := range declared {
		byName[f.name] = f
	}
	st := make(state)
	other := ""
	for _, mf := range old {
		f, ok := byName[mf.GetName()]
		if !ok {
			continue
		}
		for _, m := range mf.Metric {
			if u := labelOf(m, "unit"); u != unit {
				other = u
			} else if !math.IsNaN(valueOf(m)) {
				st[f] = append(st[f], m)
			}
		}
	}
	if len(st) == 0 && other != "" {
		return nil, fmt.Errorf("%w, %s", ErrOtherUnit, other)
	}
	return st, nil
}

// value returns the value of the first series of f whose own labels have these values;
// nil if there is none.
func (st state) value(f *family, labels ...string) *float64 {
	for _, m := range st[f] {
		if f.is(m, labels) {
			return new(valueOf(m))
		}
	}
	return nil
}

// time returns the value of a family that is a time; zero if there is none.
func (st state) time(f *family) time.Time {
	v := st.value(f)
	if v == nil {
		return time.Time{}
	}
	return timeOf(*v)
}

func timeOf(seconds float64) time.Time { return time.UnixMicro(int64(math.Round(seconds * 1e6))) }

// is reports whether the labels that f declares have these values in m.
func (f *family) is(m *dto.Metric, labels []string) bool {
	for i, name := range f.labels {
		if labelOf(m, name) != labels[i] {
			return false
		}
	}
	return true
}

func labelOf(m *dto.Metric, name string) string {
	for _, l := range m.Label {
		if l.GetName() == name {
			return l.GetValue()
		}
	}
	return ""
}

func valueOf(m *dto.Metric) float64 {
	switch {
	case m.Gauge != nil:
		return m.Gauge.GetValue()
	case m.Untyped != nil:
		return m.Untyped.GetValue()
	case m.Counter != nil:
		return m.Counter.GetValue()
	}
	return math.NaN()
}
