package journal

import (
	"cmp"
	"context"
	"errors"
	"time"
)

// A pass is one reading of one invocation of a unit.
type pass struct {
	ctx   context.Context
	b     backend
	s     selector
	id    ID
	yield func(Entry, error) bool
	// newest reports that the invocation is the latest, so that later starts
	// that were refused or not due are wanted, too.
	newest bool
	progress
	gaps gaps
}

// errStop ends a pass when the caller has seen enough.
var errStop = errors.New("stop")

// rereadEntries is the number of entries below which reading all of them again is faster
// than a query for the first one.
const rereadEntries = 50

// run yields the entries of the invocation, except those that skipper skips. It returns
// ErrIncomplete if entries of the invocation are missing from the journal.
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

// entry yields e. It returns errStop if the caller wants no more.
func (p *pass) entry(e Entry) error {
	p.add(e)
	if !p.yield(e, nil) {
		return errStop
	}
	return nil
}

// entries yields the entries of the invocation in rs.
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

// late yields the lines without an ID that belong to the invocation. On its way it meets
// lines of the invocation again, and returns the first of these. If the run is short, that
// is its very first line, which saves complete a query.
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
				continue // from another machine, which can have a unit of that name
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
