package journal

import "time"

// A progress records what shows whether all entries of an invocation have been read.
// Times are when journald received an entry, or when the manager sent it.
type progress struct {
	count                          int
	firstLine, lastLine, firstNote time.Time // received; a note is an entry of the manager or journald

	starting       bool      // the manager has reported that it starts the unit
	started, ended time.Time // received: the reports that the unit has started, and that it ends

	firstSent, startedSent, verdictSent time.Time // sent: the manager's first entry, that the unit has started, its verdict
	boot                                ID
}

func (p *progress) add(e Entry) {
	p.count++
	if e.Kind == Output {
		if p.firstLine.IsZero() {
			p.firstLine = e.Time
		}
		p.lastLine = e.Time
		return
	}
	if p.firstNote.IsZero() {
		p.firstNote = e.Time
	}
	if e.Kind == Manager && p.firstSent.IsZero() {
		p.firstSent, p.boot = e.sent(), e.Boot
	}
	switch e.Event {
	case EventStarting:
		p.starting = true
	case EventStarted:
		// This leaves out "Finished", which systemd 252 reports of a oneshot unit: it
		// may come before the last lines.
		if e.Result == "" {
			p.started, p.startedSent = e.Time, e.sent()
		}
	case EventExited, EventStopping:
		p.ended = e.Time
	case EventFailed, EventSucceeded:
		p.ended, p.verdictSent = e.Time, e.sent()
	case EventSkipped:
		p.verdictSent = e.sent()
	}
}

// begun reports whether the beginning was read. That is the manager's report that it
// starts the unit or, for Type=simple, that it has started it.
func (p *progress) begun() bool {
	// For a oneshot unit, "Started" is the last message of an old manager. For a simple
	// one, journald can receive lines before it.
	simple := !p.started.IsZero() && (p.lastLine.After(p.started) || p.ended.After(p.started) ||
		!p.firstLine.Before(p.startedSent.Add(-lateBefore)))
	return p.starting || simple || p.firstLine.IsZero()
}

// complete returns ErrIncomplete if a part of the invocation is missing. Its beginning
// must have been read, and its first line must still be in the journal. If journald
// deletes a file, a reader of that file sees an early end and no error. But journald
// deletes the oldest file first: so if the first line is still there, nothing was
// deleted during the read.
func (p *pass) complete(again Entry) error {
	if !p.begun() {
		return ErrIncomplete
	}
	m, began := match{p.s.of(Output, p.id), p.s.of(lastWords, p.id)}, p.firstLine
	if began.IsZero() {
		m, began = p.s.notes(p.id), p.firstNote
	}
	if began.IsZero() || again.Invocation == p.id && again.Time.Equal(began) {
		return nil
	}
	again, err := first(p.ctx, p.b, p.s, m)
	if err == nil && (again.Invocation == (ID{}) || again.Time.After(began)) {
		err = ErrIncomplete
	}
	return err
}
