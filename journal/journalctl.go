package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A journalctl reads a journal through the program. The zero journalctl reads that of
// this machine.
type journalctl struct{ from []string } // flags that say which journal

// openJournalctl calls f with the journal of r, of a namespace with the default one or
// alone.
func (r Reader) openJournalctl(withDefault bool, f func(backend) error) error {
	switch {
	case r.File != "":
		return f(journalctl{[]string{"--file=" + escapeGlob(r.File)}})
	case r.Namespace == "" && r.Dir == "":
		return f(journalctl{})
	case r.Namespace == "":
		return f(journalctl{[]string{"--directory=" + r.Dir}})
	}
	files, err := r.files(withDefault)
	switch {
	case err != nil:
		return err
	case r.Dir == "" && withDefault:
		return f(journalctl{[]string{"--namespace=+" + r.Namespace}})
	case r.Dir == "":
		return f(journalctl{[]string{"--namespace=" + r.Namespace}})
	}
	var c journalctl
	for _, name := range files {
		c.from = append(c.from, "--file="+escapeGlob(name))
	}
	return f(c)
}

// escapeGlob returns a pattern that matches name alone.
func escapeGlob(name string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(name)
}

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
		args := append([]string{"--output=export", "--all"}, more...)
		for i, and := range m {
			if i > 0 {
				args = append(args, "+")
			}
			args = append(args, and...)
		}
		err := c.run(ctx, args, func(stdout io.Reader) error {
			for rec, err := range readExport(stdout) {
				if err != nil {
					return err
				}
				if !yield(rec, nil) {
					return errStop
				}
			}
			return nil
		})
		if err != nil && err != errStop {
			yield(nil, err)
		}
	}
}

func (c journalctl) head(ctx context.Context) (t time.Time, number uint64, err error) {
	err = c.run(ctx, []string{"--output=export"}, func(stdout io.Reader) error {
		for line, err := range lines(stdout) {
			if err != nil {
				return err
			}
			name, value, _ := strings.Cut(strings.TrimSuffix(string(line), "\n"), "=")
			switch name {
			case cursor:
				_, number = parseCursor(value)
			case realtime: // it comes after the cursor
				n, _ := strconv.ParseUint(value, 10, 64)
				t = usec(n)
				return errStop
			}
		}
		return nil
	})
	if err == errStop {
		err = nil
	}
	return t, number, err
}

func (c journalctl) values(ctx context.Context, field string) (values []string, err error) {
	err = c.run(ctx, []string{"--field=" + field}, func(stdout io.Reader) error {
		for line, err := range lines(stdout) {
			if err != nil {
				return err
			}
			values = append(values, string(bytes.TrimSuffix(line, []byte("\n"))))
		}
		return nil
	})
	return values, err
}

// run hands what the program prints to read. If that ends with an error, the program is
// stopped.
func (c journalctl) run(ctx context.Context, args []string, read func(io.Reader) error) error {
	args = slices.Concat([]string{"--no-pager", "--quiet"}, c.from, args)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var stderr bytes.Buffer
	cmd, stdout, err := startJournalctl(ctx, args, &stderr)
	if err != nil {
		return err
	}
	// Killed if read has seen enough, then waited for.
	defer cmd.Wait()
	defer cancel()

	broken := read(stdout)
	if broken == errStop {
		return broken
	}
	if broken != nil {
		stdout.Close() // or it would wait for a reader
	}
	err = cmd.Wait()
	text, _, _ := strings.Cut(strings.TrimSpace(stderr.String()), "\n")
	switch cause := context.Cause(ctx); {
	case cause != nil:
		return fmt.Errorf("journalctl: %w: %s", cause, text)
	case err != nil && text != "":
		return fmt.Errorf("journalctl: %w: %s", err, text)
	case broken != nil:
		return broken
	// It exits with 1 if there is nothing to print, and says nothing.
	case err != nil && cmd.ProcessState.ExitCode() != 1:
		return fmt.Errorf("journalctl: %w", err)
	}
	return nil
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
