package invocation

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/restic-exporter/restic-exporter/journal"
	"github.com/restic-exporter/restic-exporter/parser"
)

// A verdict is what the manager has said of a run so far, and of the starts
// after it.
type verdict struct {
	result journal.Result // "" as long as there is none
	time   time.Time      // when the manager gave it
	exit   *journal.Exit  // how the process ended that failed the run; nil if none did, or it is unknown
	exited time.Time      // when the manager said so
	boot   journal.ID     // in which boot of the machine; zero if unknown

	entries  int  // of the manager about the run
	simple   bool // the unit counts as started while it runs, as with Type=simple
	stopping bool // the unit was stopped before its end
	spoke    firstWords

	restarting bool      // Restart= will try again: a start limit then ends the tries
	refused    time.Time // when the manager last refused a start after the run; zero if it never did
}

// closing is how long around its verdict the manager says what else belongs to
// the end of the run, such as "Failed to start" and "Consumed". In 160
// recordings it took 4 ms at the most; recordings with whole seconds need more.
const closing = 2 * time.Second

// add takes in an entry, and reports whether it is of the run. The verdict ends
// the run: as long as a unit stays loaded, the manager puts the ID of the last
// run on what it says of later starts (such as "Dependency failed").
func (v *verdict) add(e journal.Entry) bool {
	v.boot = cmp.Or(v.boot, e.Boot)
	if e.Kind != journal.Manager {
		v.spoke.add(e)
		return true
	}
	switch {
	case refusal(e):
		v.refused = e.Time
		return false
	case e.Event == journal.EventStartLimit:
		if !v.restarting {
			v.refused = e.Time
		}
		v.restarting = false
		return false
	case e.Event == journal.EventNotDue:
		return false
	case v.result != "" && e.Result == resources:
		v.refused = e.Time // in a recording without IDs: the manager says nothing when such a start begins
		return false
	case v.result != "":
		v.restarting = v.restarting || e.Event == journal.EventRestarting
		again := e.Event == journal.EventFailed || e.Event == journal.EventSucceeded // when a unit with RemainAfterExit= is stopped, or at a start limit
		return !again && e.Time.Sub(v.time).Abs() <= closing
	}
	v.entries++
	switch e.Event {
	case journal.EventStarted:
		v.simple = e.Result == ""
	case journal.EventStopping:
		v.stopping = true
	}
	if e.Exit != nil && e.Exit.Status != 0 && v.exit == nil {
		v.exit, v.exited = e.Exit, e.Time
	}
	if e.Result != "" {
		v.result, v.time = e.Result, e.Time
	}
	return true
}

// refusal reports whether e says that the manager refused to start the unit:
// nothing ran. A run that failed has the job result "failed", "timeout" or
// "canceled".
func refusal(e journal.Entry) bool {
	if e.Event != journal.EventStartFailed {
		return false
	}
	switch e.JobResult {
	case "", "done", "failed", "timeout", "canceled", "skipped":
		return false
	}
	return true
}

// resources is the manager's result if it could not even fork: nothing ran.
const resources journal.Result = "resources"

// outcome joins what the manager says in the journal with what systemd has told
// the caller. It reports ErrRunning if nobody says how the run ended.
func (r *Run) judge(v *verdict, told told, local bool) error {
	// The journal goes first: a unit's Environment= can set these variables, too.
	result := cmp.Or(v.result, told.result)
	r.setExit(cmp.Or(v.exit, told.exit))
	switch {
	case (result.Failed() || result == journal.ExecCondition) && v.neverSpawned():
		r.Outcome = NotStarted
		return nil
	case result != "":
	case told.inside && v.failedInside():
		result = journal.ExitCode
	case told.inside && !told.running:
		// ExecStartPost= is reached once every ExecStart= has succeeded.
		result = journal.Success
	case local && endedWithBoot(v.boot):
		r.Outcome = Killed
		return nil
	case v.entries == 0 && !local:
		return nil // as in the bare output of restic: nobody has said
	default:
		return fmt.Errorf("%w: %s started at %s", ErrRunning, r.Unit, r.Start.Format(time.RFC3339))
	}
	switch result {
	case journal.Success:
		r.Outcome = r.succeeded(v, told)
	case journal.Timeout, journal.Watchdog:
		r.Outcome = TimedOut
	case journal.Signal, journal.CoreDump:
		r.Outcome = Killed
	case journal.OOMKill:
		r.Outcome = OutOfMemory
	case journal.ExecCondition:
		return ErrSkipped
	case resources:
		r.refuse(v.time)
	default:
		r.Outcome = Failed
	}
	return nil
}

