package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/restic-exporter/restic-exporter/invocation"
	"github.com/restic-exporter/restic-exporter/journal"
	"github.com/restic-exporter/restic-exporter/metrics"
	"github.com/restic-exporter/restic-exporter/textfile"
)

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

// readTimeout bounds the time for reading runs from the journal, however many units there
// are. systemd often kills the calling unit after 45 s (DefaultTimeoutStopSec= in some
// distributions), and metrics must not make a good backup fail. With a long backlog on a
// busy machine, journald took 15 s to write down what it had received. Afterwards, writing
// a file waits up to 5 s for the lock.
const readTimeout = 34 * time.Second

// bounded returns the context for reading runs. A LOG may come from a slow pipe.
func (o options) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if o.log != "" {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, readTimeout)
}

// exportOne writes the file of one unit. It returns the exit status.
func (p *program) exportOne(ctx context.Context, o options) int {
	ctx, cancel := o.bounded(ctx)
	defer cancel()
	if o.local() {
		o.unit = invocation.UnitName(o.unit, o.user) // one file for all names of a unit
	}
	from, err := p.source(o)
	if err == nil {
		defer from.close()
		err = p.export(ctx, o, from)
	}
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

// local reports whether to read the journal of this machine.
func (o options) local() bool { return o.log == "" && o.dir == "" && o.store.url == "" }

// export reads the run of a unit from a source and writes its file.
func (p *program) export(ctx context.Context, o options, from source) error {
	output, err := o.target()
	if err != nil {
		return err
	}
	run, err := p.read(ctx, from, o)
	if err == nil || errors.Is(err, journal.ErrIncomplete) || errors.Is(err, journal.ErrNotFound) {
		// A pattern also finds units that are not backups, with a run or without.
		if err := o.backup(ctx, cmp.Or(run, &invocation.Run{Unit: o.unit}), from, output); err != nil {
			return err
		}
	}
	if errors.Is(err, invocation.ErrSkipped) {
		return err
	}
	if err != nil {
		return o.explain(err, from.name)
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
// unit that already has a file counts as a backup.
func (o options) backup(ctx context.Context, run *invocation.Run, from source, output string) error {
	if !o.found {
		return nil
	}
	if _, err := os.Stat(output); err == nil {
		return nil
	}
	is, err := invocation.IsBackup(ctx, from.Source, run)
	if err == nil && !is {
		err = errNoBackup
	}
	return err
}
