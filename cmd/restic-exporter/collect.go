package main

import (
	"bufio"
	"cmp"
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

// storeOptions are the options for a store.
type storeOptions struct {
	url, headers, sender string
	hosts                []string // patterns; none: all
}

// storeSince is how far back units are looked for.
const storeSince = 30 * 24 * time.Hour

// checkStore returns an error for flags that do not work with --store, or only with it.
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
		return errors.New("--store: want a URL, such as https://logs.example.com:9428")
	case at.User != nil:
		return errors.New("--store: other users can see a password in the URL; put an Authorization line into a file for --store-headers")
	case o.log != "" || o.dir != "":
		return errors.New("use only one of --store, --journal and LOG")
	case o.user || o.invocation != (journal.ID{}):
		return errors.New("--store reads the latest run of system units: leave --user and --invocation out")
	case hasHost:
		return errors.New(`--label: label "host" is taken: with --store it is always the host's name`)
	case !isDir(o.output):
		return errors.New("--store needs --output DIR, an existing directory in which each host gets a file")
	}
	return nil
}

// storeHeaders reads the file with the headers for the store, NAME: VALUE on each line.
func (p *program) storeHeaders(name string) (http.Header, error) {
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
	// Only the unit can read a credential that systemd provides, whatever its mode.
	dir := p.getenv("CREDENTIALS_DIRECTORY")
	if st.Mode().Perm()&0o077 != 0 && (dir == "" || filepath.Dir(name) != filepath.Clean(dir)) {
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
			return nil, fmt.Errorf("%s, line %d: want NAME: VALUE", name, n) // do not quote the line, it may be secret
		}
		h.Add(key, strings.TrimSpace(value))
	}
	return h, lines.Err()
}

