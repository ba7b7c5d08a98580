package journal

import (
	"bytes"
	"cmp"
	"slices"
	"time"
)

// journald looks up the invocation of a process when it takes the first line of it,
// in /run/systemd/units, and the manager removes that link once the unit has ended. A
// busy journald comes too late for what ended quickly: the line has the unit, but no
// invocation. It is of the one that had ended last when it was taken.

// orphans holds lines without an ID until it is known whose they are. The manager
// says through another socket that it starts the next invocation, so journald may
// write down lines of that one before.
type orphans struct {
	id      ID        // the invocation whose lines are wanted
	of      map[ID]ID // of which the manager spoke last, by boot
	joiner  joiner
	entries []Entry
	size    int
}

const (
	// maxOrphanText bounds the text that is held: it is what systemd lets wait for
	// journald in one stream (SNDBUF_SIZE in its sources).
	maxOrphanText = 8 << 20
	// maxOrphans bounds how many lines are held: each takes some 300 bytes beside its text.
	maxOrphans = 1 << 16
)

// add takes an entry into account. It returns lines that are of the invocation.
func (o *orphans) add(e Entry, r *record) []Entry {
	switch {
	case e.Kind == Manager && e.Invocation != o.of[e.Boot] && e.Invocation != (ID{}):
		return o.next(e)
	case e.Kind != Output || e.Invocation != (ID{}):
		return nil
	}
	e, whole := o.joiner.add(e, r)
	if !whole {
		return nil
	}
	e.Message = bytes.Clone(e.Message)
	o.entries = append(o.entries, e)
	if o.size += len(e.Message); o.size > maxOrphanText || len(o.entries) == maxOrphans {
		return o.rest()
	}
	return nil
}

// next lets go of what was taken before the manager spoke of another invocation.
func (o *orphans) next(note Entry) []Entry {
	sent := note.sent()
	o.takeParts()
	var earlier, later []Entry
	for _, e := range o.entries {
		// Later than the note itself none is, unless the clock went back.
		if e.Boot != note.Boot || !e.Time.Before(sent) && !e.Time.After(note.Time) {
			later = append(later, e)
		} else {
			earlier = append(earlier, e)
		}
	}
	o.entries = earlier
	own := o.rest()
	o.entries = later
	for _, e := range later {
		o.size += len(e.Message)
	}
	o.of[note.Boot] = note.Invocation
	return own
}

// sent is when the manager sent e, as far as is known.
func (e *Entry) sent() time.Time { return cmp.Or(e.Sent, e.Time) }

// rest lets go of all.
func (o *orphans) rest() []Entry {
	own := slices.DeleteFunc(o.entries, func(e Entry) bool { return o.of[e.Boot] != o.id })
	for i := range own {
		own[i].Invocation = o.id
	}
	o.entries, o.size = nil, 0
	return own
}

// takeParts takes the lines whose last part never came as they are.
func (o *orphans) takeParts() {
	o.entries = slices.AppendSeq(o.entries, o.joiner.rest())
	o.joiner = joiner{}
}

// end returns the rest.
func (o *orphans) end() []Entry {
	o.takeParts()
	return o.rest()
}

// lateBefore is how long before the manager has sent its verdict a line can have been
// received that was taken after it: journald dates what it takes by when it woke up.
const lateBefore = 250 * time.Millisecond

// orphansFrom returns from when on late lines of the invocation can be in the journal;
// the zero time if it has not ended.
func (p *progress) orphansFrom() time.Time {
	if p.verdictSent.IsZero() {
		return p.verdictSent
	}
	if from := p.verdictSent.Add(-lateBefore); from.After(p.firstSent) {
		return from
	}
	return p.firstSent
}
