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

// A journalctl reads a journal through the program of that name. The zero journalctl
// reads the journal of this machine.
type journalctl struct{ from []string } // flags that select the journal

// openJournalctl calls f with the journal of r. If r has a namespace, withDefault says
// whether to add the default journal to that of the namespace.
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

// escapeGlob returns a pattern that matches only name.
func escapeGlob(name string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(name)
}

// journalctlPaths are the places where the program can be. $PATH is not used, because
// a less trusted caller may have set it.
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

// skim asks for fewer fields of each line. It leaves no lines out, because that would
// save no time.
func (c journalctl) skim(ctx context.Context, s selector, id ID, _ skipFunc) records {
	return c.print(ctx, match{s.of(Output, id)}, "--output-fields=MESSAGE,SYSLOG_IDENTIFIER,_PID,_COMM,_EXE,MESSAGE_ID")
}

// print runs the program and reads the entries that it prints. They have all fields,
// because journalctl takes longer to select more than a few of them.
func (c journalctl) print(ctx context.Context, m match, more ...string) records {
	return func(yield func(*record, error) bool) {
		args := append([]string{"--output=export", "--all"}, more...)
		for i, and := range m.present() {
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

// run runs the program, and calls read with its output. If read returns an error, run
// stops the program.
func (c journalctl) run(ctx context.Context, args []string, read func(io.Reader) error) error {
	args = slices.Concat([]string{"--no-pager", "--quiet"}, c.from, args)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var stderr bytes.Buffer
	cmd, stdout, err := startJournalctl(ctx, args, &stderr)
	if err != nil {
		return err
	}
	// If read has seen enough, kill the program, then wait for it.
	defer cmd.Wait()
	defer cancel()

	broken := read(stdout)
	if broken == errStop {
		return broken
	}
	if broken != nil {
		stdout.Close() // so that the program does not wait for a reader
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
	// It exits with 1, without a message, if there is nothing to print.
	case err != nil && cmd.ProcessState.ExitCode() != 1:
		return fmt.Errorf("journalctl: %w", err)
	}
	return nil
}

// startJournalctl starts the program with a fixed environment, because a less trusted
// caller may have set ours.
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
