// Package parser turns what restic prints into values.
//
// restic reports in prose, with --json in JSON, or — as "restic forget --json
// --prune" does — in both at once, and the prose has changed with the years.
// Package parser reads either from the same stream, one line at a time, and
// knows the output of backup, forget, prune and check of every release from
// 0.9.0 to 0.19.1. It keeps what each restic process says apart from what the
// others say.
//
// It does no I/O, has no clock and starts no goroutine: lines come from
// whoever has them. It does not tell whether a backup as a whole succeeded:
// a killed restic prints nothing, and a script may well survive a failed one.
// That is for whoever started the processes to say.
//
// Give it both of restic's streams, as the journal has them: summaries are on
// standard output; what could not be read, retries, locks and the reason why
// restic gave up are on standard error.
//
// For the output of one command use [Parse]; for a log that several processes
// wrote to, a [Collector].
//
// # Forged lines
//
// File names can hold line breaks, and restic prints some of them raw. So a
// file's owner can make restic print any line. A summary therefore counts only
// as a whole and from one process; of several the last one wins, because
// restic prints the true one last; and one that is followed by more items of
// the same backup, or by the reason why one could not be read, was none. Lines
// without a process ID ([Line.PID] is 0) lack this protection: there a new
// command is told by its first line.
//
// Not promised is that lines of another program with the same process ID, as
// where a script's whole output goes through tee, never refute a summary of a
// backup that could not read all.
package parser

import (
	"fmt"
	"time"
)

// A Line is one line of a log and what the log says of its origin.
type Line struct {
	// Source is the name that the line was logged under, such as
	// "restic-backup.sh".
	Source string
	// PID is the process that wrote the line. 0 says that this is not known,
	// or that the writer passes on what others wrote, like tee: the commands in
	// such a stream are told apart by their first and last lines.
	PID int
	// Restic says that the process is known to be restic itself, not a script
	// or a program that passes on what restic prints.
	Restic bool
	// Time is when the line was logged; zero if unknown.
	Time time.Time
	// Text is the line, with or without its newline. It is not kept.
	Text []byte
}

// A Command is a restic command. The zero Command is one that the output does
// not tell.
type Command string

// The commands whose output is understood.
const (
	CommandBackup  Command = "backup"
	CommandForget  Command = "forget"
	CommandPrune   Command = "prune"
	CommandCheck   Command = "check"
	CommandInit    Command = "init"
	CommandCopy    Command = "copy"
	CommandRestore Command = "restore"
)

// A Process is what one restic process said about itself.
type Process struct {
	Source  string
	PID     int
	Command Command // as far as the output tells; "forget --prune" is CommandPrune once it prunes

	Start, End time.Time // of the first and last line; zero if the log has no times

	// Done reports whether the command reached its own good end. Quiet
	// commands do not say so.
	Done bool
	// Unfinished reports that the command began, and neither came to its end nor
	// said why it gave up: it was killed, or is still running.
	Unfinished bool
	// DryRun reports that the command said it would only pretend.
	DryRun bool

	// Incomplete reports that restic called its own backup incomplete: a snapshot
	// was saved, but not all could be read (exit status 3 since restic 0.10). It
	// does so with --quiet too, where there is no summary.
	Incomplete bool

	Backup *Backup // the summary of a backup, nil without one
	Forget *Forget // what a forget decided, nil without a decision
	Prune  *Prune  // what a prune did, nil until it is done
	Check  *Check  // what a check found, nil until it is done

	// Unreadable counts the sources that the process says it could not read. It
	// does so without a summary, too: that may be in another stream.
	Unreadable uint64

	// Errors counts the lines in which the process complained and went on.
	Errors int
	// SyntaxErrors counts the lines that gave a [SyntaxError], and an end of the
	// command that is not one of those that restic is known to print.
	SyntaxErrors int
	// Retries counts the operations on the repository that were retried.
	Retries int
	// Fatal is the line over which the process gave up, cut to 512 bytes, with
	// its prefix "Fatal: " if it had one; "" if it did not give up or did not say so.
	Fatal string
	// Cause sorts Fatal.
	Cause Cause
	// ExitCode is the exit status that restic itself reports, in JSON since
	// 0.18; nil if it does not.
	ExitCode *int
	// Lock is the lock that stopped the process, nil if none did.
	Lock *Lock
}

