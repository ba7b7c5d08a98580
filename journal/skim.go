package journal

import (
	"cmp"
	"strconv"
	"time"
)

// fewEntries is the number of entries below which a run is read with one query.
const fewEntries = 200

// skim yields the entries of the invocation, except those that skipper skips. If there
// are many, it yields the lines of output last.
func (p *pass) skim(skipper Skipper) error {
	// For a short run, the queries take most of the time. So try to read it with one.
	var few []Entry
	var text []byte // of all their messages
	for e, err := range entries(p.ctx, p.b.read(p.ctx, p.s, p.s.whole(p.id), time.Time{}), p.s, p.id) {
		if err != nil {
			return err
		}
		from := len(text)
		text = append(text, e.Message...)
		e.Message = text[from:len(text):len(text)]
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
	split, err := first(p.ctx, p.b, p.s, match{p.s.of(Output, p.id, "_LINE_BREAK=line-max"), p.s.of(Output, p.id, "CONTAINER_PARTIAL_MESSAGE=true")})
	if err != nil {
		return err
	}
	if split.Invocation == p.id {
		// Parts of lines cannot be skipped, because their text alone does not show to
		// which line they belong.
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

// gaps records where lines were left out of a long run. The times of these lines still
// count for their processes: fill supplies them at the end.
type gaps struct {
	skipped int // lines left out so far
	seen    map[origin]*gap
	order   []origin
	many    bool // there are more than maxOrigins, so they are no longer distinguished

	// Lines come in bursts from one process.
	last     origin
	lastGaps [2]*gap // of that process, and of all processes with its identifier
}

// An origin is a writer of lines. PID 0 stands for all processes with the identifier.
type origin struct {
	identifier string
	pid        int
}

// A gap is how many lines, of whatever origin, were left out before the first and before
// the last line that was yielded of an origin. If more have been left out since, one of
// them may be the true last line of that origin.
type gap struct{ first, last int }

// maxOrigins bounds how many origins are looked up in the journal one by one. Each takes
// some tenths of a millisecond.
const maxOrigins = 500

// add notes that a line is yielded.
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

// fill yields, without text, the first and last lines of each origin that may be among
// the lines that were left out. At the end it yields the last line of all, whose Parts
// is the number of lines left out. The first line of all is never left out, because its
// process is not known before.
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
			continue // systemd gives each stream an identifier, and no match finds lines without one
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
