package textfile

import (
	"slices"
	"strconv"

	"github.com/restic-exporter/restic-exporter/parser"
)

// The statuses of a run.
const (
	statusSuccess = "success"
	statusPartial = "partial"
	statusFailed  = "failed"
)

// status returns the status of the run, "" if nobody has given a verdict.
func (r *Report) status() string {
	partial := slices.ContainsFunc(r.Processes, incomplete)
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

func incomplete(run parser.Process) bool {
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
	case slices.ContainsFunc(r.Processes, incomplete):
		return string(parser.CauseSourceUnreadable)
	}
	return string(parser.CauseOther)
}

// lastFatal returns the last run that gave up, nil if none did.
func (r *Report) lastFatal() *parser.Process {
	var last *parser.Process
	for i := range r.Processes {
		run := &r.Processes[i]
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
