package invocation

import (
	"slices"

	"github.com/restic-exporter/restic-exporter/parser"
)

// A Reason is why a run failed or is partial. The zero Reason is that of a success, and of
// an unknown outcome.
type Reason string

// The reasons. The first four mostly come from the manager's verdict, the others from
// restic's last lines or exit status.
const (
	ReasonNotStarted Reason = "not_started"
	ReasonTimeout    Reason = "timeout"
	ReasonKilled     Reason = "killed"
	ReasonOOM        Reason = "oom"

	ReasonLocked           Reason = "locked"
	ReasonPassword         Reason = "password"
	ReasonNoRepository     Reason = "no_repository"
	ReasonNoAccess         Reason = "no_access" // the repository may exist, but denied access
	ReasonNetwork          Reason = "network"
	ReasonNoSpace          Reason = "no_space"
	ReasonSourceUnreadable Reason = "source_unreadable"
	ReasonNoSource         Reason = "no_source"
	ReasonCheckErrors      Reason = "check_errors"
	ReasonOther            Reason = "other"
)

// Reasons returns all reasons but the zero one.
func Reasons() []Reason {
	return []Reason{
		ReasonLocked, ReasonPassword, ReasonNoRepository, ReasonNoAccess, ReasonNetwork, ReasonNoSpace, ReasonSourceUnreadable, ReasonNoSource,
		ReasonCheckErrors, ReasonNotStarted, ReasonTimeout, ReasonKilled, ReasonOOM, ReasonOther,
	}
}

// Reason returns why the run failed or is partial; "" after a success, and if the outcome is
// unknown.
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
		// A shell exits with this status if a signal killed its command.
		return ReasonKilled
	case slices.ContainsFunc(r.Processes, incomplete):
		return ReasonSourceUnreadable
	}
	return ReasonOther
}

// reasonOfExitCode returns the meaning of restic's exit status. It is for runs whose
// last lines were not understood.
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

// Lock returns the lock that stopped the run; nil if none did.
func (r *Run) Lock() *parser.Lock {
	last := r.lastFatal()
	if last == nil || r.Reason() != ReasonLocked {
		return nil
	}
	return last.Lock
}

// lastFatal returns the last process that gave up; nil if none did.
func (r *Run) lastFatal() *parser.Process {
	var last *parser.Process
	for i := range r.Processes {
		p := &r.Processes[i]
		switch {
		case last != nil && p.Cause == parser.CauseExists:
			// A script could not open the repository and tried to create it.
			// The first failure is the reason.
		case p.Fatal != "" && (last == nil || !p.End.Before(last.End)):
			last = p
		case last != nil && last.Cause == parser.CauseNoRepository && p.Command == parser.CommandInit && p.Done:
			last = nil // a script looked for the repository, found none and created it
		}
	}
	return last
}
