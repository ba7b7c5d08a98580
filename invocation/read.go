package invocation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"

	"github.com/restic-exporter/restic-exporter/journal"
	"github.com/restic-exporter/restic-exporter/parser"
)

// Read returns the run of unit with the given ID. In the local journal, unit may be
// an alias.
//
// The zero ID means the run that the caller is a command or a handler of, according
// to [Options.Getenv]; if there is none, it means the latest run. That may be a start
// that the manager refused. What Getenv says counts only if it is about the run that
// is read, and the journal does not contradict it.
//
// Read first waits until journald has written down what it has received (see
// [journal.Reader.Sync]). Give ctx a deadline to bound the wait.
//
// Read returns [journal.ErrNotFound] if the source has nothing of the run,
// [journal.ErrIncomplete] if the beginning of the run is missing, [ErrRunning] if
// the run has not ended, and [ErrSkipped] if a condition of the unit prevented the
// start.
func Read(ctx context.Context, from journal.Source, unit string, id journal.ID, o Options) (*Run, error) {
	reader, local := from.(journal.Reader)
	local = local && reader.Dir == "" && reader.File == ""
	if local {
		unit = UnitName(unit, reader.User)
	}
	told := none
	if local && o.Getenv != nil {
		told = environment(unit, reader.User, o.Getenv)
	}
	if id != (journal.ID{}) && id != told.id {
		told = none // it is about another run
	}
	if namespace := o.namespace(reader, told); namespace != "" {
		reader.Namespace = namespace
		from = reader
	}
	var present journal.ID
	known := false
	if local && reader.User {
		present, known = presentRun(unit)
	}
	if err := sync(ctx, from, unit); err != nil {
		return nil, err
	}

	// In a handler, read the latest run first. If the manager has refused a start
	// since the last run, it gives the handler the ID of that run all the same.
	latest := id == (journal.ID{}) && !told.inside
	if told.inside {
		id = told.id
	}
	r, v, err := read(ctx, from, unit, id, o)
	if errors.Is(err, syscall.EBADMSG) && local {
		// journald may have deleted a file during the read.
		r, v, err = read(ctx, from, unit, id, o)
	}
	if latest && told.id != (journal.ID{}) && (err != nil || r.ID != told.id && v.refused.IsZero()) {
		id = told.id
		r, v, err = read(ctx, from, unit, id, o) // the next run has begun
	}
	if err == nil && len(r.Spans) == 0 && r.ID != (journal.ID{}) {
		r, v, err = readNamespace(ctx, from, r, v, id, o)
	}
	if err != nil {
		return nil, err
	}
	if latest && !v.refused.IsZero() {
		r.refuse(v.refused)
		return r, nil
	}
	if recording, ok := from.(*journal.Recording); ok && recording.Plain() && len(r.Processes) == 0 {
		return nil, fmt.Errorf("%w: nothing in it is restic's; want %s", journal.ErrFormat, journal.Formats)
	}
	if known && present != r.ID && v.endedQuietly() {
		v.result = journal.Success
	}
	err = r.judge(v, told, local)
	if h, ok := from.(host); ok && errors.Is(err, ErrRunning) {
		over, bootErr := rebooted(ctx, h, v)
		switch {
		case bootErr != nil:
			err = bootErr
		case over:
			// The machine sends the last words of a boot before the first of the next, but
			// perhaps not before the read.
			if r, v, err = read(ctx, from, unit, r.ID, o); err == nil {
				if err = r.judge(v, told, local); errors.Is(err, ErrRunning) {
					r.Outcome, err = Killed, nil
				}
			}
		}
	}
	if err != nil {
		return nil, err
	}
	if r.Outcome == Succeeded && r.Dropped == 0 {
		r.Unparsed += unended(r.Processes)
		// Of backups at once in one stream it does not show which lines are whose.
		r.Processes = slices.DeleteFunc(r.Processes, func(p parser.Process) bool { return lost(&p) && passedOn(&p) })
	}
	if told.inside && v.result == "" {
		r.End = time.Now().UTC() // the manager gives its verdict later
	}
	return r, nil
}

// A host is a source that has the journal of a host of a store. Boot returns the boot in
// which that machine was last.
type host interface {
	Host() string
	Boot(context.Context) (journal.ID, error)
}

// rebooted reports whether the machine of a run without a verdict has been rebooted since.
func rebooted(ctx context.Context, from host, v *verdict) (bool, error) {
	last, err := from.Boot(ctx)
	return v.boot != (journal.ID{}) && last != (journal.ID{}) && last != v.boot, err
}

// unended counts the commands of a successful run whose end was not understood. It
// leaves out backups that did not share their process: every way in which they end is
// known, so such a one was killed.
func unended(processes []parser.Process) (n uint64) {
	for _, p := range processes {
		if lost(&p) && passedOn(&p) || p.Unfinished && p.Command != parser.CommandBackup {
			n++
		}
	}
	return n
}

// lost reports whether p is a backup that began, and did not end.
func lost(p *parser.Process) bool { return p.Unfinished && p.Command == parser.CommandBackup }

