package journal

import (
	"cmp"
	"context"
	"time"
)

// A backend is a way of reading a journal: libsystemd or journalctl.
type backend interface {
	// read yields the records that m matches, in the order of the journal, of those
	// that were received since a time; the zero time is the beginning.
	read(ctx context.Context, s selector, m match, since time.Time) records
	// backwards yields the records that m matches from the last one on.
	backwards(ctx context.Context, s selector, m match) records
	// skim yields the lines of an invocation, none of which is in parts, but may leave
	// out those for which skip is true. The records have what a line is known by.
	skim(ctx context.Context, s selector, id ID, skip skipFunc) records
}

// A skipFunc reports whether a line may be left out; pid returns who wrote it.
type skipFunc func(text []byte, pid func() int) bool

// first returns the first entry of those that m matches that has an invocation; the
// zero Entry if there is none.
func first(ctx context.Context, b backend, s selector, m match) (Entry, error) {
	return firstOf(ctx, s, b.read(ctx, s, m, time.Time{}))
}

// last returns the last one.
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
			e.Message = nil // it is not valid any more
			return e, nil
		}
	}
	return Entry{}, ctx.Err()
}

// messageStarting is the MESSAGE_ID of EventStarting.
const messageStarting = "7d4958e842da4a758f6c1cdc7b36dcc5"

// latestIn returns the invocation of the unit that began last.
func latestIn(ctx context.Context, b backend, s selector) (ID, error) {
	// A process that an earlier invocation has left behind may log last. So
	// what the manager started last counts, unless it said nothing of what
	// came later: LogLevelMax= can silence it.
	final, err := last(ctx, b, s, s.any())
	if err != nil {
		return ID{}, err
	}
	if final.Invocation == (ID{}) {
		return ID{}, ErrNotFound
	}
	started, err := last(ctx, b, s, match{s.match(Manager, "MESSAGE_ID="+messageStarting)})
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
