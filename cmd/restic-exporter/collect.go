package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/restic-exporter/restic-exporter/invocation"
	"github.com/restic-exporter/restic-exporter/journal"
	"github.com/restic-exporter/restic-exporter/metrics"
	"github.com/restic-exporter/restic-exporter/textfile"
)

// storeSince is how far back units are looked for.
const storeSince = 30 * 24 * time.Hour

// readAtOnce is how many hosts are read at the same time, so that the store and this
// program work in parallel.
const readAtOnce = 4

// A hostWork is a host with what there is to do for it.
type hostWork struct {
	journal.StoreHost
	news []journal.StoreUnit // those with something new
	file string

	read chan struct{} // closed when the fields below are set
	runs []*invocation.Run
	bad  map[string]error // why single runs cannot be read yet or at all, by unit
	err  error            // what is wrong with the store
}

// collect writes the files of all hosts of the store that have something new. If one host
// fails, it still writes the files of the others.
func (p *program) collect(ctx context.Context, o options) error {
	headers, err := p.storeHeaders(o.store.headers)
	if err != nil {
		return fmt.Errorf("--store-headers: %w", err)
	}
	store := journal.Store{URL: o.store.url, Header: headers, SenderField: o.store.sender}
	found, err := store.Hosts(ctx, time.Now().Add(-storeSince), append(slices.Clone(o.units.names), o.units.patterns...)...)
	if err != nil {
		return fmt.Errorf("finding the units in %s: %w; every file is as it was", o.store.url, err)
	}
	seen, err := readSeen(o.output, p.about(o))
	if err != nil {
		p.say("warning", "reading all units again: %v", err)
	}
	hosts := o.work(found, seen)
	if len(hosts) == 0 {
		return fmt.Errorf("no unit %s of such a host in %s: are --unit and --host right, and do the machines send their journals?", &o.units, o.store.url)
	}

	// Reading makes much garbage. To collect it less often saves a fifth of the time, and
	// memoryLimit still holds.
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	// Several goroutines read hosts. This one writes their files, in order.
	slots := make(chan struct{}, readAtOnce)
	go func() {
		for _, h := range hosts {
			slots <- struct{}{}
			go func() {
				h.err = p.readHost(ctx, o, store, h)
				close(h.read)
			}()
		}
	}()
	failed := 0
	var bad []*invocation.Run
	for _, h := range hosts {
		<-h.read
		<-slots
		ok, runs := p.finishHost(ctx, o, store, h, seen)
		if !ok {
			failed++
		}
		bad = append(bad, runs...)
		h.runs = nil // to free the memory
	}
	if err := seen.write(); err != nil {
		p.say("warning", "the next call has to read everything again: %v", err)
	}
	if err := p.writeCollected(o, failed, bad); err != nil {
		return err
	}
	if err := writeTargets(o.output); err != nil {
		return fmt.Errorf("naming the hosts to Prometheus: %w", err)
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d hosts failed", failed, len(hosts))
	}
	return nil
}

// collected is the name of the file that says when hosts were collected. No host can have
// it, as it is no DNS name.
const collected = "_collector"

// writeCollected writes when the hosts were collected, how many failed, and of which units
// the run cannot be read. Otherwise nobody would notice that this program is not called any
// more, or misses a run: the files of the hosts stay.
func (p *program) writeCollected(o options, failed int, bad []*invocation.Run) error {
	file := filepath.Join(o.output, collected+".prom")
	mfs := metrics.Collected(o.units.String(), time.Now(), failed, bad, metrics.Options{Labels: o.labels})
	if err := textfile.WriteFile(file, mfs); err != nil {
		return fmt.Errorf("writing %s: %w%s", file, err, writeHint(err, file))
	}
	return nil
}

// work returns the hosts that are wanted, with what is new of them.
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
		_, err := os.Stat(h.file)
		for _, u := range h.Units {
			if err != nil || seen.isNew(u) {
				h.news = append(h.news, u)
			}
		}
	}
	return hosts
}

// readHost reads the new runs of a host. It returns an error of the store.
func (p *program) readHost(ctx context.Context, o options, store journal.Store, h *hostWork) error {
	h.runs, h.bad = nil, make(map[string]error)
	for _, u := range h.news {
		o.unit = u.Unit
		from := source{store.Source(u), "the store", func() {}}
		run, err := p.read(ctx, from, o)
		backup := false
		if err == nil {
			backup, err = invocation.IsBackup(ctx, from.Source, run)
		}
		switch {
		case errors.Is(err, invocation.ErrSkipped):
		case errors.Is(err, invocation.ErrRunning):
			h.bad[u.Unit] = err
		case errors.Is(err, journal.ErrIncomplete), errors.Is(err, journal.ErrNotFound):
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
	say(h.err)
	say(h.Err)
	for _, u := range h.news {
		switch err := h.bad[u.Unit]; {
		case h.err != nil, errors.Is(err, invocation.ErrRunning):
		case err != nil:
			say(fmt.Errorf("reading %s: %w", u.Unit, err))
			bad = append(bad, &invocation.Run{Host: h.Name, Unit: u.Unit})
		default:
			seen.add(u)
		}
	}
	return ok, bad
}

// writeHost writes the file of a host. If the file cannot be read, the metrics of units
// that have nothing new are lost: then it reads these units again.
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
