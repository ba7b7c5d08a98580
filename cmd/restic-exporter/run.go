package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/restic-exporter/restic-exporter/journal"
	"github.com/restic-exporter/restic-exporter/textfile"
)

// version is that of the next release; the revision tells one build from
// another.
const version = "0.1.0"

type build struct{ version, revision, goVersion string }

func buildInfo() build {
	b := build{version, "unknown", runtime.Version()}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				b.revision = s.Value[:min(len(s.Value), 12)]
			}
		}
	}
	return b
}

// A program is the command and what surrounds it.
type program struct {
	getenv         func(string) string
	stdin          io.Reader
	stdout, stderr io.Writer
	build          build
}

// syncTimeout is how long journald may take to write down what it has
// received. Behind a long backlog on a busy machine it took 15 s.
const syncTimeout = 75 * time.Second

// run returns the exit status: 0 once the metrics are written, 1 if they could
// not be, 2 for wrong usage.
func (p *program) run(ctx context.Context, args []string) int {
	o, err := parseFlags(args)
	switch {
	case err != nil:
		p.say("error", "%v; restic-exporter --help tells what there is", err)
		return 2
	case o.help:
		fmt.Fprintf(p.stdout, usage, strings.Join(directories, "\n  "))
		return 0
	case o.version:
		fmt.Fprintf(p.stdout, "restic-exporter %s (revision %s, %s)\n", p.build.version, p.build.revision, p.build.goVersion)
		return 0
	}
	if err := p.export(ctx, o); err != nil {
		p.say("error", "%v", err)
		return 1
	}
	return 0
}

// say prints a line. Its voices are error and warning. What stands in a log or a
// name cannot reach a terminal as more than text.
func (p *program) say(voice, format string, args ...any) {
	line := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return utf8.RuneError
		}
		return r
	}, strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", "; "))
	fmt.Fprintf(p.stderr, "restic-exporter: %s: %s\n", voice, line)
}

func (p *program) export(ctx context.Context, o options) error {
	// Where to write is known before anything is read.
	output, err := o.target()
	if err != nil {
		return err
	}
	var r textfile.Report
	if o.log != "" {
		r, err = p.readLog(ctx, o)
	} else {
		r, err = p.readJournal(ctx, o)
	}
	if errors.Is(err, errSkipped) {
		return nil
	}
	if err != nil {
		return err
	}
	r.Unit, r.Labels, r.Actions, r.MaxAge = o.unit, o.labels, o.actions, o.maxAge
	r.Version, r.Revision, r.GoVersion = p.build.version, p.build.revision, p.build.goVersion
	if r.Dropped > 0 {
		p.say("warning", "journald dropped %d lines of %s: lift its limit with LogRateLimitIntervalSec=1s and LogRateLimitBurst=100000000 in the unit", r.Dropped, o.unit)
	}

	if output == "-" {
		return textfile.Encode(p.stdout, r.Families(nil))
	}
	unreadable, err := r.WriteFile(output)
	if err != nil {
		return fmt.Errorf("writing the metrics of %s: %w%s", o.unit, err, writeHint(err, output))
	}
	if unreadable != nil {
		p.say("warning", "nothing is kept of what the file held before: %v", unreadable)
	}
	return nil
}

func writeHint(err error, output string) string {
	switch {
	case errors.Is(err, textfile.ErrNewer):
		return "; to have the earlier run all the same, give another --output"
	case errors.Is(err, fs.ErrPermission):
		return "; run as a user who may write in " + filepath.Dir(output) + ", or call with another --output"
	case errors.Is(err, fs.ErrNotExist):
		return "; make the directory, or call with another --output"
	}
	return ""
}

// target returns the file to write.
func (o options) target() (string, error) {
	file := strings.TrimSuffix(o.unit, ".service") + ".prom"
	switch {
	case o.output != "" && isDir(o.output):
		return filepath.Join(o.output, file), nil
	case o.output != "":
		return o.output, nil
	case o.log != "":
		return "-", nil
	}
	for _, dir := range directories {
		if isDir(dir) {
			return filepath.Join(dir, file), nil
		}
	}
	return "", fmt.Errorf("no textfile directory: none of %s exists; make one and have node_exporter read it with --collector.textfile.directory, or name one with --output", strings.Join(directories, ", "))
}

func isDir(name string) bool {
	st, err := os.Stat(name)
	return err == nil && st.IsDir()
}

// errSkipped is reported for an invocation in which nothing was run.
var errSkipped = errors.New("skipped")

