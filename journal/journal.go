// Package journal reads what the systemd journal holds about one invocation of
// a unit: what its processes logged, and what the service manager says of it.
//
// Start with a [Source], and its method Entries:
//
//	for entry, err := range (journal.Reader{}).Entries(ctx, "my.service", journal.ID{}) {
//
// The zero [Reader] reads the local journal; one with Dir reads journal files
// elsewhere. A [Recording] reads what journalctl printed earlier, and a host of a
// [Store] what a machine has sent to VictoriaLogs. Each answers the same questions:
// which invocation of a unit was the latest, and which entries are of an invocation.
// The zero [ID] stands for the latest.
//
// Package journal has no opinion about what the messages mean.
//
// # Building
//
// With cgo it takes libsystemd's headers (Debian's package libsystemd-dev); the
// library itself is loaded when it is needed, and journalctl is used where it is
// missing. Without cgo it takes nothing, and a Reader uses journalctl. It compiles on
// Linux, the BSDs and macOS; only recordings and stores can be read where there is
// no systemd.
//
// # Trust
//
// Any user can send entries that claim to belong to any unit. A Source believes the
// fields that journald itself adds, the manager's fields in entries of the
// manager's own process, and journald's notes in entries of its own unit
// (systemd.journal-fields(7)).
//
// journald looks up the invocation of a process when it takes its first line. If the
// unit has ended by then, the line has no _SYSTEMD_INVOCATION_ID: it counts for the
// invocation that had ended last.
//
// # Completeness
//
// What has been logged a moment ago may not be in the journal yet: Sync waits for
// it. What was logged first may be gone, for journald deletes its oldest files, also
// while they are read: then Entries reports [ErrIncomplete]. An [Entry] of kind
// Dropped says how much journald dropped.
package journal

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"time"
)

// An ID is an invocation ID (systemd.exec(5), $INVOCATION_ID). The zero ID
// stands for the latest invocation; in a [Recording] of a format without IDs
// entries have it. It works as a flag through [flag.TextVar].
type ID [16]byte

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

// A Kind tells who speaks in an [Entry].
type Kind uint8

const (
	Output  Kind = iota // a process of the unit
	Manager             // the service manager, about the unit
	Dropped             // journald, about entries of the unit that it dropped
)

// An Entry is an entry of the journal, or a line that journald had split into
// several entries, joined again.
type Entry struct {
	Kind       Kind
	Time       time.Time // when journald received it; zero in recordings without times
	Sent       time.Time // of a Manager entry: when the manager sent it; zero if unknown
	Identifier string    // SYSLOG_IDENTIFIER: the name of the program that systemd started
	PID        int       // _PID: the process that wrote it; 0 if unknown
	Comm       string    // _COMM: that process's command name; "" if it ended before journald looked
	Exe        string    // _EXE: the path of its program, for a script that of its interpreter; "" likewise
	// Message is what was logged, any bytes. It is valid until the iterator
	// goes on. A recording can lack it: see Lost.
	Message []byte
	Parts   int  // how many entries of the journal it stands for, 1 as a rule; see [Source]
	Lost    bool // the recording does not hold the message, only that there was one

	Invocation ID     // zero in recordings without IDs
	Boot       ID     // _BOOT_ID; zero if unknown
	Event      Event  // what a Manager entry reports
	Result     Result // of EventFailed, EventSucceeded and EventSkipped
	Exit       *Exit  // of EventExited
	// JobResult is that of EventStartFailed: "failed" if the run failed, else why
	// the manager refused to start the unit, such as "dependency" or "assert".
	JobResult string
	Dropped   uint64 // of a Dropped entry: how many
}

// An Event is what the manager reports in an entry, told by MESSAGE_ID.
type Event uint8

const (
	EventOther       Event = iota
	EventStarting          // 7d4958e842da4a758f6c1cdc7b36dcc5
	EventStarted           // 39f53479d3a045ac8e11786248231fbf: a oneshot unit is finished then, others begin
	EventStartFailed       // be02cf6855d2428ba40df7e9d022f03d
	EventExited            // 98e322203f7a4ed290d09fe03c09fe15: a process did not end well
	EventFailed            // d9b373ed55a64feb8242e02dbe79a49c
	EventSucceeded         // 7ad2d189f7e94e70a38c781354912448
	EventSkipped           // 0e4284a0caca4bfc81c0bb6786972673: ExecCondition= said no
	EventNotDue            // a condition of the unit was not met; the manager has the ID of the last run, or none
	EventStopping          // de5b426a63be47a7b6ac3eaac82e2f6f
	EventRestarting        // 5eb03494b6584870a536b337290809b3: Restart= tries again
	EventStartLimit        // the start was refused: StartLimitBurst= was reached
	// EventSpawnFailed, 641257651c1b4ec9a8624d7a40a9e1e7, is an Output entry: the
	// process that should have become a command of the unit says why it could not.
	EventSpawnFailed
)