var dnsName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?)*$`)

func isDNSName(name string) bool { return len(name) <= 253 && dnsName.MatchString(name) }

// A hostWork is the work to do for one host.
type hostWork struct {
	name   string
	units  []journal.StoreUnit // all trusted units
	news   []journal.StoreUnit // those with something new
	err    error               // what is wrong with the host
	forged error               // what is wrong with the entries that are not trusted
}

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
	store := journal.Store{URL: o.store.url, Header: headers, SenderField: o.store.sender}
	units, err := store.Units(ctx, time.Now().Add(-storeSince), append(slices.Clone(o.units.names), o.units.patterns...)...)
	if err != nil {
		return fmt.Errorf("finding the units in %s: %w; every file is as it was", o.store.url, err)
	}
	units = slices.DeleteFunc(units, func(u journal.StoreUnit) bool { return !o.units.wants(u.Unit) || !o.wantsHost(u.Host) })
	if len(units) == 0 {
		return fmt.Errorf("no unit %s of such a host in %s: are --unit and --host right, and do the machines send their journals?", &o.units, o.store.url)
	}
	seen, err := readSeen(o.output, p.about(o))
	if err != nil {
		p.say("warning", "reading all units again: %v", err)
	}
	hosts := o.work(units, seen)

	// Several goroutines read hosts. This one writes their files, in order.
	type result struct {
		runs []*invocation.Run
		errs map[string]error
		err  error
	}
	results := make([]chan result, len(hosts))
	for i := range results {
		results[i] = make(chan result, 1)
	}
	slots := make(chan struct{}, readAtOnce)
	go func() {
		for i, h := range hosts {
			slots <- struct{}{}
			go func() {
				runs, errs, err := p.readHost(ctx, o, store, h)
				results[i] <- result{runs, errs, err}
			}()
		}
	}()
	bad := 0
	for i, h := range hosts {
		r := <-results[i]
		<-slots
		err := cmp.Or(h.err, r.err)
		if err == nil && len(h.news) > 0 {
			err = p.writeHost(ctx, o, store, h, r.runs)
		}
		if err == nil {
			for _, u := range h.news {
				// Report a bad run once, not every few minutes.
				if !errors.Is(r.errs[u.Unit], invocation.ErrRunning) {
					seen.add(u)
				}
			}
		}
		ok := err == nil && h.forged == nil
		for _, err := range []error{err, h.forged} {
			if err != nil {
				p.say("error", "host %q: %v", h.name, err)
			}
		}
		for _, unit := range slices.Sorted(maps.Keys(r.errs)) {
			if err := r.errs[unit]; err != nil && !errors.Is(err, invocation.ErrRunning) {
				p.say("error", "host %q: %v", h.name, err)
				ok = false
			}
		}
		if !ok {
			bad++
		}
	}
	if err := seen.write(); err != nil {
		p.say("warning", "the next call has to read everything again: %v", err)
	}
	if err := writeTargets(o.output); err != nil {
		return fmt.Errorf("naming the hosts to Prometheus: %w", err)
	}
	if bad > 0 {
		return fmt.Errorf("%d of %d hosts failed", bad, len(hosts))
	}
	return nil
}

func (o options) wantsHost(host string) bool {
	return len(o.store.hosts) == 0 || slices.ContainsFunc(o.store.hosts, func(p string) bool {
		return journal.Match(p, host)
	})
}

// file returns the name of the file of a host.
func (o options) file(host string) string { return filepath.Join(o.output, host+".prom") }

// work groups units by host, and determines which can be trusted and what is new.
func (o options) work(units []journal.StoreUnit, seen *seen) []*hostWork {
	var hosts []*hostWork
	for len(units) > 0 {
		n := 1
		for n < len(units) && units[n].Host == units[0].Host {
			n++
		}
		h := &hostWork{name: units[0].Host}
		h.believe(units[:n], o.store.sender != "")
		if h.err == nil {
			_, err := os.Stat(o.file(h.name))
			for _, u := range h.units {
				if err != nil || seen.isNew(u) {
					h.news = append(h.news, u)
				}
			}
		}
		hosts = append(hosts, h)
		units = units[n:]
	}
	return hosts
}

// believe sets the units of h to those that can be trusted. vouched reports that the
// store knows who sent an entry.
func (h *hostWork) believe(units []journal.StoreUnit, vouched bool) {
	if !isDNSName(h.name) {
		h.err = errors.New("this is not a DNS name, so it gets no file; find out which machine sends it")
		return
	}
	for _, u := range units {
		if vouched && u.Sender != h.name {
			h.forged = fmt.Errorf("%q sent entries in the name of this host; they are not believed", u.Sender)
			continue
		}
		if full, err := unitName(u.Unit); err != nil || full != u.Unit {
			h.err = fmt.Errorf("%q is not the name of a service", u.Unit)
			return
		}
		if len(h.units) > 0 && h.units[0].Machine != u.Machine {
			h.err = fmt.Errorf("two machines, %s and %s, have this name; give each a name of its own", h.units[0].Machine, u.Machine)
			return
		}
		h.units = append(h.units, u)
	}
}

// readHost reads the new runs of a host. errs has errors about single runs, by unit. err is
// an error of the store.
func (p *program) readHost(ctx context.Context, o options, store journal.Store, h *hostWork) (runs []*invocation.Run, errs map[string]error, err error) {
	if h.err != nil {
		return nil, nil, nil
	}
	errs = make(map[string]error)
	for _, u := range h.news {
		one := o
		one.unit = u.Unit
		from := source{store.Source(u), "the store", func() {}}
		run, err := p.read(ctx, from, one)
		backup := false
		if err == nil {
			backup, err = invocation.RunsRestic(ctx, from.Source, run)
		}
		switch {
		case errors.Is(err, invocation.ErrSkipped):
		case errors.Is(err, invocation.ErrRunning), errors.Is(err, journal.ErrIncomplete), errors.Is(err, journal.ErrNotFound):
			errs[u.Unit] = fmt.Errorf("reading %s: %w", u.Unit, err)
		case err != nil:
			return nil, nil, fmt.Errorf("reading %s: %w", u.Unit, err)
		case backup || run.Outcome == invocation.NotStarted:
			runs = append(runs, run)
		}
	}
	return runs, errs, nil
}

// writeHost writes the file of a host.
func (p *program) writeHost(ctx context.Context, o options, store journal.Store, h *hostWork, runs []*invocation.Run) error {
	if len(runs) == 0 {
		return nil
	}
	m := p.metricsOptions(o)
	m.Labels = map[string]string{"host": h.name}
	maps.Copy(m.Labels, o.labels)
	file := o.file(h.name)
	odd := errors.New("the file is odd")
	err := textfile.Update(file, func(old []*dto.MetricFamily, err error) ([]*dto.MetricFamily, error) {
		if err != nil && len(h.news) < len(h.units) {
			return nil, odd // its metrics of the other units are lost, so read these again
		}
		if err != nil {
			p.say("warning", "host %q: the values of earlier runs are lost: %v", h.name, err)
		}
		return metrics.Several(runs, old, m)
	})
	if errors.Is(err, odd) {
		h.news = h.units
		runs, _, err := p.readHost(ctx, o, store, h)
		if err != nil {
			return err
		}
		return p.writeHost(ctx, o, store, h, runs)
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w%s", file, err, writeHint(err, file))
	}
	return nil
}
