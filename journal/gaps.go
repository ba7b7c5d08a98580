package journal

import (
	"cmp"
	"strconv"
	"time"
)

// gaps is where lines were left out of a long run. What is left out has a time and an
// author all the same: fill completes what was yielded.
type gaps struct {
	skipped int // lines, so far
	seen    map[origin]*gap
	order   []origin
	many    bool // more origins than maxOrigins: they are not told apart any more

	// Lines come in bursts of one process.
	last     origin
	lastGaps [2]*gap // of that process, and of all with its identifier
}

// An origin is who wrote lines. PID 0 is any process.
type origin struct {
	identifier string
	pid        int
}

// A gap is how many lines had been left out before the first and before the last line
// of an origin.
type gap struct{ first, last int }

// maxOrigins bounds for how many origins the journal is asked one by one. It takes the
// journal some tenths of a millisecond to answer.
const maxOrigins = 500

// add takes a line into account that is yielded.
func (g *gaps) add(e *Entry) {
	if g.many {
		return
	}
	if len(g.order) > maxOrigins {
		*g = gaps{skipped: g.skipped, many: true}
		return
	}
	o := origin{e.Identifier, e.PID}
	if g.lastGaps[0] == nil || o != g.last {
		g.last, g.lastGaps = o, [2]*gap{g.of(o), g.of(origin{identifier: e.Identifier})}
	}
	g.lastGaps[0].last, g.lastGaps[1].last = g.skipped, g.skipped
}

func (g *gaps) of(o origin) *gap {
	at := g.seen[o]
	if at == nil {
		if g.seen == nil {
			g.seen = make(map[origin]*gap)
		}
		at = &gap{first: g.skipped}
		g.seen[o] = at
		g.order = append(g.order, o)
	}
	return at
}

// fill yields, without their texts, the first and the last lines of each origin of
// which there may be earlier or later ones among those that were left out, and then the
// last of all, which stands for the lines that were left out. The first of all has been
// yielded: who wrote it is not known before.
func (p *pass) fill() error {
	if p.gaps.skipped == 0 {
		return nil
	}
	if p.gaps.many {
		if err := p.times(); err != nil {
			return err
		}
	}
	edge := func(o origin, which func(match) (Entry, error), parts int) error {
		var more []string
		if o.identifier != "" {
			more = append(more, "SYSLOG_IDENTIFIER="+o.identifier)
		}
		if o.pid != 0 {
			more = append(more, "_PID="+strconv.Itoa(o.pid))
		}
		e, err := which(match{p.s.of(Output, p.id, more...)})
		switch {
		case err != nil:
			return err
		case e.Invocation != p.id:
			return ErrIncomplete // deleted since it was read
		}
		e.Message, e.Lost, e.Parts = nil, false, parts
		if !p.yield(e, nil) {
			return errStop
		}
		return nil
	}
	first := func(m match) (Entry, error) { return first(p.ctx, p.b, p.s, m) }
	last := func(m match) (Entry, error) { return last(p.ctx, p.b, p.s, m) }
	for _, o := range p.gaps.order {
		at := p.gaps.seen[o]
		if o.identifier == "" {
			continue // systemd gives each stream one, and no match asks for lines without
		}
		if at.first > 0 {
			if err := edge(o, first, 0); err != nil {
				return err
			}
		}
		if at.last < p.gaps.skipped {
			if err := edge(o, last, 0); err != nil {
				return err
			}
		}
	}
	return edge(origin{}, last, p.gaps.skipped)
}

// times yields every line of the invocation without its text.
func (p *pass) times() error {
	for rec, err := range p.b.read(p.ctx, p.s, match{p.s.of(Output, p.id)}, time.Time{}) {
		if err := cmp.Or(err, p.ctx.Err()); err != nil {
			return err
		}
		e := rec.entry(Output, p.id)
		e.Message, e.Lost, e.Parts = nil, false, 0
		if !p.yield(e, nil) {
			return errStop
		}
	}
	return nil
}
