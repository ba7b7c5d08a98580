package invocation

import (
	"slices"

	"github.com/restic-exporter/restic-exporter/parser"
)

// A Status sums up a run. The zero Status means that the outcome is unknown.
type Status string

// The statuses.
const (
	StatusSuccess Status = "success"
	// StatusPartial means that a snapshot was saved, but some sources could not be read.
	StatusPartial Status = "partial"
	StatusFailed  Status = "failed"
)

// Statuses returns all statuses but the zero one.
func Statuses() []Status { return []Status{StatusSuccess, StatusPartial, StatusFailed} }

// Status returns the status of the run; "" if its outcome is unknown.
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

// onlyIncomplete reports whether unreadable sources are the only reason why a run
// failed. restic exits with 3 then. Wrappers such as resticprofile turn that into 1,
// so otherwise restic must have said so, and nothing else may have gone wrong.
func (r *Run) onlyIncomplete() bool {
	said := false
	for _, p := range r.Processes {
		switch {
		case p.Cause == parser.CauseExists: // a script ran init to make sure that the repository exists
		case p.Fatal != "":
			return false
		case p.Incomplete:
			said = true
		case !p.Done && p.Command != "":
			return false // it did not reach its end
		}
	}
	return said || r.ExitCode != nil && *r.ExitCode == 3
}

func incomplete(p parser.Process) bool {
	return p.Incomplete || p.Backup != nil && p.Unreadable > 0
}
