package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/restic-exporter/restic-exporter/invocation"
	"github.com/restic-exporter/restic-exporter/journal"
)

// A source is the place to read runs from.
type source struct {
	journal.Source
	name  string // for messages
	close func()
}

// source opens the journal, or LOG.
func (p *program) source(o options) (source, error) {
	if o.log == "" {
		r := journal.Reader{Dir: o.dir, User: o.user, Namespace: o.namespace}
		if st, err := os.Stat(o.dir); err == nil && !st.IsDir() {
			r.Dir, r.File = "", o.dir
		}
		return source{r, "the journal", func() {}}, nil
	}
	name := o.log
	var file *os.File
	var err error
	if o.log == "-" {
		name = "standard input"
		file, err = spool(p.stdin)
	} else {
		file, err = openLog(o.log)
	}
	if err != nil {
		return source{}, fmt.Errorf("reading LOG: %w", err)
	}
	recording, err := journal.OpenRecording(file)
	if err != nil {
		file.Close()
		return source{}, fmt.Errorf("reading %s: %w", name, err)
	}
	recording.User = o.user
	return source{recording, name, func() { file.Close() }}, nil
}

func openLog(name string) (*os.File, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	st, err := file.Stat()
	switch {
	case err != nil:
	case st.IsDir():
		err = fmt.Errorf("%s is a directory; journal files in a directory are read with --journal %s", name, name)
	case st.Mode().IsRegular():
		return file, nil
	}
	defer file.Close()
	if err != nil {
		return nil, err
	}
	return spool(file)
}

// spool copies a stream to a temporary file, because a recording is read twice: only its
// end shows which run is the latest.
func spool(r io.Reader) (*os.File, error) {
	file, err := os.CreateTemp("", "restic-exporter-")
	if err != nil {
		return nil, err
	}
	os.Remove(file.Name())
	if _, err := io.Copy(file, r); err != nil {
		file.Close()
		return nil, err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		file.Close()
		return nil, err
	}
	return file, nil
}

// warnings is how many unreadable lines are reported one by one.
const warnings = 5

// read reads the run, and warns if something is missing from its log.
func (p *program) read(ctx context.Context, from source, o options) (*invocation.Run, error) {
	bad := 0
	run, err := invocation.Read(ctx, from.Source, o.unit, o.invocation, invocation.Options{
		Strip:  o.strip,
		Ignore: o.identifiers("cleanup"), // its script prints names of files
		Getenv: p.getenv,
		Warn: func(err error) {
			if prefix, ok := errors.AsType[*invocation.PrefixError](err); ok {
				p.say("warning", "%s: no backup was understood, because a wrapper puts a prefix before restic's lines: use --strip '%v'",
					o.unit, prefix.Strip)
				return
			}
			if bad++; bad <= warnings {
				p.say("warning", "%s: %v", o.unit, err)
			}
		},
	})
	if err != nil {
		return nil, err
	}
	if bad > warnings {
		p.say("warning", "%s: %d more lines could not be read", o.unit, bad-warnings)
	}
	if run.Lost > 0 {
		p.say("warning", "%s lacks the text of %d lines: record with journalctl -o export, or -o json --all", from.name, run.Lost)
	}
	if run.Dropped > 0 {
		p.say("warning", "journald dropped %d lines of %s: raise its limit with LogRateLimitIntervalSec=1s and LogRateLimitBurst=100000000 in the unit",
			run.Dropped, o.unit)
	}
	return run, nil
}

// explain adds to an error of reading what the user can do about it.
func (o options) explain(err error, name string) error {
	where := "in " + name
	switch {
	case errors.Is(err, journal.ErrNotFound):
		return fmt.Errorf("no invocation of %s %s%s", o.unit, where, o.hint())
	case errors.Is(err, invocation.ErrRunning) && o.log != "":
		return fmt.Errorf("%s ends before the run does: %w; record it again when the run has ended", name, err)
	case errors.Is(err, invocation.ErrRunning):
		return fmt.Errorf("%w; run this again when it has ended, or from ExecStopPost= of the unit", err)
	}
	cure := ""
	switch {
	case errors.Is(err, fs.ErrPermission):
		cure = "; run as root or as a user in the group systemd-journal"
	case errors.Is(err, context.DeadlineExceeded):
		cure = fmt.Sprintf("; one call has %v for all its units", readTimeout)
	case errors.Is(err, syscall.EBADMSG):
		cure = ": a journal file is damaged; journalctl --verify names it"
	case errors.Is(err, journal.ErrIncomplete):
		cure = "; give the journal more room with SystemMaxUse= in journald.conf, " +
			"and make the manager report what it starts with LogLevel=info in system.conf"
	case errors.Is(err, journal.ErrUnavailable):
		cure = "; install systemd's journalctl, or libsystemd0"
	}
	of := o.unit
	if of == "" {
		of = "units"
	}
	return fmt.Errorf("reading %s %s: %w%s", of, where, err, cure)
}

func (o options) hint() string {
	switch {
	case o.invocation != (journal.ID{}):
		return fmt.Sprintf(" has the ID %s: journalctl _SYSTEMD_INVOCATION_ID=%s shows what there is", o.invocation, o.invocation)
	case o.log != "":
		return ": name the unit with --unit, or record it with journalctl -o export -u " + o.unit
	case o.user:
		return ": has it run, and is it one of this user's units?"
	}
	return ": has it run, and is the name right? For a user's unit add --user"
}
