package journal

import (
	"bytes"
	"cmp"
	"context"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A textLine is a line of a text log: of short-iso and similar formats, or of a syslog
// file.
type textLine struct {
	time       time.Time
	identifier string
	pid        int
	message    []byte
	column     int // where the message begins; further lines of it are indented that far
}

// textLine reads "TIME host identifier[pid]: message".
func (y *layout) textLine(line []byte) (textLine, bool) {
	var l textLine
	var rest []byte
	var ok bool
	if l.time, rest, ok = y.cut(line); !ok {
		return l, false
	}
	_, rest, ok = bytes.Cut(rest, []byte{' '}) // the host's name
	if !ok {
		return l, false
	}
	head, message, ok := bytes.Cut(rest, []byte(": "))
	if !ok {
		// The message may be empty.
		if head, ok = bytes.CutSuffix(rest, []byte{':'}); !ok {
			return l, false
		}
		message = nil
	}
	l.message = message
	l.column = len(line) - len(message)
	l.identifier = string(head)
	if i := bytes.LastIndexByte(head, '['); i > 0 && head[len(head)-1] == ']' {
		if pid, err := strconv.Atoi(string(head[i+1 : len(head)-1])); err == nil {
			l.pid, l.identifier = pid, string(head[:i])
		}
	}
	return l, true
}

var (
	blobData   = lazily(`^\[[0-9.]+[BKMGT]? blob data\]$`)
	exitText   = lazily(`^(Main|Control) process exited, code=(exited|killed|dumped), status=([0-9]+)/`)
	failedText = lazily(`^Failed with result '([a-z-]+)'\.$`)
	suppressed = lazily(`^Suppressed ([0-9]+) messages from (.+)$`)
	anyUnit    = lazily(`^[A-Za-z0-9:_.\\@-]+\.(` + strings.Join(unitTypes, "|") + `)(: | - |$)`)
)

// textEntry turns l into an Entry. It returns false if l is about another unit.
func (r *Recording) textEntry(l textLine, unit string) (Entry, bool) {
	e := Entry{Kind: Output, Time: l.time, Identifier: l.identifier, PID: l.pid, Message: l.message, Parts: 1}
	switch {
	case (l.identifier == "systemd" || l.identifier == "init.scope") && (l.pid == 1 || r.User): // with-unit has the unit there
		e.Kind = Manager
		return e, managerText(&e, string(l.message), unit)
	case l.identifier == "systemd-journald":
		m := suppressed().FindStringSubmatch(string(l.message))
		if m == nil || m[2] != unit && !strings.HasSuffix(m[2], "/"+unit) {
			return e, false
		}
		e.Kind = Dropped
		e.Dropped, _ = strconv.ParseUint(m[1], 10, 64)
	case l.identifier == "systemd", l.identifier == "kernel", l.identifier == "audit":
		return e, false
	case blobData().Match(l.message):
		e.Lost = true
	case strings.HasPrefix(string(l.message), unit+": Failed at step "):
		e.Event = EventSpawnFailed
	}
	return e, true
}

// textManagers yields, for each message of a manager about a start of unit in a text log,
// whether it is the system's manager.
func (r *Recording) textManagers(unit string, yield func(system bool) bool) {
	for line, err := range lines(r.r) {
		if err != nil {
			return
		}
		if !bytes.Contains(line, []byte(" systemd[")) && !bytes.Contains(line, []byte(" init.scope[")) {
			continue
		}
		l, ok := r.layout.textLine(bytes.TrimRight(line, "\r\n"))
		if !ok || l.identifier != "systemd" && l.identifier != "init.scope" {
			continue
		}
		var e Entry
		ours := managerText(&e, string(l.message), unit)
		starts := e.Event == EventStarting || e.Event == EventStarted
		if ours && (l.pid == 1 || starts) && !yield(l.pid == 1) {
			return
		}
	}
}

// managerText reads a message of the manager, and reports whether it is about unit.
// Before systemd 249, messages about jobs do not name the unit. They only have its
// description.
func managerText(e *Entry, text, unit string) bool {
	if own, ok := strings.CutPrefix(text, unit+": "); ok {
		switch {
		case own == "Succeeded." || own == "Deactivated successfully.":
			e.Event, e.Result = EventSucceeded, Success
		case strings.HasPrefix(own, "Failed with result "):
			if m := failedText().FindStringSubmatch(own); m != nil {
				e.Event, e.Result = EventFailed, Result(m[1])
			}
		case strings.HasPrefix(own, "Skipped due to 'exec-condition'."):
			e.Event, e.Result = EventSkipped, ExecCondition
		case own == startLimit:
			e.Event = EventStartLimit
		case strings.HasPrefix(own, "Scheduled restart job"):
			e.Event = EventRestarting
		case signalled([]byte(text)):
			e.Event = EventSignalled
		default:
			if m := exitText().FindStringSubmatch(own); m != nil {
				e.Event, e.Exit = EventExited, ParseExit(m[2], m[3])
				if e.Exit != nil && m[1] == "Main" {
					e.Exit.Command = "ExecStart"
				}
			}
		}
		return true
	}
	for _, job := range []struct {
		prefix    string
		event     Event
		result    Result
		jobResult string
	}{
		{"Starting ", EventStarting, "", ""},
		{"Started ", EventStarted, "", ""},
		{"Finished ", EventStarted, Success, ""},
		{"Failed to start ", EventStartFailed, "", "failed"},
		{"Dependency failed for ", EventStartFailed, "", "dependency"},
		{"Assertion failed for ", EventStartFailed, "", "assert"},
		{"Timed out starting ", EventStartFailed, "", "timeout"},
		{"Condition check resulted in ", EventNotDue, "", ""},
		{"Stopping ", EventStopping, "", ""},
		{"Stopped ", EventStopped, "", ""},
		{"Reloading ", EventReloading, "", ""},
		{"Reloaded ", EventReloaded, "", ""},
		{"Reload failed for ", EventReloaded, "", ""},
	} {
		if rest, ok := strings.CutPrefix(text, job.prefix); ok {
			e.Event, e.Result, e.JobResult = job.event, job.result, job.jobResult
			return !anyUnit().MatchString(rest) || strings.HasPrefix(rest, unit+" ") || strings.TrimRight(rest, ".") == unit
		}
	}
	return false
}

// maxEarly bounds the number of lines that wait until their invocation is known.
const maxEarly = 1000

// text yields the entries of the last invocation. A first pass counts the invocations.
func (r *Recording) text(ctx context.Context, unit string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		var all starts[int]
		err := r.invocations(ctx, unit, func(n int, e Entry) bool {
			all.add(n, e.Kind, e.Event)
			return true
		})
		if err == nil {
			_, err = r.r.Seek(0, io.SeekStart)
		}
		if err == nil {
			last := all.latest()
			err = r.invocations(ctx, unit, func(n int, e Entry) bool { return n != last || yield(e, nil) })
		}
		if err != nil {
			yield(Entry{}, err)
		}
	}
}

