package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/restic-exporter/restic-exporter/invocation"
	"github.com/restic-exporter/restic-exporter/journal"
)

// units is what --unit says.
type units struct {
	names    []string // whole names, each once
	patterns []string // as systemctl has them, with and without ".service"
}

// add takes the value of a flag.
func (u *units) add(s string) error {
	if journal.IsPattern(s) {
		if err := checkType(s); err != nil {
			return err
		}
		if u.patterns = append(u.patterns, s); !strings.HasSuffix(s, ".service") {
			u.patterns = append(u.patterns, s+".service")
		}
		return nil
	}
	name, err := unitName(s)
	if err == nil && !slices.Contains(u.names, name) {
		u.names = append(u.names, name)
	}
	return err
}

// many reports whether it can be more than one unit.
func (u *units) many() bool { return len(u.patterns) > 0 || len(u.names) > 1 }

func (u *units) String() string {
	shown := slices.DeleteFunc(slices.Clone(u.patterns), func(p string) bool {
		return slices.Contains(u.patterns, strings.TrimSuffix(p, ".service")) && strings.HasSuffix(p, ".service")
	})
	return strings.Join(append(slices.Clone(u.names), shown...), ", ")
}

// ours are our own units, which are no backups.
var ours = []string{"restic-exporter*", "unit-failure@*"}

// wants reports whether a unit was asked for, by its name or by a pattern.
func (u *units) wants(name string) bool {
	matches := func(p string) bool { return journal.Match(p, name) }
	return slices.Contains(u.names, name) ||
		slices.ContainsFunc(u.patterns, matches) && strings.HasSuffix(name, ".service") && !slices.ContainsFunc(ours, matches)
}

// in returns the names of those that are in a source, and of those that are named.
func (u *units) in(ctx context.Context, from journal.Source) ([]string, error) {
	names := slices.Clone(u.names)
	if len(u.patterns) == 0 {
		return names, nil
	}
	for name, err := range from.Units(ctx, u.patterns...) {
		if err != nil {
			return nil, err
		}
		if valid, err := unitName(name); err == nil && valid == name && u.wants(name) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, nil
}

// errNoBackup is reported for a unit that a pattern has found and that runs no restic.
var errNoBackup = errors.New("no restic has spoken in it")

// exportMany writes a file for each unit. Trouble with one does not keep those of others
// from being written.
func (p *program) exportMany(ctx context.Context, o options) error {
	dir, err := o.directory()
	if err != nil {
		return err
	}
	from, err := p.source(o)
	if err != nil {
		return err
	}
	defer from.close()
	if o.local() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, readTimeout)
		defer cancel()
		for i, name := range o.units.names {
			o.units.names[i] = invocation.UnitName(name, o.user)
		}
	}
	names, err := o.units.in(ctx, from.Source)
	if err != nil {
		return o.explain(err, from.name)
	}
	bad, none := 0, 0
	for _, name := range names {
		one := o
		one.unit, one.output = name, dir
		one.found = !slices.Contains(o.units.names, name)
		err := p.exportFrom(ctx, one, from)
		switch {
		case err == nil:
			p.removeNote(one)
		case errors.Is(err, errNoBackup):
			none++
		case errors.Is(err, invocation.ErrSkipped), one.found && errors.Is(err, invocation.ErrRunning):
		default:
			bad++
			p.say("error", "%v", err)
			if p.service {
				p.leaveNote(one)
			}
		}
	}
	switch {
	case bad > 0:
		return fmt.Errorf("there was trouble with %d of %d units", bad, len(names))
	case len(names) == none:
		return fmt.Errorf("no unit %s in %s in which restic has spoken: has one run, and is the pattern right?", &o.units, from.name)
	}
	return nil
}
