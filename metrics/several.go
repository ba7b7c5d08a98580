package metrics

import (
	"errors"
	"maps"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"

	"github.com/restic-exporter/restic-exporter/invocation"
)

// Several returns the metrics of runs of several units, for a file that has all of
// them. It keeps the series of old that are about other units. It also keeps those of a
// unit whose run in old is later than that in runs.
//
// Otherwise it is like [Families].
func Several(runs []*invocation.Run, old []*dto.MetricFamily, o Options) ([]*dto.MetricFamily, error) {
	all := make(map[string]*dto.MetricFamily)
	add := func(mfs []*dto.MetricFamily) {
		for _, mf := range mfs {
			if there := all[mf.GetName()]; there != nil {
				there.Metric = append(there.Metric, mf.Metric...)
			} else {
				all[mf.GetName()] = mf
			}
		}
	}
	for _, run := range runs {
		var own, rest []*dto.MetricFamily
		for _, mf := range old {
			of, others := split(mf, run.Unit)
			own, rest = append(own, of...), append(rest, others...)
		}
		mfs, err := Families(run, own, o)
		if errors.Is(err, ErrNewer) {
			continue // what old has of the unit stays
		}
		if err != nil {
			return nil, err
		}
		old = rest
		add(mfs)
	}
	add(old)
	return slices.SortedFunc(maps.Values(all), func(a, b *dto.MetricFamily) int {
		return strings.Compare(a.GetName(), b.GetName())
	}), nil
}

// split splits a family into the series about a unit and the others. Each result has at
// most one family.
func split(mf *dto.MetricFamily, unit string) (own, rest []*dto.MetricFamily) {
	with := func(series []*dto.Metric) []*dto.MetricFamily {
		if len(series) == 0 {
			return nil
		}
		return []*dto.MetricFamily{{Name: mf.Name, Help: mf.Help, Type: mf.Type, Unit: mf.Unit, Metric: series}}
	}
	var of, others []*dto.Metric
	for _, m := range mf.Metric {
		if labelOf(m, "unit") == unit {
			of = append(of, m)
		} else {
			others = append(others, m)
		}
	}
	return with(of), with(others)
}
