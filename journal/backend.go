package journal

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// A backend is a way of reading a journal: libsystemd or journalctl.
type backend interface {
	// read yields the records that m matches and that journald received at since or
	// later, in the order of the journal. The zero time means from the beginning.
	read(ctx context.Context, s selector, m match, since time.Time) records
	// backwards yields the records that m matches, the last one first.
	backwards(ctx context.Context, s selector, m match) records
	// skim yields the lines of an invocation in which no line was split. It may leave
	// out lines for which skip returns true. The records lack fields that matter only
	// for other kinds of entries.
	skim(ctx context.Context, s selector, id ID, skip skipFunc) records
	// head returns when journald received the first entry of the journal, and the
	// entry's number in its sequence, which begins with 1; zeros if the journal is
	// empty.
	head(ctx context.Context) (time.Time, uint64, error)
	// values returns all values of a field in the journal.
	values(ctx context.Context, field string) ([]string, error)
}

// A skipFunc reports whether a line may be left out. pid returns the process that
// wrote it.
type skipFunc func(text []byte, pid func() int) bool

// first returns the first entry that m matches and that has an invocation; the zero
// Entry if there is none.
func first(ctx context.Context, b backend, s selector, m match) (Entry, error) {
	return firstOf(ctx, s, b.read(ctx, s, m, time.Time{}))
}

// last returns the last such entry.
func last(ctx context.Context, b backend, s selector, m match) (Entry, error) {
	return firstOf(ctx, s, b.backwards(ctx, s, m))
}

func firstOf(ctx context.Context, s selector, rs records) (Entry, error) {
	for rec, err := range rs {
		if err := cmp.Or(err, ctx.Err()); err != nil {
			return Entry{}, err
		}
		if kind, id, ok := s.kind(rec); ok && id != (ID{}) {
			e := rec.entry(kind, id)
			e.Message = nil // no longer valid
			return e, nil
		}
	}
	return Entry{}, ctx.Err()
}

// notSkipped returns the last invocation whose start was not skipped. If all were, it
// returns the last one.
func notSkipped(ctx context.Context, b backend, s selector) (ID, error) {
	var found starts[ID] // the last one first
	for rec, err := range b.backwards(ctx, s, match{s.match(Manager, isStarting), s.match(Manager, isSkipped)}) {
		if err := cmp.Or(err, ctx.Err()); err != nil {
			return ID{}, err
		}
		kind, id, ok := s.kind(rec)
		if !ok || kind != Manager || id == (ID{}) {
			continue
		}
		event, _, _ := rec.event(kind)
		found.add(id, kind, event)
		if !found.of[id].skipped() {
			break
		}
	}
	for rec, err := range b.read(ctx, s, s.unspawned(), time.Time{}) {
		if err := cmp.Or(err, ctx.Err()); err != nil {
			return ID{}, err
		}
		if kind, id, ok := s.kind(rec); ok && found.of[id] != nil {
			event, _, _ := rec.event(kind)
			found.add(id, kind, event)
		}
	}
	slices.Reverse(found.order)
	return found.latest(), nil
}

// latestIn returns the invocation of the unit that began last, leaving out those that
// were skipped.
func latestIn(ctx context.Context, b backend, s selector) (ID, error) {
	// A process left over from an earlier invocation may have logged the last
	// entry. So the invocation that the manager started last counts. But
	// LogLevelMax= can silence the manager: then a later invocation has no
	// "Starting".
	final, err := last(ctx, b, s, s.any())
	if err != nil {
		return ID{}, err
	}
	if final.Invocation == (ID{}) {
		return ID{}, ErrNotFound
	}
	if final.Event == EventSkipped || final.Event == EventNotDue {
		return notSkipped(ctx, b, s)
	}
	started, err := last(ctx, b, s, match{s.match(Manager, isStarting)})
	if err != nil {
		return ID{}, err
	}
	if started.Invocation == (ID{}) || started.Invocation == final.Invocation {
		return final.Invocation, nil
	}
	began, err := first(ctx, b, s, s.whole(final.Invocation))
	if err != nil {
		return ID{}, err
	}
	if began.Time.After(started.Time) {
		return final.Invocation, nil
	}
	return started.Invocation, nil
}
