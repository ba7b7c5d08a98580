package parser

import (
	"bytes"
	"errors"
	"iter"
	"slices"
	"time"
)

// A Collector sorts the lines of a log into processes. The zero Collector is ready
// to use. It remembers processes and names, never lines: memory does not grow
// with the length of the log.
type Collector struct {
	lines     int
	processes []*process // by first line
	current   map[origin]*process
	spans     []Span
	spanOf    map[string]int

	// The log's lines come in bursts of one process: what the last line needed
	// serves most next ones.
	last     *process
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
	p := c.last
	if p == nil || p.run.PID != l.PID || p.run.Source != l.Source {
		p = c.lookUp(l)
	}
	span := &c.spans[c.lastSpan]
	widen(&span.Start, &span.End, l.Time)

	text := trim(l.Text)
	if l.PID == 0 && p.begins(text) {
		p = c.start(origin{l.Source, l.PID}, l.Time)
	}
	widen(&p.run.Start, &p.run.End, l.Time)
	if err := p.add(text, l.Time); err != nil {
		p.run.SyntaxErrors++
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
	p := c.last
	if p == nil || p.run.PID == 0 || p.ended {
		return false
	}
	text = trim(text)
	switch {
	case len(text) == 0:
		return false
	case isItem(text):
		// The line refutes what looked like the end of its process. If that
		// can be another process than the last, it must be known which it is.
		if !p.clean || !c.othersSettled() && pid() != p.run.PID {
			return false
		}
	case has(text, `{"message_type":"status",`), p.restic && has(text, `{"message_type":"verbose_status",`):
		if pid() != p.run.PID {
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
	for _, p := range c.processes {
		if p != c.last && p.restic && !p.clean {
			return false
		}
	}
	c.alone = true
	return true
}

// lookUp finds the process and the span of l, or makes them.
func (c *Collector) lookUp(l Line) *process {
	if c.current == nil {
		c.current = make(map[origin]*process)
		c.spanOf = make(map[string]int)
	}
	i, ok := c.spanOf[l.Source]
	if !ok {
		i = len(c.spans)
		c.spans = append(c.spans, Span{Source: l.Source, Start: l.Time, End: l.Time})
		c.spanOf[l.Source] = i
	}
	c.lastSpan = i
	p, ok := c.current[origin{l.Source, l.PID}]
	if !ok {
		return c.start(origin{l.Source, l.PID}, l.Time)
	}
	c.last = p
	return p
}

func (c *Collector) start(o origin, t time.Time) *process {
	p := &process{run: Process{Source: o.source, PID: o.pid, Start: t, End: t}}
	c.processes = append(c.processes, p)
	c.current[o] = p
	c.last = p
	return p
}

// Processes returns the restic processes so far, by first line. It may be called at
// any time.
func (c *Collector) Processes() []Process {
	var runs []Process
	for _, p := range c.processes {
		if p.restic {
			runs = append(runs, p.result())
		}
	}
	return runs
}

// Spans returns one Span per Source so far, by first line.
func (c *Collector) Spans() []Span { return slices.Clone(c.spans) }

// Parse reads the output of restic, be it of one process or of several one
// after the other; [bytes.Lines] makes a suitable argument. The error joins
// every *SyntaxError; the runs are valid regardless.
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

// trim cuts what surrounds a line: its newline, the padding of restic's sizes,
// and the control characters that restic sends before a signal's line.
func trim(text []byte) []byte {
	for len(text) > 0 {
		switch text[len(text)-1] {
		case '\n', '\r', ' ', '\t':
			text = text[:len(text)-1]
			continue
		}
		break
	}
	if len(text) > 0 && (text[0] == '\x1b' || text[0] == '\r') {
		text = bytes.TrimPrefix(bytes.TrimPrefix(text, []byte("\x1b[2K")), []byte("\r"))
	}
	return text
}