// A Cause is why a restic process gave up, as far as its last words tell.
type Cause string

// The causes. CauseOther is given up for a reason that has no name here.
const (
	CauseNone             Cause = ""
	CauseLocked           Cause = "locked"
	CausePassword         Cause = "password"
	CauseNoRepository     Cause = "no_repository"
	CauseNoAccess         Cause = "no_access" // the repository may be there, but did not let us in
	CauseExists           Cause = "exists"    // init: there is a repository already
	CauseNetwork          Cause = "network"
	CauseNoSpace          Cause = "no_space"
	CauseSourceUnreadable Cause = "source_unreadable"
	CauseNoSource         Cause = "no_source"
	CauseCheckErrors      Cause = "check_errors"
	CauseKilled           Cause = "killed"
	CauseOther            Cause = "other"
)

// A Backup is the summary that restic prints once a backup is done.
type Backup struct {
	Files, Dirs    Changes
	ProcessedFiles uint64
	ProcessedBytes uint64         // size of the source
	AddedBytes     uint64         // new data before compression
	StoredBytes    *uint64        // new data after compression; nil before restic 0.14, and with --json before 0.17
	Duration       *time.Duration // by restic's own clock; nil where restic 0.18 prints nonsense for a skipped snapshot

	// Snapshot is the ID of the snapshot that was saved: short in text, full
	// in JSON since 0.15; "" if none was, as in a dry run or with
	// --skip-if-unchanged, and where 0.10 to 0.12 lose that line.
	Snapshot string
	// Saved is when the line that says so was logged; zero if no snapshot was
	// saved, or the log has no times.
	Saved time.Time
	// Unreadable counts the sources that could not be read; nil if restic said
	// that there are some, and the lines that name them are not there.
	Unreadable *uint64
	// Exact reports that the figures are from JSON, not rounded for reading.
	Exact bool
}

// Changes counts files or directories against the parent snapshot.
type Changes struct{ New, Changed, Unmodified uint64 }

// A Forget is what a forget decided, summed over its groups.
type Forget struct {
	Kept, Removed uint64
	// Failed counts the snapshots that were to be removed but could not be.
	Failed uint64
	// End is when the last line about it was logged. A forget --prune goes on
	// from there.
	End time.Time
}

// A Prune is what a prune did. A nil part is one that the release does not
// print.
type Prune struct {
	Removed    Blobs   // in all
	Repacked   *Blobs  // rewritten to get at it; nil before restic 0.12, which counts packs
	Remaining  Blobs   // what the repository holds after
	TotalBytes uint64  // what the repository held before
	Unused     *uint64 // bytes that remain unused; nil before restic 0.12, and where 0.14 and older print a wrapped value
}

// Blobs is a number of blobs and their size in the repository in bytes.
type Blobs struct{ Count, Bytes uint64 }

// A Check is what a check found.
type Check struct{ Errors uint64 }

// A Lock is a lock on the repository that another process holds.
type Lock struct {
	// Age is how old the lock was when it stopped the process; nil if
	// restic did not say.
	Age *time.Duration
}

// A Span is the time from the first to the last line logged under one name: a
// lower bound of how long that script ran, for a silent script logs nothing.
type Span struct {
	Source     string
	Start, End time.Time
}

// Duration returns the length of s.
func (s Span) Duration() time.Duration { return s.End.Sub(s.Start) }

// A SyntaxError reports a line that has the form of one of restic's but holds
// a number, unit or JSON value that cannot be read.
type SyntaxError struct {
	Line int    // 1-based, counted over calls of Add
	Text string // the line, cut to 256 bytes
	Err  error  // what is wrong; wraps strconv.ErrSyntax, strconv.ErrRange or a JSON error
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("line %d: %v: %q", e.Line, e.Err, e.Text)
}

// Unwrap returns e.Err.
func (e *SyntaxError) Unwrap() error { return e.Err }
