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
	// head returns when the first entry of the journal was received, and its number
	// in the sequence that it is of, which begins with 1; zeros if there is none.
	head(ctx context.Context) (time.Time, uint64, error)
	// values returns the values that a field has in the whole journal.
	values(ctx context.Context, field string) ([]string, error)
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

// The MESSAGE_IDs of EventStarting and EventSkipped.
const (
	messageStarting = "7d4958e842da4a758f6c1cdc7b36dcc5"
	messageSkipped  = "0e4284a0caca4bfc81c0bb6786972673"
)

// notSkipped returns the last invocation in which something ran; if there is none
// the one that is given, whose start was skipped.
func notSkipped(ctx context.Context, b backend, s selector, skipped ID) (ID, error) {
	seen := make(map[ID]bool)
	for rec, err := range b.backwards(ctx, s, match{s.match(Manager, "MESSAGE_ID="+messageStarting), s.match(Manager, "MESSAGE_ID="+messageSkipped)}) {
		if err := cmp.Or(err, ctx.Err()); err != nil {
			return ID{}, err
		}
		kind, id, ok := s.kind(rec)
		switch {
		case !ok || kind != Manager || id == (ID{}):
		case rec.is(fieldMessageID, messageSkipped):
			seen[id] = true
		case !seen[id]:
			return id, nil
		}
	}
	return skipped, nil
}

// latestIn returns the invocation of the unit that began last, but for those whose
// start was skipped.
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
	if final.Event == EventSkipped || final.Event == EventNotDue {
		return notSkipped(ctx, b, s, final.Invocation)
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
