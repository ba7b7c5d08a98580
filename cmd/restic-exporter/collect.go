package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/restic-exporter/restic-exporter/invocation"
	"github.com/restic-exporter/restic-exporter/journal"
	"github.com/restic-exporter/restic-exporter/metrics"
	"github.com/restic-exporter/restic-exporter/textfile"
)

// storeOptions is what the command line says of a store.
type storeOptions struct {
	url, headers, sender string
	hosts                []string // patterns; none: all
}

// storeSince is how far back units are looked for.
const storeSince = 30 * 24 * time.Hour

// checkStore reports what does not go together with --store.
func (o options) checkStore() error {
	if o.store.url == "" {
		if o.store.headers != "" || o.store.sender != "" || len(o.store.hosts) > 0 {
			return errors.New("--host, --store-headers and --sender-field need --store URL")
		}
		return nil
	}
	_, hasHost := o.labels["host"]
	at, err := url.Parse(o.store.url)
	switch {
	case err != nil || at.Host == "" || at.Scheme != "http" && at.Scheme != "https":
		return errors.New("--store: want a URL, as https://logs.example.com:9428")
	case at.User != nil:
		return errors.New("--store: no password in the URL, where others can see it; put an Authorization line into a file for --store-headers")
	case o.log != "" || o.dir != "":
		return errors.New("either --store, --journal or LOG")
	case o.user || o.invocation != (journal.ID{}):
		return errors.New("--store reads the latest run of system units: leave --user and --invocation out")
	case hasHost:
		return errors.New(`--label: label "host" is taken: with --store it is always the host's name`)
	case !isDir(o.output):
		return errors.New("--store needs --output DIR, a directory that exists: each host has a file in it")
	}
	return nil
}

// storeHeaders reads the file with the headers for the store, NAME: VALUE on each line.
func storeHeaders(name string) (http.Header, error) {
	h := make(http.Header)
	if name == "" {
		return h, nil
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	st, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if st.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s can be read by others: chmod 0600 %s", name, name)
	}
	lines := bufio.NewScanner(file)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		key, value, ok := strings.Cut(line, ":")
		if !ok || key == "" || strings.ContainsAny(key, " \t") {
			return nil, fmt.Errorf("%s, line %d: want NAME: VALUE", name, n) // the line may be a secret
		}
		h.Add(key, strings.TrimSpace(value))
	}
	return h, lines.Err()
}

