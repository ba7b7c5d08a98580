package invocation

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/restic-exporter/restic-exporter/parser"
)

// TestStatus: what the processes of a run and its outcome amount to.
func TestStatus(t *testing.T) {
	backup := parser.Process{Command: parser.CommandBackup, Done: true, Backup: &parser.Backup{}}
	partial, old := backup, backup
	partial.Incomplete = true
	old.Unreadable = 1 // a release that does not warn
	forget := parser.Process{Command: parser.CommandForget, Done: true}
	prune := parser.Process{Command: parser.CommandPrune} // it was killed
	snapshots := parser.Process{}                         // a command that is not known
	exists := parser.Process{Command: parser.CommandInit, Fatal: "Fatal: config file already exists", Cause: parser.CauseExists}
	created := parser.Process{Command: parser.CommandInit, Done: true}
	missing := parser.Process{Fatal: "Fatal: no repository", Cause: parser.CauseNoRepository}
	locked := parser.Process{Fatal: "Fatal: locked", Cause: parser.CauseLocked, Lock: &parser.Lock{}}
	other := parser.Process{Fatal: "Fatal: what nobody has seen", Cause: parser.CauseOther}
	early := time.Unix(1_700_000_000, 0)
	longest, between := locked, other // the one that began later has given up before
	longest.End, between.End = early.Add(time.Second), early
	run := func(outcome Outcome, code int, processes ...parser.Process) Run {
		r := Run{Outcome: outcome, Processes: processes}
		if code > 0 {
			r.ExitCode = &code
		}
		return r
	}
	type result struct {
		status Status
		reason Reason
		lock   *parser.Lock
	}
	for name, tt := range map[string]struct {
		run  Run
		want result
	}{
		"unknown":                          {run("", 0, locked), result{}},
		"good":                             {run(Succeeded, 0, backup, forget), result{status: StatusSuccess}},
		"good, but partial":                {run(Succeeded, 0, old), result{StatusPartial, ReasonSourceUnreadable, nil}},
		"partial":                          {run(Failed, 3, partial), result{StatusPartial, ReasonSourceUnreadable, nil}},
		"partial, without a warning":       {run(Failed, 3, old, forget), result{StatusPartial, ReasonSourceUnreadable, nil}},
		"partial, in a wrapper":            {run(Failed, 1, partial, forget), result{StatusPartial, ReasonSourceUnreadable, nil}},
		"and init, to be sure":             {run(Failed, 3, exists, partial), result{StatusPartial, ReasonSourceUnreadable, nil}},
		"and another command":              {run(Failed, 3, snapshots, partial), result{StatusPartial, ReasonSourceUnreadable, nil}},
		"without a warning, in a wrapper":  {run(Failed, 1, old), result{StatusFailed, ReasonSourceUnreadable, nil}},
		"partial, then a lock":             {run(Failed, 11, partial, locked), result{StatusFailed, ReasonLocked, locked.Lock}},
		"partial, then broken off":         {run(Failed, 1, partial, prune), result{StatusFailed, ReasonSourceUnreadable, nil}},
		"broken off, then partial":         {run(Failed, 3, prune, partial), result{StatusFailed, ReasonSourceUnreadable, nil}},
		"partial, then a signal":           {run(Killed, 143, partial, prune), result{StatusFailed, ReasonKilled, nil}},
		"a lock, then init":                {run(Failed, 1, locked, exists), result{StatusFailed, ReasonLocked, locked.Lock}},
		"two that gave up at once":         {run(Failed, 1, longest, between), result{StatusFailed, ReasonLocked, locked.Lock}},
		"created, then a lock":             {run(Failed, 1, missing, created, locked), result{StatusFailed, ReasonLocked, locked.Lock}},
		"created, and no reason":           {run(Failed, 1, missing, created), result{StatusFailed, ReasonOther, nil}},
		"not created":                      {run(Failed, 1, missing), result{StatusFailed, ReasonNoRepository, nil}},
		"unknown words, known status":      {run(Failed, 12, other), result{StatusFailed, ReasonPassword, nil}},
		"interrupted":                      {run(Failed, 130, other), result{StatusFailed, ReasonKilled, nil}},
		"nothing but a status":             {run(Failed, 10), result{StatusFailed, ReasonNoRepository, nil}},
		"a shell whose command was killed": {run(Failed, 128+64), result{StatusFailed, ReasonKilled, nil}},
		"a status above all signals":       {run(Failed, 128+65), result{StatusFailed, ReasonOther, nil}},
		"timeout after a lock":             {run(TimedOut, 143, locked), result{StatusFailed, ReasonTimeout, nil}},
		"no memory":                        {run(OutOfMemory, 137), result{StatusFailed, ReasonOOM, nil}},
		"never started":                    {run(NotStarted, 0), result{StatusFailed, ReasonNotStarted, nil}},
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, tt.want, result{tt.run.Status(), tt.run.Reason(), tt.run.Lock()})
		})
	}
}
