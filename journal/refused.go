package journal

import (
	"bytes"
	"cmp"
	"context"
	"iter"
	"slices"
	"time"
)

// A start that the manager refused, or that was not due because a condition of the unit was
// not met, has no invocation of its own. As long as the unit stays loaded, the manager
// reports such a start with the ID of the run before. Otherwise the report has no ID, and
// belongs after the latest run. (A start that ExecCondition= skipped is an invocation.)

// notStarted reports whether e is about a start that was refused or not due, and has no
// ID.
func (e *Entry) notStarted() bool {
	if e.Kind != Manager || e.Invocation != (ID{}) {
		return false
	}
	return e.Event == EventStartFailed || e.Event == EventStartLimit || e.Event == EventNotDue
}

// maxRefused bounds the number of such entries that are held. The latest are kept.
const maxRefused = 1000

// refusedAfter yields rs, and collects in refused the entries about starts that were
// refused or not due after the beginning of run id.
func refusedAfter(rs records, s selector, id ID, refused *[]Entry) records {
	return func(yield func(*record, error) bool) {
		some := false
		for r, err := range rs {
			if err == nil {
				if kind, of, ok := s.kind(r); ok {
					e := r.entry(kind, of)
					begins := of == id && id != (ID{}) && (!some || e.Event == EventStarting)
					switch {
					case begins:
						some, *refused = true, nil
					case e.notStarted():
						e.Message = bytes.Clone(e.Message)
						*refused = append(*refused, e)
						if len(*refused) > maxRefused {
							*refused = slices.Delete(*refused, 0, 1)
						}
					}
				}
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

// latestEntries yields the entries of the latest run in rs, and those about later starts
// that were refused or not due. The zero id means that there is no run.
func latestEntries(ctx context.Context, rs records, s selector, id ID) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		var refused []Entry
		rs := refusedAfter(rs, s, id, &refused)
		if id != (ID{}) {
			for e, err := range entries(ctx, rs, s, id) {
				if !yield(e, err) || err != nil {
					return
				}
			}
		} else {
			for _, err := range rs {
				if err := cmp.Or(err, ctx.Err()); err != nil {
					yield(Entry{}, err)
					return
				}
			}
			if len(refused) == 0 {
				yield(Entry{}, ErrNotFound)
			}
		}
		for _, e := range refused {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// refused yields the entries about starts that were refused or not due, from since on.
func (p *pass) refused(since time.Time) error {
	for r, err := range p.b.read(p.ctx, p.s, match{p.s.match(Manager)}, since) {
		if err := cmp.Or(err, p.ctx.Err()); err != nil {
			return err
		}
		kind, of, ok := p.s.kind(r)
		if !ok {
			continue
		}
		if e := r.entry(kind, of); e.notStarted() && !p.yield(e, nil) {
			return errStop
		}
	}
	return nil
}
