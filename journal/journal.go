// Package journal reads what the systemd journal holds about one invocation of
// a unit: what its processes logged, and what the service manager reported.
//
// Start with a [Source], and its method Entries:
//
//	for entry, err := range (journal.Reader{}).Entries(ctx, "my.service", journal.ID{}) {
//
// The zero [Reader] reads the local journal; one with Dir reads journal files
// elsewhere. A [Recording] reads what journalctl printed earlier. A host of a
// [Store] reads what a machine sent to VictoriaLogs. All of them answer the same
// questions: which invocation of a unit was the latest, and what are the entries of
// an invocation. The zero [ID] stands for the latest one.
//
// Package journal does not interpret what the processes of a unit log.
//
// # Building
//
// With cgo, building needs libsystemd's headers (libsystemd-dev in Debian). The
// library is loaded at run time when it is first needed; if it is missing, journalctl
// is used. Without cgo, building needs nothing but Go, and a Reader uses journalctl.
// The package compiles on Linux, the BSDs and macOS. Without systemd, only recordings
// and stores can be read.
//
// # Trust
//
// Any user can send entries that claim to belong to any unit. A Source trusts only
// the fields that journald itself adds, the manager's fields in entries that the
// manager's own process sent, and journald's fields in entries of journald's own unit
// (systemd.journal-fields(7)).
//
// journald looks up the invocation of a process when it receives the first line of the
// process. If the unit has ended by then, the line has no _SYSTEMD_INVOCATION_ID. A
// Source counts it as a line of the invocation that ended last.
//
// # Completeness
//
// The journal may lack what was logged a moment ago; Sync waits for it. It may also
// lack what was logged first, because journald deletes its oldest files, even during a
// read; then Entries returns [ErrIncomplete]. If journald dropped entries because a
// unit logged too many, an [Entry] of kind Dropped says how many.
package journal

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"time"
)

// An ID is an invocation ID (systemd.exec(5), $INVOCATION_ID). The zero ID stands for
// the latest invocation. It is also the ID of all entries in a [Recording] whose format
// has no IDs. An ID works as a flag through [flag.TextVar].
type ID [16]byte

// String returns 32 hexadecimal digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// AppendText implements [encoding.TextAppender].
func (id ID) AppendText(b []byte) ([]byte, error) { return hex.AppendEncode(b, id[:]), nil }

// MarshalText implements [encoding.TextMarshaler].
func (id ID) MarshalText() ([]byte, error) { return id.AppendText(nil) }

// UnmarshalText reads 32 hexadecimal digits, with or without the dashes of a UUID.
func (id *ID) UnmarshalText(text []byte) error {
	digits := make([]byte, 0, 32)
	for _, c := range text {
		if c != '-' {
			digits = append(digits, c)
		}
	}
	var v ID
	if n, err := hex.Decode(v[:], digits[:min(len(digits), 32)]); err != nil || n != len(v) || len(digits) != 32 {
		return fmt.Errorf("invalid invocation ID %q: want 32 hexadecimal digits", text)
	}
	*id = v
	return nil
}

// A Kind says who sent an [Entry].
type Kind uint8

const (
	Output  Kind = iota // a process of the unit
	Manager             // the service manager, about the unit
	Dropped             // journald, about entries of the unit that it dropped
)

// An Entry is an entry of the journal. If journald split a long line into several
// entries, they are joined into one Entry.
type Entry struct {
	Kind       Kind
	Time       time.Time // when journald received it; zero in recordings without times
	Sent       time.Time // when the manager sent it; zero if unknown, and for other kinds
	Identifier string    // SYSLOG_IDENTIFIER: the name of the program that systemd started
	PID        int       // _PID: the process that wrote it; 0 if unknown
	Comm       string    // _COMM: the command name of that process; "" if it ended before journald looked
	Exe        string    // _EXE: the path of its program, or of a script's interpreter; "" as with Comm
	// Message is what was logged. It can be any bytes, and is valid until the next step
	// of the iterator. A recording can lack it: see Lost.
	Message []byte
	Parts   int  // the number of entries in the journal that this one stands for, usually 1; see [Source]
	Lost    bool // there was a message, but the recording does not hold it

	Invocation ID     // zero in recordings without IDs
	Boot       ID     // _BOOT_ID; zero if unknown
	Event      Event  // what a Manager entry reports
	Result     Result // for EventFailed, EventSucceeded and EventSkipped
	Exit       *Exit  // for EventExited
	// JobResult is set for EventStartFailed. It is "failed" if the run failed, else the
	// reason why the manager refused to start the unit, such as "dependency" or "assert".
	JobResult string
	Dropped   uint64 // the number of entries dropped, for a Dropped entry
}

// An Event is what the manager reports in an entry. MESSAGE_ID identifies most of them.
type Event uint8

