// Package metrictest makes metric families easy to compare in tests.
package metrictest

import (
	"maps"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"github.com/restic-exporter/restic-exporter/textfile"
)

// Flat returns the series of a file of metrics in the form of [Series], without the labels
// unit and timestamp.
func Flat(t testing.TB, text string) map[string]float64 {
	t.Helper()
	mfs, err := textfile.Decode(strings.NewReader(text))
	require.NoError(t, err)
	return Series(mfs, "unit", "timestamp")
}

// Series returns the series of mfs as a map from "name{label=value,...}" to the value. It
// leaves out the labels named in without.
func Series(mfs []*dto.MetricFamily, without ...string) map[string]float64 {
	got := make(map[string]float64)
	for _, mf := range mfs {
		for _, m := range mf.Metric {
			var labels []string
			for _, l := range m.Label {
				if !slices.Contains(without, l.GetName()) {
					labels = append(labels, l.GetName()+"="+l.GetValue())
				}
			}
			v := m.GetGauge().GetValue()
			if m.Untyped != nil {
				v = m.Untyped.GetValue()
			}
			got[mf.GetName()+"{"+strings.Join(labels, ",")+"}"] = v
		}
	}
	return got
}

// Pick returns the series of got that are also in want or absent. Compare the result with
// want: then values must be equal, and the series in absent must not exist.
func Pick(got, want map[string]float64, absent ...string) map[string]float64 {
	picked := maps.Clone(got)
	maps.DeleteFunc(picked, func(name string, _ float64) bool {
		_, ok := want[name]
		return !ok && !slices.Contains(absent, name)
	})
	return picked
}
