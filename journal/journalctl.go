package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
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

		for rec, err := range readExport(stdout) {
			if err != nil && stderr.Len() > 0 {
				break // journalctl says more of it
			}
			if !yield(rec, err) || err != nil {
				return
			}
		}
		if err := cmd.Wait(); err != nil {
			text, _, _ := strings.Cut(strings.TrimSpace(stderr.String()), "\n")
			if cause := context.Cause(ctx); cause != nil {
				err = cause
			}
			// It exits with 1 if there is nothing to print, and says nothing.
			if text != "" || ctx.Err() != nil {
				yield(nil, fmt.Errorf("journalctl: %w: %s", err, text))
			}
		}
	}
}

// journalctlEdges is edges through the program.
func (r Reader) journalctlEdges(ctx context.Context, edges []edge) ([]mark, error) {
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

// outputFields are what there is to know of a line, beside what it was asked for;
// each costs journalctl time.
const (
	outputFields = "--output-fields=MESSAGE,SYSLOG_IDENTIFIER,_PID,_COMM"
	splitFields  = ",_LINE_BREAK,_STREAM_ID"
)

// skimAll is skim through the program: it prints all lines, and when they were
// written, so none is left out.
func (r Reader) skimAll(ctx context.Context, unit string, id ID, yield func(Entry, error) bool) {
	if id == (ID{}) {
		var err error
		if id, err = r.Latest(ctx, unit); err != nil {
			yield(Entry{}, err)
			return
		}
	}
	s := selector{unit, r.User}
	for e, err := range entries(ctx, r.journalctl(ctx, r.notes(unit, id)), s, id) {
		if !yield(e, err) || err != nil {
			return
		}
	}
	output := match{r.output(unit, "_SYSTEMD_INVOCATION_ID="+id.String())}
	fields := outputFields
	for _, err := range r.journalctl(ctx, match{append(slices.Clone(output[0]), "_LINE_BREAK=line-max")}, "--lines=1") {
		if err != nil {
			yield(Entry{}, err)
			return
		}
		fields += splitFields
	}
	asked := func(yield func(*record, error) bool) {
		name, idText := []byte(unit), []byte(id.String())
		for rec, err := range r.journalctl(ctx, output, fields) {
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