// succeeded looks behind a success of the manager's: stopped in its middle, a
// unit of Type=simple has succeeded, and Environment= of a unit can claim it.
func (r *Run) succeeded(v *verdict, told told) Outcome {
	switch {
	case told.inside && v.failedInside():
		return Failed
	case told.killed, v.stopping, v.simple && r.brokenOff():
		return Killed
	}
	return Succeeded
}

// failedInside reports whether a command of the unit has failed: the manager
// says so before it calls ExecStopPost=.
func (v *verdict) failedInside() bool {
	return v.exit != nil && strings.HasPrefix(v.exit.Command, "ExecStart")
}

// brokenOff reports whether the last restic had begun and did not come to an
// end of its own.
func (r *Run) brokenOff() bool {
	if r.Dropped > 0 || r.Unparsed > 0 || len(r.Processes) == 0 {
		return false
	}
	last := r.Processes[len(r.Processes)-1]
	switch last.Command {
	case parser.CommandBackup, parser.CommandForget, parser.CommandPrune, parser.CommandCheck:
		return !last.Done && last.Fatal == ""
	}
	return false
}

func (r *Run) setExit(exit *journal.Exit) {
	if exit != nil {
		r.ExitCode = &exit.Status
	}
}

// refuse makes r a start that the manager refused at t.
func (r *Run) refuse(t time.Time) {
	*r = Run{Unit: r.Unit, Host: r.Host, Start: t, End: t, Outcome: NotStarted}
}

// endedWithBoot reports whether a run of that boot ended with the machine.
func endedWithBoot(boot journal.ID) bool {
	running, err := journal.Boot()
	return err == nil && boot != (journal.ID{}) && running != (journal.ID{}) && boot != running
}

// firstWords is when processes of the unit first logged something, and which
// of them could not become the command that they were made for.
type firstWords struct {
	first   map[int]time.Time
	spawned map[int]bool
}

// manyProcesses is how many processes are remembered. With more than that
// something has run.
const manyProcesses = 64

func (f *firstWords) add(e journal.Entry) {
	if e.Kind != journal.Output || len(f.first) > manyProcesses {
		return
	}
	if e.Event == journal.EventSpawnFailed {
		if f.spawned == nil {
			f.spawned = make(map[int]bool)
		}
		f.spawned[e.PID] = true
	}
	if _, ok := f.first[e.PID]; !ok {
		if f.first == nil {
			f.first = make(map[int]time.Time)
		}
		f.first[e.PID] = e.Time
	}
}

// neverSpawned reports whether the first command of the unit could not be
// started: its sandbox could not be set up, or its program or a directory is
// missing (systemd.exec(5) lists these statuses). What the process says of that is
// not always there, for journald knows the unit of a process only while it lives. So
// such a status counts if nobody else has logged anything: a first command that
// logs nothing and exits with it, or before another that does, does not show.
func (v *verdict) neverSpawned() bool {
	if v.exit == nil || v.exit.Status < 200 || v.exit.Status > 245 || len(v.spoke.first) > manyProcesses {
		return false
	}
	for pid, t := range v.spoke.first {
		if !v.spoke.spawned[pid] && !t.After(v.exited) {
			return false
		}
	}
	return true
}