// invocations calls f with each entry and the number of its invocation, until f returns
// false.
func (r *Recording) invocations(ctx context.Context, unit string, f func(n int, e Entry) bool) error {
	var (
		n        int
		ended    bool // the manager has given its verdict
		starting bool // the manager has reported that it starts the unit, but not that it has started it
		simple   bool // the invocation began with the report that the unit has started, as one of Type=simple does
		pids     = make(map[int]bool)
		early    []Entry // after the end: late lines of this invocation, or early lines of the next
	)
	flush := func() bool {
		all := early
		early = nil
		return !slices.ContainsFunc(all, func(e Entry) bool { return !f(n, e) })
	}
	for e, err := range r.textEntries(ctx, unit) {
		if err != nil {
			return err
		}
		switch {
		case e.Event == EventStarting, e.Event == EventStarted && e.Result == "" && !starting && (ended || simple):
			// For Type=simple the manager reports only that it has started the unit, and a user's
			// manager does not report that it has ended well.
			n++
			starting, simple, ended = e.Event == EventStarting, e.Event == EventStarted, false
			clear(pids)
			if !flush() {
				return nil
			}
		case n == 0:
			// The recording begins in the middle of a run, or journald received a
			// line before the manager's "Starting".
			simple = e.Event == EventStarted && e.Result == "" && len(early) == 0
			e.Message = bytes.Clone(e.Message)
			early = append(early, e)
			if len(early) > maxEarly || e.Kind == Manager {
				n = 1
				if !flush() {
					return nil
				}
			}
			ended = ended || e.Result != ""
			pids[e.PID] = true
			continue
		case ended && e.Kind == Output && !pids[e.PID] && len(early) < maxEarly:
			e.Message = bytes.Clone(e.Message)
			early = append(early, e)
			continue
		case e.Kind == Manager && (e.Result != "" || e.Event == EventStartFailed && e.JobResult != "timeout"):
			ended = true // JobRunningTimeoutSec= ends the job, and not the run
		case e.Event == EventStopping:
			ended = false // ExecStop= of a unit with RemainAfterExit=
		}
		if e.Event == EventStarted || e.Event == EventStartFailed {
			starting = false
		}
		if e.Kind == Output {
			pids[e.PID] = true
		}
		if !f(n, e) {
			return nil
		}
	}
	n = max(n, 1)
	flush()
	return nil
}

// textEntries yields the entries about unit. It joins messages of several lines, whose
// further lines are indented.
func (r *Recording) textEntries(ctx context.Context, unit string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		var pending textLine
		var have bool
		give := func() bool {
			if !have {
				return true
			}
			have = false
			e, ours := r.textEntry(pending, unit)
			return !ours || yield(e, nil)
		}
		for line, err := range lines(r.r) {
			if err := cmp.Or(err, ctx.Err()); err != nil {
				yield(Entry{}, err)
				return
			}
			line = bytes.TrimRight(line, "\r\n")
			if l, ok := r.layout.textLine(line); ok {
				if !give() {
					return
				}
				l.message = bytes.Clone(l.message)
				pending, have = l, true
				continue
			}
			if have && len(line) >= pending.column && len(bytes.TrimSpace(line[:pending.column])) == 0 &&
				len(pending.message) < maxKept {
				pending.message = append(append(pending.message, '\n'), line[pending.column:]...)
			}
		}
		give()
	}
}
