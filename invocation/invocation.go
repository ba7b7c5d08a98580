// Package invocation reports what happened in one run of a backup unit.
//
// Start with [Read]: it takes a [journal.Source] and returns a [Run]. A Run
// holds what the service manager says of the run (when it started and ended,
// how it ended) and what each restic process in it said (package parser).
//
// Package invocation joins package journal and package parser, and knows what
// shows only where the two meet:
//
//   - which process a line is of: what tee, docker or a wrapper passes on is
//     not the output of one restic;
//   - which of the manager's words end a run;
//   - what systemd tells a command of the unit, or a handler, in its
//     environment.
//
// It does not know metrics or files.
package invocation

import (
	"errors"
	"regexp"
	"time"

	"github.com/restic-exporter/restic-exporter/journal"
	"github.com/restic-exporter/restic-exporter/parser"
)

// Options change how [Read] reads. The zero Options are those for a program
// that asks about a run from outside.
type Options struct {
	// Strip is cut once from the beginning of each line of output: the prefix
	// that a wrapper such as docker compose or ts puts there.
	Strip *regexp.Regexp
	// Ignore lists identifiers (SYSLOG_IDENTIFIER) whose lines are never
	// restic's, such as that of a script that prints names of files.
	Ignore []string
	// Getenv is the environment in which systemd may have told the caller
	// about a run; nil if there is none. It counts only for the local journal.
	Getenv func(string) string
	// Warn is called for each line that has the form of one of restic's but
	// cannot be read; nil if nobody wants to know. They are counted in
	// [Run.Unparsed] in any case.
	Warn func(error)
}

// A Run is one run of a unit. It may be one that never got as far as a
// process.
type Run struct {
	Unit string // with its ".service"
	Host string // of a store that keeps the journals of many machines; "" else
	// ID is zero if the manager refused the start, and in recordings of a
	// format without IDs.
	ID journal.ID

	// Start and End are the first and the last sign of the run; zero in a
	// recording without times. Inside the unit, where the manager has not yet
	// given its verdict, End is the time of the last entry.
	Start, End time.Time
	Outcome    Outcome // "" if nobody has said, as in the bare output of restic
	// ExitCode is the exit status of the process that failed the run, or 128+N
	// if signal N killed it; nil if unknown.
	ExitCode *int

	Processes []parser.Process // each restic, by its first line
	Spans     []parser.Span    // each identifier, by its first line

	Entries  uint64 // journal entries that were read
	Dropped  uint64 // entries that journald says it dropped
	Lost     uint64 // lines whose text the recording does not hold
	Unparsed uint64 // lines that look like restic's but could not be read
}

// An Outcome is the service manager's verdict on a run. The zero Outcome means
// that there is none.
type Outcome string

// The outcomes. Failed is any failure that has no name of its own here.
const (
	Succeeded   Outcome = "succeeded"
	Failed      Outcome = "failed"
	NotStarted  Outcome = "not started" // no command of the unit ran
	TimedOut    Outcome = "timed out"
	Killed      Outcome = "killed"
	OutOfMemory Outcome = "out of memory"
)

var (
	// ErrRunning is reported for a run that is still going on, or whose end is
	// not in the journal.
	ErrRunning = errors.New("the run is still going on, or its end is not in the journal")
	// ErrSkipped is reported for a start that a condition of the unit skipped:
	// nothing ran, and nothing failed.
	ErrSkipped = errors.New("the start was skipped")
)
