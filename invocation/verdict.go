package invocation

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/restic-exporter/restic-exporter/journal"
	"github.com/restic-exporter/restic-exporter/parser"
)

// A verdict is what the manager has said so far about a run, and about the starts
// after it.
type verdict struct {
	result journal.Result // "" as long as there is none
	time   time.Time      // when the manager gave it
	exit   *journal.Exit  // how the process ended that made the run fail; nil if none did, or it is unknown
	exited time.Time      // when the manager reported that
	boot   journal.ID     // the boot of the machine; zero if unknown

	entries   int       // the manager's entries about the run
	manager   int       // the manager's process
	begun     bool      // the manager or a process of the unit has said that something runs
	starting  bool      // the manager has said that it starts the unit
	started   bool      // the manager has said that the unit has started; of a oneshot it says so at a good end
	simple    bool      // the unit counts as started while it runs, as with Type=simple
	lineSince bool      // there was output since the manager said that it starts the unit, or that it has started
	ran       bool      // the manager said "Started" after the output; before systemd 246, this is its last word about a oneshot
	stopping  bool      // the unit was stopped, and had not failed before
	stopped   bool      // the run ended as a stop ends; a oneshot that is stopped shows nothing else
	reloading bool      // the unit is being reloaded, so a process that fails and is not the main one is ExecReload=
	signalled time.Time // when the manager last sent the main process a signal that ends it; zero if it never did
	start     journal.Start
	spoke     firstWords

	stop stop // of a unit that has started well, and is then stopped

	restarting bool      // Restart= will try again, so a start limit ends these tries and refuses no new start
	refused    time.Time // when the manager last refused a start after the run; zero if it never did
}

// A stop is what the manager has said about the stop of a unit with RemainAfterExit=.
type stop struct {
	began  time.Time      // zero if the unit has not been stopped
	result journal.Result // "" as long as there is none
	time   time.Time      // when the manager gave it
	exit   *journal.Exit  // how ExecStop= failed; nil if it did not
}

func (s *stop) add(e journal.Entry) {
	if e.Event == journal.EventStopping {
		*s = stop{began: e.Time}
	}
	if s.began.IsZero() {
		return
	}
	if e.Exit != nil && e.Exit.Status != 0 && s.exit == nil {
		s.exit = e.Exit
	}
	if e.Result != "" && s.result == "" {
		s.result, s.time = e.Result, e.Time
	}
}

// closing bounds the time between the verdict and the manager's other messages
// about the end of the run, such as "Failed to start" and "Consumed". In 160
// recordings it was 4 ms at most; recordings with whole seconds need more.
const closing = 2 * time.Second

// add adds an entry, and reports whether it is part of the run. The verdict ends the
// run, whatever ID later entries have: as long as a unit stays loaded, the manager's
// messages about later starts (such as "Dependency failed") have the ID of the last
// run.
func (v *verdict) add(e journal.Entry) bool {
	v.boot = cmp.Or(v.boot, e.Boot)
	v.start.Add(e)
	if e.Kind != journal.Manager {
		v.begun = true
		v.spoke.add(e)
		v.lineSince = true
		return true
	}
	switch {
	case v.refuses(e):
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
		// In a recording without IDs: such a start has no "Starting" to begin a new run.
		v.refused = e.Time
		return false
	case v.result != "":
		v.stop.add(e)
		v.restarting = v.restarting || e.Event == journal.EventRestarting
		v.started = v.started || e.Event == journal.EventStarted
		v.stopped = v.stopped || e.Event == journal.EventStopped && !v.started && !v.restarting
		// A second verdict is not about the run: it comes when a unit with
		// RemainAfterExit= is stopped, or at a start limit.
		again := e.Event == journal.EventFailed || e.Event == journal.EventSucceeded
		return !again && e.Time.Sub(v.time).Abs() <= closing
	}
	v.entries++
	v.manager = e.PID
	switch e.Event {
	case journal.EventStarting:
		v.begun, v.starting, v.lineSince = true, true, false
	case journal.EventStarted:
		v.begun, v.started, v.simple = true, true, e.Result == ""
		v.ran = v.simple && v.starting && v.lineSince && !bytes.Contains(e.Message, []byte(".service - "))
		v.lineSince = false
	case journal.EventStopping:
		v.stopping = v.exit == nil
	case journal.EventStopped:
		v.stopped = true // a user's manager does not log that a process ended well
	case journal.EventReloading, journal.EventReloaded:
		v.reloading = e.Event == journal.EventReloading
	case journal.EventSignalled:
		v.signalled = e.Time
	}
	if e.Exit != nil && e.Exit.Status != 0 && v.exit == nil && !v.ofReload(e.Exit) {
		v.exit, v.exited = e.Exit, e.Time
	}
	if e.Result != "" {
		v.result, v.time = e.Result, e.Time
	}
	return true
}

