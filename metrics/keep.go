package metrics

import (
	"slices"

	dto "github.com/prometheus/client_model/go"
)

// A rule says how long the values of a family are kept.
type rule struct {
	until  event            // what ends the keeping; "" if the values are not kept at all
	each   bool             // the event must concern the value of the first label, such as that step
	values map[string]event // an event for each value of the first label, instead of until
	time   bool             // the values are times; one in the future is from a wrong clock, and not kept
}

// thisRun is the rule of a family that describes only the last run.
var thisRun rule

func keptUntil(e event) rule                    { return rule{until: e} }
func timeKeptUntil(e event) rule                { return rule{until: e, time: true} }
func timeKeptUntilOfEach(e event) rule          { return rule{until: e, each: true, time: true} }
func keptUntilOfEach(e event) rule              { return rule{until: e, each: true} }
func keptUntilByValue(of map[string]event) rule { return rule{values: of} }

// ends returns what ends the keeping of series m of f; the zero occurrence if it is not
// kept at all.
func (r rule) ends(m *dto.Metric, f *family) occurrence {
	switch {
	case r.values != nil:
		return occurrence{event: r.values[labelOf(m, f.labels[0])]}
	case r.each:
		return occurrence{r.until, labelOf(m, f.labels[0])}
	}
	return occurrence{event: r.until}
}

// An event in a run ends the keeping of values, because the run has new ones.
type event string

// The events. docs/metrics.md puts "kept until" before them.
const (
	backedUp      event = "a run has a backup summary"
	saved         event = "a snapshot is saved"
	forgot        event = "a forget decides"
	pruned        event = "a prune is done"
	checked       event = "a check is done"
	judged        event = "systemd gives a verdict"
	limited       event = "a call has another `--max-age`"
	succeeded     event = "a run succeeds"
	stepRan       event = "the step runs again"
	stepSucceeded event = "the step succeeds again"
)

// An occurrence is an event, and the step that it concerns.
type occurrence struct {
	event event
	of    string // "" if the event does not concern a step
}

// happens notes an event of the run. of is the step that it concerns; "" if none.
func (b *builder) happens(e event, of string) { b.happened[occurrence{e, of}] = true }

// keep adds the series of the file that outlast this run, because no event of the run ends
// their keeping.
func (b *builder) keep() {
	for f, all := range b.old {
		for _, m := range all {
			if end := f.kept.ends(m, f); end.event == "" || b.happened[end] {
				continue
			}
			if f.kept.time && timeOf(valueOf(m)).After(b.now) {
				continue
			}
			if !b.fits(f, m) {
				b.adopt(f, m)
			}
			b.series[f] = append(b.series[f], m)
		}
	}
}

// adopt turns a series of the file into the form that set gives it.
func (b *builder) adopt(f *family, m *dto.Metric) {
	m.Gauge, m.Untyped, m.Counter = &dto.Gauge{Value: new(valueOf(m))}, nil, nil
	m.TimestampMs = nil
	own := make([]*dto.LabelPair, 0, len(b.labels)+len(f.labels))
	for _, name := range f.labels {
		i := slices.IndexFunc(m.Label, func(l *dto.LabelPair) bool { return l.GetName() == name })
		if i < 0 {
			own = append(own, &dto.LabelPair{Name: &name, Value: new("")})
			continue
		}
		own = append(own, m.Label[i])
	}
	m.Label = append(own, b.labels...)
	slices.SortFunc(m.Label, compareNames)
}

// fits reports whether a series of the file has the form that set gives it.
func (b *builder) fits(f *family, m *dto.Metric) bool {
	if m.Gauge == nil || m.Untyped != nil || m.Counter != nil || m.TimestampMs != nil || len(m.Label) != len(b.labels)+len(f.labels) || !slices.IsSortedFunc(m.Label, compareNames) {
		return false
	}
	for _, l := range m.Label {
		if !slices.Contains(f.labels, l.GetName()) && !slices.ContainsFunc(b.labels, func(c *dto.LabelPair) bool {
			return c.GetName() == l.GetName() && c.GetValue() == l.GetValue()
		}) {
			return false
		}
	}
	return true
}
