package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/restic-exporter/restic-exporter/journal"
	"github.com/restic-exporter/restic-exporter/metrics"
)

const usage = `Usage: restic-exporter [flags] [LOG]

Write what the journal says about a restic backup as metrics for the textfile
collector of node_exporter.

  --unit UNIT               the backup unit (default restic-backup.service);
                            repeatable, may be a pattern such as 'restic-*'
  --output PATH             the .prom file, a directory for UNIT.prom, or - for
                            standard output (default: the directory below)
  --invocation ID           which run of the unit (default: the run that this
                            call is part of, else the latest)
  --journal PATH            read this journal file, or those in this directory,
                            instead of the local journal
  --user                    the unit belongs to the user's service manager
  --namespace NAME          the journal namespace that the unit logs into
                            (default: the one that has lines of the run)
  --strip REGEXP            remove this from the beginning of each line: the
                            prefix of a wrapper, such as '^[^|]+[|] '
  --action NAME=IDENTIFIER  count lines logged as IDENTIFIER as action NAME;
                            repeatable (default backup=restic-backup.sh,
                            cleanup=cleanup-backups.sh, prune=restic-prune.sh)
  --label NAME=VALUE        add a label to every series; repeatable
  --max-age DURATION        alert if the last success is older, such as 26h
  --store URL               read a VictoriaLogs, and write HOST.prom to --output
  --host NAME               the host of the store to read (default: all);
                            repeatable, may be a pattern such as 'web*'
  --store-headers FILE      headers for the store, one NAME: VALUE per line
  --sender-field NAME       the field of the store with the sender of an entry
  --version                 print the version and exit
  --help                    print this text and exit

LOG is read instead of the journal; - is standard input. LOG can be whatever
journalctl prints with the wall clock and the host (best: -o export), a syslog
file, or the output of restic itself. Without --output, the metrics of LOG go to
standard output.

Textfile directory: the first of these that exists.
  %s

As ExecStopPost= of the unit:
  ExecStopPost=-/usr/bin/restic-exporter --unit %%n

Exit status: 0 if the metrics were written, 1 if they were not, 2 for wrong
usage. A failed backup is a metric, not a failure of this program.
`

// options is what the command line says.
type options struct {
	units      units  // what --unit says, if it can be several units
	unit       string // the unit to read
	found      bool   // a pattern found the unit; it was not named
	output     string
	invocation journal.ID
	dir        string
	user       bool
	namespace  string
	strip      *regexp.Regexp    // nil: nothing is cut
	actions    map[string]string // identifier to action
	labels     map[string]string
	maxAge     time.Duration
	log        string
	store      storeOptions

	version, help bool
}

