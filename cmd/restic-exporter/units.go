package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

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

// wants reports whether a name or a pattern selects the unit, which must be a service.
func (u *units) wants(name string) bool {
	matches := func(p string) bool { return journal.Match(p, name) }
	full, err := unitName(name)
	return slices.Contains(u.names, name) ||
		slices.ContainsFunc(u.patterns, matches) && err == nil && full == name && !slices.ContainsFunc(ours, matches)
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
		if u.wants(name) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, nil
}

// checkType returns an error for the name of a unit that is not a service.
func checkType(s string) error {
	if kind := journal.UnitType(s); kind != "" && kind != "service" {
		return fmt.Errorf("want a service, as %s.service, not %s", strings.TrimSuffix(s, "."+kind), s)
	}
	return nil
}

// unitName returns the full name of a service.
func unitName(s string) (string, error) {
	if err := checkType(s); err != nil {
		return "", err
	}
	name := strings.TrimSuffix(s, ".service")
	// systemd.unit(5) defines the characters and the length.
	valid := name != "" && name[0] != '@' && name[0] != '.' && len(name)+len(".service") < 256
	for _, c := range []byte(name) {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.IndexByte(`:-_.\@`, c) >= 0:
		default:
			valid = false
		}
	}
	if !valid {
		return "", errors.New("not the name of a unit, see systemd.unit(5); systemd-escape(1) makes one from a path")
	}
	if strings.HasSuffix(name, "@") {
		return "", fmt.Errorf("a template does not run; name an instance, as in %sNAME.service", name)
	}
	return name + ".service", nil
}
