package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os/exec"
	"strings"
	"time"
)

// A journalctl reads a journal through the program. The zero journalctl reads that of
// this machine.
type journalctl struct{ dir string }

// journalctlPaths are where the program is: who calls us may have set $PATH.
var journalctlPaths = []string{"/usr/bin/journalctl", "/bin/journalctl"}

func (c journalctl) read(ctx context.Context, _ selector, m match, since time.Time) records {
	if since.IsZero() {
		return c.print(ctx, m)
	}
	return c.print(ctx, m, fmt.Sprintf("--since=@%d.%06d", since.Unix(), since.Nanosecond()/1000))
}

func (c journalctl) backwards(ctx context.Context, _ selector, m match) records {
	return c.print(ctx, m, "--reverse")
}

// skim asks for less of each line. It leaves none out, for nothing would be won.
func (c journalctl) skim(ctx context.Context, s selector, id ID, _ skipFunc) records {
	return c.print(ctx, match{s.of(Output, id)}, "--output-fields=MESSAGE,SYSLOG_IDENTIFIER,_PID,_COMM,_EXE,MESSAGE_ID")
}

// print reads what the program prints, a recording. It prints all fields: to choose
// more than a few of them takes it longer.
func (c journalctl) print(ctx context.Context, m match, more ...string) records {
	return func(yield func(*record, error) bool) {
		args := append([]string{"--output=export", "--no-pager", "--quiet", "--all"}, more...)
		if c.dir != "" {
			args = append(args, "--directory="+c.dir)
		}
		for i, and := range m {
			if i > 0 {
				args = append(args, "+")
			}
			args = append(args, and...)
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		var stderr bytes.Buffer
		cmd, stdout, err := startJournalctl(ctx, args, &stderr)
		if err != nil {
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

// startJournalctl starts the program with an environment of its own: who calls us may
// be less trusted than we are.
func startJournalctl(ctx context.Context, args []string, stderr *bytes.Buffer) (*exec.Cmd, io.ReadCloser, error) {
	for _, path := range journalctlPaths {
		cmd := exec.CommandContext(ctx, path, args...)
		cmd.Env = []string{"LC_ALL=C", "SYSTEMD_LOG_LEVEL=err"}
		cmd.Stderr = stderr
		stdout, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return cmd, stdout, err
		}
	}
	return nil, nil, ErrUnavailable
}
