package parser

import (
	"bytes"
	"errors"
	"iter"
	"slices"
	"time"
)

// A Collector sorts the lines of a log into processes. The zero Collector is ready
// to use. It remembers restic processes and source names but no lines, so its
// memory does not grow with the length of the log. Of other processes it
// remembers only the most recent ones.
type Collector struct {
	lines     int
	processes []*state          // that printed a line that may be restic's
	current   map[origin]*state // the last process of each origin; nil while there are few
	strangers strangers
	line      line // the line being read
	spans     []Span
	spanOf    map[string]int // of all but the first few

	// Lines come in bursts from one process, so what was looked up for the last
	// line is kept for the next.
	from     origin
	last     *state   // nil if the last line was a stranger's
	stranger stranger // the writer of the last line if last is nil, else zero

	alone bool // no process but the last has a result that a line about a file could discard
}

// An origin is who writes a line. The source is the index of its span.
type origin struct{ source, pid int }

// Add reads the next line. It returns nil for lines that are not restic's. Its
// only error is a *SyntaxError, which is about that line alone: the caller may
// go on.
//
// A line that is earlier than those already added moves the start of its process
// and of its span back. A line without text only updates times. Use such lines
// to add the times of the first and last lines that were skipped (see
// [Collector.Skip]).
func (c *Collector) Add(l Line) error {
	c.lines++
	c.alone = false
	if len(c.spans) == 0 || c.from.pid != l.PID || c.spans[c.from.source].Source != l.Source {
		c.lookUp(&l)
	}
	s := c.last
	span := &c.spans[c.from.source]
	widen(&span.Start, &span.End, l.Time)

	text := trim(l.Text)
	item := isItem(text)
	// restic itself prints no colours, and most lines of strangers cannot have a form.
	if l.PID == 0 || !l.Restic && !item && (s != nil || mayHaveForm(text)) && bytes.IndexByte(text, escape) >= 0 {
		text = trim(visible(text, l.PID == 0))
		item = isItem(text)
	}
	var f *form
	if s == nil {
		if s, f = c.meet(&l, text, item); s == nil {
			return nil
		}
	}
	if len(text) == 0 || s.reportsProgress(text) {
		widen(&s.process.Start, &s.process.End, l.Time)
		return nil
	}
	s.known = s.known || l.Restic
	c.line.number = c.lines
	if item { // most lines of a verbose backup
		widen(&s.process.Start, &s.process.End, l.Time)
		s.last = 0
		if !s.names.item {
			s.item()
		}
		return nil
	}
	if f == nil {
		f = c.line.find(text, l.Time, s.process.Command)
	}
	if s.stream && s.echo(text, l.Time, f) {
		widen(&s.process.Start, &s.process.End, l.Time)
		return nil
	}
	if s.begins(f) {
		before := s
		s = c.start(&l)
		s.follows(before, f)
	}
	widen(&s.process.Start, &s.process.End, l.Time)
	if err := s.add(text, f); err != nil {
		s.restic = true
		s.process.SyntaxErrors++
		return &SyntaxError{Line: c.lines, Text: string(text[:min(len(text), 256)]), Err: err}
	}
	return nil
}

// widen extends the time from start to end to include t.
func widen(start, end *time.Time, t time.Time) {
	if t != *end { // often they are equal: journald reads several lines at once
		extend(start, end, t)
	}
}

func extend(start, end *time.Time, t time.Time) {
	switch {
	case t.After(*end):
		if start.IsZero() {
			*start = t
		}
		*end = t
	case t.Before(*start) && !t.IsZero():
		*start = t
	}
}

// Skip reports whether the caller may leave out a line, because [Collector.Add]
// would only update the times of its process and span. This is so for most lines
// about single files and about progress. Skip counts the line if it returns true.
//
// It serves callers for whom it is expensive to look up who wrote a line, and
// when. Skip calls pid, which returns the line's process, only if the text alone
// is not enough. A process that logged nothing but lines about single files may
// go unnoticed.
func (c *Collector) Skip(text []byte, pid func() int) bool {
	s := c.last
	if s == nil || s.process.PID == 0 || s.names.ended {
		return false
	}
	text = trim(text)
	switch {
	case len(text) == 0:
		return false
	case isItem(text):
		// The line shows that what looked like the end of its backup was not. If it
		// matters whether the line is from the last process, look that up.
		if !s.names.item || !c.othersSettled() && pid() != s.process.PID {
			return false
		}
	case s.reportsProgress(text):
		if pid() != s.process.PID {
			return false
		}
	default:
		return false
	}
	c.lines++
	return true
}

