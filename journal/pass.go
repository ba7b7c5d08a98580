package journal

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"time"
)

// A pass reads one invocation of a unit, once.
type pass struct {
	ctx   context.Context
	b     backend
	s     selector
	id    ID
	yield func(Entry, error) bool
	// newest reports that the invocation is the latest, and that starts after it that
	// came to nothing are wanted.
	newest bool
	progress
	gaps gaps
}

// errStop is what a pass ends with when the caller has seen enough.
var errStop = errors.New("stop")

const (
	// fewEntries is how many entries are so few that they are asked for at once.
	fewEntries = 200
	// rereadEntries is how many are so few that to read them again takes less time than
	// to ask for the first.
	rereadEntries = 50
)

// run hands on all entries; with skip, all but those that may be left out. It returns
// ErrIncomplete unless they are all of the invocation.
func (p *pass) run(skipper Skipper) (err error) {
	if skipper == nil {
		err = p.entries(p.b.read(p.ctx, p.s, p.s.whole(p.id), time.Time{}))
	} else {
		err = p.skim(skipper)
	}
	if err != nil {
		return err
	}
	again, err := p.late()
	if err != nil {
		return err
	}
	return p.complete(again)
}

// entry hands e on. It returns errStop if that was enough.
func (p *pass) entry(e Entry) error {
	p.add(e)
	if !p.yield(e, nil) {
		return errStop
	}
	return nil
}

// entries hands on what rs hold of the invocation.
func (p *pass) entries(rs records) error {
	for e, err := range entries(p.ctx, rs, p.s, p.id) {
		if err != nil {
			return err
		}
		if err := p.entry(e); err != nil {
			return err
		}
	}
	return nil
}

// skim hands on the entries of the invocation, of a long one the lines last.
func (p *pass) skim(skipper Skipper) error {
	// Most of the time that a short run takes is to ask.
	var few []Entry
	for e, err := range entries(p.ctx, p.b.read(p.ctx, p.s, p.s.whole(p.id), time.Time{}), p.s, p.id) {
		if err != nil {
			return err
		}
		e.Message = bytes.Clone(e.Message)
		if few = append(few, e); len(few) == fewEntries {
			break
		}
	}
	if len(few) < fewEntries {
		for _, e := range few {
			if err := p.entry(e); err != nil {
				return err
			}
		}
		return nil
	}

	if err := p.entries(p.b.read(p.ctx, p.s, p.s.notes(p.id), time.Time{})); err != nil {
		return err
	}
	split, err := first(p.ctx, p.b, p.s, match{p.s.of(Output, p.id, "_LINE_BREAK=line-max")})
	if err != nil {
		return err
	}
	if split.Invocation == p.id {
		// Which line a part belongs to takes more than its text.
		return p.entries(p.b.read(p.ctx, p.s, match{p.s.of(Output, p.id)}, time.Time{}))
	}
	skip := func(text []byte, pid func() int) bool {
		if !skipper.Skip(text, pid) {
			return false
		}
		p.gaps.skipped++
		return true
	}
	for rec, err := range p.b.skim(p.ctx, p.s, p.id, skip) {
		if err := cmp.Or(err, p.ctx.Err()); err != nil {
			return err
		}
		e := rec.entry(Output, p.id)
		p.gaps.add(&e)
		if err := p.entry(e); err != nil {
			return err
		}
	}
	return p.fill()
}

// late hands on the lines that came late. It returns the first line of the run that it
// came across: of a short run that is the first of all, so that nobody need ask for it.
func (p *pass) late() (again Entry, err error) {
	from := p.orphansFrom()
	if from.IsZero() {
		if p.newest {
			err = p.refused(cmp.Or(p.firstSent, p.firstLine))
		}
		return again, err
	}
	if p.count+p.gaps.skipped < rereadEntries && !p.firstLine.IsZero() && p.firstLine.Before(from) {
		from = p.firstLine
	}
	orphans := orphans{id: p.id, of: map[ID]ID{p.boot: p.id}}
	some := false
	for rec, err := range p.b.read(p.ctx, p.s, p.s.any(), from) {
		if err := cmp.Or(err, p.ctx.Err()); err != nil {
			return again, err
		}
		kind, of, ok := p.s.kind(rec)
		if !ok {
			continue
		}
		if kind == Output && of == p.id && again.Invocation == (ID{}) {
			again = Entry{Time: usec(rec.usec), Invocation: of}
		}
		e := rec.entry(kind, of)
		if of == (ID{}) && kind == Manager {
			if p.newest && e.notStarted() && !e.sent().Before(p.verdictSent) && !p.yield(e, nil) {
				return again, errStop
			}
			continue
		}
		if of == (ID{}) || kind == Manager {
			if e.Boot != p.boot {
				continue // other machines can have a unit of that name
			}
			for _, own := range orphans.add(e, rec) {
				if !p.yield(own, nil) {
					return again, errStop
				}
			}
		}
		if some = some || of == p.id; some && kind == Manager && of != p.id {
			break
		}
	}
	for _, own := range orphans.end() {
		if !p.yield(own, nil) {
			return again, errStop
		}
	}
	return again, nil
}

// complete returns ErrIncomplete unless all of an invocation was read: the beginning,
// and what was read first is in the journal still, after the last has been read. A file
// that journald deletes seems to end for who reads it. The oldest goes first, so as
// long as the first line is there all were.
func (p *pass) complete(again Entry) error {
	if !p.begun() {
		return ErrIncomplete
	}
	m, began := match{p.s.of(Output, p.id)}, p.firstLine
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
