package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/restic-exporter/restic-exporter/invocation"
	"github.com/restic-exporter/restic-exporter/journal"
	"github.com/restic-exporter/restic-exporter/metrics"
	"github.com/restic-exporter/restic-exporter/textfile"
)

// A hostWork is a host, and what a call has to do for it.
type hostWork struct {
	journal.StoreHost
	news []journal.StoreUnit // those with something new
	file string

	running map[string]journal.ID // by unit: the boot in which its run was still going on, else zero

	read chan struct{} // closed when the fields below are set
	runs []*invocation.Run
	bad  map[string]error // by unit: why its run cannot be read yet, or at all
	err  error            // why the store or the file failed
}

// work returns the hosts that the options select, and which of their units have news.
func (o options) work(found []journal.StoreHost, seen *seen) []*hostWork {
	var hosts []*hostWork
	for _, host := range found {
		host.Units = slices.DeleteFunc(host.Units, func(u journal.StoreUnit) bool { return !o.units.wants(u.Unit) })
		if !o.wantsHost(host.Name) || len(host.Units) == 0 && host.Err == nil {
			continue
		}
		h := &hostWork{StoreHost: host, file: filepath.Join(o.output, host.Name+".prom"), read: make(chan struct{})}
		hosts = append(hosts, h)
		if !isDNSName(h.Name) {
			h.Err = errors.New("this is not a DNS name, so it gets no file; find out which machine sends it")
			continue
		}
		if h.Err == nil {
			h.Err = checkClock(h.Units)
		}
		h.running = make(map[string]journal.ID)
		_, err := os.Stat(h.file)
		for _, u := range h.Units {
			if err != nil || seen.isNew(u) {
				h.news = append(h.news, u)
				h.running[u.Unit] = seen.boot(u)
			}
		}
	}
	return hosts
}

// maxAhead is how far the clock of a host may be ahead before that is reported.
const maxAhead = 10 * time.Minute

// checkClock returns an error if the host has entries from the future. Until that time has
// come, its new runs look earlier than that entry.
func checkClock(units []journal.StoreUnit) error {
	var last time.Time
	for _, u := range units {
		if u.Last.After(last) {
			last = u.Last
		}
	}
	if ahead := time.Until(last); ahead > maxAhead {
		return fmt.Errorf("its clock is or was %v ahead; until that time has come, its new runs may not be found", ahead.Round(time.Minute))
	}
	return nil
}

// readHost reads the new runs of a host. It returns an error of the store.
func (p *program) readHost(ctx context.Context, o options, store journal.Store, h *hostWork) error {
	h.runs, h.bad = nil, make(map[string]error)
	for _, u := range h.news {
		o.unit = u.Unit
		from := source{store.Source(u), "the store", func() {}}
		on, err := h.goesOn(ctx, from, u)
		if err != nil {
			return fmt.Errorf("reading %s: %w", u.Unit, err)
		}
		if on {
			h.bad[u.Unit] = invocation.ErrRunning
			continue
		}
		run, err := p.read(ctx, from, o)
		backup := false
		if err == nil {
			backup, err = invocation.IsBackup(ctx, from.Source, run)
		}
		switch {
		case errors.Is(err, invocation.ErrSkipped):
		case errors.Is(err, invocation.ErrRunning):
			h.bad[u.Unit] = err
			if h.running[u.Unit], err = from.Source.(booter).Boot(ctx); err != nil {
				return fmt.Errorf("reading %s: %w", u.Unit, err)
			}
		case errors.Is(err, journal.ErrIncomplete), errors.Is(err, journal.ErrNotFound), errors.Is(err, journal.ErrStoreEntries):
			backup, spokeErr := invocation.IsBackup(ctx, from.Source, &invocation.Run{Unit: u.Unit})
			if spokeErr != nil {
				return fmt.Errorf("reading %s: %w", u.Unit, spokeErr)
			}
			if backup {
				h.bad[u.Unit] = err
			}
		case err != nil:
			return fmt.Errorf("reading %s: %w", u.Unit, err)
		case backup:
			h.runs = append(h.runs, run)
		}
	}
	return nil
}

// A booter is a host of a store.
type booter interface {
	Boot(context.Context) (journal.ID, error)
}

// goesOn reports whether a run that was going on at the last call still is: the manager has
// said nothing since, and the machine is in the same boot. A pattern may find a service that
// logs for months, and its log must not be read in each call.
func (h *hostWork) goesOn(ctx context.Context, from source, u journal.StoreUnit) (bool, error) {
	was := h.running[u.Unit]
	if was == (journal.ID{}) {
		return false, nil
	}
	boot, err := from.Source.(booter).Boot(ctx)
	return boot == was, err
}

// finishHost writes the file of a host that has been read. It reports whether all is well,
// and the runs that cannot be read.
func (p *program) finishHost(ctx context.Context, o options, store journal.Store, h *hostWork, seen *seen) (ok bool, bad []*invocation.Run) {
	ok = true
	say := func(err error) {
		if err != nil {
			p.say("error", "host %q: %v", h.Name, err)
			ok = false
		}
	}
	if h.err == nil && len(h.runs) > 0 {
		h.err = p.writeHost(ctx, o, store, h)
	}
	if errors.Is(h.err, context.Canceled) {
		ok = false // another host reports the error that stopped this one
	} else {
		say(h.err)
	}
	say(h.Err)
	for _, u := range h.news {
		switch err := h.bad[u.Unit]; {
		case h.err != nil:
		case errors.Is(err, invocation.ErrRunning):
			seen.addRunning(u, h.running[u.Unit])
		case err != nil:
			say(fmt.Errorf("reading %s: %w", u.Unit, err))
			bad = append(bad, &invocation.Run{Host: h.Name, Unit: u.Unit})
		default:
			seen.add(u)
		}
	}
	return ok, bad
}

// writeHost writes the file of a host. If the old file cannot be read, the metrics of units
// that have nothing new are lost, so writeHost reads these units again.
func (p *program) writeHost(ctx context.Context, o options, store journal.Store, h *hostWork) error {
	m := p.metricsOptions(o)
	m.Labels = map[string]string{"host": h.Name}
	maps.Copy(m.Labels, o.labels)
	err := textfile.Update(h.file, func(old []*dto.MetricFamily, err error) ([]*dto.MetricFamily, error) {
		if err != nil {
			p.say("warning", "host %q: the values of earlier runs are lost: %v", h.Name, err)
			if len(h.news) < len(h.Units) {
				h.news = h.Units
				if err := p.readHost(ctx, o, store, h); err != nil {
					return nil, err
				}
			}
		}
		return metrics.Several(h.runs, old, m)
	})
	if err != nil {
		return fmt.Errorf("writing %s: %w%s", h.file, err, writeHint(err, h.file))
	}
	return nil
}
