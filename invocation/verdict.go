package invocation

import (
	"cmp"
	"fmt"
	"time"

	"github.com/restic-exporter/restic-exporter/journal"
)

// A verdict is what the manager has said of a run so far.
type verdict struct {
	result  journal.Result // "" as long as there is none
	exit    *journal.Exit  // how the process ended that failed the run; nil if none did, or it is unknown
	boot    journal.ID     // in which boot of the machine; zero if unknown
	entries int            // of the manager about the run
}

// add takes in e, if it is the manager's.
func (v *verdict) add(e journal.Entry) {
	v.boot = cmp.Or(v.boot, e.Boot)
	if e.Kind != journal.Manager {
		return
	}
	v.entries++
	if e.Result != "" && !v.result.Failed() {
		v.result = e.Result
	}
	if e.Exit != nil && e.Exit.Status != 0 && v.exit == nil {
		v.exit = e.Exit
	}
}

// outcome joins what the manager says in the journal with what systemd has told
// the caller. It reports ErrRunning if nobody says how the run ended.
func outcome(r *Run, v verdict, told told, local bool) (Outcome, error) {
	result := cmp.Or(told.result, v.result)
	switch {
	case result != "":
		return judge(result)
	case told.inside:
		// ExecStartPost= is reached once every ExecStart= has succeeded.
		return Succeeded, nil
	case local && endedWithBoot(v.boot):
		return Killed, nil
	case v.entries == 0 && !local:
		return "", nil // as in the bare output of restic: nobody has said
	}
	return "", fmt.Errorf("%w: %s started at %s; run this again when it has ended", ErrRunning, r.Unit, r.Start.Format(time.RFC3339))
}

// endedWithBoot reports whether a run of that boot ended with the machine.
func endedWithBoot(boot journal.ID) bool {
	running, err := journal.Boot()
	return err == nil && boot != (journal.ID{}) && running != (journal.ID{}) && boot != running
}

// judge turns the manager's words into ours.
func judge(r journal.Result) (Outcome, error) {
	switch r {
	case journal.Success:
		return Succeeded, nil
	case journal.Timeout, journal.Watchdog:
		return TimedOut, nil
	case journal.Signal, journal.CoreDump:
		return Killed, nil
	case journal.OOMKill:
		return OutOfMemory, nil
	case journal.ExecCondition:
		return "", ErrSkipped
	}
	return Failed, nil
}
