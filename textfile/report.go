package textfile

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/prometheus/common/model"

	dto "github.com/prometheus/client_model/go"

	"github.com/restic-exporter/restic-exporter/parser"
)

// A Verdict is what the service manager says of an invocation. The zero
// Verdict is that none is known.
type Verdict string

// The verdicts. Failed is any failure that has no name of its own here.
const (
	Succeeded Verdict = "success"
	Failed    Verdict = "failed"
	TimedOut  Verdict = "timeout"
	Killed    Verdict = "killed"
	OOM       Verdict = "oom"
)

// A Report is what there is to say about one invocation of a backup unit.
// Where it says nothing, there is no metric: unknown is never zero.
type Report struct {
	Unit   string            // with its ".service"
	Labels map[string]string // more labels for every series; see [CheckLabel]
	// Actions gives names that lines are logged under an action, such as
	// "restic-backup.sh" the action "backup". Under other names the actions
	// are those of restic's commands.
	Actions map[string]string
	MaxAge  time.Duration // age of the last success above which to alert; 0 for none

	Start, End time.Time // first and last sign of the invocation; zero if unknown
	Verdict    Verdict
	ExitCode   *int // of the process that failed the invocation, 128+N for signal N; nil if unknown

	Processes []parser.Process // by first line
	Spans     []parser.Span    // by first line

	Entries uint64 // log entries that were read
	Dropped uint64 // log entries that were lost before

	Version, Revision, GoVersion string // of the program that makes the report
}

// ErrNewer is reported by [Report.WriteFile] if the file is about a later
// invocation.
var ErrNewer = errors.New("the file is about a later run")

// WriteFile puts the metrics of r into the named file as [Update] does. What
// the file holds already and r does not say is kept, as [Report.Families]
// tells. A file that cannot be read as metrics is replaced; the first result
// says why nothing of it could be kept. A file about a later run is left
// alone.
func (r *Report) WriteFile(name string) (unreadable, err error) {
	err = Update(name, func(old []*dto.MetricFamily, err error) ([]*dto.MetricFamily, error) {
		unreadable = err
		there := r.state(old).value("restic_run_start_timestamp_seconds")
		// A time in the future is no reason: a clock was wrong.
		if there != nil && !r.Start.IsZero() && *there > seconds(r.Start) && *there <= seconds(time.Now()) {
			return nil, fmt.Errorf("%s: %w, which started at %s", name, ErrNewer,
				time.UnixMicro(int64(math.Round(*there*1e6))).UTC().Format(time.RFC3339))
		}
		return r.Families(old), nil
	})
	return unreadable, err
}

// CheckLabel reports what is wrong with a label for all series, nil if
// nothing is.
func CheckLabel(name, value string) error {
	switch {
	case !model.LegacyValidation.IsValidLabelName(name) || strings.HasPrefix(name, "__"):
		return fmt.Errorf("invalid label name %q: want letters, digits and underscores, not first a digit or two underscores", name)
	case name == "unit":
		return errors.New(`label "unit" is taken: it is always the unit's name`)
	case slices.Contains(ownLabels(), name):
		return fmt.Errorf("label %q is taken: some metrics have a label of that name", name)
	case !utf8.ValidString(value):
		return fmt.Errorf("value %q of label %q is not UTF-8", value, name)
	}
	return nil
}

func ownLabels() []string {
	var names []string
	for _, f := range families {
		names = append(names, f.labels...)
	}
	return names
}

// Families returns the metrics of r, families sorted by name and series by
// labels.
//
// Of old, which may be nil, it keeps what r does not say and what outlasts a
// run: the last success, the figures of the last backup, prune and check, and
// so on; only series of the same unit count. If old is about the same
// invocation, the count of consecutive failures does not grow again.
func (r *Report) Families(old []*dto.MetricFamily) []*dto.MetricFamily {
	b := builder{report: r, old: r.state(old), series: make(map[string][]series)}
	b.run()
	b.actions()
	b.steps()
	b.backups()
	b.repository()
	b.exporter()
	return b.families()
}
