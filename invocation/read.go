package invocation

import (
	"bytes"
	"context"
	"fmt"
	"slices"
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
	q := newRequest(from, unit, id, o)
	if err := sync(ctx, q.from, q.unit); err != nil {
		return nil, err
	}
	r, v, err := q.find(ctx)
	switch {
	case err != nil:
		return nil, err
	case q.wantsLatest() && !v.refused.IsZero():
		r.refuse(v.refused)
		return r, nil
	}
	if recording, ok := q.from.(*journal.Recording); ok && recording.Plain() && len(r.Processes) == 0 {
		return nil, fmt.Errorf("%w: nothing in it is restic's; want %s", journal.ErrFormat, journal.Formats)
	}
	if q.linked && q.present != r.ID && v.endedQuietly() {
		v.result = journal.Success
	}
	r, err = q.judge(ctx, r, v)
	if err != nil {
		return nil, err
	}
	if r.Outcome == Succeeded && r.Dropped == 0 {
		r.Unparsed += unended(r.Processes)
		// If backups ran at once in one stream, nothing shows which lines belong to which.
		r.Processes = slices.DeleteFunc(r.Processes, func(p parser.Process) bool { return lost(&p) && passedOn(&p) })
	}
	if q.told.inside && v.result == "" {
		r.End = time.Now().UTC() // the manager gives its verdict later
	}
	return r, nil
}

// unended counts the commands of a successful run whose end was not understood. It
// leaves out backups that did not share their process: every way in which these end is
// known, so one without an end was killed.
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

// readFrom reads the entries of a run, and of its output the lines from number first on.
// It also returns the number of the line with which the last run in the output begins.
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
