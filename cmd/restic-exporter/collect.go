package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"strings"
	"syscall"
	"time"

	"github.com/restic-exporter/restic-exporter/journal"
	"github.com/restic-exporter/restic-exporter/parser"
	"github.com/restic-exporter/restic-exporter/textfile"
)

// warnings is how many lines that cannot be read are told one by one.
const warnings = 5

// collect is where journal, parser and textfile meet.
func (p *program) collect(ctx context.Context, from journal.Source, o options, id journal.ID, where string) (textfile.Report, journal.Verdict, error) {
	var (
		r       textfile.Report
		verdict journal.Verdict
		lines   parser.Collector
		bad     int
		lost    int
	)
	missing := fmt.Errorf("no invocation of %s %s%s", o.unit, where, hint(o))
	idle := uint64(0)
	all := entries(ctx, from, o.unit, id, func(message []byte, pid func() int) bool {
		if !lines.Skip(message, pid) {
			return false
		}
		idle++
		return true
	})
	for e, err := range all {
		switch {
		case errors.Is(err, journal.ErrNotFound):
			return r, verdict, missing
		case err != nil:
			return r, verdict, readError(o, where, err)
		}
		id = e.Invocation
		if e.Kind == journal.Output && e.Identifier == "restic-exporter" {
			continue // what an exporter says is no part of the run
		}
		// journald can take a line before the manager's word that the unit starts. The
		// manager's last words have an earlier time only if the clock was set back,
		// and ExecStopPost= is called before them.
		if r.Start.IsZero() || e.Kind == journal.Output && e.Time.Before(r.Start) {
			r.Start = e.Time
		}
		if e.Time.After(r.End) {
			r.End = e.Time
		}
		r.Entries += uint64(e.Parts)
		r.Dropped += e.Dropped
		verdict.Add(e)
		switch {
		case e.Kind != journal.Output:
			continue
		case e.Lost:
			lost++
		}
		if err := lines.Add(parser.Line{Source: e.Identifier, PID: author(e), Time: e.Time, Text: e.Message}); err != nil {
			if bad++; bad <= warnings {
				p.say("warning", "%s: process %d of %s: %v", o.unit, e.PID, e.Identifier, err)
			}
		}
	}
	if r.Entries == 0 {
		return r, verdict, missing
	}
	r.Processes, r.Spans = lines.Processes(), lines.Spans()
	if r.Entries += idle; idle > 0 {
		if err := extend(ctx, from.(journal.Reader), o.unit, id, &r); err != nil {
			return r, verdict, readError(o, where, err)
		}
	}
	if bad > warnings {
		p.say("warning", "%s: %d more lines could not be read", o.unit, bad-warnings)
	}
	if lost > 0 && o.log != "" {
		p.say("warning", "%s lacks the text of %d lines: record with journalctl -o export, or -o json --all", o.log, lost)
	}
	return r, verdict, nil
}

// entries returns those of an invocation, of the latest for the zero ID. A
// verbose restic prints a line for each file: to ask the journal who wrote each
// of these, and when, takes longer than all the rest, so lines that are idle are
// left out where that saves anything.
func entries(ctx context.Context, from journal.Source, unit string, id journal.ID, idle func([]byte, func() int) bool) iter.Seq2[journal.Entry, error] {
	if reader, ok := from.(journal.Reader); ok {
		return reader.Skim(ctx, unit, id, idle)
	}
	if id == (journal.ID{}) {
		latest, err := from.Latest(ctx, unit)
		if err != nil {
			return func(yield func(journal.Entry, error) bool) { yield(journal.Entry{}, err) }
		}
		id = latest
	}
	return from.Entries(ctx, unit, id)
}

// extend moves the ends of what r holds to where they are with the lines that
// were skimmed over.
func extend(ctx context.Context, reader journal.Reader, unit string, id journal.ID, r *textfile.Report) error {
	of := []journal.Origin{{}}
	for _, run := range r.Processes {
		of = append(of, journal.Origin{Identifier: run.Source, PID: run.PID})
	}
	for _, span := range r.Spans {
		of = append(of, journal.Origin{Identifier: span.Source})
	}
	extents, err := reader.Extents(ctx, unit, id, of)
	if err != nil {
		return err
	}
	if extents[0].First.IsZero() {
		return journal.ErrIncomplete // deleted since it was read
	}
	move := func(start, end *time.Time, x journal.Extent) {
		if !x.First.IsZero() && x.First.Before(*start) {
			*start = x.First
		}
		if x.Last.After(*end) {
			*end = x.Last
		}
	}
	move(&r.Start, &r.End, extents[0])
	for i := range r.Processes {
		move(&r.Processes[i].Start, &r.Processes[i].End, extents[1+i])
	}
	for i := range r.Spans {
		move(&r.Spans[i].Start, &r.Spans[i].End, extents[1+len(r.Processes)+i])
	}
	return nil
}

func hint(o options) string {
	switch {
	case o.invocation != (journal.ID{}):
		return fmt.Sprintf(" has the ID %s: journalctl _SYSTEMD_INVOCATION_ID=%s shows what there is", o.invocation, o.invocation)
	case o.log != "":
		return ": name the unit with --unit, or record it with journalctl -o export -u " + o.unit
	case o.user:
		return ": has it run, and is it one of this user's units?"
	}
	return ": has it run, and is the name right? A user's unit is asked for with --user"
}

func readError(o options, where string, err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("reading %s %s: %w; run as root or as a user in the group systemd-journal", o.unit, where, err)
	case errors.Is(err, syscall.EBADMSG):
		return fmt.Errorf("reading %s %s: %w: a journal file is damaged; journalctl --verify tells which", o.unit, where, err)
	case errors.Is(err, journal.ErrIncomplete):
		return fmt.Errorf("reading %s %s: %w; give the journal more room with SystemMaxUse= in journald.conf, and let the manager say what it starts with LogLevel=info in system.conf", o.unit, where, err)
	case errors.Is(err, journal.ErrUnavailable):
		return fmt.Errorf("reading %s %s: %w; install systemd's journalctl, or libsystemd0", o.unit, where, err)
	}
	return fmt.Errorf("reading %s %s: %w", o.unit, where, err)
}

// isRestic reports whether a command name is that of restic's own program, also
// as its releases are named, such as "restic_0.19.1_l": it is cut to 15 bytes.
func isRestic(comm string) bool {
	rest, ok := strings.CutPrefix(comm, "restic")
	if !ok || rest == "" {
		return ok
	}
	if strings.ContainsRune("-_.", rune(rest[0])) {
		rest = rest[1:]
	}
	rest = strings.TrimPrefix(rest, "v")
	return rest != "" && rest[0] >= '0' && rest[0] <= '9'
}

// author returns the process that printed the line, or 0 if it was passed on by
// another, such as tee: then several restics share one process ID.
func author(e journal.Entry) int {
	if e.Comm != "" && !isRestic(e.Comm) {
		return 0
	}
	return e.PID
}
