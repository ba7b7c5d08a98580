// Package metrics makes Prometheus metric families of a run of a backup unit.
//
// [Families] takes an [invocation.Run] and returns its families, in the form
// that package textfile writes, that expfmt encodes and that a Gatherer
// returns. docs/metrics.md lists all of them.
//
// Some values outlast a run: the last success, the figures of the last backup,
// prune and check. So Families takes the families of the run before, too, and
// keeps of them what the new run does not say. Each family declares its name,
// its help text, its labels and how long its values are kept in one place.
//
// Package metrics does not know files or journals.
package metrics

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"

	"github.com/restic-exporter/restic-exporter/invocation"
)

// Options say what is in the metrics beside the run. The zero Options add
// nothing.
type Options struct {
	Labels map[string]string // more labels for every series; see [CheckLabel]
	// Actions maps names that lines are logged under to actions, such as
	// "restic-backup.sh" to "backup". Under other names the actions are those
	// of restic's commands.
	Actions map[string]string
	MaxAge  time.Duration // age of the last success above which to alert; 0 for none

	Version, Revision, GoVersion string // of the program that calls
}

var (
	// ErrNewer is reported if the old families are about a later run.
	ErrNewer = errors.New("the file is about a later run")
	// ErrOtherUnit is reported if the old families are about another unit, and
	// not about that of the run.
	ErrOtherUnit = errors.New("the file is about another unit")
)

// Families returns the metrics of run, families sorted by name and series by
// labels. What the run does not say is left out: unknown is not zero.
//
// Of old, which may be nil, it keeps what outlasts a run; only series of the
// same unit count. If old is about the same run already, the count of
// consecutive failures does not grow again. Series that are kept are changed
// and not copied: do not use old afterwards.
//
// It reports [ErrNewer] or [ErrOtherUnit] if these metrics must not take the
// place of old.
func Families(run *invocation.Run, old []*dto.MetricFamily, o Options) ([]*dto.MetricFamily, error) {
	st, err := stateOf(run.Unit, old)
	if err != nil {
		return nil, err
	}
	b := newBuilder(run, st, o)
	if end := b.laterEnd(); !end.IsZero() {
		return nil, fmt.Errorf("%w, which ended at %s", ErrNewer, end.UTC().Format(time.RFC3339))
	}
	b.verdict()
	b.actions()
	b.steps()
	b.snapshots()
	b.repository()
	b.exporter()
	b.keep()
	return b.families(), nil
}

// Failed returns the metric that says that the last call for a unit could not
// do its work. It belongs in a file of its own, beside that of the unit, which
// stays as it is.
func Failed(unit string, o Options) []*dto.MetricFamily {
	b := newBuilder(&invocation.Run{Unit: unit}, nil, o)
	b.set(exporterFailed, 1)
	return b.families()
}

// maxLabel keeps lines of the file below the length from which on textfile does
// not read them.
const maxLabel = 1024

// CheckLabel reports what is wrong with a label for all series, nil if
// nothing is.
func CheckLabel(name, value string) error {
	switch {
	case !model.LegacyValidation.IsValidLabelName(name) || strings.HasPrefix(name, "__"):
		return fmt.Errorf("invalid label name %q: want letters, digits and underscores, not first a digit or two underscores", name)
	case name == "unit":
		return errors.New(`label "unit" is taken: it is always the unit's name`)
	case slices.ContainsFunc(declared, func(f *family) bool { return slices.Contains(f.labels, name) }):
		return fmt.Errorf("label %q is taken: some metrics have a label of that name", name)
	case !utf8.ValidString(value):
		return fmt.Errorf("value %q of label %q is not UTF-8", value, name)
	case len(value) > maxLabel:
		return fmt.Errorf("value of label %q is longer than %d bytes", name, maxLabel)
	}
	return nil
}
