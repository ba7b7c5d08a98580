package journal

import (
	"bytes"
	"cmp"
	"context"
	"iter"
	"strconv"
	"time"
)

// A record holds the fields of an entry that matter, as the journal or a recording has
// them. It is reused from one entry to the next.
type record struct {
	usec   uint64 // __REALTIME_TIMESTAMP
	fields [fieldCount][]byte
	lost   bool                 // the entry has a MESSAGE that cannot be read
	split  bool                 // this record, or one before it, is a part of a line
	kept   [fieldExe + 1]string // by field, the last string that text returned
}

const (
	fieldMessage = iota
	fieldIdentifier
	fieldPID
	fieldComm
	fieldExe
	fieldUID
	fieldSystemdUnit
	fieldSystemdUserUnit
	fieldSystemdInvocation
	fieldStream
	fieldLineBreak
	fieldBoot
	fieldUnit
	fieldInvocation
	fieldUserUnit
	fieldUserInvocation
	fieldMessageID
	fieldUnitResult
	fieldExitCode
	fieldExitStatus
	fieldCommand
	fieldDropped
	fieldObjectUnit
	fieldObjectUserUnit
	fieldObjectInvocation
	fieldSourceTime
	fieldJobResult
	fieldPriority
	fieldPartial
	fieldCount
)

var fieldNames = [fieldCount]string{
	"MESSAGE", "SYSLOG_IDENTIFIER", "_PID", "_COMM", "_EXE", "_UID", "_SYSTEMD_UNIT", "_SYSTEMD_USER_UNIT",
	"_SYSTEMD_INVOCATION_ID", "_STREAM_ID", "_LINE_BREAK", "_BOOT_ID", "UNIT", "INVOCATION_ID", "USER_UNIT",
	"USER_INVOCATION_ID", "MESSAGE_ID", "UNIT_RESULT", "EXIT_CODE", "EXIT_STATUS", "COMMAND", "N_DROPPED",
	"OBJECT_SYSTEMD_UNIT", "OBJECT_SYSTEMD_USER_UNIT", "OBJECT_SYSTEMD_INVOCATION_ID",
	"_SOURCE_REALTIME_TIMESTAMP", "JOB_RESULT", "PRIORITY", "CONTAINER_PARTIAL_MESSAGE",
}

var fieldByName = func() map[string]int {
	m := make(map[string]int, fieldCount)
	for i, name := range fieldNames {
		m[name] = i
	}
	return m
}()

const realtime = "__REALTIME_TIMESTAMP"

func (r *record) reset() { *r = record{split: r.split, kept: r.kept} }

// text returns a field up to fieldExe as a string. In most records it is the same as in the
// one before, so the string of that one is kept.
func (r *record) text(field int) string {
	if kept := &r.kept[field]; *kept != string(r.fields[field]) {
		*kept = string(r.fields[field])
	}
	return r.kept[field]
}

// unspawned reports whether the process that logged r may be one of systemd's own, which
// has not executed the command of the unit yet. systemd puts its name in parentheses.
func (r *record) unspawned() bool { return bytes.HasPrefix(r.fields[fieldIdentifier], []byte("(")) }

func (r *record) is(field int, value string) bool { return string(r.fields[field]) == value }

func (r *record) id(field int) (id ID, ok bool) {
	if text := r.fields[field]; len(text) > 0 { // most records lack some IDs, and to make an error takes time
		ok = id.UnmarshalText(text) == nil
	}
	return id, ok
}

// entry turns r into an Entry, which shares the message of r.
func (r *record) entry(kind Kind, id ID) Entry {
	e := Entry{
		Kind: kind, Time: usec(r.usec), Identifier: r.text(fieldIdentifier), Comm: r.text(fieldComm), Exe: r.text(fieldExe),
		Message: r.fields[fieldMessage], Parts: 1, Lost: r.lost, Invocation: id,
	}
	e.PID, _ = strconv.Atoi(r.text(fieldPID))
	e.Boot, _ = r.id(fieldBoot)
	e.Event, e.Result, e.Exit = r.event(kind)
	switch kind {
	case Manager:
		e.JobResult = string(r.fields[fieldJobResult])
		n, _ := strconv.ParseUint(string(r.fields[fieldSourceTime]), 10, 64)
		e.Sent = usec(n)
	case Dropped:
		e.Dropped, _ = strconv.ParseUint(string(r.fields[fieldDropped]), 10, 64)
	}
	return e
}

