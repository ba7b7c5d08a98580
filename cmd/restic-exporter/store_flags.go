package main

import (
	"bufio"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/restic-exporter/restic-exporter/journal"
)

// storeOptions are the options for a store.
type storeOptions struct {
	url, headers, sender string
	hosts                []string // patterns; none: all
}

func (o options) wantsHost(host string) bool {
	return len(o.store.hosts) == 0 || slices.ContainsFunc(o.store.hosts, func(p string) bool {
		return journal.Match(p, host)
	})
}

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
		return errors.New("--store reads the latest run of system units: leave out --user and --invocation")
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