const (
	EventOther       Event = iota // anything else
	EventStarting                 // it starts the unit
	EventStarted                  // a oneshot unit has finished, any other has begun
	EventStartFailed              // the unit could not be started; see JobResult
	EventExited                   // a process of the unit has failed
	EventFailed                   // the run has failed
	EventSucceeded                // the run has ended well
	EventSkipped                  // ExecCondition= prevented the run; see [Start]
	EventNotDue                   // a condition of the unit was not met; the entry has the ID of the last run, or none
	EventStopping                 // it stops the unit; it does not report this for a oneshot unit that still runs
	EventStopped                  // the unit has been stopped
	EventRestarting               // Restart= tries again
	EventStartLimit               // the start was refused because StartLimitBurst= was reached
	EventReloading                // it reloads the unit; if that fails, the run has not failed
	EventReloaded                 // the reload has ended, well or not
	EventSignalled                // it sent the main process a signal that ends it, on request, as by systemctl kill
	// EventSpawnFailed is the event of an Output entry: a process of systemd reports why it
	// could not execute a command of the unit.
	EventSpawnFailed
)

// A Result is the manager's verdict on an invocation, as in $SERVICE_RESULT
// (systemd.exec(5)): "success", "exit-code", "signal", "timeout", "oom-kill" and others.
// The zero Result means that there is none.
type Result string

// The most common results.
const (
	Success       Result = "success"
	ExitCode      Result = "exit-code"
	Signal        Result = "signal"
	CoreDump      Result = "core-dump"
	Timeout       Result = "timeout"
	Watchdog      Result = "watchdog"
	OOMKill       Result = "oom-kill"
	ExecCondition Result = "exec-condition" // skipped, which is neither a success nor a failure
)

// Failed reports whether r is a failure.
func (r Result) Failed() bool { return r != "" && r != Success && r != ExecCondition }

// An Exit is how a process of the unit ended.
type Exit struct {
	Command string // "ExecStart", "ExecStopPost", ...; "" if unknown
	Status  int    // exit status, or 128+N if signal N killed it, as in shells
}

var (
	// ErrNotFound is returned if a source holds no run of the unit. If it holds starts
	// that were refused or not due, Entries and Skim yield these instead. Package
	// invocation also returns ErrNotFound for a run without entries.
	ErrNotFound = errors.New("not in the journal")
	// ErrUnsynced wraps the reason why journald could not be made to write
	// down everything that it has received.
	ErrUnsynced = errors.New("the journal may be incomplete")
	// ErrIncomplete is returned if the journal lacks the beginning of an invocation,
	// because journald has deleted its oldest files to keep within its limits. The
	// beginning is the manager's report that it starts the unit. So if LogLevel=
	// (systemd-system.conf(5)) silences the manager, every log is incomplete.
	ErrIncomplete = errors.New("the beginning of the run is not in the journal")
	// ErrUnavailable is returned by a [Reader] if there is neither libsystemd nor journalctl.
	ErrUnavailable = errors.New("cannot read the journal without libsystemd or journalctl")
	// ErrFormat is returned for a recording in an unknown format.
	ErrFormat = errors.New("no known recording format")
)

// A Source is a place to read entries from: a [Reader], a [Recording] or a host of a
// [Store].
//
// In its methods, the zero ID stands for the latest invocation of the unit. If there is
// none, they return [ErrNotFound].
type Source interface {
	// Latest returns the most recent invocation of unit, or ErrNotFound.
	Latest(ctx context.Context, unit string) (ID, error)

	// Entries returns a single-use iterator over the entries of one invocation of unit,
	// in the order in which journald received them. Entries without an invocation ID
	// come last. Each pair is an entry and nil; the last pair can be a zero Entry and an
	// error. An invocation without entries is not an error.
	//
	// If id is zero, the latest run is followed by the manager's entries about later
	// starts that were refused or not due. These are entries of EventStartFailed,
	// EventStartLimit and EventNotDue without an Invocation. There may be no run before
	// them. While a unit stays loaded, the manager reports such starts with the ID of
	// the last run instead.
	Entries(ctx context.Context, unit string, id ID) iter.Seq2[Entry, error]

	// Skim is a faster Entries for invocations that log very many lines. It may leave
	// out lines that s skips. It can yield the entries of the manager and of journald
	// at any place among the lines.
	//
	// Skim accounts for what it leaves out by Output entries without a Message, which
	// come after the lines. For each process and each identifier whose first or last
	// line may have been left out, it yields at least these two lines, with Parts 0. At
	// the end it yields the last line of all, whose Parts is the number of lines left
	// out. So the earliest and latest Time of each process, and the sum of Parts, are
	// the same as with Entries. The exception is a process all of whose lines were left
	// out.
	Skim(ctx context.Context, unit string, id ID, s Skipper) iter.Seq2[Entry, error]

	// Units returns a single-use iterator over the names of the units that match any of
	// patterns (see [Match]), in order. These are the units that a process or the
	// service manager has logged something about. Such a unit may have no run, only
	// starts that were refused. Each pair is a name and nil; the last pair can be "" and
	// an error.
	Units(ctx context.Context, patterns ...string) iter.Seq2[string, error]

	// Spoke reports whether a program has logged anything in any run of unit, in any
	// namespace. The program is identified by its command name (_COMM) or identifier
	// (SYSLOG_IDENTIFIER).
	Spoke(ctx context.Context, unit, program string) (bool, error)

	// Sync waits until everything that the unit logged before the call can be read.
	Sync(ctx context.Context, unit string) error
}

// A Skipper decides which lines [Source.Skim] can leave out.
type Skipper interface {
	// Skip reports whether a line with this text need not be read in full. pid returns
	// the process that wrote the line; 0 if unknown. To call pid takes about as long as
	// reading the text, and text is not valid afterwards.
	Skip(text []byte, pid func() int) bool
}
