package journal

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// A StoreUnit is a unit of a host about which a store has entries of the service manager.
type StoreUnit struct {
	Host, Unit string
	Machine    string // _MACHINE_ID

	Last time.Time // time of the manager's last entry about the unit
	// Run is the latest run, and Began the time of the manager's "Starting". Both are
	// zero if more queries are needed to find them, as after a start that was refused or
	// skipped.
	Run   ID
	Began time.Time
	// Entries is the number of entries of Run in the store. It grows as more arrive. It
	// is 0 for a run that began more than two days ago. Notes is the number of entries
	// among them that are the manager's.
	Entries, Notes uint64

	since  time.Time
	sender string // the value of SenderField; "" without one
}

// A StoreHost is a host of a store and its units, ordered by name.
type StoreHost struct {
	Name  string // can be any text, unless a proxy checks it (see SenderField)
	Units []StoreUnit
	// Err says which entries under this name are not trusted: those that another host
	// sent, or, if two machines have the name, all of them. They are not in Units.
	Err error
}

// countSince bounds how long after the start of a run new entries of it can arrive.
const countSince = 48 * time.Hour

// Hosts returns the hosts, ordered by name, and those of their units about which the manager
// has logged something since a time and whose names match any of patterns (see [Match]).
// Without patterns it returns nothing.
//
// It sends three queries, however many hosts there are. One finds the latest run of each
// unit. The others count the lines and the manager's entries of each run of the last days.
// A single query would have to return each run since that time: for 1,000 machines and a
// week it took the store as long as the three, and its answer was three times as large.
func (s Store) Hosts(ctx context.Context, since time.Time, patterns ...string) ([]StoreHost, error) {
	units, err := s.units(ctx, since, patterns)
	if err != nil {
		return nil, err
	}
	var hosts []StoreHost
	for len(units) > 0 {
		name := units[0].Host
		n := slices.IndexFunc(units, func(u StoreUnit) bool { return u.Host != name })
		if n < 0 {
			n = len(units)
		}
		h := StoreHost{Name: name}
		h.Units, h.Err = s.trusted(units[:n])
		hosts, units = append(hosts, h), units[n:]
	}
	return hosts, nil
}

// trusted returns those units of a host whose entries can be trusted, and what is wrong
// with the others.
func (s Store) trusted(units []StoreUnit) (trusted []StoreUnit, err error) {
	for _, u := range units {
		switch {
		case s.SenderField != "" && u.sender != u.Host:
			err = fmt.Errorf("%q sent entries in the name of this host; they are not believed", u.sender)
		case len(trusted) > 0 && trusted[0].Machine != u.Machine:
			return nil, fmt.Errorf("two machines, %s and %s, have this name; give each a name of its own", trusted[0].Machine, u.Machine)
		default:
			trusted = append(trusted, u)
		}
	}
	return trusted, err
}

// units returns the units of all hosts, ordered by host and unit, trusted or not.
func (s Store) units(ctx context.Context, since time.Time, patterns []string) ([]StoreUnit, error) {
	if len(patterns) == 0 {
		return nil, nil
	}
	counts, err := s.counts(ctx, since, patterns)
	if err != nil {
		return nil, err
	}
	query := fmt.Sprintf(`%s _PID:="1" MESSAGE_ID:* %s | stats by (%s) max(_time) last, row_max(_time, INVOCATION_ID) final, row_max(_time, _time, INVOCATION_ID) if (%s) began, row_max(_time, INVOCATION_ID) if (%s) skipped`,
		sinceFilter(since), patternFilter("UNIT", patterns), s.by("UNIT"), storeFilter([]string{isStarting}), storeFilter([]string{isSkipped}))
	var units []StoreUnit
	for row, err := range s.ask(ctx, query) {
		if err != nil {
			return nil, err
		}
		u := s.unitOf(row, "UNIT")
		u.since = since
		if u.Last, err = time.Parse(time.RFC3339Nano, row.get("last")); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrStoreAnswer, err)
		}
		var final, began, skipped struct {
			ID   string    `json:"INVOCATION_ID"`
			Time time.Time `json:"_time"`
		}
		_ = json.Unmarshal([]byte(row.get("skipped")), &skipped) // "" if no start was skipped
		if json.Unmarshal([]byte(row.get("final")), &final) == nil && json.Unmarshal([]byte(row.get("began")), &began) == nil &&
			final.ID == began.ID && final.ID != skipped.ID {
			if u.Run.UnmarshalText([]byte(began.ID)) == nil {
				u.Began = began.Time
			}
		}
		if u.Run != (ID{}) && time.Since(u.Began) < countSince {
			c := counts[countedRun{u.Host, u.Machine, u.sender, u.Unit, u.Run.String()}]
			u.Entries, u.Notes = c[Output]+c[Manager], c[Manager]
		}
		units = append(units, u)
	}
	slices.SortFunc(units, func(a, b StoreUnit) int {
		return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.Unit, b.Unit), cmp.Compare(a.Machine, b.Machine), cmp.Compare(a.sender, b.sender))
	})
	return units, nil
}

// Source returns the journal of u's host in the store. It does not repeat the queries of
// [Store.Hosts], and finds no runs before the time that was given there.
func (s Store) Source(u StoreUnit) Source { return storeHost{s, u.Host, &u} }

// A countedRun is a run of a unit of a host.
type countedRun struct{ host, machine, sender, unit, run string }

// counts returns the number of entries of each run of the last days: lines of output and
// the manager's entries.
func (s Store) counts(ctx context.Context, since time.Time, patterns []string) (map[countedRun][2]uint64, error) {
	if from := time.Now().Add(-countSince); since.Before(from) {
		since = from
	}
	counts := make(map[countedRun][2]uint64) // by kind
	for _, k := range []Kind{Output, Manager} {
		rule := systemScope[k]
		unit, id := fieldNames[rule.unit], fieldNames[rule.id]
		filter := ""
		for _, c := range rule.vouched {
			filter += storeFilter([]string{fieldNames[c.field] + "=" + c.value}) + " "
		}
		query := fmt.Sprintf("%s %s%s %s:* | stats by (%s,%s) count() n", sinceFilter(since), filter, patternFilter(unit, patterns), id, s.by(unit), id)
		for row, err := range s.ask(ctx, query) {
			if err != nil {
				return nil, err
			}
			n, err := strconv.ParseUint(row.get("n"), 10, 64)
			if err != nil {
				return nil, fmt.Errorf("%w: %w", ErrStoreAnswer, err)
			}
			u := s.unitOf(row, unit)
			run := countedRun{u.Host, u.Machine, u.sender, u.Unit, row.get(id)}
			c := counts[run]
			c[k] = n
			counts[run] = c
		}
	}
	return counts, nil
}

// by returns the fields that identify a unit of a host.
func (s Store) by(unit string) string {
	fields := "_HOSTNAME," + machine + "," + unit
	if s.SenderField != "" {
		fields += "," + strconv.Quote(s.SenderField)
	}
	return fields
}

func (s Store) unitOf(row storeRow, unit string) StoreUnit {
	u := StoreUnit{Host: row.get("_HOSTNAME"), Unit: row.get(unit), Machine: row.get(machine)}
	if s.SenderField != "" {
		u.sender = row.get(s.SenderField)
	}
	return u
}