// othersSettled reports whether no process but the last has a result that a line about a
// file could discard. This holds until the next line is added.
func (c *Collector) othersSettled() bool {
	if c.alone {
		return true
	}
	for _, s := range c.processes {
		if s != c.last && s.restic && !s.names.item {
			return false
		}
	}
	c.alone = true
	return true
}

// lookUp finds the process and the span of a line. It adds the span if it is new.
func (c *Collector) lookUp(l *Line) {
	i := slices.IndexFunc(c.spans[:min(len(c.spans), few)], func(s Span) bool { return s.Source == l.Source })
	if i < 0 {
		var ok bool
		if i, ok = c.spanOf[l.Source]; !ok {
			i = c.addSpan(l)
		}
	}
	if c.stranger.line > 0 {
		c.strangers.put(c.from, c.stranger)
	}
	c.from = origin{i, l.PID}
	c.last, c.stranger = c.processOf(c.from), stranger{}
}

// few is the number of spans, and of processes, that are looked for one by one: a log
// seldom has more.
const few = 8

// processOf returns the last process of an origin; nil if there is none.
func (c *Collector) processOf(from origin) *state {
	if c.current != nil {
		return c.current[from]
	}
	for _, s := range slices.Backward(c.processes) {
		if s.origin() == from {
			return s
		}
	}
	return nil
}

func (c *Collector) addSpan(l *Line) int {
	i := len(c.spans)
	c.spans = append(c.spans, Span{Source: l.Source, Start: l.Time, End: l.Time})
	if i == few {
		c.spanOf = make(map[string]int)
	}
	if i >= few {
		c.spanOf[l.Source] = i
	}
	return i
}

// meet reads a line of a stranger. If the line may be restic's, it returns a new
// process, else nil. It also returns the form of the line if it had to look for it.
func (c *Collector) meet(l *Line, text []byte, item bool) (s *state, f *form) {
	known := &c.stranger
	if known.line == 0 {
		*known = c.strangers.take(c.from)
	}
	if known.line == 0 {
		*known = stranger{line: c.lines, start: l.Time, end: l.Time}
	}
	widen(&known.start, &known.end, l.Time)
	if !l.Restic && !item {
		if len(text) == 0 {
			return nil, nil
		}
		if f = c.line.find(text, l.Time, ""); f == nil {
			// The first line of a restic process is always recognized. So this
			// is the output of several programs.
			known.stream = true
			return nil, nil
		}
	}
	s = c.start(l)
	s.first, s.stream, s.process.Start, s.process.End = known.line, s.stream || known.stream, known.start, known.end
	*known = stranger{}
	return s, f
}

// start adds a new process for the writer of l.
func (c *Collector) start(l *Line) *state {
	s := &state{line: &c.line, span: c.from.source, first: c.lines, stream: l.PID == 0}
	p := &s.process
	p.Source, p.PID, p.Start, p.End = l.Source, l.PID, l.Time, l.Time
	c.processes = append(c.processes, s)
	switch {
	case c.current != nil:
		c.current[c.from] = s
	case len(c.processes) > few:
		c.current = make(map[origin]*state)
		for _, s := range c.processes {
			c.current[s.origin()] = s
		}
	}
	c.last = s
	return s
}

func (s *state) origin() origin { return origin{s.span, s.process.PID} }

// Processes returns the restic processes so far, by first line. It may be called at
// any time. A process without an ID that has only named missing sources may not be
// restic: its Command is "".
func (c *Collector) Processes() []Process {
	var processes []Process
	for i, s := range c.sorted() {
		if (s.restic || s.misheard() || s.lastWords() != CauseNone || s.process.PID == 0 && s.backup.missing > 0) && !s.again(c.processes) {
			processes = append(slices.Grow(processes, len(c.processes)-i), s.result())
		}
	}
	return processes
}

// sorted returns the processes by their first lines.
func (c *Collector) sorted() []*state {
	slices.SortStableFunc(c.processes, func(a, b *state) int { return a.first - b.first })
	return c.processes
}

// Spans returns one Span per Source so far, by first line.
func (c *Collector) Spans() []Span { return slices.Clone(c.spans) }

// Parse reads the output of one restic process, or of several that ran one after
// the other. Use [bytes.Lines] to make its argument. The error joins every
// *SyntaxError; the processes are valid regardless.
func Parse(lines iter.Seq[[]byte]) ([]Process, error) {
	var c Collector
	var errs []error
	for line := range lines {
		if err := c.Add(Line{Text: line}); err != nil {
			errs = append(errs, err)
		}
	}
	return c.Processes(), errors.Join(errs...)
}