// refuses reports whether e says that the manager refused to start the unit, so that
// nothing ran. If a run failed, the job result is "failed".
func (v *verdict) refuses(e journal.Entry) bool {
	if e.Event != journal.EventStartFailed {
		return false
	}
	switch e.JobResult {
	case "", "done", "failed", "canceled", "skipped", "collected":
		return false
	case "timeout":
		// JobTimeoutSec= ends the wait for other units. It does not end a run.
		return !v.begun || v.result != ""
	}
	return true
}

// ofReload reports whether the process that exited was ExecReload=. The run goes on.
func (v *verdict) ofReload(x *journal.Exit) bool {
	return x.Command == "ExecReload" || x.Command == "" && v.reloading
}

// resources is the manager's result if it could not even fork, so that nothing ran.
const resources journal.Result = "resources"

// judge sets the outcome of r from what the manager says in the journal and what
// systemd has told the caller. It returns ErrRunning if neither says how the run
// ended.
func (r *Run) judge(v *verdict, told told, local bool) error {
	if began := v.stop.began; !began.IsZero() && slices.ContainsFunc(r.Processes, func(p parser.Process) bool {
		return !p.Start.Before(began) && (p.Command != "" || p.Fatal != "")
	}) {
		// ExecStop= runs restic, as for a backup at shutdown: the stop is the run.
		v.result, v.time, v.exit = v.stop.result, v.stop.time, v.stop.exit
		r.Start, r.End = began, cmp.Or(v.time, r.Processes[len(r.Processes)-1].End)
	}
	// The journal takes precedence, because a unit's Environment= could set these variables.
	// A success that a handler is told of does not count: it may be that of the run before,
	// or the job of a run that goes on has timed out (JobRunningTimeoutSec=).
	result := v.result
	if result == "" && (told.inside || told.result != journal.Success) {
		result = told.result
	}
	if exit := cmp.Or(v.exit, told.exit); exit != nil && exit.Status != 0 {
		r.ExitCode = &exit.Status
	}
	switch {
	case (result.Failed() || result == journal.ExecCondition) && v.neverSpawned(),
		result == journal.ExecCondition && !v.start.Skipped(result):
		r.Outcome = NotStarted
		return nil
	case v.wasStopped(result, r.lastFatal()):
		r.Outcome = Killed
		return nil
	case result != "":
	case told.inside && v.failedInside():
		result = journal.ExitCode
	case told.inside && !told.running:
		// ExecStartPost= is reached once every ExecStart= has succeeded.
		result = journal.Success
	case local && (endedWithBoot(v.boot) || v.orphaned() && (!v.simple || r.brokenOff())):
		r.Outcome = Killed
		return nil
	case v.ran && !v.lineSince && !local:
		result = journal.Success
	case v.entries == 0 && !local:
		return nil // unknown, as in the bare output of restic
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
		if v.spoke.some() {
			r.Outcome = Failed // it ran, and then ExecStopPost= could not be forked
			break
		}
		r.refuse(v.time)
	default:
		r.Outcome = Failed
		if v.stopping && r.brokenOff() {
			r.Outcome = Killed // a wrapper turned the signal into an exit status of its own
		}
	}
	return nil
}

// succeeded checks a verdict of success. The manager also gives it to a unit of
// Type=simple that is stopped halfway, and to a unit whose wrapper hides that restic was
// killed. A unit's Environment= can claim it.
func (r *Run) succeeded(v *verdict, told told) Outcome {
	switch {
	case told.inside && v.failedInside():
		return Failed
	case told.killed, v.simple && r.brokenOff(), r.lastUnfinished(parser.CommandBackup), r.endedBySignal(v.signalled):
		return Killed
	}
	return Succeeded
}

