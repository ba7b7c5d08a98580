package invocation

import (
	"slices"

	"github.com/restic-exporter/restic-exporter/parser"
)

// A Status sums up a run. The zero Status means that nobody has given a
// verdict.
type Status string

// The statuses.
const (
	StatusSuccess Status = "success"
	// StatusPartial: a snapshot was saved, but some sources could not be read.
	StatusPartial Status = "partial"
	StatusFailed  Status = "failed"
)

// Statuses returns all statuses that a run can have.
func Statuses() []Status { return []Status{StatusSuccess, StatusPartial, StatusFailed} }

// A Reason is what a failed or partial run failed of. The zero Reason is that
// of a success.
type Reason string

// The reasons. The manager's verdict decides the first four, restic's last
// words the others.
const (
	ReasonNotStarted Reason = "not_started"
	ReasonTimeout    Reason = "timeout"
	ReasonKilled     Reason = "killed"
	ReasonOOM        Reason = "oom"

	ReasonLocked           Reason = "locked"
	ReasonPassword         Reason = "password"
	ReasonNoRepository     Reason = "no_repository"
	ReasonNoAccess         Reason = "no_access" // the repository may be there, but did not let restic in
	ReasonNetwork          Reason = "network"
	ReasonNoSpace          Reason = "no_space"
	ReasonSourceUnreadable Reason = "source_unreadable"
	ReasonNoSource         Reason = "no_source"
	ReasonCheckErrors      Reason = "check_errors"
	ReasonOther            Reason = "other"
)

// Reasons returns all reasons that a run can have.
func Reasons() []Reason {
	return []Reason{
		ReasonLocked, ReasonPassword, ReasonNoRepository, ReasonNoAccess, ReasonNetwork, ReasonNoSpace, ReasonSourceUnreadable, ReasonNoSource,
		ReasonCheckErrors, ReasonNotStarted, ReasonTimeout, ReasonKilled, ReasonOOM, ReasonOther,
	}
}

// Status returns the status of the run.
func (r *Run) Status() Status {
	partial := slices.ContainsFunc(r.Processes, incomplete)
	switch {
	case r.Outcome == "":
		return ""
	case r.Outcome == Succeeded && partial:
		return StatusPartial
	case r.Outcome == Succeeded:
		return StatusSuccess
	case r.Outcome == Failed && partial && r.onlyIncomplete():
		return StatusPartial
	}
	return StatusFailed
}

// onlyIncomplete reports whether a failed run failed of nothing but sources that
// could not be read: restic's exit status 3. Wrappers such as resticprofile make
// it 1; then restic's own word must be the only thing that went wrong.
func (r *Run) onlyIncomplete() bool {
	said := false
	for _, p := range r.Processes {
		switch {
		case p.Cause == parser.CauseExists: // a script asked by init whether there is a repository
		case p.Fatal != "":
			return false
		case p.Incomplete:
			said = true
		case !p.Done && p.Command != "":
			return false // it began and did not end
		}
	}
	return said || r.ExitCode != nil && *r.ExitCode == 3
}

func incomplete(p parser.Process) bool {
	return p.Incomplete || p.Backup != nil && p.Unreadable > 0
}

// Reason returns what a failed or partial run failed of.
func (r *Run) Reason() Reason {
	switch r.Status() {
	case "", StatusSuccess:
		return ""
	case StatusPartial:
		return ReasonSourceUnreadable
	}
	switch r.Outcome {
	case NotStarted:
		return ReasonNotStarted
	case TimedOut:
		return ReasonTimeout
	case Killed:
		return ReasonKilled
	case OutOfMemory:
		return ReasonOOM
	}
	if last := r.lastFatal(); last != nil {
		switch last.Cause {
		case parser.CauseOther, parser.CauseExists:
			return r.reasonOfExitCode()
		}
		return Reason(last.Cause)
	}
	switch {
	case r.ExitCode != nil && *r.ExitCode >= 10 && *r.ExitCode <= 12:
		return r.reasonOfExitCode()
	case r.ExitCode != nil && *r.ExitCode > 128 && *r.ExitCode <= 128+64:
		// A shell reports a command that a signal killed in this way.
		return ReasonKilled
	case slices.ContainsFunc(r.Processes, incomplete):
		return ReasonSourceUnreadable
	}
	return ReasonOther
}

// reasonOfExitCode returns what restic says with its exit status: that is for
// last words which are not understood.
func (r *Run) reasonOfExitCode() Reason {
	if r.ExitCode != nil {
		switch *r.ExitCode {
		case 10:
			return ReasonNoRepository
		case 11:
			return ReasonLocked
		case 12:
			return ReasonPassword
		case 130:
			return ReasonKilled
		}
	}
	return ReasonOther
}

// Lock returns the lock that stopped the run, nil if none did.
func (r *Run) Lock() *parser.Lock {
	last := r.lastFatal()
	if last == nil || r.Reason() != ReasonLocked {
		return nil
	}
	return last.Lock
}

// lastFatal returns the last process that gave up, nil if none did.
func (r *Run) lastFatal() *parser.Process {
	var last *parser.Process
	for i := range r.Processes {
		p := &r.Processes[i]
		switch {
		case last != nil && p.Cause == parser.CauseExists:
			// A script asked whether there is a repository, did not get an answer,
			// and would have made one.
		case p.Fatal != "" && (last == nil || !p.End.Before(last.End)):
			last = p
		case last != nil && last.Cause == parser.CauseNoRepository && p.Command == parser.CommandInit && p.Done:
			last = nil // a script asked whether there is a repository, and made one
		}
	}
	return last
}