func parseFlags(args []string) (options, error) {
	o := options{labels: make(map[string]string)}
	identifiers := map[string][]string{
		"backup":  {"restic-backup.sh"},
		"cleanup": {"cleanup-backups.sh"},
		"prune":   {"restic-prune.sh"},
	}
	given := make(map[string]bool)

	fs := flag.NewFlagSet("restic-exporter", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	fs.Func("unit", "", o.units.add)
	fs.Func("output", "", path(&o.output))
	fs.TextVar(&o.invocation, "invocation", journal.ID{}, "")
	fs.Func("journal", "", path(&o.dir))
	fs.BoolVar(&o.user, "user", false, "")
	fs.Func("namespace", "", func(s string) error {
		o.namespace = s
		return journal.CheckNamespace(s)
	})
	fs.Func("strip", "", func(s string) (err error) {
		if s == "" {
			return errors.New("want a regular expression; leave the flag out to cut nothing")
		}
		o.strip, err = regexp.Compile(s)
		return err
	})
	fs.BoolVar(&o.version, "version", false, "")
	fs.Func("action", "", func(s string) error {
		name, identifier, ok := strings.Cut(s, "=")
		if !ok || name == "" || identifier == "" {
			return errors.New("want NAME=IDENTIFIER, as in backup=my-backup.sh")
		}
		if !given[name] {
			identifiers[name] = nil // replaces the default
		}
		given[name] = true
		identifiers[name] = append(identifiers[name], identifier)
		return nil
	})
	fs.Func("label", "", func(s string) error {
		name, value, ok := strings.Cut(s, "=")
		if !ok {
			return errors.New("want NAME=VALUE, as in site=berlin")
		}
		if err := metrics.CheckLabel(name, value); err != nil {
			return err
		}
		if _, ok := o.labels[name]; ok {
			return fmt.Errorf("label %q is given twice", name)
		}
		o.labels[name] = value
		return nil
	})
	fs.Func("store", "", path(&o.store.url))
	fs.Func("store-headers", "", path(&o.store.headers))
	fs.Func("sender-field", "", path(&o.store.sender))
	fs.Func("host", "", func(s string) error {
		o.store.hosts = append(o.store.hosts, s)
		return nil
	})
	fs.Func("max-age", "", func(s string) (err error) {
		o.maxAge, err = parseAge(s)
		return err
	})

	// Flags may come after LOG.
	var logs []string
	for rest := args; ; {
		err := fs.Parse(rest)
		if errors.Is(err, flag.ErrHelp) {
			o.help = true
			return o, nil
		}
		if err != nil {
			return o, err
		}
		if rest = fs.Args(); len(rest) == 0 {
			break
		}
		consumed := len(args) - len(rest)
		if consumed > 0 && args[consumed-1] == "--" {
			logs = append(logs, rest...)
			break
		}
		logs = append(logs, rest[0])
		args, rest = rest[1:], rest[1:]
	}
	switch {
	case len(logs) > 1:
		return o, fmt.Errorf("one LOG at a time, not %q", logs)
	case len(logs) == 1 && logs[0] == "":
		return o, errors.New("the name of LOG is empty")
	case len(logs) == 1:
		o.log = logs[0]
	}
	if o.log != "" && o.dir != "" {
		return o, errors.New("either --journal or LOG, not both")
	}
	if o.namespace != "" && (o.log != "" || o.store.url != "" || o.user || o.dir != "" && !isDir(o.dir)) {
		return o, errors.New("--namespace works only with system units, in the journal of this machine or in --journal DIR")
	}

	o.actions = make(map[string]string)
	for _, action := range slices.Sorted(maps.Keys(identifiers)) {
		for _, identifier := range identifiers[action] {
			if other, ok := o.actions[identifier]; ok {
				return o, fmt.Errorf("--action: identifier %q is both %q and %q", identifier, other, action)
			}
			o.actions[identifier] = action
		}
	}
	if !o.units.many() && len(o.units.names) == 0 {
		o.units.names = []string{"restic-backup.service"}
	}
	if err := o.checkStore(); err != nil {
		return o, err
	}
	if o.store.url != "" || o.units.many() {
		return o, o.checkMany()
	}
	o.unit, o.units = o.units.names[0], units{}
	if base := filepath.Base(o.output); o.output != "" && o.output != "-" && !isDir(o.output) && !strings.HasSuffix(o.output, "/") &&
		(!strings.HasSuffix(base, ".prom") || base == ".prom") {
		return o, fmt.Errorf("--output %s: not a directory, and the name of a file must end in .prom, or the textfile collector ignores it", o.output)
	}
	return o, nil
}

// identifiers returns the identifiers whose lines count as an action.
func (o options) identifiers(action string) []string {
	var names []string
	for identifier, a := range o.actions {
		if a == action {
			names = append(names, identifier)
		}
	}
	return names
}

// path returns a function that sets to from the value of a flag. It refuses an empty value:
// that is usually a variable that was not set, and the default would read or write the
// wrong place.
func path(to *string) func(string) error {
	return func(s string) error {
		if s == "" {
			return errors.New("want a path; leave the flag out for the default")
		}
		*to = s
		return nil
	}
}

// parseAge reads a duration in the syntax of Go or Prometheus.
func parseAge(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil {
		var m model.Duration
		m, err = model.ParseDuration(s)
		d = time.Duration(m)
	}
	if err != nil {
		return 0, errors.New("want a duration, such as 26h or 2d")
	}
	if d <= 0 {
		return 0, errors.New("want a duration above 0")
	}
	return d, nil
}

// checkMany returns an error for flags that do not work with several units.
func (o options) checkMany() error {
	switch {
	case o.invocation != (journal.ID{}):
		return errors.New("--invocation is a run of one unit: name that unit with --unit")
	case o.output == "-" || strings.HasSuffix(o.output, ".prom") && !isDir(o.output) || o.output == "" && o.log != "":
		return fmt.Errorf("%s can be several units: want --output DIR, a directory in which each unit gets a file", &o.units)
	}
	return nil
}
