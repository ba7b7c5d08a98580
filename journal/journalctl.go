package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// journalctl reads the entries that m matches through the program, as a
// recording.
func (r Reader) journalctl(ctx context.Context, m match, more ...string) records {
	return func(yield func(*record, error) bool) {
		args := append([]string{
			"--output=export", "--no-pager", "--quiet", "--all",
			"--output-fields=" + strings.Join(fieldNames[:], ","),
		}, more...)
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

// skimAll is skim through the program, which prints every field of every entry:
// nothing is won but what the caller does not look at.
func (r Reader) skimAll(ctx context.Context, unit string, id ID, idle func([]byte, func() int) bool, yield func(Entry, error) bool) {
	s := selector{unit, r.User}
	for e, err := range entries(ctx, r.journalctl(ctx, r.ofInvocation(unit, id)), s, id) {
		if err == nil && e.Kind == Output && e.Parts == 1 && idle(e.Message, func() int { return e.PID }) {
			continue
		}
		if !yield(e, err) {
			return
		}
	}
}
