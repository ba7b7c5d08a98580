// Package metrics turns a run of a backup unit into Prometheus metric families.
//
// [Families] takes an [invocation.Run] and returns its families, in the type
// that package textfile writes, that expfmt encodes and that a Gatherer
// returns. docs/metrics.md lists all of them.
//
// Some values outlast a run, such as the time of the last success, and the figures
// of the last backup, prune and check. So Families also takes the families of the run
// before, and keeps those of their values that the new run does not replace. Each
// family declares its name, help text, labels and how long its values are kept.
//
// Package metrics reads no journal and writes no files.
package metrics

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"

	"github.com/restic-exporter/restic-exporter/invocation"
)

// Options hold what the metrics need besides the run. The zero Options add nothing.
type Options struct {
	Labels map[string]string // additional labels for every series; see [CheckLabel]
	// Actions maps the names under which scripts log to actions, such as
	// "restic-backup.sh" to "backup". For lines under other names, the action is the
	// command of restic.
	Actions map[string]string
	MaxAge  time.Duration // age of the last success above which to alert; 0 keeps that of the old families

	Version, Revision, GoVersion string // of the calling program
}

var (
	// ErrNewer is returned if the old families are about a later run.
	ErrNewer = errors.New("the file is about a later run")
	// ErrOtherUnit is returned if the old families are about another unit than the run.
	ErrOtherUnit = errors.New("the file is about another unit")
)

// Families returns the metrics of run. Families are sorted by name, and series by
// labels. A value that the run does not give is left out, because unknown is not zero.
//
// Families keeps those series of old that outlast a run, if they are about the same
// unit. It changes these series and does not copy them, so do not use old afterwards.
// If old is already about this run, the number of consecutive failures does not grow
// again. old may be nil.
//
// Families returns [ErrNewer] or [ErrOtherUnit] if its result must not replace old.
func Families(run *invocation.Run, old []*dto.MetricFamily, o Options) ([]*dto.MetricFamily, error) {
	st, err := stateOf(run.Unit, old)
	if err != nil {
		return nil, err
	}
	b := newBuilder(run, st, o)
	b.run = b.stayKilled(run)
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

// Failed returns the metric that says that the last call for a unit failed. It belongs in
// a file of its own, so that the file of the unit stays as it is.
func Failed(unit string, o Options) []*dto.MetricFamily {
	b := newBuilder(&invocation.Run{Unit: unit}, nil, o)
	b.set(exporterFailed, 1)
	return b.families()
}

// Collected returns the metrics that say when the hosts of a store were collected, how many
// of them failed, and which runs could not be read. Of unread, only Unit and Host matter.
// unit is the value of the label unit, such as the patterns that were asked for. The metrics
// belong in a file of their own.
func Collected(unit string, at time.Time, failed int, unread []*invocation.Run, o Options) []*dto.MetricFamily {
	b := newBuilder(&invocation.Run{Unit: unit}, nil, o)
	b.setTime(exporterCollected, at)
	b.set(exporterFailedHosts, float64(failed))
	mfs := b.families()
	for i, run := range unread {
		labels := map[string]string{"host": run.Host}
		maps.Copy(labels, o.Labels)
		one := Failed(run.Unit, Options{Labels: labels})
		if i == 0 {
			mfs = slices.Insert(mfs, 1, one...) // sorted by name
		} else {
			mfs[1].Metric = append(mfs[1].Metric, one[0].Metric...)
		}
	}
	return mfs
}

// maxLabel is the longest value of a label, in bytes. It keeps the lines of the file short
// enough for textfile to read them.
const maxLabel = 1024

// CheckLabel returns what is wrong with a label for all series; nil if it is valid.
func CheckLabel(name, value string) error {
	switch {
	case !model.LegacyValidation.IsValidLabelName(name) || strings.HasPrefix(name, "__"):
		return fmt.Errorf("invalid label name %q: want letters, digits and underscores, and neither a digit nor two underscores first", name)
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
