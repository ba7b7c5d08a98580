//go:build cgo

package journal

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"syscall"
	"time"
	"unsafe"

	"github.com/coreos/go-systemd/v22/sdjournal"
)

// A libsystemd reads a journal through the library of that name. It belongs to one
// thread, as sd-journal(3) demands.
type libsystemd struct {
	j      *sdjournal.Journal
	handle unsafe.Pointer // the sd_journal of j; nil if it is unknown, see handleOf
	arena  *[]byte        // holds the fields of the current entry
}

// open calls f with the journal. It loads the library when it is first needed, and uses
// journalctl if there is none.
func (r Reader) open(f func(backend) error) error {
	switch {
	case r.File != "":
		return r.openAs(func() (*sdjournal.Journal, error) { return sdjournal.NewJournalFromFiles(r.File) }, true, f)
	case r.Namespace != "":
		return r.openFiles(true, f)
	case r.Dir != "":
		return r.openAs(func() (*sdjournal.Journal, error) { return sdjournal.NewJournalFromDir(r.Dir) }, true, f)
	}
	return r.openAs(sdjournal.NewJournal, true, f)
}

// openNamespace calls f with only the journal of the namespace.
func (r Reader) openNamespace(f func(backend) error) error { return r.openFiles(false, f) }

// openFiles opens the journal of the namespace, with or without the default one.
// libsystemd merges their entries in order.
func (r Reader) openFiles(withDefault bool, f func(backend) error) error {
	files, err := r.files(withDefault)
	if err != nil {
		return err
	}
	return r.openAs(func() (*sdjournal.Journal, error) {
		j, err := sdjournal.NewJournalFromFiles(files...)
		for tries := 0; tries < 5 && errors.Is(err, syscall.ENOENT); tries++ { // journald has deleted a file meanwhile
			if files, err = r.files(withDefault); err == nil {
				j, err = sdjournal.NewJournalFromFiles(files...)
			}
		}
		return j, err
	}, withDefault, f)
}

// openAs calls f with the journal that open opens.
func (r Reader) openAs(open func() (*sdjournal.Journal, error), withDefault bool, f func(backend) error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	j, err := open()
	if err != nil {
		// Errors of libsystemd are errnos. Any other error means that the library is missing.
		if _, ok := errors.AsType[syscall.Errno](err); !ok {
			return r.openJournalctl(withDefault, f)
		}
		return fmt.Errorf("opening the journal: %w", err)
	}
	defer j.Close()
	// By default libsystemd may return only a part of a long compressed field.
	if err := j.SetDataThreshold(0); err != nil {
		return readingError(err)
	}
	return f(libsystemd{j, handleOf(j), new([]byte)})
}

func readingError(err error) error { return fmt.Errorf("reading the journal: %w", err) }

// set makes m the match of the journal, and goes to the beginning.
func (l libsystemd) set(m match) error {
	l.j.FlushMatches()
	for i, and := range m.present() {
		if i > 0 {
			if err := l.j.AddDisjunction(); err != nil {
				return err
			}
		}
		for _, field := range and {
			if err := l.j.AddMatch(field); err != nil {
				return err
			}
		}
	}
	return l.j.SeekHead()
}

func (l libsystemd) read(_ context.Context, s selector, m match, since time.Time) records {
	return l.records(s, l.j.Next, func() error {
		if err := l.set(m); err != nil || since.IsZero() {
			return err
		}
		return l.j.SeekRealtimeUsec(uint64(since.UnixMicro()))
	})
}

func (l libsystemd) backwards(_ context.Context, s selector, m match) records {
	return l.records(s, l.j.Previous, func() error {
		if err := l.set(m); err != nil {
			return err
		}
		return l.j.SeekTail()
	})
}

// records calls seek once, and yields a record after each call of step.
func (l libsystemd) records(s selector, step func() (uint64, error), seek func() error) records {
	return func(yield func(*record, error) bool) {
		var rec record
		err := seek()
		for err == nil {
			var n uint64
			if n, err = step(); err != nil || n == 0 {
				break
			}
			if err = l.fill(&rec, s); err == nil && !yield(&rec, nil) {
				return
			}
		}
		if err != nil {
			yield(nil, readingError(err))
		}
	}
}

