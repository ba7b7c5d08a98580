package metrics

import (
	"fmt"
	"math"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
)

// A series is one of a family: its own labels' values, in the order that the
// family declares, and its value.
type series struct {
	labels []string
	value  float64
}

// state is what a file holds about a unit.
type state map[*family][]series

// stateOf reads what old says about a unit. Files of the shell exporter have no
// types, so the values are taken whatever the type.
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
		seen := make(map[string]bool)
		for _, m := range mf.Metric {
			labels := make(map[string]string)
			for _, l := range m.Label {
				labels[l.GetName()] = l.GetValue()
			}
			if labels["unit"] != unit {
				other = labels["unit"]
				continue
			}
			s := series{value: value(m)}
			for _, name := range f.labels {
				s.labels = append(s.labels, labels[name])
			}
			// A file that people have had their hands in may have a series
			// with several sets of further labels.
			if key := strings.Join(s.labels, "\xff"); !seen[key] {
				seen[key] = true
				st[f] = append(st[f], s)
			}
		}
	}
	if len(st) == 0 && other != "" {
		return nil, fmt.Errorf("%w, %s", ErrOtherUnit, other)
	}
	return st, nil
}

func (st state) value(f *family, labels ...string) *float64 {
	for _, s := range st[f] {
		if slices.Equal(s.labels, labels) && !math.IsNaN(s.value) {
			return &s.value
		}
	}
	return nil
}

func value(m *dto.Metric) float64 {
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
