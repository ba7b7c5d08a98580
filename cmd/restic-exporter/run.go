package main

import (
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
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	dto "github.com/prometheus/client_model/go"

	"github.com/restic-exporter/restic-exporter/invocation"
	"github.com/restic-exporter/restic-exporter/metrics"
	"github.com/restic-exporter/restic-exporter/textfile"
)

// version is the version of the next release. The revision distinguishes builds.
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

// A program is the command with its environment.
type program struct {
	getenv         func(string) string
	stdin          io.Reader
	stdout, stderr io.Writer
	build          build
	service        bool // a systemd service runs this process
	saying         sync.Mutex
}

// run returns the exit status: 0 once the metrics are written, 1 if they could
// not be, 2 for wrong usage.
func (p *program) run(ctx context.Context, args []string) int {
	o, err := parseFlags(args)
	switch {
	case err != nil:
		p.say("error", "%v; see restic-exporter --help", err)
		return 2
	case o.help:
		fmt.Fprintf(p.stdout, usage, strings.Join(directories, "\n  "))
		return 0
	case o.version:
		fmt.Fprintf(p.stdout, "restic-exporter %s (revision %s, %s)\n", p.build.version, p.build.revision, p.build.goVersion)
		return 0
	}
	switch {
	case o.store.url != "":
		err = p.collect(ctx, o)
	case o.units.many():
		err = p.exportMany(ctx, o)
	default:
		return p.exportOne(ctx, o)
	}
	if err != nil {
		p.say("error", "%v", err)
		return 1
	}
	return 0
}

// exportOne writes the file of one unit. It returns the exit status.
func (p *program) exportOne(ctx context.Context, o options) int {
	err := p.export(ctx, o)
	switch {
	case errors.Is(err, invocation.ErrSkipped):
		return 0 // there is nothing to write
	case err != nil:
		p.say("error", "%v", err)
		if p.service {
			p.leaveNote(o)
		}
		return 1
	}
	p.removeNote(o)
	return 0
}

// say prints a line to standard error. voice is "error" or "warning". It replaces control
// characters, because parts of the line can come from a log or from the name of a file.
func (p *program) say(voice, format string, args ...any) {
	line := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return utf8.RuneError
		}
		return r
	}, strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", "; "))
	p.saying.Lock()
	defer p.saying.Unlock()
	fmt.Fprintf(p.stderr, "restic-exporter: %s: %s\n", voice, line)
}

func (p *program) export(ctx context.Context, o options) error {
	if o.local() {
		o.unit = invocation.UnitName(o.unit, o.user) // one file for all names of a unit
	}
	// Fail early if there is nowhere to write.
	if _, err := o.target(); err != nil {
		return err
	}
	from, err := p.source(o)
	if err != nil {
		return err
	}
	defer from.close()
	return p.exportFrom(ctx, o, from)
}

// local reports whether to read the journal of this machine.
func (o options) local() bool { return o.log == "" && o.dir == "" && o.store.url == "" }

// exportFrom reads the run of a unit from a source and writes its file.
func (p *program) exportFrom(ctx context.Context, o options, from source) error {
	output, err := o.target()
	if err != nil {
		return err
	}
	run, err := p.read(ctx, from, o)
	if errors.Is(err, invocation.ErrSkipped) {
		return err
	}
	if err != nil {
		return o.explain(err, from.name)
	}
	if err := o.backup(ctx, run, from, output); err != nil {
		return err
	}
	m := p.metricsOptions(o)
	if output == "-" {
		mfs, err := metrics.Families(run, nil, m)
		if err != nil {
			return err
		}
		return textfile.Encode(p.stdout, mfs)
	}
	var unreadable error
	err = textfile.Update(output, func(old []*dto.MetricFamily, err error) ([]*dto.MetricFamily, error) {
		unreadable = err
		return metrics.Families(run, old, m)
	})
	if err != nil {
		return fmt.Errorf("writing the metrics of %s to %s: %w%s", o.unit, output, err, writeHint(err, output))
	}
	if unreadable != nil {
		p.say("warning", "the values of earlier runs are lost: %v", unreadable)
	}
	return nil
}