// Most entries are lines of output, which have only the common fields. The others are
// asked for only if an entry may be from the manager or journald.
var (
	commonFields = []int{fieldMessage, fieldPID, fieldIdentifier, fieldComm, fieldExe, fieldSystemdUnit, fieldSystemdUserUnit, fieldSystemdInvocation}
	otherFields  = []int{
		fieldBoot, fieldUID, fieldUnit, fieldInvocation, fieldUserUnit, fieldUserInvocation, fieldMessageID, fieldUnitResult,
		fieldExitCode, fieldExitStatus, fieldCommand, fieldDropped, fieldObjectUnit, fieldObjectUserUnit, fieldObjectInvocation,
		fieldSourceTime, fieldJobResult, fieldPriority,
	}
	splitFields  = []int{fieldLineBreak, fieldStream}
	conmonFields = []int{fieldPartial, fieldPriority}
	userField    = []int{fieldUID}
)

// minLineMax is the smallest LineMax= that journald accepts (journald.conf(5)). It
// does not split shorter lines.
const minLineMax = 79

// fill reads the fields of the current entry. If it is a line of the unit with an
// invocation, the common fields are enough.
func (l libsystemd) fill(rec *record, s selector) (err error) {
	rec.reset()
	*l.arena = (*l.arena)[:0]
	if rec.usec, err = l.realtime(); err != nil {
		return err
	}
	if err := l.get(rec, commonFields); err != nil {
		return err
	}
	if rec.is(fieldComm, "conmon") {
		if err := l.get(rec, conmonFields); err != nil {
			return err
		}
		rec.split = rec.split || rec.part()
	}
	// The last part of a line may be short.
	if rec.split || len(rec.fields[fieldMessage]) >= minLineMax {
		if err := l.get(rec, splitFields); err != nil {
			return err
		}
		rec.split = rec.split || rec.part()
	}
	output := s.scope[Output]
	if rec.is(output.unit, s.unit) && len(rec.fields[output.id]) > 0 && !rec.unspawned() {
		if len(output.vouched) > 0 {
			return l.get(rec, userField)
		}
		return nil
	}
	return l.get(rec, otherFields)
}

func (l libsystemd) get(rec *record, fields []int) error {
	for _, f := range fields {
		v, err := l.data(f)
		if errors.Is(err, syscall.ENOENT) {
			continue
		}
		// If a field is damaged or cut off, the rest of the journal can still be read.
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

func (l libsystemd) skim(ctx context.Context, s selector, id ID, skip skipFunc) records {
	return func(yield func(*record, error) bool) {
		if err := l.lines(ctx, s, id, skip, yield); err != nil {
			yield(nil, readingError(err))
		}
	}
}

func (l libsystemd) lines(ctx context.Context, s selector, id ID, skip skipFunc, yield func(*record, error) bool) error {
	// Matching one field is much faster than two. Match the unit, not the invocation:
	// a user can change what journald records as the invocation of that user's unit.
	// So lines of other invocations turn up here, too. They are recognized when they
	// are read in full. That is done for each line that is not skipped, and for each
	// line after one of another invocation.
	if err := l.set(match{s.of(Output, id)}); err != nil {
		return err
	}
	if n, err := l.j.Next(); err != nil || n == 0 {
		return err
	}
	begin, err := l.j.GetCursor()
	if err != nil {
		return err
	}
	if err := l.set(match{s.match(Output)}); err != nil {
		return err
	}
	if err := l.j.SeekCursor(begin); err != nil {
		return err
	}
	var rec record
	next, pid := texts(l.j), l.pid // one closure for all lines
	ours := false
	for i := 0; ; i++ {
		if i%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		text, more, err := next()
		if err != nil || !more {
			return err
		}
		if ours && text != nil && skip(text, pid) {
			continue
		}
		if err := l.fill(&rec, s); err != nil {
			return err
		}
		kind, of, ok := s.kind(&rec)
		if ours = ok && kind == Output && of == id; ours && !yield(&rec, nil) {
			return nil
		}
	}
}

func (l libsystemd) head(context.Context) (t time.Time, number uint64, err error) {
	if err := l.set(nil); err != nil {
		return t, 0, readingError(err)
	}
	if n, err := l.j.Next(); err != nil || n == 0 {
		return t, 0, err
	}
	at, err := l.j.GetRealtimeUsec()
	if err != nil {
		return t, 0, readingError(err)
	}
	cursor, err := l.j.GetCursor()
	if err != nil {
		return t, 0, readingError(err)
	}
	_, number = parseCursor(cursor)
	return usec(at), number, nil
}

func (l libsystemd) values(_ context.Context, field string) ([]string, error) {
	values, err := l.j.GetUniqueValues(field)
	if err != nil {
		return nil, readingError(err)
	}
	return values, nil
}

// pid returns the process that wrote the current entry; 0 if unknown.
func (l libsystemd) pid() int {
	*l.arena = (*l.arena)[:0]
	v, err := l.data(fieldPID)
	if err != nil {
		return 0
	}
	n, _ := strconv.Atoi(string(v[len("_PID="):]))
	return n
}
