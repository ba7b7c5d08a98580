package invocation

import (
	"fmt"
	"regexp"
	"slices"

	"github.com/restic-exporter/restic-exporter/journal"
	"github.com/restic-exporter/restic-exporter/parser"
)

// A collector sorts the lines of a run by process.
type collector struct {
	parser.Collector
	options Options
	restics map[origin]bool // processes known to be restic itself
	relays  map[string]bool // sources with a program that forwards what others print
	prefix  prefix
}

// An origin identifies a process in the way the parser does.
type origin struct {
	source string
	pid    int
}

// known reports whether p is known to be restic itself.
func (c *collector) known(p parser.Process) bool { return c.restics[origin{p.Source, p.PID}] }

// relayed reports whether a program forwarded the lines of p.
func (c *collector) relayed(p parser.Process) bool { return c.relays[p.Source] }

// Skip implements [journal.Skipper]. A verbose restic prints a line for each file. To
// look up who wrote each of these lines, and when, takes longer than all the rest.
func (c *collector) Skip(text []byte, pid func() int) bool {
	return c.options.Strip == nil && c.Collector.Skip(text, pid)
}

func (c *collector) add(e journal.Entry) {
	text := e.Message
	s := speakerOf(e)
	switch {
	case s == namer, slices.Contains(c.options.Ignore, e.Identifier):
		text = nil // only the time counts
	case s == restic && !c.restics[origin{e.Identifier, e.PID}]:
		if c.restics == nil {
			c.restics = make(map[origin]bool)
		}
		c.restics[origin{e.Identifier, e.PID}] = true
	case s == passer && !c.relays[e.Identifier] && relays(e):
		if c.relays == nil {
			c.relays = make(map[string]bool)
		}
		c.relays[e.Identifier] = true
	}
	if c.options.Strip != nil {
		text = stripped(text, c.options.Strip)
	} else if s != restic {
		c.prefix.add(text)
	}
	err := c.Add(parser.Line{Source: e.Identifier, PID: author(s, e.PID), Restic: s == restic, Time: e.Time, Text: text})
	if err == nil || c.options.Warn == nil {
		return
	}
	if e.Identifier != "" {
		err = fmt.Errorf("process %d of %s: %w", e.PID, e.Identifier, err)
	}
	c.options.Warn(err)
}

// stripped returns text without what strip matches at its beginning. docker compose puts
// control sequences before its prefix, so it removes them if strip does not match at first.
func stripped(text []byte, strip *regexp.Regexp) []byte {
	for _, text := range [][]byte{text, parser.Bare(text)} {
		if at := strip.FindIndex(text); at != nil && at[0] == 0 {
			return text[at[1]:]
		}
	}
	return text
}
