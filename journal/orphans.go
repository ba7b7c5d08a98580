package journal

import (
	"bytes"
	"cmp"
	"slices"
	"time"
)

// When journald receives the first line of a process, it looks up the invocation in a link
// in /run/systemd/units, which the manager removes when the unit has ended. If a process
// ends quickly, a busy journald is too late: the line names the unit, but no invocation.
// It belongs to the last invocation that ended before journald received it.

// orphans holds lines without an ID until it is known to which invocation they belong.
// This is not known at once: the manager reports the next invocation through another
// socket, so journald may write down lines of that invocation before the report.
type orphans struct {
	id      ID        // the invocation whose lines are wanted
	of      map[ID]ID // the invocation that the manager last spoke of, by boot
	joiner  joiner
	entries []Entry
	size    int
}

const (
	// maxOrphanText bounds the text that is held. It is the most that systemd lets one
	// stream hold back for journald (SNDBUF_SIZE in its sources).
	maxOrphanText = 8 << 20
	// maxOrphans bounds the number of lines that are held. Each takes some 300 bytes
	// besides its text.
	maxOrphans = 1 << 16
)

// add adds an entry. It returns the lines that turn out to belong to the wanted
// invocation.
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

// next decides about the lines held so far when the manager speaks of another
// invocation: those that journald received earlier belong to the one before.
func (o *orphans) next(note Entry) []Entry {
	sent := note.sent()
	o.takeParts()
	var earlier, later []Entry
	for _, e := range o.entries {
		// A line can be later than the note only if the clock went back.
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

// sent returns when the manager sent e or, if that is unknown, when journald received
// it.
func (e *Entry) sent() time.Time { return cmp.Or(e.Sent, e.Time) }

// rest returns those of the lines held that belong to the wanted invocation, and drops
// the others.
func (o *orphans) rest() []Entry {
	own := slices.DeleteFunc(o.entries, func(e Entry) bool { return o.of[e.Boot] != o.id })
	for i := range own {
		own[i].Invocation = o.id
	}
	o.entries, o.size = nil, 0
	return own
}

// takeParts accepts the lines whose last part is missing as they are.
func (o *orphans) takeParts() {
	o.entries = slices.AppendSeq(o.entries, o.joiner.rest())
	o.joiner = joiner{}
}

// end returns what rest returns, at the end of the journal, where no more parts come.
func (o *orphans) end() []Entry {
	o.takeParts()
	return o.rest()
}

// lateBefore bounds how much earlier than the manager's verdict a late line can be
// dated. journald dates what it receives by the time at which it woke up.
const lateBefore = 250 * time.Millisecond

// orphansFrom returns the earliest time that late lines of the invocation can have; the
// zero time if it has not ended.
func (p *progress) orphansFrom() time.Time {
	if p.verdictSent.IsZero() {
		return p.verdictSent
	}
	if from := p.verdictSent.Add(-lateBefore); from.After(p.firstSent) {
		return from
	}
	return p.firstSent
}