// startLimit is the manager's message when it refuses a start beyond StartLimitBurst=.
// It has no MESSAGE_ID.
const startLimit = "Start request repeated too quickly."

func usec(n uint64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.UnixMicro(int64(n)).UTC()
}

// The MESSAGE_IDs of what the manager reports. systemd lists them in
// src/systemd/sd-messages.h.
const (
	messageStarting    = "7d4958e842da4a758f6c1cdc7b36dcc5"
	messageStarted     = "39f53479d3a045ac8e11786248231fbf"
	messageStartFailed = "be02cf6855d2428ba40df7e9d022f03d"
	messageExited      = "98e322203f7a4ed290d09fe03c09fe15"
	messageFailed      = "d9b373ed55a64feb8242e02dbe79a49c"
	messageSucceeded   = "7ad2d189f7e94e70a38c781354912448"
	messageSkipped     = "0e4284a0caca4bfc81c0bb6786972673"
	messageStopping    = "de5b426a63be47a7b6ac3eaac82e2f6f"
	messageStopped     = "9d1aaa27d60140bd96365438aad20286"
	messageRestarting  = "5eb03494b6584870a536b337290809b3"
	messageReloading   = "d34d037fff1847e6ae669a370e694725"
	messageReloaded    = "7b05ebc668384222baa8881179cfda54"
	messageSpawnFailed = "641257651c1b4ec9a8624d7a40a9e1e7" // reported by a process of the unit

	isStarting    = "MESSAGE_ID=" + messageStarting
	isSkipped     = "MESSAGE_ID=" + messageSkipped
	isSpawnFailed = "MESSAGE_ID=" + messageSpawnFailed
)

// event returns what r reports.
func (r *record) event(kind Kind) (Event, Result, *Exit) {
	if kind != Manager {
		if kind == Output && r.is(fieldMessageID, messageSpawnFailed) {
			return EventSpawnFailed, "", nil
		}
		return EventOther, "", nil
	}
	switch string(r.fields[fieldMessageID]) {
	case messageStarting:
		return EventStarting, "", nil
	case messageStarted:
		message := r.fields[fieldMessage]
		switch {
		case bytes.HasPrefix(message, []byte("Finished ")):
			return EventStarted, Success, nil
		case bytes.Contains(message, []byte(" was skipped because of ")), bytes.HasPrefix(message, []byte("Condition check resulted in ")):
			return EventNotDue, "", nil
		}
		return EventStarted, "", nil
	case messageStartFailed:
		return EventStartFailed, "", nil
	case messageExited:
		if r.is(fieldPriority, "7") {
			// A manager at LogLevel=debug also reports processes whose failure does not
			// count, such as those of ExecStart=-.
			return EventOther, "", nil
		}
		x := ParseExit(string(r.fields[fieldExitCode]), string(r.fields[fieldExitStatus]))
		if x != nil {
			x.Command = string(r.fields[fieldCommand])
		}
		return EventExited, "", x
	case messageFailed:
		return EventFailed, Result(r.fields[fieldUnitResult]), nil
	case messageSucceeded:
		return EventSucceeded, Success, nil
	case messageSkipped:
		return EventSkipped, ExecCondition, nil
	case messageStopping:
		return EventStopping, "", nil
	case messageStopped:
		return EventStopped, "", nil
	case messageRestarting:
		return EventRestarting, "", nil
	case messageReloading:
		return EventReloading, "", nil
	case messageReloaded:
		return EventReloaded, "", nil
	case "":
		message := r.fields[fieldMessage]
		switch {
		case bytes.HasSuffix(message, []byte(": "+startLimit)):
			return EventStartLimit, "", nil
		case signalled(message):
			return EventSignalled, "", nil
		}
	}
	return EventOther, "", nil
}

