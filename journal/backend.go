package journal

import (
	"cmp"
	"context"
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

// The MESSAGE_IDs of EventStarting, EventSkipped and EventSpawnFailed.
const (
	messageStarting    = "7d4958e842da4a758f6c1cdc7b36dcc5"
	messageSkipped     = "0e4284a0caca4bfc81c0bb6786972673"
	messageSpawnFailed = "641257651c1b4ec9a8624d7a40a9e1e7"
)

// notSkipped returns the last invocation in which something ran. If there is none, it
// returns skipped, an invocation that ran nothing because of ExecCondition=.
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
		// systemd also skips the start if it could not execute ExecCondition= at all.
		failed, err := first(ctx, b, s, match{s.of(Output, final.Invocation, "MESSAGE_ID="+messageSpawnFailed)})
		if err != nil {
			return ID{}, err
		}
		if failed.Event == EventSpawnFailed {
			spoke, err := first(ctx, b, s, match{s.of(Output, final.Invocation)})
			if err != nil || spoke.PID == failed.PID {
				return final.Invocation, err
			}
		}
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