func (p *program) metricsOptions(o options) metrics.Options {
	return metrics.Options{
		Labels: o.labels, Actions: o.actions, MaxAge: o.maxAge,
		Version: p.build.version, Revision: p.build.revision, GoVersion: p.build.goVersion,
	}
}

// backup returns errNoBackup if a pattern found the unit and it does not run restic. A
// unit that could not be started, or that already has a file, counts as a backup.
func (o options) backup(ctx context.Context, run *invocation.Run, from source, output string) error {
	if !o.found || run.Outcome == invocation.NotStarted {
		return nil
	}
	if _, err := os.Stat(output); err == nil {
		return nil
	}
	some, err := invocation.RunsRestic(ctx, from.Source, run)
	if err == nil && !some {
		err = errNoBackup
	}
	return err
}

// cleanup is the action whose script prints names of files.
const cleanup = "cleanup"

// warnings is how many unreadable lines are reported one by one.
const warnings = 5

// readTimeout bounds the time for reading a run from the journal. systemd often kills the
// calling unit after 45 s (DefaultTimeoutStopSec= in some distributions), and metrics must
// not make a good backup fail. With a long backlog on a busy machine, journald took 15 s
// to write down what it had received. Afterwards, writing the file waits up to 5 s for
// the lock.
const readTimeout = 34 * time.Second

// read reads the run, and warns if something is missing from its log.
func (p *program) read(ctx context.Context, from source, o options) (*invocation.Run, error) {
	if o.log == "" && o.store.url == "" {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, readTimeout)
		defer cancel()
	}
	bad := 0
	run, err := invocation.Read(ctx, from.Source, o.unit, o.invocation, invocation.Options{
		Strip:  o.strip,
		Ignore: o.identifiers(cleanup),
		Getenv: p.getenv,
		Warn: func(err error) {
			if prefix, ok := errors.AsType[*invocation.PrefixError](err); ok {
				p.say("warning", "%s: no backup was understood, for a wrapper puts a prefix before restic's lines: call this with --strip '%v'", o.unit, prefix.Strip)
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
		p.say("warning", "journald dropped %d lines of %s: lift its limit with LogRateLimitIntervalSec=1s and LogRateLimitBurst=100000000 in the unit", run.Dropped, o.unit)
	}
	return run, nil
}

func writeHint(err error, output string) string {
	switch {
	case errors.Is(err, metrics.ErrNewer):
		return "; to write the earlier run all the same, use another --output"
	case errors.Is(err, metrics.ErrOtherUnit):
		return "; give each unit an --output of its own, or delete the file if that unit is gone"
	case errors.Is(err, fs.ErrPermission):
		return "; run as a user who may write to " + filepath.Dir(output) + ", or use another --output"
	case errors.Is(err, fs.ErrNotExist):
		return "; create the directory, or use another --output"
	}
	return ""
}

// target returns the name of the file to write; "-" for standard output.
func (o options) target() (string, error) {
	if o.output != "" && !isDir(o.output) && !strings.HasSuffix(o.output, "/") {
		return o.output, nil
	}
	if o.output == "" && o.log != "" {
		return "-", nil
	}
	dir, err := o.directory()
	return filepath.Join(dir, strings.TrimSuffix(o.unit, ".service")+".prom"), err
}

// directory returns the directory for the files.
func (o options) directory() (string, error) {
	if o.output != "" && !isDir(o.output) {
		return "", fmt.Errorf("--output: the directory %s does not exist; create it, or name another", o.output)
	}
	for _, dir := range append([]string{o.output}, directories...) {
		if dir != "" && isDir(dir) {
			return dir, nil
		}
	}
	return "", fmt.Errorf("no textfile directory: none of %s exists; make one and have node_exporter read it with --collector.textfile.directory, or name one with --output", strings.Join(directories, ", "))
}

func isDir(name string) bool {
	st, err := os.Stat(name)
	return err == nil && st.IsDir()
}
