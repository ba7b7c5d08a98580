package parser

import (
	"bytes"
	"errors"
	"iter"
	"slices"
	"time"
)

// A Collector sorts the lines of a log into processes. The zero Collector is ready
// to use. It remembers restic's processes and names, never lines: memory does not grow
// with the length of the log. Of other processes it remembers the latest.
type Collector struct {
	lines     int
	processes []*state // of which something may be restic's
	current   map[origin]*state
	strangers strangers
	line      line // of a stranger
	spans     []Span
	spanOf    map[string]int

	// The log's lines come in bursts of one process: what the last line needed
	// serves most next ones.
	from     origin
	last     *state    // nil if it was a stranger's
	stranger *stranger // or nil
	lastSpan int

	alone bool // no process but the last has anything that a file's line could refute
}

type origin struct {
	source string
	pid    int
}

// Add reads the next line. It returns nil for lines that are not restic's. A
// *SyntaxError costs that line alone: the caller may go on.
//
// A line whose time is before those of lines already added moves the start of
// its process and of its span back. A line without text only moves times: with
// it the first and last of lines that were skipped can be added at the end.
func (c *Collector) Add(l Line) error {
	c.lines++
	c.alone = false
	if len(c.spans) == 0 || c.from.pid != l.PID || c.from.source != l.Source {
		c.lookUp(origin{l.Source, l.PID}, l.Time)
	}
	s := c.last
	span := &c.spans[c.lastSpan]
	widen(&span.Start, &span.End, l.Time)

	text := trim(visible(l.Text, l.PID == 0))
	if s == nil {
		if s = c.meet(l, text); s == nil {
			return nil
		}
	}
	if len(text) == 0 {
		widen(&s.process.Start, &s.process.End, l.Time)
		return nil
	}
	s.known = s.known || l.Restic
	var f *form
	if !isItem(text) {
		f = s.line.find(text, l.Time, s.process.Command)
	}
	if s.begins(f) {
		before := s
		s = c.start(c.from, l.Time)
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

// widen moves start and end apart so that t lies between them.
func widen(start, end *time.Time, t time.Time) {
	if t.After(*end) {
		*end = t
	}
	if start.IsZero() || t.Before(*start) && !t.IsZero() {
		*start = t
	}
}

// Skip reports whether [Collector.Add] of a line with this text would do nothing
// but move the times of a process and of a span: the line is one of many about single
// files, or about progress. If so it counts as a line, and need not be added.
//
// It is for those to whom it costs to find out who wrote a line, and when: pid
// is called only where the text alone does not tell. Not promised is that a
// process is noticed of which nothing was logged but lines about single files.
func (c *Collector) Skip(text []byte, pid func() int) bool {
	s := c.last
	if s == nil || s.process.PID == 0 || s.names.ended {
		return false
	}
	text = trim(text)
	switch {
	case len(text) == 0 || bytes.IndexByte(text, escape) >= 0:
		return false
	case isItem(text):
		// The line refutes what looked like the end of its process. If that
		// can be another process than the last, it must be known which it is.
		if !s.names.item || !c.othersSettled() && pid() != s.process.PID {
			return false
		}
	case s.process.Command != "" && has(text, `{"message_type":"status",`), s.restic && has(text, `{"message_type":"verbose_status",`):
		if pid() != s.process.PID {
			return false
		}
	default:
		return false
	}
	c.lines++
	return true
}

// othersSettled reports whether no process but the last can be refuted. It
// holds until the next line is added.
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

// lookUp finds the process and the span of lines from o, or makes the span.
func (c *Collector) lookUp(o origin, t time.Time) {
	if c.current == nil {
		c.current = make(map[origin]*state)
		c.spanOf = make(map[string]int)
	}
	i, ok := c.spanOf[o.source]
	if !ok {
		i = len(c.spans)
		c.spans = append(c.spans, Span{Source: o.source, Start: t, End: t})
		c.spanOf[o.source] = i
	}
	c.from, c.last, c.stranger, c.lastSpan = o, c.current[o], nil, i
}

// meet takes a line of a stranger. It returns the process if the line may be restic's.
func (c *Collector) meet(l Line, text []byte) *state {
	if c.stranger == nil {
		c.stranger = c.strangers.get(c.from, c.lines, l.Time)
	}
	known := c.stranger
	widen(&known.start, &known.end, l.Time)
	if !l.Restic {
		switch {
		case len(text) == 0:
			return nil
		case !isItem(text) && c.line.find(text, l.Time, "") == nil:
			// restic's own first line is restic's, so this is the output of
			// several programs.
			known.stream = true
			return nil
		}
	}
	c.strangers.forget(c.from)
	s := c.start(c.from, l.Time)
	s.first, s.stream, s.process.Start, s.process.End = known.line, s.stream || known.stream, known.start, known.end
	return s
}

func (c *Collector) start(o origin, t time.Time) *state {
	s := &state{first: c.lines, stream: o.pid == 0, process: Process{Source: o.source, PID: o.pid, Start: t, End: t}}
	c.processes = append(c.processes, s)
	c.current[o] = s
	c.last = s
	return s
}

// Processes returns the restic processes so far, by first line. It may be called at
// any time.
func (c *Collector) Processes() []Process {
	slices.SortStableFunc(c.processes, func(a, b *state) int { return a.first - b.first })
	var processes []Process
	for _, s := range c.processes {
		if s.restic && !s.again(c.processes) {
			processes = append(processes, s.result())
		}
	}
	return processes
}

// Spans returns one Span per Source so far, by first line.
func (c *Collector) Spans() []Span { return slices.Clone(c.spans) }

// Parse reads the output of restic, be it of one process or of several one
// after the other; [bytes.Lines] makes a suitable argument. The error joins
// every *SyntaxError; the processes are valid regardless.
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