var dnsName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?)*$`)

// collect writes a file for each host of the store. Trouble with one host does not keep
// those of others from being written.
func (p *program) collect(ctx context.Context, o options) error {
	headers, err := storeHeaders(o.store.headers)
	if err != nil {
		return fmt.Errorf("--store-headers: %w", err)
	}
	store := journal.Store{URL: o.store.url, Header: headers, SenderField: o.store.sender}
	units, err := store.Units(ctx, time.Now().Add(-storeSince))
	if err != nil {
		return fmt.Errorf("finding the units in %s: %w; every file is as it was", o.store.url, err)
	}
	hosts := make(map[string][]journal.StoreUnit)
	for _, u := range units {
		if o.units.wants(u.Unit) && o.wantsHost(u.Host) {
			hosts[u.Host] = append(hosts[u.Host], u)
		}
	}
	if len(hosts) == 0 {
		return fmt.Errorf("no unit %s of such a host in %s: are --unit and --host right, and do the machines send their journals?", &o.units, o.store.url)
	}
	bad := 0
	for _, host := range slices.Sorted(maps.Keys(hosts)) {
		if err := p.collectHost(ctx, o, store, host, hosts[host]); err != nil {
			bad++
			p.say("error", "host %q: %v", host, err)
		}
	}
	if bad > 0 {
		return fmt.Errorf("there was trouble with %d of %d hosts", bad, len(hosts))
	}
	return nil
}

func (o options) wantsHost(host string) bool {
	return len(o.store.hosts) == 0 || slices.ContainsFunc(o.store.hosts, func(p string) bool {
		return journal.Match(p, host)
	})
}

// collectHost writes the file of a host. It is whole or untouched: trouble with one unit
// leaves it as it was.
func (p *program) collectHost(ctx context.Context, o options, store journal.Store, host string, units []journal.StoreUnit) error {
	if len(host) > 253 || !dnsName.MatchString(host) {
		return errors.New("this is not a DNS name, so it gets no file; find out which machine sends it")
	}
	var names []string
	var forged error
	machine := ""
	for _, u := range units {
		if store.SenderField != "" && u.Sender != host {
			forged = fmt.Errorf("%q sent entries in the name of this host; they are not believed", u.Sender)
			continue
		}
		if machine != "" && machine != u.Machine {
			return fmt.Errorf("two machines, %s and %s, have this name; give each a name of its own", machine, u.Machine)
		}
		machine = u.Machine
		names = append(names, u.Unit)
	}
	var runs []*invocation.Run
	for _, name := range slices.Compact(names) {
		if full, err := unitName(name); err != nil || full != name {
			return fmt.Errorf("%q is not the name of a service", name)
		}
		one := o
		one.unit = name
		from := source{store.Host(host), "the store", func() {}}
		run, err := p.read(ctx, from, one)
		backup := false
		if err == nil {
			backup, err = invocation.RunsRestic(ctx, from.Source, run)
		}
		switch {
		case errors.Is(err, invocation.ErrRunning), errors.Is(err, invocation.ErrSkipped):
		case err != nil:
			return fmt.Errorf("reading %s: %w", name, err)
		case backup || run.Outcome == invocation.NotStarted:
			runs = append(runs, run)
		}
	}
	if len(runs) == 0 {
		return forged
	}
	m := metrics.Options{
		Labels: map[string]string{"host": host}, Actions: o.actions, MaxAge: o.maxAge,
		Version: p.build.version, Revision: p.build.revision, GoVersion: p.build.goVersion,
	}
	maps.Copy(m.Labels, o.labels)
	file := filepath.Join(o.output, host+".prom")
	err := textfile.Update(file, func(old []*dto.MetricFamily, err error) ([]*dto.MetricFamily, error) {
		if err != nil {
			p.say("warning", "host %q: nothing is kept of what the file held before: %v", host, err)
		}
		return hostFamilies(runs, old, m)
	})
	if err != nil {
		return fmt.Errorf("writing %s: %w%s", file, err, writeHint(err, file))
	}
	return forged
}

// hostFamilies puts the runs of a host into what its file holds of other units.
func hostFamilies(runs []*invocation.Run, old []*dto.MetricFamily, m metrics.Options) ([]*dto.MetricFamily, error) {
	all := make(map[string]*dto.MetricFamily)
	add := func(mfs []*dto.MetricFamily) {
		for _, mf := range mfs {
			if there := all[mf.GetName()]; there != nil {
				there.Metric = append(there.Metric, mf.Metric...)
			} else {
				all[mf.GetName()] = mf
			}
		}
	}
	for _, run := range runs {
		var own, rest []*dto.MetricFamily
		for _, mf := range old {
			of, others := part(mf, run.Unit)
			own, rest = append(own, of...), append(rest, others...)
		}
		mfs, err := metrics.Families(run, own, m)
		if errors.Is(err, metrics.ErrNewer) {
			continue // it stays among the old ones
		}
		if err != nil {
			return nil, err
		}
		old = rest
		add(mfs)
	}
	add(old)
	mfs := slices.Collect(maps.Values(all))
	slices.SortFunc(mfs, func(a, b *dto.MetricFamily) int { return strings.Compare(a.GetName(), b.GetName()) })
	return mfs, nil
}

// part splits a family into the series of a unit and the others.
func part(mf *dto.MetricFamily, unit string) (own, rest []*dto.MetricFamily) {
	is := func(m *dto.Metric) bool {
		return slices.ContainsFunc(m.Label, func(l *dto.LabelPair) bool { return l.GetName() == "unit" && l.GetValue() == unit })
	}
	take := func(want bool) []*dto.MetricFamily {
		var series []*dto.Metric
		for _, m := range mf.Metric {
			if is(m) == want {
				series = append(series, m)
			}
		}
		if series == nil {
			return nil
		}
		return []*dto.MetricFamily{{Name: mf.Name, Help: mf.Help, Type: mf.Type, Unit: mf.Unit, Metric: series}}
	}
	return take(true), take(false)
}