func sync(ctx context.Context, from journal.Source, unit string) error {
	if err := from.Sync(ctx, unit); err != nil {
		return fmt.Errorf("waiting until journald has written everything down: %w", err)
	}
	return nil
}

// namespace returns the journal namespace of a unit if the caller is a command of it:
// systemd sets it in the environment. A handler has a namespace of its own.
func (o Options) namespace(reader journal.Reader, told told) string {
	if !told.inside || reader.Namespace != "" {
		return ""
	}
	name := o.Getenv("LOG_NAMESPACE") // since systemd 246
	if !slices.Contains(reader.Namespaces(), name) {
		return ""
	}
	return name
}

// readNamespace takes a run without any line of output, which may have logged into a
// journal namespace. If so, readNamespace reads it again with the journal of that
// namespace. If not, it returns the run as it is.
func readNamespace(ctx context.Context, from journal.Source, r *Run, v *verdict, id journal.ID, o Options) (*Run, *verdict, error) {
	reader, ok := from.(journal.Reader)
	if !ok || reader.Namespace != "" || reader.User {
		return r, v, nil
	}
	namespace, err := reader.NamespaceOf(ctx, r.Unit, r.ID, r.Start)
	if err != nil || namespace == "" {
		return r, v, err
	}
	reader.Namespace = namespace
	if err := sync(ctx, reader, r.Unit); err != nil {
		return r, v, err
	}
	return read(ctx, reader, r.Unit, id, o)
}

// read reads the entries of a run. A recording can be the output of several runs, and
// nothing but that: then it is read once more from where the last run begins.
func read(ctx context.Context, from journal.Source, unit string, id journal.ID, o Options) (*Run, *verdict, error) {
	if _, ok := from.(*journal.Recording); !ok {
		r, v, _, err := readFrom(ctx, from, unit, id, o, 1)
		return r, v, err
	}
	quiet := o
	quiet.Warn = nil
	r, v, last, err := readFrom(ctx, from, unit, id, quiet, 1)
	warn := o.Warn != nil && err == nil && (r.Unparsed > 0 || !slices.ContainsFunc(r.Processes, telling))
	if last > 1 || warn {
		r, v, _, err = readFrom(ctx, from, unit, id, o, last)
	}
	return r, v, err
}

// readFrom reads the entries of a run without its first lines of output. It returns the
// number of the line with which the last run begins.
func readFrom(ctx context.Context, from journal.Source, unit string, id journal.ID, o Options, first int) (*Run, *verdict, int, error) {
	r := &Run{Unit: unit}
	if h, ok := from.(host); ok {
		r.Host = h.Host()
	}
	v := new(verdict)
	lines := collector{options: o}
	line := 0
	for e, err := range from.Skim(ctx, unit, id, &lines) {
		if err != nil {
			return nil, v, 1, err
		}
		if e.Kind == journal.Output && e.Identifier == exporter && bytes.HasPrefix(e.Message, []byte(exporter+": ")) {
			continue // this program's own messages are not part of the run
		}
		later := r.ID != (journal.ID{}) && e.Invocation == (journal.ID{}) && e.Kind == journal.Manager
		if !v.add(e) || later {
			continue // about a later start
		}
		if e.Kind == journal.Output {
			if line++; line < first {
				continue
			}
		}
		r.ID = e.Invocation
		r.heard(e, v)
		if e.Kind == journal.Output {
			lines.add(e)
		}
	}
	if r.Entries == 0 && v.refused.IsZero() {
		return nil, v, 1, journal.ErrNotFound
	}
	r.Processes, r.Spans = join(believed(lines.Processes(), lines.known, lines.relayed)), lines.Spans()
	for _, p := range r.Processes {
		r.Unparsed += uint64(p.SyntaxErrors)
	}
	if o.Warn != nil && o.Strip == nil {
		if err := lines.prefix.missing(ctx, r, from, id, o); err != nil {
			o.Warn(err)
		}
	}
	last := 1
	if v.entries == 0 && r.ID == (journal.ID{}) {
		last = lines.LastRun()
	}
	return r, v, last, nil
}

// exporter is the identifier of this program, which runs within the unit.
const exporter = "restic-exporter"

// heard adds e to the times and the counts of the run.
func (r *Run) heard(e journal.Entry, v *verdict) {
	// journald can receive a line before the manager's "Starting". The manager's
	// own messages do not move the start: they can be earlier only if the clock
	// was set back.
	if r.Start.IsZero() || e.Kind == journal.Output && e.Time.Before(r.Start) {
		r.Start = e.Time
	}
	// The verdict ends the run, even if journald receives more lines after it.
	if e.Time.After(r.End) && (e.Kind == journal.Manager || v.result == "") {
		r.End = e.Time
	}
	r.Entries += uint64(e.Parts)
	r.Dropped += e.Dropped
	if e.Lost {
		r.Lost++
	}
}

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
	if strip := c.options.Strip; strip == nil {
		if s != restic {
			c.prefix.add(text)
		}
	} else if at := strip.FindIndex(text); at != nil && at[0] == 0 {
		text = text[at[1]:]
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
