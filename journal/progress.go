package journal

import "time"

// A progress is what of the entries of an invocation tells whether they are all.
type progress struct {
	count                          int
	firstLine, lastLine, firstNote time.Time // received; a note is a word about the unit

	starting       bool      // the manager has said that it starts the unit
	started, ended time.Time // received: that it has started it, and that it ends

	firstSent, startedSent, verdictSent time.Time // when the manager sent its first word, that it has started the unit, its verdict
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
		// "Finished", which systemd 252 says of a oneshot unit, may come before
		// the last lines.
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

// begun reports whether the beginning was read: the manager says that it starts
// the unit, or, of a simple one, that it has started it.
func (p *progress) begun() bool {
	// Of a oneshot unit an old manager says last that it has started it. The lines of a
	// simple one can reach journald before that word.
	simple := !p.started.IsZero() && (p.lastLine.After(p.started) || p.ended.After(p.started) ||
		!p.firstLine.Before(p.startedSent.Add(-lateBefore)))
	return p.starting || simple || p.firstLine.IsZero()
}
