package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"runtime/debug"
	"slices"
	"time"

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

// collect writes the files of all hosts of the store that have something new. If one host
// fails, it still writes the files of the others.
func (p *program) collect(ctx context.Context, o options) error {
	headers, err := p.storeHeaders(o.store.headers)
	if err != nil {
		return fmt.Errorf("--store-headers: %w", err)
	}
	store := journal.Store{URL: o.store.url, Header: headers, Client: p.client, SenderField: o.store.sender}
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
		return fmt.Errorf("no matching host in %s has a unit %s: are --unit and --host right, and do the machines send their journals?",
			o.store.url, &o.units)
	}

	// Reading makes a lot of garbage. Collecting it less often saves a fifth of the time,
	// and memoryLimit still holds.
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	// Several goroutines read hosts. This one writes their files, in order.
	reading, giveUp := context.WithCancel(ctx)
	defer giveUp()
	slots := make(chan struct{}, readAtOnce)
	go func() {
		for _, h := range hosts {
			slots <- struct{}{}
			go func() {
				h.err = p.readHost(reading, o, store, h)
				if timedOut(h.err) {
					giveUp() // otherwise each of the others would wait as long
				}
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
		return fmt.Errorf("writing the targets for Prometheus: %w", err)
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d hosts failed", failed, len(hosts))
	}
	return nil
}

// collected is the name of the file that says when hosts were collected. No host can have
// this name, because it is not a DNS name.
const collected = "_collector"

// writeCollected writes when the hosts were collected, how many failed, and which runs could
// not be read. Otherwise nobody would notice that this program is not called any more, or
// misses a run: the files of the hosts stay.
func (p *program) writeCollected(o options, failed int, bad []*invocation.Run) error {
	file := filepath.Join(o.output, collected+".prom")
	mfs := metrics.Collected(o.units.String(), time.Now(), failed, bad, metrics.Options{Labels: o.labels})
	if err := textfile.WriteFile(file, mfs); err != nil {
		return fmt.Errorf("writing %s: %w%s", file, err, writeHint(err, file))
	}
	return nil
}

// timedOut reports whether the store has not answered in time.
func timedOut(err error) bool {
	t, ok := errors.AsType[net.Error](err)
	return ok && t.Timeout()
}
