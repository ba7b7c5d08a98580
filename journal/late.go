package journal

import (
	"bytes"
	"cmp"
	"context"
	"iter"
	"slices"
	"time"
)

// journald looks up the invocation of a process when it takes the first line of it,
// in /run/systemd/units, and the manager removes that link once the unit has ended. A
// busy journald comes too late for what ended quickly: the line has the unit, but no
// invocation. It is of the one that had ended last when it was taken.

// lateLines holds lines without an ID until it is known whose they are. The manager
// says through another socket that it starts the next invocation, so journald may
// write down lines of that one before.
type lateLines struct {
	id      ID        // the invocation whose lines are wanted
	of      map[ID]ID // of which the manager spoke last, by boot
	joiner  joiner
	entries []Entry
	size    int
}

// maxLate bounds the text that is held: it is what systemd lets wait for journald in
// one stream (SNDBUF_SIZE in its sources).
const maxLate = 8 << 20

// add takes an entry into account. It returns lines that are of the invocation.
func (l *lateLines) add(e Entry, r *record) []Entry {
	switch {
	case e.Kind == Manager && e.Invocation != l.of[e.Boot]:
		return l.next(e)
	case e.Kind != Output || e.Invocation != (ID{}):
		return nil
	}
	e, whole := l.joiner.add(e, r)
	if !whole {
		return nil
	}
	e.Message = bytes.Clone(e.Message)
	l.entries = append(l.entries, e)
	if l.size += len(e.Message); l.size > maxLate {
		return l.rest()
	}
	return nil
}

// next lets go of what was taken before the manager spoke of another invocation.
func (l *lateLines) next(note Entry) []Entry {
	sent := note.sent()
	l.takeParts()
	var earlier, later []Entry
	for _, e := range l.entries {
		// Later than the note itself none is, unless the clock went back.
		if e.Boot != note.Boot || !e.Time.Before(sent) && !e.Time.After(note.Time) {
			later = append(later, e)
		} else {
			earlier = append(earlier, e)
		}
	}
	l.entries = earlier
	own := l.rest()
	l.entries = later
	for _, e := range later {
		l.size += len(e.Message)
	}
	l.of[note.Boot] = note.Invocation
	return own
}

// sent is when the manager sent e, as far as is known.
func (e *Entry) sent() time.Time { return cmp.Or(e.Sent, e.Time) }

// rest lets go of all.
func (l *lateLines) rest() []Entry {
	own := slices.DeleteFunc(l.entries, func(e Entry) bool { return l.of[e.Boot] != l.id })
	for i := range own {
		own[i].Invocation = l.id
	}
	l.entries, l.size = nil, 0
	return own
}

// takeParts takes the lines whose last part never came as they are.
func (l *lateLines) takeParts() {
	l.entries = slices.AppendSeq(l.entries, l.joiner.rest())
	l.joiner = joiner{}
}

// end returns the rest.
func (l *lateLines) end() []Entry {
	l.takeParts()
	return l.rest()
}

// lateBefore is how long before the manager has sent its verdict a line can have been
// received that was taken after it: journald dates what it takes by when it woke up.
const lateBefore = 250 * time.Millisecond

// lateFrom returns from when on late lines of the invocation can be in the journal;
// the zero time if it has not ended.
func (r *reading) lateFrom() time.Time {
	if r.over.IsZero() {
		return r.over
	}
	if from := r.over.Add(-lateBefore); from.After(r.begin) {
		return from
	}
	return r.begin
}

// late yields the late lines of an invocation, of rs, what the journal holds of the
// unit from lateFrom on. They tell nothing of whether all that have an ID are there.
func (r Reader) late(ctx context.Context, unit string, id, boot ID, rs records) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		s := selector{unit, r.User}
		late := lateLines{id: id, of: map[ID]ID{boot: id}}
		some := false
		for rec, err := range rs {
			if err := cmpErr(err, ctx.Err()); err != nil {
				yield(Entry{}, err)
				return
			}
			kind, of, ok := s.kind(rec)
			if b, _ := rec.id(fieldBoot); !ok || b != boot {
				continue // other machines can have a unit of that name
			}
			for _, e := range late.add(rec.entry(kind, of), rec) {
				if !yield(e, nil) {
					return
				}
			}
			if some = some || of == id; some && kind == Manager && of != id {
				break
			}
		}
		for _, e := range late.end() {
			if !yield(e, nil) {
				return
			}
		}
	}
}
