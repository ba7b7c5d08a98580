package textfile

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
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

	Runs  []parser.Run  // by first line
	Spans []parser.Span // by first line

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

// A series is one of a family: its own labels' values, in the order that the
// family declares, and its value.
type series struct {
	labels []string
	value  float64
}

// state is what a file holds about a unit, by family.
type state map[string][]series

// state reads what old says about the unit of r. Files of the shell exporter
// have no types, so the values are taken whatever the type.
func (r *Report) state(old []*dto.MetricFamily) state {
	st := make(state)
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
			if labels["unit"] != r.Unit {
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
				st[f.name] = append(st[f.name], s)
			}
		}
	}
	return st
}

func (st state) value(name string, labels ...string) *float64 {
	for _, s := range st[name] {
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

type builder struct {
	report *Report
	old    state
	series map[string][]series
}

func (b *builder) set(name string, v float64, labels ...string) {
	b.series[name] = append(b.series[name], series{labels, v})
}

// setTime sets a time, unless it is unknown.
func (b *builder) setTime(name string, t time.Time, labels ...string) {
	if !t.IsZero() {
		b.set(name, seconds(t), labels...)
	}
}

// keep takes over what the file holds of the named families.
func (b *builder) keep(names ...string) {
	for _, name := range names {
		b.keepSeries(name, func([]string) bool { return true })
	}
}

func (b *builder) keepSeries(name string, which func(labels []string) bool) {
	for _, s := range b.old[name] {
		if which(s.labels) && !math.IsNaN(s.value) {
			b.set(name, s.value, s.labels...)
		}
	}
}

// oneOf sets a series for each of the values, 1 for the one that holds.
func (b *builder) oneOf(name, holds string, values []string) {
	for _, v := range values {
		b.set(name, truth(v == holds), v)
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func seconds(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }

// elapsed is exact to the microsecond, as journald is: Duration.Seconds adds up
// two floats, and 1.862985 becomes 1.8629850000000001.
func elapsed(d time.Duration) float64 { return float64(d.Microseconds()) / 1e6 }

// The statuses of a run.
const (
	statusSuccess = "success"
	statusPartial = "partial"
	statusFailed  = "failed"
)

// status returns the status of the run, "" if nobody has given a verdict.
func (r *Report) status() string {
	partial := slices.ContainsFunc(r.Runs, incomplete)
	switch {
	case r.Verdict == "":
		return ""
	case r.Verdict == Succeeded && partial:
		return statusPartial
	case r.Verdict == Succeeded:
		return statusSuccess
	case r.Verdict == Failed && partial && r.ExitCode != nil && *r.ExitCode == 3:
		return statusPartial
	}
	return statusFailed
}

func incomplete(run parser.Run) bool {
	return run.Incomplete || run.Backup != nil && run.Backup.Unreadable > 0
}

// reason returns what a failed or partial run failed of.
func (r *Report) reason(status string) string {
	switch {
	case status == statusSuccess:
		return ""
	case status == statusPartial:
		return string(parser.CauseSourceUnreadable)
	case r.Verdict != Failed:
		return string(r.Verdict)
	}
	if last := r.lastFatal(); last != nil {
		return string(last.Cause)
	}
	switch {
	case r.ExitCode != nil && *r.ExitCode > 128 && *r.ExitCode <= 128+64:
		// A shell says so of a command that was killed by a signal.
		return string(Killed)
	case slices.ContainsFunc(r.Runs, incomplete):
		return string(parser.CauseSourceUnreadable)
	}
	return string(parser.CauseOther)
}

// lastFatal returns the last run that gave up, nil if none did.
func (r *Report) lastFatal() *parser.Run {
	var last *parser.Run
	for i := range r.Runs {
		run := &r.Runs[i]
		switch {
		case run.Fatal != "" && (last == nil || !run.End.Before(last.End)):
			last = run
		case last != nil && last.Cause == parser.CauseNoRepository && run.Command == parser.CommandInit && run.Done:
			last = nil // a script asked whether there is a repository, and made one
		}
	}
	return last
}

// run makes the metrics of the run as a whole.
func (b *builder) run() {
	r := b.report
	b.setTime("restic_run_start_timestamp_seconds", r.Start)
	b.setTime("restic_run_end_timestamp_seconds", r.End)
	if r.MaxAge > 0 {
		b.set("restic_run_max_age_seconds", elapsed(r.MaxAge))
	}

	status := r.status()
	if status == "" {
		b.keep("restic_run_last_success_timestamp_seconds", "restic_run_consecutive_failures")
		return
	}
	if !r.End.IsZero() {
		b.set("restic_backup_failure", truth(r.Verdict != Succeeded), strconv.FormatInt(r.End.Unix(), 10))
	}
	b.oneOf("restic_run_status", status, statuses)
	reason := r.reason(status)
	b.oneOf("restic_run_failure_reason", reason, reasons)
	switch {
	case r.Verdict == Succeeded:
		b.set("restic_run_exit_code", 0)
	case r.ExitCode != nil:
		b.set("restic_run_exit_code", float64(*r.ExitCode))
	}
	if r.Verdict == Succeeded && !r.End.IsZero() {
		b.setTime("restic_run_last_success_timestamp_seconds", r.End)
	} else {
		b.keep("restic_run_last_success_timestamp_seconds")
	}
	b.set("restic_run_consecutive_failures", b.failures(status))

	switch {
	case reason != string(parser.CauseLocked):
		b.set("restic_lock_age_seconds", 0)
	default:
		if l := r.lastFatal().Lock; l != nil && l.Age != nil {
			b.set("restic_lock_age_seconds", elapsed(*l.Age))
		}
	}
}

// failures returns how many runs have failed since the last success. A partial
// run that systemd calls failed is neither.
func (b *builder) failures(status string) float64 {
	if b.report.Verdict == Succeeded {
		return 0
	}
	var before float64
	if v := b.old.value("restic_run_consecutive_failures"); v != nil {
		before = *v
	}
	if status != statusFailed || b.counted() {
		return before
	}
	return before + 1
}

// counted reports whether the file is about this run already, and has it as a
// failure.
func (b *builder) counted() bool {
	start := b.old.value("restic_run_start_timestamp_seconds")
	failed := b.old.value("restic_run_status", statusFailed)
	return start != nil && *start == seconds(b.report.Start) && failed != nil && *failed == 1
}

// actions makes the durations that the shell exporter has.
func (b *builder) actions() {
	durations := make(map[string]time.Duration)
	for _, span := range b.report.Spans {
		if action, ok := b.report.Actions[span.Source]; ok && !span.Start.IsZero() {
			durations[action] += span.Duration()
		}
	}
	// Actions of scripts go first: their lines are of the same restics.
	scripts := maps.Clone(durations)
	for _, run := range b.report.Runs {
		action := string(run.Command)
		_, given := b.report.Actions[run.Source]
		_, script := scripts[action]
		switch run.Command {
		case parser.CommandBackup, parser.CommandForget, parser.CommandPrune, parser.CommandCheck:
			if !given && !script && !run.Start.IsZero() {
				durations[action] += run.End.Sub(run.Start)
			}
		}
	}
	for action, d := range durations {
		b.set("restic_backup_duration_seconds", elapsed(d), action)
	}
}

type step struct {
	bad, timed bool
	duration   time.Duration
	end        time.Time
	errors     int
	retries    int
}

// steps makes the metrics of restic's commands.
func (b *builder) steps() {
	steps := make(map[parser.Command]*step)
	at := func(c parser.Command) *step {
		if steps[c] == nil {
			steps[c] = new(step)
		}
		return steps[c]
	}
	for _, run := range b.report.Runs {
		switch run.Command {
		case parser.CommandBackup, parser.CommandForget, parser.CommandPrune, parser.CommandCheck:
		case "":
			continue
		default:
			if !run.Done {
				continue // not every release says how these end
			}
		}
		if !run.Done && run.Fatal == "" && b.report.Verdict == Succeeded {
			continue // a quiet command, or a part of the log was dropped: unknown
		}
		s := at(run.Command)
		s.add(run, run.End)
		s.bad = s.bad || !run.Done
		if run.Command == parser.CommandPrune && run.Forget != nil {
			// "forget --prune" counts as prune, and has forgotten as well.
			f := at(parser.CommandForget)
			until := run.Forget.End
			if until.IsZero() {
				until = run.End
			}
			f.add(parser.Run{Start: run.Start}, until)
		}
	}

	for c, s := range steps {
		name := string(c)
		if s.timed {
			b.set("restic_step_duration_seconds", elapsed(s.duration), name)
		}
		b.set("restic_step_success", truth(!s.bad), name)
		b.set("restic_step_errors", float64(s.errors), name)
		b.set("restic_step_retries", float64(s.retries), name)
		if !s.bad {
			b.setTime("restic_step_last_success_timestamp_seconds", s.end, name)
		}
	}
	for _, family := range []string{
		"restic_step_duration_seconds", "restic_step_success", "restic_step_errors",
		"restic_step_retries", "restic_step_last_success_timestamp_seconds",
	} {
		b.keepSeries(family, func(labels []string) bool {
			s := steps[parser.Command(labels[0])]
			return s == nil || s.bad && family == "restic_step_last_success_timestamp_seconds"
		})
	}
}

func (s *step) add(run parser.Run, end time.Time) {
	if !run.Start.IsZero() && !end.IsZero() {
		s.timed = true
		s.duration += end.Sub(run.Start)
	}
	if end.After(s.end) {
		s.end = end
	}
	s.errors += run.Errors
	s.retries += run.Retries
}

// backups makes the metrics of the run's backups, each and in sum.
func (b *builder) backups() {
	var sum parser.Backup
	var saved time.Time
	n := 0
	for _, run := range b.report.Runs {
		bk := run.Backup
		if bk == nil && run.Incomplete {
			saved = later(saved, run.End) // it says so and no more
		}
		if bk == nil || run.DryRun {
			continue
		}
		n++
		place := strconv.Itoa(n)
		b.changes("restic_snapshot_files", bk.Files, place)
		b.changes("restic_snapshot_dirs", bk.Dirs, place)
		b.set("restic_snapshot_processed_files", float64(bk.ProcessedFiles), place)
		b.set("restic_snapshot_processed_bytes", float64(bk.ProcessedBytes), place)
		b.set("restic_snapshot_added_bytes", float64(bk.AddedBytes), place)
		b.set("restic_snapshot_unreadable_items", float64(bk.Unreadable), place)
		if bk.StoredBytes != nil {
			b.set("restic_snapshot_stored_bytes", float64(*bk.StoredBytes), place)
		}
		if bk.Duration != nil {
			b.set("restic_snapshot_duration_seconds", elapsed(*bk.Duration), place)
		}
		sum.Files, sum.Dirs = add(sum.Files, bk.Files), add(sum.Dirs, bk.Dirs)
		sum.AddedBytes += bk.AddedBytes
		saved = later(saved, bk.Saved)
	}
	if n > 0 {
		b.changes("restic_repo_files", sum.Files)
		b.changes("restic_repo_dirs", sum.Dirs)
		b.set("restic_repo_size_bytes", float64(sum.AddedBytes), "new")
	} else {
		b.keep("restic_repo_files", "restic_repo_dirs")
		b.keepSeries("restic_repo_size_bytes", func(labels []string) bool { return labels[0] == "new" })
		b.keep("restic_snapshot_files", "restic_snapshot_dirs", "restic_snapshot_processed_files",
			"restic_snapshot_processed_bytes", "restic_snapshot_added_bytes", "restic_snapshot_stored_bytes",
			"restic_snapshot_unreadable_items", "restic_snapshot_duration_seconds")
	}
	if saved.IsZero() {
		b.keep("restic_snapshot_last_created_timestamp_seconds")
	} else {
		b.setTime("restic_snapshot_last_created_timestamp_seconds", saved)
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func (b *builder) changes(name string, c parser.Changes, place ...string) {
	b.set(name, float64(c.New), append(slices.Clone(place), "new")...)
	b.set(name, float64(c.Changed), append(slices.Clone(place), "changed")...)
	b.set(name, float64(c.Unmodified), append(slices.Clone(place), "unmodified")...)
}

func add(a, b parser.Changes) parser.Changes {
	return parser.Changes{New: a.New + b.New, Changed: a.Changed + b.Changed, Unmodified: a.Unmodified + b.Unmodified}
}

// repository makes the metrics of what forget, prune and check did and found.
func (b *builder) repository() {
	var forget *parser.Forget
	var prune *parser.Prune
	var check *parser.Check
	for _, run := range b.report.Runs {
		if run.Forget != nil && !run.DryRun {
			forget = run.Forget
		}
		if run.Prune != nil {
			prune = run.Prune
		}
		if run.Check != nil {
			check = run.Check
		}
	}
	if forget != nil {
		b.set("restic_forget_snapshots", float64(forget.Kept), "kept")
		b.set("restic_forget_snapshots", float64(forget.Removed), "removed")
	} else {
		b.keep("restic_forget_snapshots")
	}
	if check != nil {
		b.set("restic_check_found_errors", float64(check.Errors))
	} else {
		b.keep("restic_check_found_errors")
	}
	if prune == nil {
		b.keepSeries("restic_repo_size_bytes", func(labels []string) bool { return labels[0] == "total" })
		b.keep("restic_prune_removed_bytes", "restic_prune_removed_blobs", "restic_prune_repacked_bytes",
			"restic_prune_repacked_blobs", "restic_repository_size_bytes", "restic_repository_blobs", "restic_repository_unused_bytes")
		return
	}
	b.set("restic_repo_size_bytes", float64(prune.TotalBytes), "total")
	b.set("restic_prune_removed_bytes", float64(prune.Removed.Bytes))
	b.set("restic_prune_removed_blobs", float64(prune.Removed.Count))
	if rp := prune.Repacked; rp != nil {
		b.set("restic_prune_repacked_bytes", float64(rp.Bytes))
		b.set("restic_prune_repacked_blobs", float64(rp.Count))
	}
	b.set("restic_repository_size_bytes", float64(prune.Remaining.Bytes))
	b.set("restic_repository_blobs", float64(prune.Remaining.Count))
	if prune.Unused != nil {
		b.set("restic_repository_unused_bytes", float64(*prune.Unused))
	}
}

// exporter makes the metrics of the exporter's own work.
func (b *builder) exporter() {
	r := b.report
	backups, unparsed := 0, 0
	for _, run := range r.Runs {
		unparsed += run.SyntaxErrors
		if run.Backup != nil || run.Command == parser.CommandBackup && run.DryRun && run.Done {
			backups++
		}
	}
	b.set("restic_exporter_build_info", 1, r.Version, r.Revision, r.GoVersion)
	b.set("restic_exporter_log_entries", float64(r.Entries))
	b.set("restic_exporter_dropped_entries", float64(r.Dropped))
	b.set("restic_exporter_unparsed_lines", float64(unparsed))
	b.set("restic_exporter_backups", float64(backups))
}

// families puts the series into families, as the file has them.
func (b *builder) families() []*dto.MetricFamily {
	common := map[string]string{"unit": b.report.Unit}
	maps.Copy(common, b.report.Labels)
	common["unit"] = b.report.Unit

	var mfs []*dto.MetricFamily
	for _, f := range families {
		if len(b.series[f.name]) == 0 {
			continue
		}
		mf := &dto.MetricFamily{Name: new(f.name), Help: new(f.help), Type: dto.MetricType_GAUGE.Enum()}
		for _, s := range b.series[f.name] {
			labels := maps.Clone(common)
			for i, name := range f.labels {
				labels[name] = s.labels[i]
			}
			m := &dto.Metric{Gauge: &dto.Gauge{Value: new(s.value)}}
			for _, name := range slices.Sorted(maps.Keys(labels)) {
				m.Label = append(m.Label, &dto.LabelPair{Name: new(name), Value: new(labels[name])})
			}
			mf.Metric = append(mf.Metric, m)
		}
		slices.SortFunc(mf.Metric, compareLabels)
		mfs = append(mfs, mf)
	}
	return mfs
}

func compareLabels(a, b *dto.Metric) int {
	return slices.CompareFunc(a.Label, b.Label, func(x, y *dto.LabelPair) int {
		if c := strings.Compare(x.GetName(), y.GetName()); c != 0 {
			return c
		}
		// Places count up: 10 comes behind 9.
		if n, m := len(x.GetValue()), len(y.GetValue()); x.GetName() == "backup" && n != m {
			return n - m
		}
		return strings.Compare(x.GetValue(), y.GetValue())
	})
}
