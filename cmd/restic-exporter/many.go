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

// units are the units that --unit selects.
type units struct {
	names    []string // full names, each once
	patterns []string // patterns like systemctl's, each with and without ".service"
}

// add adds the value of a --unit.
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

// many reports whether there can be more than one unit.
func (u *units) many() bool { return len(u.patterns) > 0 || len(u.names) > 1 }

func (u *units) String() string {
	shown := slices.DeleteFunc(slices.Clone(u.patterns), func(p string) bool {
		return slices.Contains(u.patterns, strings.TrimSuffix(p, ".service")) && strings.HasSuffix(p, ".service")
	})
	return strings.Join(append(slices.Clone(u.names), shown...), ", ")
}

// ours matches this project's own units, which are not backups.
var ours = []string{"restic-exporter*", "unit-failure@*"}

// wants reports whether a name or a pattern selects the unit.
func (u *units) wants(name string) bool {
	matches := func(p string) bool { return journal.Match(p, name) }
	return slices.Contains(u.names, name) ||
		slices.ContainsFunc(u.patterns, matches) && strings.HasSuffix(name, ".service") && !slices.ContainsFunc(ours, matches)
}

// in returns the units that are named, and those in a source that match a pattern.
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

// errNoBackup is returned for a unit that a pattern found but that does not run restic.
var errNoBackup = errors.New("restic has not logged anything in this unit")

// exportMany writes a file for each unit. If one fails, it still writes the others.
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
		return fmt.Errorf("%d of %d units failed", bad, len(names))
	case len(names) == none:
		return fmt.Errorf("no unit %s in %s has run restic: is the pattern right, and has a backup run?", &o.units, from.name)
	}
	return nil
}
