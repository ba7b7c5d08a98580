package journal

import (
	"context"
	"time"
)

// A reading is what of the entries of an invocation tells whether they are all.
type reading struct {
	entries        int
	line, note     time.Time // of the unit's first line, of the first word about it
	last           time.Time // of the unit's last line
	starting       bool
	started, ended time.Time // by the manager's words
	begin, over    time.Time // when the manager sent its first word, and its verdict
	boot           ID
}

func (r *reading) add(e Entry) {
	r.entries++
	if e.Kind == Output {
		if r.line.IsZero() {
			r.line = e.Time
		}
		r.last = e.Time
		return
	}
	if r.note.IsZero() {
		r.note = e.Time
	}
	if e.Kind == Manager && r.begin.IsZero() {
		r.begin, r.boot = e.sent(), e.Boot
	}
	switch e.Event {
	case EventStarting:
		r.starting = true
	case EventStarted:
		// "Finished", which systemd 252 says of a oneshot unit, may come before
		// the last lines.
		if e.Result == "" {
			r.started = e.Time
		}
	case EventExited:
		r.ended = e.Time
	case EventFailed, EventSucceeded:
		r.ended, r.over = e.Time, e.sent()
	case EventSkipped:
		r.over = e.sent()
	}
}

// begun reports whether the beginning was read: the manager says that it starts
// the unit, or, of a simple one, that it has started it.
func (r *reading) begun() bool {
	// Of a oneshot unit the manager says last that it has started it.
	simple := !r.started.IsZero() && (r.last.After(r.started) || r.ended.After(r.started))
	return r.starting || simple || r.line.IsZero()
}

// complete returns ErrIncomplete unless all of an invocation was read: the
// beginning, and what was read first is in the journal still, after the last has
// been read. A file that journald deletes seems to end for who reads it. The
// oldest goes first, so as long as the first line is there all were.
func (r Reader) complete(ctx context.Context, unit string, id ID, read *reading, ends ends) error {
	if !read.begun() {
		return ErrIncomplete
	}
	first, began := edge{match: match{r.output(unit, id)}, first: true}, read.line
	if began.IsZero() {
		first.match, began = r.notes(unit, id), read.note
	}
	if began.IsZero() {
		return nil
	}
	marks, err := ends(ctx, first)
	if err == nil && (marks[0].id == (ID{}) || marks[0].time.After(began)) {
		err = ErrIncomplete
	}
	return err
}
