package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/restic-exporter/restic-exporter/invocation"
)

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
	ctx, cancel := o.bounded(ctx)
	defer cancel()
	if o.local() {
		for i, name := range o.units.names {
			o.units.names[i] = invocation.UnitName(name, o.user)
		}
	}
	names, err := o.units.in(ctx, from.Source)
	if err != nil {
		return o.explain(err, from.name)
	}
	bad, none := 0, 0
	for i, name := range names {
		ctx, cancel := share(ctx, len(names)-i)
		one := o
		one.unit, one.output = name, dir
		one.found = !slices.Contains(o.units.names, name)
		err := p.export(ctx, one, from)
		cancel()
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

// share returns the context for the next of several units. Each but the last gets half of
// the time that is left. So a unit whose journal does not answer, such as that of a
// namespace, leaves time for the others.
func share(ctx context.Context, units int) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok || units == 1 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, time.Until(deadline)/2)
}