// A Result is the manager's verdict on an invocation, in the words of
// $SERVICE_RESULT (systemd.exec(5)): "success", "exit-code", "signal",
// "timeout", "oom-kill" and others. The zero Result means that there is none.
type Result string

// The results that this program's users ask for by name.
const (
	Success       Result = "success"
	ExitCode      Result = "exit-code"
	Signal        Result = "signal"
	CoreDump      Result = "core-dump"
	Timeout       Result = "timeout"
	Watchdog      Result = "watchdog"
	OOMKill       Result = "oom-kill"
	ExecCondition Result = "exec-condition" // skipped, neither good nor bad
)

// Failed reports whether r is a verdict of failure.
func (r Result) Failed() bool { return r != "" && r != Success && r != ExecCondition }

// An Exit is how a process of the unit ended.
type Exit struct {
	Command string // "ExecStart", "ExecStopPost", ...; "" if unknown
	Status  int    // exit status, or 128+N if signal N killed it, as shells have it
}

var (
	// ErrNotFound is reported if the journal holds no entry of the unit or
	// of the invocation.
	ErrNotFound = errors.New("not in the journal")
	// ErrUnsynced wraps the reason why journald could not be made to write
	// down everything that it has received.
	ErrUnsynced = errors.New("the journal may be incomplete")
	// ErrIncomplete is reported if the journal lacks the beginning of an
	// invocation: journald deletes its oldest files to keep to its limits. It is
	// missed if the manager does not say that it starts the unit: where LogLevel=
	// (systemd-system.conf(5)) silences the manager, no log counts as whole.
	ErrIncomplete = errors.New("the beginning of the run is not in the journal")
	// ErrUnavailable is reported if there is neither libsystemd nor journalctl.
	ErrUnavailable = errors.New("neither libsystemd nor journalctl is there to read the journal with")
	// ErrFormat is reported for a recording of no known format.
	ErrFormat = errors.New("no known recording format")
)

// A Source is what entries are read from: a [Reader], a [Recording] or a host of a
// [Store].
//
// The zero ID stands for the latest invocation of the unit. If there is none,
// or no entry of a unit of that name, the error is ErrNotFound.
type Source interface {
	// Latest returns the most recent invocation of unit, or ErrNotFound.
	Latest(ctx context.Context, unit string) (ID, error)

	// Entries returns a single-use iterator over the entries of one invocation
	// of unit, in the order in which journald received them, those without an
	// invocation ID last. Each pair is an entry and nil or, at most once and last,
	// a zero Entry and an error. An invocation without entries is no error.
	//
	// If id is zero, what the manager says of starts after the latest run that came to
	// nothing follows it: entries of EventStartFailed, EventStartLimit and EventNotDue
	// without an Invocation. There may be no run before them. While a unit stays
	// loaded, the manager says such things under the ID of its last run instead.
	Entries(ctx context.Context, unit string, id ID) iter.Seq2[Entry, error]

	// Skim is Entries in a hurry, for invocations that log very much: it may leave
	// out lines that s skips, where that saves time. Where among the lines the
	// entries of the manager and of journald come is not promised.
	//
	// What it leaves out it accounts for. After the lines come Output entries
	// without a Message: at least the first and the last line of each process, and of
	// each identifier, whose first or last line may have been left out, with Parts 0,
	// and then the last line of all, with Parts the number of those left out. So the
	// earliest and latest Time of each process, and the sum of Parts, are what
	// Entries gives. Not accounted for is a process of which every line was left out.
	Skim(ctx context.Context, unit string, id ID, s Skipper) iter.Seq2[Entry, error]

	// Units returns a single-use iterator over the names of the units of which a
	// process or the service manager has said something, as far as they match one
	// of patterns (see [Match]), in order. There may be no run of a unit, only starts
	// that came to nothing. Each pair is a name and nil or, at most once and last,
	// "" and an error.
	Units(ctx context.Context, patterns ...string) iter.Seq2[string, error]

	// Spoke reports whether a program has logged anything in any run of unit, into
	// whatever namespace: a process with that command name (_COMM) or identifier
	// (SYSLOG_IDENTIFIER).
	Spoke(ctx context.Context, unit, program string) (bool, error)

	// Sync waits until what the unit has logged before the call can be read.
	Sync(ctx context.Context, unit string) error
}

// A Skipper tells [Source] which lines it can do without.
type Skipper interface {
	// Skip reports whether a line with this text need not be read in full. pid
	// returns the process that wrote it, 0 if unknown, which costs as much time
	// again as the text; the text is not valid after that call.
	Skip(text []byte, pid func() int) bool
}
