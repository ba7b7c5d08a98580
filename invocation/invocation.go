// Package invocation reports what happened in one run of a backup unit.
//
// Start with [Read]: it takes a [journal.Source] and returns a [Run]. A Run
// holds what the service manager says of the run (when it started and ended,
// how it ended) and what each restic process in it said (package parser).
//
// Package invocation combines packages journal and parser. It decides what neither
// can decide alone:
//
//   - whether the program that wrote a line is restic, or forwards what others
//     print, as tee, docker and wrappers do; package parser distinguishes several
//     restics in such a stream;
//   - which of the manager's messages ends a run;
//   - which run systemd means when it sets the environment of a command of the
//     unit, or of a handler.
//
// It knows nothing about metrics and writes no files.
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
	// Strip is cut once from the beginning of each line of output. It matches the
	// prefix that a wrapper such as docker compose or ts puts there.
	Strip *regexp.Regexp
	// Ignore lists identifiers (SYSLOG_IDENTIFIER) whose lines are never
	// restic's, such as that of a script that prints names of files.
	Ignore []string
	// Getenv is the environment in which systemd may have told the caller about a
	// run. It is used only with the local journal. If it is nil, there is none.
	Getenv func(string) string
	// Warn is called for each line that looks like restic's but cannot be read, and
	// with a [*PrefixError] if Strip should have been set. It may be nil;
	// [Run.Unparsed] counts these lines in any case.
	Warn func(error)
}

// A Run is one run of a unit, or an attempt to start it that never got as far as a
// process.
type Run struct {
	Unit string // with its ".service"
	Host string // the machine, of a run in a store; else ""
	// ID is zero if the manager refused the start, and in recordings of a
	// format without IDs.
	ID journal.ID

	// Start and End are the first and the last sign of the run; zero in a
	// recording without times. If the caller is a command of the unit itself, the
	// run has not ended, and End is the current time.
	Start, End time.Time
	Outcome    Outcome // "" if unknown, as in the bare output of restic
	// ExitCode is the exit status of the process that made the run fail, or 128+N
	// if signal N killed it; nil if unknown.
	ExitCode *int

	Processes []parser.Process // every restic process, ordered by first line
	Spans     []parser.Span    // every identifier, ordered by first line

	Entries  uint64 // journal entries read
	Dropped  uint64 // entries that journald reports as dropped
	Lost     uint64 // lines whose text the recording does not hold
	Unparsed uint64 // lines that look like restic's but could not be read
}

// An Outcome is the service manager's verdict on a run. The zero Outcome means
// that there is none.
type Outcome string

// The outcomes. Failed covers every failure without a name of its own.
const (
	Succeeded   Outcome = "succeeded"
	Failed      Outcome = "failed"
	NotStarted  Outcome = "not started" // no command of the unit ran
	TimedOut    Outcome = "timed out"
	Killed      Outcome = "killed"
	OutOfMemory Outcome = "out of memory"
)

var (
	// ErrRunning is returned for a run that is still going on, or whose end is
	// not in the journal.
	ErrRunning = errors.New("the run is still going on, or its end is not in the journal")
	// ErrSkipped is returned for a start that a condition of the unit prevented.
	// Nothing ran, and nothing failed.
	ErrSkipped = errors.New("the start was skipped")
)
