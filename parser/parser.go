// Package parser turns what restic prints into values.
//
// restic prints text, or JSON with --json, or both: "restic forget --json
// --prune" mixes them. The text has changed over the years. Package parser
// reads all of it from one stream, line by line. It understands backup,
// forget, prune and check in every release from 0.9.0 to 0.19.1, and keeps
// apart what different restic processes print.
//
// The package does no I/O, reads no clock and starts no goroutine: the caller
// supplies the lines. It cannot tell whether a backup as a whole succeeded: a
// killed restic prints nothing, and a script may carry on after a restic that
// failed. Only the program that started the processes knows.
//
// Pass both of restic's streams. It prints summaries to standard output, but
// unreadable files, retries, locks and fatal errors to standard error.
//
// Use [Parse] for the output of one command, and a [Collector] for a log that
// several processes wrote to.
//
// # Forged lines
//
// A file name can hold line breaks, and restic prints some names raw. So the
// owner of a file can make restic print any line. The parser therefore
//
//   - accepts a summary only if it is complete and from one process;
//   - uses the last of several summaries, because restic prints the true one
//     last;
//   - drops a summary that is followed by more files of the same backup, or by
//     the reason why a file could not be read.
//
// Lines without a process ID ([Line.PID] is 0) have less protection: there,
// the first line of a command is the only sign of a new process.
//
// There is one gap. If the lines of another program have the same process ID as
// restic's, as in a script whose whole output goes through tee, they may discard
// the summary of a backup that could not read everything.
package parser

import (
	"fmt"
	"time"
)

// A Line is one line of a log, and what the log says about its origin.
type Line struct {
	// Source is the name that the line was logged under, such as
	// "restic-backup.sh".
	Source string
	// PID is the process that wrote the line. It is 0 if that is unknown, or if
	// the writer forwards what other processes print, as tee does. The commands
	// in such a stream are told apart by their first and last lines.
	PID int
	// Restic reports that the process is known to be restic itself, not a script
	// and not a program that forwards restic's output.
	Restic bool
	// Time is when the line was logged; zero if unknown.
	Time time.Time
	// Text is the line, with or without its newline. The parser does not keep it.
	Text []byte
}

// A Command is a restic command. The zero Command means that the output does
// not show which one it is.
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
	Source  string  // as in [Line]
	PID     int     // as in [Line]
	Command Command // as far as the output shows; "forget --prune" becomes CommandPrune once it prunes

	Start, End time.Time // of the first and last line; zero if the log has no times

	// Done reports whether the command said that it succeeded. It stays false
	// for most commands with --quiet, which do not say so.
	Done bool
	// Unfinished reports that the command began, but printed neither its last
	// line nor the reason why it gave up: it was killed, or is still running.
	Unfinished bool
	// DryRun reports that the command said it was a dry run.
	DryRun bool

	// Incomplete reports that restic itself called the backup incomplete: it saved
	// a snapshot, but could not read every source (exit status 3 since restic
	// 0.10). restic says so with --quiet too, where there is no summary.
	Incomplete bool

	Backup *Backup // the summary of a backup, nil without one
	Forget *Forget // what a forget decided, nil without a decision
	Prune  *Prune  // what a prune did, nil until it is done
	Check  *Check  // what a check found, nil until it is done

	// Unreadable counts the sources that the process says it could not read. It
	// is set even if Backup is nil, because the summary may be in another stream.
	Unreadable uint64
	// Missing counts how many of these do not exist. Before restic 0.17, missing
	// sources alone do not make a backup Incomplete.
	Missing uint64

	// Errors counts the errors that the process reported without giving up.
	Errors int
	// SyntaxErrors counts the lines for which Add returned a [SyntaxError]. If there
	// are none, but the process must have said something that was not understood,
	// such as an unknown end, it is 1.
	SyntaxErrors int
	// Retries counts how often an operation on the repository was retried.
	Retries int
	// Fatal is the line that says why the process gave up, cut to 512 bytes, with
	// its prefix "Fatal: " if it had one; "" if it did not give up or did not say so.
	Fatal string
	// Cause is the kind of failure that Fatal reports.
	Cause Cause
	// ExitCode is the exit status that restic itself reports, in JSON since
	// 0.18; nil if it does not.
	ExitCode *int
	// Lock is the lock that stopped the process, nil if none did.
	Lock *Lock
}

// A Cause is why a restic process gave up, according to its last lines.
type Cause string

// The causes. CauseOther covers every reason that has no name here.
const (
	CauseNone             Cause = ""
	CauseLocked           Cause = "locked"
	CausePassword         Cause = "password"
	CauseNoRepository     Cause = "no_repository"
	CauseNoAccess         Cause = "no_access" // the repository may exist, but denied access
	CauseExists           Cause = "exists"    // init: the repository exists already
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
	// in JSON since 0.15. It is "" if none was saved, as in a dry run or with
	// --skip-if-unchanged, or if restic 0.10 to 0.12 left out the line that names it.
	Snapshot string
	// Saved is when the line that names the snapshot was logged; zero if no
	// snapshot was saved, or the log has no times.
	Saved time.Time
	// Unreadable counts the sources that could not be read; nil if unknown, as when
	// restic says that there are some but the lines that name them are missing.
	Unreadable *uint64
	// Exact reports that the figures are from JSON, not from text, where restic
	// rounds them.
	Exact bool
}

// Changes counts files or directories compared with the parent snapshot.
type Changes struct{ New, Changed, Unmodified uint64 }

// A Forget is what a forget decided, summed over its groups.
type Forget struct {
	Kept, Removed uint64
	// Failed counts the snapshots that should have been removed but could not be.
	Failed uint64
	// End is when the last line about it was logged; zero if the log has no times.
	// With --prune, the prune begins there.
	End time.Time
}

// A Prune is what a prune did. A field is nil if the release does not print it.
type Prune struct {
	Removed    Blobs   // all that was removed
	Repacked   *Blobs  // rewritten to free space in their packs; nil before restic 0.12, which counts packs
	Remaining  Blobs   // in the repository after the prune
	TotalBytes uint64  // in the repository before the prune
	Unused     *uint64 // bytes that remain unused; nil before restic 0.12, and where 0.14 and older print a negative value
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

// A Span is the time from the first to the last line logged under one name. The
// script that logged them may have run longer: it leaves no trace while it prints
// nothing.
type Span struct {
	Source     string
	Start, End time.Time
}

// Duration returns the length of s.
func (s Span) Duration() time.Duration { return s.End.Sub(s.Start) }

// A SyntaxError reports a line that looks like restic's but has a number, unit
// or JSON value that cannot be read, or is not where restic prints it.
type SyntaxError struct {
	Line int    // 1-based, counted over calls of Add, and of Skip that returned true
	Text string // the line, cut to 256 bytes
	Err  error  // what is wrong; wraps strconv.ErrSyntax, strconv.ErrRange or a JSON error
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("line %d: %v: %q", e.Line, e.Err, e.Text)
}

// Unwrap returns e.Err.
func (e *SyntaxError) Unwrap() error { return e.Err }
