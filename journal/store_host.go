package journal

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"time"
)

// A storeHost is one host of a store.
type storeHost struct {
	store Store
	host  string
	known *StoreUnit // what [Store.Hosts] found about a unit of the host; nil if nothing is known
}

// overtaken bounds how long before the manager's "Starting" journald can have received a
// line of that run.
const overtaken = time.Minute

// Latest implements [Source].
func (h storeHost) Latest(ctx context.Context, unit string) (ID, error) {
	id, _, err := h.latest(ctx, selectorOf(unit, false))
	return id, hint(unit, err)
}

// latest returns the invocation that began last, leaving out those that were skipped. It
// also returns a time before which the store has no entries of that invocation.
func (h storeHost) latest(ctx context.Context, s selector) (ID, time.Time, error) {
	if u := h.known; u != nil && u.Unit == s.unit && u.Run != (ID{}) {
		return u.Run, u.Began.Add(-overtaken), nil
	}
	var all starts[ID]
	first := make(map[ID]time.Time)
	for _, q := range []struct {
		scope, kind Kind
		event       Event
		message     string
	}{
		{Manager, Manager, EventSkipped, isSkipped},
		{Output, Output, EventSpawnFailed, isSpawnFailed},
		{lastWords, Output, EventSpawnFailed, isSpawnFailed},
	} {
		field := fieldNames[s.scope[q.scope].id]
		query := fmt.Sprintf(`%s | stats by (%s) min(_time) first, count() if (%s) some`, h.query(match{s.match(q.scope)}), field, storeFilter([]string{q.message}))
		for row, err := range h.store.ask(ctx, query) {
			if err != nil {
				return ID{}, time.Time{}, err
			}
			var id ID
			if id.UnmarshalText([]byte(row.get(field))) != nil {
				continue // not part of a run
			}
			t, err := time.Parse(time.RFC3339Nano, row.get("first"))
			if err != nil {
				return ID{}, t, fmt.Errorf("%w: %w", ErrStoreAnswer, err)
			}
			if earlier, ok := first[id]; !ok || t.Before(earlier) {
				first[id] = t
			}
			event := EventOther
			if row.get("some") != "0" {
				event = q.event
			}
			all.add(id, q.kind, event)
		}
	}
	if len(first) == 0 {
		return ID{}, time.Time{}, ErrNotFound
	}
	slices.SortFunc(all.order, func(a, b ID) int { return first[a].Compare(first[b]) })
	id := all.latest()
	return id, first[id], nil
}

// Entries implements [Source]. It returns ErrIncomplete after the last entry if the store
// lacks the beginning of the run. It holds a few thousand entries in memory, or the whole
// run if the clock was set back during it.
func (h storeHost) Entries(ctx context.Context, unit string, id ID) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		err := h.entries(ctx, selectorOf(unit, false), id, yield)
		if err = hint(unit, err); err != nil && err != errStop {
			yield(Entry{}, err)
		}
	}
}

func (h storeHost) entries(ctx context.Context, s selector, id ID, yield func(Entry, error) bool) error {
	// The manager's entries about other runs show to which run a line without an ID belongs.
	m := match{s.match(Manager), s.match(Output, fieldNames[fieldSystemdInvocation]+"=")}
	var since time.Time
	entriesOf := entries
	if id == (ID{}) {
		var err error
		if id, since, err = h.latest(ctx, s); err != nil && err != ErrNotFound {
			return err
		}
		entriesOf = latestEntries
	}
	if id != (ID{}) {
		m = append(s.whole(id), m...)
	}
	rs, err := h.records(ctx, m, since)
	if err != nil {
		return err
	}
	var p progress
	for e, err := range entriesOf(ctx, rs, s, id) {
		if err != nil {
			return err
		}
		if e.Invocation == id {
			p.add(e)
		}
		if !yield(e, nil) {
			return errStop
		}
	}
	if id != (ID{}) && !p.begun() {
		return ErrIncomplete
	}
	return nil
}

// Skim implements [Source]. It leaves out nothing.
func (h storeHost) Skim(ctx context.Context, unit string, id ID, _ Skipper) iter.Seq2[Entry, error] {
	return h.Entries(ctx, unit, id)
}

// Sync implements [Source]. It does nothing, because the store does not know what the host
// has not sent yet.
func (h storeHost) Sync(context.Context, string) error { return nil }

// Host returns the name of the host.
func (h storeHost) Host() string { return h.host }

// Boot returns the boot in which the machine's manager last logged something; the zero ID
// if the store has nothing of it.
func (h storeHost) Boot(ctx context.Context) (id ID, err error) {
	boot := fieldNames[fieldBoot]
	query := fmt.Sprintf(`%s _PID:="1" | stats row_max(_time, %s) last`, h.filter(), boot)
	for row, err := range h.store.ask(ctx, query) {
		if err != nil {
			return ID{}, err
		}
		var last map[string]string
		if err := json.Unmarshal([]byte(row.get("last")), &last); row.get("last") != "" && err != nil {
			return ID{}, fmt.Errorf("%w: %w", ErrStoreAnswer, err)
		}
		if id.UnmarshalText([]byte(last[boot])) != nil {
			return ID{}, nil
		}
	}
	return id, nil
}
