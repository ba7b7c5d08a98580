//go:build cgo

package journal

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/coreos/go-systemd/v22/sdjournal"
)

// open opens the journal. It reports false if there is no libsystemd on this
// machine: it is loaded when it is needed first.
func (r Reader) open() (*sdjournal.Journal, bool, error) {
	var j *sdjournal.Journal
	var err error
	if r.Dir == "" {
		j, err = sdjournal.NewJournal()
	} else {
		j, err = sdjournal.NewJournalFromDir(r.Dir)
	}
	if err != nil {
		// What libsystemd says is an errno.
		if _, ok := errors.AsType[syscall.Errno](err); !ok {
			return nil, false, nil
		}
		return nil, true, fmt.Errorf("opening the journal: %w", err)
	}
	return j, true, nil
}

// withJournal calls f with the journal, on one thread, as sd-journal(3) asks.
// It returns false if there is no libsystemd.
func (r Reader) withJournal(f func(j *sdjournal.Journal) error) (bool, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	j, ok, err := r.open()
	if !ok || err != nil {
		return ok, err
	}
	defer j.Close()
	// Else libsystemd may hand on a part of a long compressed field only.
	if err := j.SetDataThreshold(0); err != nil {
		return true, err
	}
	return true, f(j)
}

// set makes m what j matches, and goes to before the first of it.
func (m match) set(j *sdjournal.Journal) error {
	j.FlushMatches()
	for i, and := range m {
		if i > 0 {
			if err := j.AddDisjunction(); err != nil {
				return err
			}
		}
		for _, field := range and {
			if err := j.AddMatch(field); err != nil {
				return err
			}
		}
	}
	return j.SeekHead()
}

// invocation returns the invocation whose output m matches, "-" if m
// matches that of any.
func (m match) invocation() string {
	for _, field := range m[0] {
		if id, ok := strings.CutPrefix(field, "_SYSTEMD_INVOCATION_ID="); ok {
			return id
		}
	}
	return "-"
}

// The fields that tell what the manager or journald says are asked for only
// where one of them may speak.
var (
	commonFields = []int{fieldMessage, fieldPID, fieldIdentifier, fieldComm, fieldSystemdUnit, fieldSystemdUserUnit, fieldSystemdInvocation}
	otherFields  = []int{
		fieldBoot, fieldUID, fieldUnit, fieldInvocation, fieldUserUnit, fieldUserInvocation, fieldMessageID, fieldUnitResult,
		fieldExitCode, fieldExitStatus, fieldCommand, fieldDropped, fieldObjectUnit, fieldObjectUserUnit, fieldObjectInvocation,
		fieldSourceTime,
	}
)

// minLineMax is the smallest LineMax= that journald takes: shorter lines are
// not split (journald.conf(5)).
const minLineMax = 79

// fill reads the fields of the entry at j. What is of the invocation id is
// output, and has no more to say.
func (rec *record) fill(j *sdjournal.Journal, id string) error {
	rec.reset()
	var err error
	if rec.usec, err = j.GetRealtimeUsec(); err != nil {
		return err
	}
	get := func(fields []int) error {
		for _, f := range fields {
			v, err := j.GetDataBytes(fieldNames[f])
			if errors.Is(err, syscall.ENOENT) {
				continue
			}
			// An entry that is damaged or cut off costs itself alone.
			if errors.Is(err, syscall.EBADMSG) || errors.Is(err, syscall.E2BIG) || errors.Is(err, syscall.EPROTONOSUPPORT) {
				rec.lost = rec.lost || f == fieldMessage
				continue
			}
			if err != nil {
				return err
			}
			if n := len(fieldNames[f]) + 1; len(v) >= n {
				rec.fields[f] = v[n:]
			}
		}
		return nil
	}
	if err := get(commonFields); err != nil {
		return err
	}
	// The last part of a line may be short.
	if rec.split || len(rec.fields[fieldMessage]) >= minLineMax {
		if err := get([]int{fieldLineBreak, fieldStream}); err != nil {
			return err
		}
		rec.split = rec.split || len(rec.fields[fieldLineBreak]) > 0
	}
	if rec.is(fieldSystemdInvocation, id) {
		return nil
	}
	return get(otherFields)
}

