//go:build cgo

package journal

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"syscall"

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

// withJournal calls f with the journal and m set, on one thread, as
// sd-journal(3) asks. It returns false if there is no libsystemd.
func (r Reader) withJournal(m match, f func(j *sdjournal.Journal) error) (bool, error) {
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
	for i, and := range m {
		if i > 0 {
			if err := j.AddDisjunction(); err != nil {
				return true, err
			}
		}
		for _, field := range and {
			if err := j.AddMatch(field); err != nil {
				return true, err
			}
		}
	}
	return true, f(j)
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

// records yields the entries that m matches.
func (r Reader) records(ctx context.Context, m match) records {
	return func(yield func(*record, error) bool) {
		ok, err := r.withJournal(m, func(j *sdjournal.Journal) error {
			var rec record
			id := m.invocation()
			for {
				n, err := j.Next()
				if err != nil {
					return err
				}
				if n == 0 {
					return nil
				}
				if err := rec.fill(j, id); err != nil {
					return err
				}
				if !yield(&rec, nil) {
					return errStop
				}
			}
		})
		switch {
		case err == errStop:
		case err != nil:
			yield(nil, fmt.Errorf("reading the journal: %w", err))
		case !ok:
			r.journalctl(ctx, m)(yield)
		}
	}
}

var errStop = errors.New("stop")

func (r Reader) first(ctx context.Context, m match) (mark, error) { return r.edge(ctx, m, true) }

func (r Reader) last(ctx context.Context, m match) (mark, error) { return r.edge(ctx, m, false) }

// edge returns the first or the last entry of m that has an invocation.
func (r Reader) edge(ctx context.Context, m match, first bool) (mark, error) {
	var mk mark
	ok, err := r.withJournal(m, func(j *sdjournal.Journal) error {
		seek, step := j.SeekTail, j.Previous
		if first {
			seek, step = j.SeekHead, j.Next
		}
		if err := seek(); err != nil {
			return err
		}
		var rec record
		id := m.invocation()
		for ctx.Err() == nil {
			n, err := step()
			if err != nil || n == 0 {
				return err
			}
			if err := rec.fill(j, id); err != nil {
				return err
			}
			if mk = r.markOf(&rec); mk.id != (ID{}) {
				return nil
			}
		}
		return ctx.Err()
	})
	if err != nil {
		return mark{}, fmt.Errorf("reading the journal: %w", err)
	}
	if !ok {
		return r.journalctlEdge(ctx, m, first)
	}
	return mk, nil
}