// readJournal makes the report of an invocation in the journal.
func (p *program) readJournal(ctx context.Context, o options) (textfile.Report, error) {
	from := journal.Reader{Dir: o.dir, User: o.user}
	var handover journal.Handover
	if o.dir == "" {
		handover, _ = journal.Environment(o.unit, o.user, p.getenv)
	}
	id := cmp.Or(o.invocation, handover.ID)
	if id != handover.ID {
		handover = journal.Handover{} // it is about another invocation
	}

	syncCtx, cancel := context.WithTimeout(ctx, syncTimeout)
	defer cancel()
	if err := from.Sync(syncCtx, o.unit, id); err != nil {
		return textfile.Report{}, fmt.Errorf("waiting until journald has written everything down: %w", err)
	}
	r, verdict, err := p.collect(ctx, from, o, id, "in the journal")
	if errors.Is(err, syscall.EBADMSG) && o.dir == "" {
		// journald may have deleted a file while it was read.
		r, verdict, err = p.collect(ctx, from, o, id, "in the journal")
	}
	if err != nil {
		return r, err
	}
	boot, _ := journal.Boot()
	result := cmp.Or(handover.Result, verdict.Result)
	switch {
	case result != "":
		r.Verdict, err = judge(result)
		if err != nil {
			return r, err
		}
	case handover.Inside:
		// ExecStartPost= is reached once every ExecStart= has succeeded.
		r.Verdict = textfile.Succeeded
	case o.dir == "" && verdict.Boot != (journal.ID{}) && boot != (journal.ID{}) && verdict.Boot != boot:
		r.Verdict = textfile.Killed // with the machine
	default:
		return r, fmt.Errorf("the run of %s that started at %s is still going on, or its end is not in the journal: run this again when it has ended", o.unit, r.Start.Format(time.RFC3339))
	}
	if exit := cmp.Or(handover.Exit, verdict.Exit); exit != nil {
		r.ExitCode = &exit.Status
	}
	return r, nil
}

// readLog makes the report of an invocation in a recording.
func (p *program) readLog(ctx context.Context, o options) (textfile.Report, error) {
	var r textfile.Report
	name := o.log
	var file *os.File
	var err error
	if o.log == "-" {
		name = "standard input"
		file, err = spool(p.stdin)
	} else {
		file, err = os.Open(o.log)
	}
	if err != nil {
		return r, fmt.Errorf("reading LOG: %w", err)
	}
	defer file.Close()
	if st, err := file.Stat(); err != nil {
		return r, fmt.Errorf("reading LOG: %w", err)
	} else if st.IsDir() {
		return r, fmt.Errorf("reading LOG: %s is a directory; journal files in a directory are read with --journal %s", name, name)
	} else if !st.Mode().IsRegular() {
		spooled, err := spool(file)
		if err != nil {
			return r, fmt.Errorf("reading LOG: %w", err)
		}
		defer spooled.Close()
		file = spooled
	}
	from, err := journal.OpenRecording(file)
	if err != nil {
		return r, fmt.Errorf("reading %s: %w", name, err)
	}
	from.User = o.user
	r, verdict, err := p.collect(ctx, from, o, o.invocation, "in "+name)
	if err != nil {
		return r, err
	}
	switch {
	case verdict.Result != "":
		r.Verdict, err = judge(verdict.Result)
		if err != nil {
			return r, err
		}
	case from.Plain() && len(r.Processes) == 0:
		return r, fmt.Errorf("%s: %w: nothing in it is restic's; want the output of journalctl -o export, -o json --all or -o short-iso, or of restic", name, journal.ErrFormat)
	case verdict.Entries > 0:
		return r, fmt.Errorf("%s ends before the run of %s that started at %s does: record it again when the run has ended", name, o.unit, r.Start.Format(time.RFC3339))
	}
	if verdict.Exit != nil {
		r.ExitCode = &verdict.Exit.Status
	}
	return r, nil
}

// spool copies a stream to a file, to be read twice: which run of the unit is
// the latest shows at the end only.
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

// judge turns the words of systemd into those of the metrics.
func judge(r journal.Result) (textfile.Verdict, error) {
	switch r {
	case journal.Success:
		return textfile.Succeeded, nil
	case journal.Timeout, journal.Watchdog:
		return textfile.TimedOut, nil
	case journal.Signal, journal.CoreDump:
		return textfile.Killed, nil
	case journal.OOMKill:
		return textfile.OOM, nil
	case journal.ExecCondition:
		return "", errSkipped
	}
	return textfile.Failed, nil
}
