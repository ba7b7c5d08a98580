package metrics

import (
	"strconv"
	"time"

	"github.com/restic-exporter/restic-exporter/invocation"
)

var (
	runStart               = gauge("restic_run_start_timestamp_seconds", "Unix time at which the last run started.", thisRun)
	runEnd                 = gauge("restic_run_end_timestamp_seconds", "Unix time at which the last run ended.", thisRun)
	runStatus              = gauge("restic_run_status", "Outcome of the last run: 1 for the status that applies, 0 for the others.", thisRun, "status")
	runFailureReason       = gauge("restic_run_failure_reason", "Why the last run failed or was only a partial success: 1 for the reason that applies, 0 for the others.", thisRun, "reason")
	runExitCode            = gauge("restic_run_exit_code", "Exit status of the process that made the last run fail, 128+N if signal N killed it, or 0 after a success.", thisRun)
	runLastSuccess         = gauge("restic_run_last_success_timestamp_seconds", "Unix time at which the last successful run ended.", timeKeptUntil(succeeded))
	runConsecutiveFailures = gauge("restic_run_consecutive_failures", "Number of runs that failed since the last success.", keptUntil(judged))
	runMaxAge              = gauge("restic_run_max_age_seconds", "Age of the last success above which an alert should fire.", keptUntil(limited))
	backupFailure          = gauge("restic_backup_failure", "Whether the last run failed (1) or not (0); the label timestamp is the Unix time at which it ended.", thisRun, "timestamp")
	lockAge                = gauge("restic_lock_age_seconds", "Age of the repository lock that made the last run fail, or 0 if no lock did.", thisRun)
)

// verdict adds the metrics of the run as a whole.
func (b *builder) verdict() {
	r := b.run
	b.setTime(runStart, r.Start)
	b.setTime(runEnd, r.End)
	if age := b.options.MaxAge; age > 0 {
		b.happens(limited, "")
		b.set(runMaxAge, elapsed(age))
	}
	status, reason := r.Status(), r.Reason()
	if status == "" {
		return // the outcome is unknown
	}
	b.happens(judged, "")
	good := r.Outcome == invocation.Succeeded
	if !good && b.same() && b.old.time(runLastSuccess).Equal(b.old.time(runEnd)) {
		b.happens(succeeded, "") // an earlier call took this run for a success
	}
	if !r.End.IsZero() {
		b.set(backupFailure, truth(!good), strconv.FormatInt(r.End.Unix(), 10))
	}
	oneOf(b, runStatus, status, invocation.Statuses())
	oneOf(b, runFailureReason, reason, invocation.Reasons())
	switch {
	case good:
		b.set(runExitCode, 0)
	case r.ExitCode != nil:
		b.set(runExitCode, float64(*r.ExitCode))
	case b.counted():
		// The earlier call may have been a command of the unit, and systemd says more to
		// such a command than the journal holds.
		if known := b.old.value(runExitCode); known != nil {
			b.set(runExitCode, *known)
		}
	}
	if good && !r.End.IsZero() {
		b.happens(succeeded, "")
		b.setTime(runLastSuccess, r.End)
	}
	b.set(runConsecutiveFailures, b.failures(status))
	if reason != invocation.ReasonLocked {
		b.set(lockAge, 0)
	} else if l := r.Lock(); l != nil && l.Age != nil {
		b.set(lockAge, elapsed(*l.Age))
	}
}

// stayKilled returns run as one that was killed if the file says so. If SIGTERM ends the
// process of a unit of Type=simple, the manager calls that a success, and reports the signal
// only to commands of the unit.
func (b *builder) stayKilled(run *invocation.Run) *invocation.Run {
	killed := b.old.value(runFailureReason, string(invocation.ReasonKilled))
	if run.Outcome != invocation.Succeeded || !b.counted() || killed == nil || *killed != 1 {
		return run
	}
	own := *run
	own.Outcome = invocation.Killed
	return &own
}

// failures returns how many runs have failed since the last success. A partial run that
// systemd calls failed counts neither as a failure nor as a success.
func (b *builder) failures(status invocation.Status) float64 {
	if b.run.Outcome == invocation.Succeeded {
		return 0
	}
	var before float64
	if v := b.old.value(runConsecutiveFailures); v != nil {
		before = *v
	}
	if status != invocation.StatusFailed || b.counted() {
		return before
	}
	return before + 1
}

// counted reports whether the file has counted this run as a failure already.
func (b *builder) counted() bool {
	failed := b.old.value(runStatus, string(invocation.StatusFailed))
	return b.same() && failed != nil && *failed == 1
}

// same reports whether the file is already about this run.
func (b *builder) same() bool {
	start := b.old.value(runStart)
	return start != nil && *start == seconds(b.run.Start)
}

// laterEnd returns the end of the run that the file is about if that run is later than
// this one, else zero. It compares ends, not starts: a machine without a battery-backed
// clock resumes at the time of its last shutdown, so a run soon after the boot can have a
// start that is too early. An end in the future is from a wrong clock, and does not count.
func (b *builder) laterEnd() time.Time {
	end := b.old.time(runEnd)
	if b.same() || b.run.End.IsZero() || !end.After(b.run.End) || end.After(b.now) {
		return time.Time{}
	}
	return end
}

// refused reports whether the run is a start that the manager refused, which has no log.
func (b *builder) refused() bool {
	return b.run.Outcome == invocation.NotStarted && b.run.Entries == 0
}