// records are the entries of j that m matches, from a time on, without the output of an
// invocation.
func (m match) records(j *sdjournal.Journal, from time.Time, without ID) records {
	return func(yield func(*record, error) bool) {
		if err := m.read(j, from, without, yield); err != nil {
			yield(nil, err)
		}
	}
}

func (m match) read(j *sdjournal.Journal, from time.Time, without ID, yield func(*record, error) bool) error {
	if err := m.set(j); err != nil {
		return err
	}
	if !from.IsZero() {
		if err := j.SeekRealtimeUsec(uint64(from.UnixMicro())); err != nil {
			return err
		}
	}
	var rec record
	id, other := m.invocation(), fieldNames[fieldSystemdInvocation]+"="+without.String()
	for {
		n, err := j.Next()
		if err != nil || n == 0 {
			return err
		}
		if without != (ID{}) {
			if v, err := j.GetDataBytes(fieldNames[fieldSystemdInvocation]); err == nil && string(v) == other {
				continue
			}
		}
		if err := rec.fill(j, id); err != nil {
			return err
		}
		if !yield(&rec, nil) {
			return nil
		}
	}
}

var errStop = errors.New("stop")

func readingError(err error) error {
	if err == ErrNotFound || err == ErrIncomplete {
		return err
	}
	return fmt.Errorf("reading the journal: %w", err)
}

// A session reads an invocation from a journal that is open.
type session struct {
	Reader
	reading
	ctx   context.Context
	j     *sdjournal.Journal
	unit  string
	id    ID
	yield func(Entry, error) bool
}

// session calls read with a session for the invocation, or reports false if
// there is no libsystemd.
func (r Reader) session(ctx context.Context, unit string, id ID, yield func(Entry, error) bool, read func(*session) error) bool {
	ok, err := r.withJournal(func(j *sdjournal.Journal) (err error) {
		s := &session{Reader: r, ctx: ctx, j: j, unit: unit, id: id, yield: yield}
		if id == (ID{}) {
			if s.id, err = r.latest(ctx, unit, r.endsOf(j)); err != nil {
				return err
			}
		}
		if err := read(s); err != nil {
			return err
		}
		if from := s.lateFrom(); !from.IsZero() {
			for e, err := range r.late(ctx, unit, s.id, s.boot, r.ofUnit(unit).records(j, from, s.id)) {
				if err != nil {
					return err
				}
				if !yield(e, nil) {
					return errStop
				}
			}
		}
		return r.complete(ctx, unit, s.id, &s.reading, r.endsOf(j))
	})
	if err != nil && err != errStop {
		yield(Entry{}, readingError(err))
	}
	return ok
}

// entry hands e on. It returns errStop if that was enough.
func (s *session) entry(e Entry) error {
	s.add(e)
	if !s.yield(e, nil) {
		return errStop
	}
	return nil
}

// whole reads all of what m matches.
func (s *session) whole(m match) error {
	for e, err := range entries(s.ctx, m.records(s.j, time.Time{}, ID{}), selector{s.unit, s.User}, s.id) {
		if err != nil {
			return err
		}
		if err := s.entry(e); err != nil {
			return err
		}
	}
	return nil
}

func (r Reader) entries(ctx context.Context, unit string, id ID) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		if !r.session(ctx, unit, id, yield, func(s *session) error { return s.whole(r.ofInvocation(unit, s.id)) }) {
			r.printed(ctx, unit, id, yield, r.printedEntries)
		}
	}
}

// skim yields what the manager and journald say, and the lines that are not
// idle.
func (r Reader) skim(ctx context.Context, unit string, id ID, idle func([]byte, func() int) bool) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		if !r.session(ctx, unit, id, yield, func(s *session) error { return s.skim(idle) }) {
			r.printed(ctx, unit, id, yield, r.printedLines)
		}
	}
}

