package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"strings"
	"time"
)

// journalctl reads the entries that m matches through the program, as a
// recording. It prints all fields: to choose more than a few of them takes it
// longer.
func (r Reader) journalctl(ctx context.Context, m match, more ...string) records {
	return func(yield func(*record, error) bool) {
		args := append([]string{"--output=export", "--no-pager", "--quiet", "--all"}, more...)
		if r.Dir != "" {
			args = append(args, "--directory="+r.Dir)
		}
		for i, and := range m {
			if i > 0 {
				args = append(args, "+")
			}
			args = append(args, and...)
		}
		ctx, cancel := context.WithCancel(ctx)
		cmd := exec.CommandContext(ctx, "journalctl", args...)
		cmd.Env = append(os.Environ(), "LC_ALL=C", "SYSTEMD_LOG_LEVEL=err")
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		stdout, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			cancel()
			if errors.Is(err, exec.ErrNotFound) {
				err = ErrUnavailable
			}
			yield(nil, err)
			return
		}
		// Killed if the loop ends early, then waited for.
		defer cmd.Wait()
		defer cancel()

		var broken error
		for rec, err := range readExport(stdout) {
			if err != nil {
				broken = err
				stdout.Close() // or it would wait for a reader
				break
			}
			if !yield(rec, nil) {
				return
			}
		}
		err = cmd.Wait()
		text, _, _ := strings.Cut(strings.TrimSpace(stderr.String()), "\n")
		switch cause := context.Cause(ctx); {
		case cause != nil:
			yield(nil, fmt.Errorf("journalctl: %w: %s", cause, text))
		case err != nil && text != "":
			yield(nil, fmt.Errorf("journalctl: %w: %s", err, text))
		case broken != nil:
			yield(nil, broken)
		// It exits with 1 if there is nothing to print, and says nothing.
		case err != nil && cmd.ProcessState.ExitCode() != 1:
			yield(nil, fmt.Errorf("journalctl: %w", err))
		}
	}
}

// journalctlEdges is edges through the program.
func (r Reader) journalctlEdges(ctx context.Context, edges ...edge) ([]mark, error) {
	marks := make([]mark, len(edges))
	for i, e := range edges {
		args := []string{"--reverse"}
		if e.first {
			args = nil
		}
		for rec, err := range r.journalctl(ctx, e.match, args...) {
			if err != nil {
				return nil, err
			}
			if marks[i] = r.markOf(rec); marks[i].id != (ID{}) {
				break
			}
		}
	}
	return marks, nil
}

// printed yields what journalctl prints of an invocation.
func (r Reader) printed(ctx context.Context, unit string, id ID, yield func(Entry, error) bool, read func(context.Context, string, ID) iter.Seq2[Entry, error]) {
	if id == (ID{}) {
		var err error
		if id, err = r.latest(ctx, unit, r.journalctlEdges); err != nil {
			yield(Entry{}, err)
			return
		}
	}
	var got reading
	for e, err := range read(ctx, unit, id) {
		got.add(e)
		if !yield(e, err) || err != nil {
			return
		}
	}
	ends := r.journalctlEdges
	if from := got.lateFrom(); !from.IsZero() {
		// Of a short run the same call tells whether its first line is still there.
		var first mark
		if got.entries < fewEntries && !got.line.IsZero() && got.line.Before(from) {
			from = got.line
		}
		rs := firstOf(r.journalctl(ctx, r.ofUnit(unit), since(from)), selector{unit, r.User}, id, &first)
		for e, err := range r.late(ctx, unit, id, got.boot, rs) {
			if !yield(e, err) || err != nil {
				return
			}
		}
		if first.id == id && first.time.Equal(got.line) {
			ends = func(context.Context, ...edge) ([]mark, error) { return []mark{first}, nil }
		}
	}
	if err := r.complete(ctx, unit, id, &got, ends); err != nil {
		yield(Entry{}, err)
	}
}

// since is the argument for what was received from t on.
func since(t time.Time) string {
	return fmt.Sprintf("--since=@%d.%06d", t.Unix(), t.Nanosecond()/1000)
}

// firstOf is rs, and sets first to the first line of the invocation.
func firstOf(rs records, s selector, id ID, first *mark) records {
	return func(yield func(*record, error) bool) {
		for rec, err := range rs {
			if err == nil && first.id == (ID{}) {
				if kind, of, ok := s.kind(rec); ok && kind == Output && of == id {
					*first = mark{of, usec(rec.usec)}
				}
			}
			if !yield(rec, err) {
				return
			}
		}
	}
}

// printedEntries are the entries of an invocation, in order.
func (r Reader) printedEntries(ctx context.Context, unit string, id ID) iter.Seq2[Entry, error] {
	return entries(ctx, r.journalctl(ctx, r.ofInvocation(unit, id)), selector{unit, r.User}, id)
}

// outputFields are what there is to know of a line, beside what it was asked for;
// each costs journalctl time.
const (
	outputFields = "--output-fields=MESSAGE,SYSLOG_IDENTIFIER,_PID,_COMM"
	splitFields  = ",_LINE_BREAK,_STREAM_ID"
)

// fewEntries is how many entries are so few that they are asked for at once.
const fewEntries = 200

// printedLines are the entries of an invocation, of a long one the lines last:
// journalctl is asked for less of these. It prints all lines, and when they were
// written, so none is left out.
func (r Reader) printedLines(ctx context.Context, unit string, id ID) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		s := selector{unit, r.User}
		// Most of the time that a short run takes is the start of journalctl.
		var few []Entry
		n := 0
		last := func(yield func(*record, error) bool) {
			for rec, err := range r.journalctl(ctx, r.ofInvocation(unit, id), fmt.Sprint("--lines=", fewEntries)) {
				n++
				if !yield(rec, err) {
					return
				}
			}
		}
		for e, err := range entries(ctx, last, s, id) {
			if err != nil {
				yield(e, err)
				return
			}
			e.Message = bytes.Clone(e.Message)
			few = append(few, e)
		}
		if n < fewEntries {
			for _, e := range few {
				if !yield(e, nil) {
					return
				}
			}
			return
		}

		for e, err := range entries(ctx, r.journalctl(ctx, r.notes(unit, id)), s, id) {
			if !yield(e, err) || err != nil {
				return
			}
		}
		fields := outputFields
		for _, err := range r.journalctl(ctx, match{r.output(unit, id, "_LINE_BREAK=line-max")}, "--lines=1") {
			if err != nil {
				yield(Entry{}, err)
				return
			}
			fields += splitFields
		}
		asked := func(yield func(*record, error) bool) {
			name, idText := []byte(unit), []byte(id.String())
			for rec, err := range r.journalctl(ctx, match{r.output(unit, id)}, fields) {
				if err == nil {
					rec.fields[fieldSystemdUnit], rec.fields[fieldSystemdUserUnit], rec.fields[fieldSystemdInvocation] = name, name, idText
				}
				if !yield(rec, err) {
					return
				}
			}
		}
		for e, err := range entries(ctx, asked, s, id) {
			if !yield(e, err) {
				return
			}
		}
	}
}