// endedQuietly reports whether a run of a user's unit that is over has ended well: the
// manager that started it is still there and has reported no failure. A user's manager
// does not log that a unit of Type=simple has ended well.
func (v *verdict) endedQuietly() bool {
	return v.result == "" && v.simple && !endedWithBoot(v.boot) && !v.orphaned()
}

// orphaned reports whether the manager that started the run is gone, such as a user's
// manager that was killed. If it had ended as it should, it would have stopped the unit first.
// The system's manager, process 1, ends with the boot, and /proc may hide it (hidepid= in
// proc(5)).
func (v *verdict) orphaned() bool {
	if v.manager <= 1 {
		return false
	}
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", v.manager))
	return errors.Is(err, fs.ErrNotExist) || err == nil && string(name) != "systemd\n"
}

// wasStopped reports whether the run ended because the unit was stopped, whatever
// result the manager gives. If a oneshot unit is stopped while its ExecStopPost= runs,
// only restic's last words show that it had failed before.
func (v *verdict) wasStopped(result journal.Result, fatal *parser.Process) bool {
	switch result {
	case "":
		return v.stopped
	case journal.ExitCode:
		return v.stopping || v.stopped && (fatal == nil || fatal.Cause == parser.CauseOther)
	case journal.Success, journal.Timeout:
		return v.stopping || v.stopped
	}
	return false
}

// failedInside reports whether a command of the unit has failed. The manager says so
// before it runs ExecStopPost=.
func (v *verdict) failedInside() bool {
	return v.exit != nil && strings.HasPrefix(v.exit.Command, "ExecStart")
}

// endedBySignal reports whether a signal sent at t ended the run: no restic has reached its
// end after it.
func (r *Run) endedBySignal(t time.Time) bool {
	return !t.IsZero() && !slices.ContainsFunc(r.Processes, func(p parser.Process) bool { return p.Done && p.End.After(t) })
}

// brokenOff reports whether the last restic began but did not reach its end. Since version
// 0.17 a restic that a signal ends says so.
func (r *Run) brokenOff() bool {
	if r.Dropped > 0 || r.Unparsed > 0 || len(r.Processes) == 0 {
		return false
	}
	last := r.Processes[len(r.Processes)-1]
	switch last.Command {
	case parser.CommandBackup, parser.CommandForget, parser.CommandPrune, parser.CommandCheck:
		return !last.Done && (last.Fatal == "" || last.Cause == parser.CauseKilled)
	}
	return false
}

// lastUnfinished reports whether the last restic is a command c that was killed.
func (r *Run) lastUnfinished(c parser.Command) bool {
	n := len(r.Processes)
	return n > 0 && r.Processes[n-1].Command == c && r.Processes[n-1].Unfinished && r.Dropped == 0
}

// refuse turns r into a start that the manager refused at t.
func (r *Run) refuse(t time.Time) {
	*r = Run{Unit: r.Unit, Host: r.Host, Start: t, End: t, Outcome: NotStarted}
}

// endedWithBoot reports whether a run in that boot is over because the machine has
// been rebooted since.
func endedWithBoot(boot journal.ID) bool {
	running, err := journal.Boot()
	return err == nil && boot != (journal.ID{}) && running != (journal.ID{}) && boot != running
}

// firstWords records when each process of the unit first logged something, and which
// of them could not execute their command.
type firstWords struct {
	first   map[int]time.Time
	spawned map[int]bool
}

// manyProcesses is how many processes are remembered. If there are more, commands of
// the unit have run.
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

// some reports whether a process that became a command of the unit has logged something.
func (f *firstWords) some() bool { return len(f.first) > len(f.spawned) }

// neverSpawned reports whether the first command of the unit could not be started,
// because its program or a directory is missing or its sandbox could not be set up.
// systemd.exec(5) lists the exit statuses of these cases.
//
// The process's own message about it is not reliable: if the process ends too soon,
// journald cannot find out its unit. So such a status counts if no other process has
// logged anything. A command that exits with such a status of its own accord, without
// any output before, looks the same.
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