func (s *session) skim(idle func([]byte, func() int) bool) error {
	if err := s.whole(s.notes(s.unit, s.id)); err != nil {
		return err
	}
	split := match{s.output(s.unit, s.id, "_LINE_BREAK=line-max")}
	switch some, err := split.any(s.j); {
	case err != nil:
		return err
	case some:
		// Which line a part belongs to takes more than its text.
		return s.whole(match{s.output(s.unit, s.id)})
	}
	return s.lines(idle)
}

// any reports whether anything in j matches m.
func (m match) any(j *sdjournal.Journal) (bool, error) {
	if err := m.set(j); err != nil {
		return false, err
	}
	n, err := j.Next()
	return n > 0, err
}

func (s *session) lines(idle func([]byte, func() int) bool) error {
	// One field is found much faster than two. It is the unit, for journald takes
	// the ID of a user's unit from where that user can change it. What other
	// invocations logged meanwhile, or later, is told apart by looking at entries
	// whole: at the lines that are not idle, and at all that follow a foreign one.
	j := s.j
	switch some, err := (match{s.output(s.unit, s.id)}).any(j); {
	case err != nil:
		return err
	case !some:
		return nil
	}
	first, err := j.GetCursor()
	if err != nil {
		return err
	}
	if err := (match{s.anyOutput(s.unit)}).set(j); err != nil {
		return err
	}
	if err := j.SeekCursor(first); err != nil {
		return err
	}
	var rec record
	pid := func() int {
		v, err := j.GetDataBytes(fieldNames[fieldPID])
		if err != nil {
			return 0
		}
		n, _ := strconv.Atoi(string(v[len("_PID="):]))
		return n
	}
	next := texts(j)
	ours := false
	for i := 0; ; i++ {
		if i%1024 == 0 && s.ctx.Err() != nil {
			return s.ctx.Err()
		}
		text, more, err := next()
		if err != nil || !more {
			return err
		}
		if ours && text != nil && idle(text, pid) {
			continue
		}
		if err := rec.fill(j, s.id.String()); err != nil {
			return err
		}
		kind, of, ok := selector{s.unit, s.User}.kind(&rec)
		if ours = ok && kind == Output && of == s.id; !ours {
			continue
		}
		if err := s.entry(rec.entry(kind, of)); err != nil {
			return err
		}
	}
}

// edges are the [ends] of the journal.
func (r Reader) edges(ctx context.Context, edges ...edge) (marks []mark, err error) {
	ok, err := r.withJournal(func(j *sdjournal.Journal) (err error) {
		marks, err = r.endsOf(j)(ctx, edges...)
		return err
	})
	switch {
	case err != nil:
		return nil, readingError(err)
	case !ok:
		return r.journalctlEdges(ctx, edges...)
	}
	return marks, nil
}

func (r Reader) endsOf(j *sdjournal.Journal) ends {
	return func(ctx context.Context, edges ...edge) ([]mark, error) {
		marks := make([]mark, len(edges))
		for i, e := range edges {
			if err := r.edge(ctx, j, e, &marks[i]); err != nil {
				return nil, err
			}
		}
		return marks, nil
	}
}

func (r Reader) edge(ctx context.Context, j *sdjournal.Journal, e edge, mk *mark) error {
	if err := e.match.set(j); err != nil {
		return err
	}
	step := j.Next
	if !e.first {
		step = j.Previous
		if err := j.SeekTail(); err != nil {
			return err
		}
	}
	var rec record
	id := e.match.invocation()
	for ctx.Err() == nil {
		n, err := step()
		if err != nil || n == 0 {
			return err
		}
		if err := rec.fill(j, id); err != nil {
			return err
		}
		if *mk = r.markOf(&rec); mk.id != (ID{}) {
			return nil
		}
	}
	return ctx.Err()
}
