package metrics

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"
)

// A family is what never changes about a metric family: node_exporter drops a
// family whose help differs between two files, and files of two versions lie
// side by side.
type family struct {
	name   string
	help   string
	kept   rule
	labels []string // beside unit and those of the user
}

// declared are all families.
var declared []*family

// gauge declares a family. All are gauges.
func gauge(name, help string, kept rule, labels ...string) *family {
	f := &family{name, help, kept, labels}
	declared = append(declared, f)
	return f
}

// A rule is how long the values of a family are kept.
type rule struct {
	until  event            // "" if they are not kept at all
	each   bool             // the event is one of the first label's value alone, such as of one step
	values map[string]event // in place of until: an event for each value of the first label
	time   bool             // the values are times; one in the future is from a wrong clock, and not kept
}

// thisRun is the rule of a family that is about one run alone.
var thisRun rule

func keptUntil(e event) rule                    { return rule{until: e} }
func timeKeptUntil(e event) rule                { return rule{until: e, time: true} }
func timeKeptUntilOfEach(e event) rule          { return rule{until: e, each: true, time: true} }
func keptUntilOfEach(e event) rule              { return rule{until: e, each: true} }
func keptUntilByValue(of map[string]event) rule { return rule{values: of} }

// String says until when, "" if not at all.
func (r rule) String() string {
	switch {
	case r.values == nil && r.until == "":
		return ""
	case r.values == nil:
		return "until " + string(r.until)
	}
	var each []string
	for _, value := range slices.Sorted(maps.Keys(r.values)) {
		each = append(each, fmt.Sprintf("%s: until %s", value, r.values[value]))
	}
	return strings.Join(each, "; ")
}

// ends returns what ends the keeping of a series of f; the zero occurrence if
// it is not kept at all.
func (r rule) ends(m *dto.Metric, f *family) occurrence {
	switch {
	case r.values != nil:
		return occurrence{event: r.values[labelOf(m, f.labels[0])]}
	case r.each:
		return occurrence{r.until, labelOf(m, f.labels[0])}
	}
	return occurrence{event: r.until}
}

// An event of a run ends the keeping of what earlier runs said: this one says
// something new.
type event string

// The events, as docs/metrics.md has them: "kept until …".
const (
	backedUp      event = "a run has a backup summary"
	saved         event = "a snapshot is saved"
	forgot        event = "a forget decides"
	pruned        event = "a prune is done"
	checked       event = "a check is done"
	judged        event = "systemd gives a verdict"
	succeeded     event = "a run succeeds"
	stepRan       event = "the step runs again"
	stepSucceeded event = "the step succeeds again"
)

// An occurrence is an event, and which step or the like it is of; "" of none.
type occurrence struct {
	event event
	of    string
}
