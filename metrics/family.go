package metrics

import dto "github.com/prometheus/client_model/go"

// A family declares a metric family. Its name and help never change: node_exporter drops
// a family whose help differs between two files, and a directory can hold files of two
// versions.
type family struct {
	name   string
	help   string
	kept   rule
	labels []string // besides "unit" and those of the user
}

// declared has all families.
var declared []*family

// gauge declares a family. All families are gauges.
func gauge(name, help string, kept rule, labels ...string) *family {
	f := &family{name, help, kept, labels}
	declared = append(declared, f)
	return f
}

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