// signalled reports whether the manager says that it has sent the main process a signal on
// somebody's request. Only the signals count that systemd.service(5) calls clean: if any
// other ends the process, the run fails anyway. The message has no MESSAGE_ID.
func signalled(message []byte) bool {
	_, rest, ok := bytes.Cut(message, []byte(": Sent signal SIG"))
	name, _, main := bytes.Cut(rest, []byte(" to main process "))
	switch string(name) {
	case "HUP", "INT", "TERM", "PIPE":
		return ok && main
	}
	return false
}

// records is what every way of reading a journal or a recording yields.
type records = iter.Seq2[*record, error]

// latest returns the invocation that began last, leaving out those that were skipped.
func latest(ctx context.Context, rs records, s selector) (ID, error) {
	var all starts[ID]
	for r, err := range rs {
		if err := cmp.Or(err, ctx.Err()); err != nil {
			return ID{}, err
		}
		if kind, id, ok := s.kind(r); ok && kind != Dropped && id != (ID{}) {
			event, _, _ := r.event(kind)
			all.add(id, kind, event)
		}
	}
	if len(all.order) == 0 {
		return ID{}, ErrNotFound
	}
	return all.latest(), nil
}

// entries yields the entries of an invocation in rs.
func entries(ctx context.Context, rs records, s selector, id ID) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		var j joiner
		late := orphans{id: id, of: make(map[ID]ID)}
		for r, err := range rs {
			if err := cmp.Or(err, ctx.Err()); err != nil {
				yield(Entry{}, err)
				return
			}
			kind, of, ok := s.kind(r)
			if !ok || of != id && of != (ID{}) && kind != Manager {
				continue
			}
			e := r.entry(kind, of)
			for _, l := range late.add(e, r) {
				if !yield(l, nil) {
					return
				}
			}
			if of != id {
				continue
			}
			if e, whole := j.add(e, r); whole && !yield(e, nil) {
				return
			}
		}
		for e := range j.rest() {
			if !yield(e, nil) {
				return
			}
		}
		for _, l := range late.end() {
			if !yield(l, nil) {
				return
			}
		}
	}
}

const (
	// maxLine bounds the length of a joined line.
	maxLine = 16 << 20
	// maxStreams bounds the number of lines that wait for their next part.
	maxStreams = 256
)

// A joiner joins lines that journald split because they were longer than its
// LineMax= (journald.conf(5)).
type joiner struct {
	waiting map[string]*Entry
	order   []string // the streams in waiting, ordered by their first part
}

// part reports whether r is a part of a line, and not the last one. journald splits long
// lines. conmon, which logs what containers print, reads 8 KiB at once and splits lines there.
func (r *record) part() bool { return r.is(fieldLineBreak, "line-max") || r.is(fieldPartial, "true") }

// add returns the line that e completes, or false if e is not its last part.
func (j *joiner) add(e Entry, r *record) (Entry, bool) {
	more := r.part()
	if e.Kind != Output || !more && len(j.waiting) == 0 {
		return e, true
	}
	stream := string(r.fields[fieldStream])
	if stream == "" {
		stream = string(r.fields[fieldPID]) + " " + string(r.fields[fieldPriority]) // conmon's priority marks standard error
	}
	begun := j.waiting[stream]
	if begun == nil {
		if !more || len(j.waiting) == maxStreams {
			return e, true
		}
		if j.waiting == nil {
			j.waiting = make(map[string]*Entry)
		}
		kept := e // e itself would be allocated for each entry
		kept.Message = bytes.Clone(e.Message)
		j.waiting[stream] = &kept
		j.order = append(j.order, stream)
		return Entry{}, false
	}
	begun.Time = e.Time
	begun.Parts++
	begun.Lost = begun.Lost || e.Lost
	begun.Message = append(begun.Message, e.Message[:min(len(e.Message), maxLine-len(begun.Message))]...)
	if more {
		return Entry{}, false
	}
	j.drop(stream)
	return *begun, true
}

func (j *joiner) drop(stream string) {
	delete(j.waiting, stream)
	for i, s := range j.order {
		if s == stream {
			j.order = append(j.order[:i], j.order[i+1:]...)
			break
		}
	}
}

// rest yields the lines whose last part is missing.
func (j *joiner) rest() iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		for _, stream := range j.order {
			if !yield(*j.waiting[stream]) {
				return
			}
		}
	}
}
