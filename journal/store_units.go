package journal

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A StoreUnit is a unit of a host of which a store has words of the service manager.
type StoreUnit struct {
	Host, Unit string
	Machine    string // _MACHINE_ID
	Sender     string // what SenderField holds; "" without one

	Last time.Time // the manager's last word about the unit
	// Run is the latest run, and Began when the manager said that it starts it; zero if
	// that does not show at once, as after a start that the manager refused.
	Run   ID
	Began time.Time
	// Entries is how many entries of Run the store has: it grows if more arrive. It is 0
	// for a run that began more than two days ago.
	Entries uint64

	since time.Time
}

// countSince is how long after a run entries of it are expected to arrive.
const countSince = 48 * time.Hour

// Units returns the units of which the manager of any host has said something since a
// time, as far as their names match one of patterns (see [Match]), ordered by host and
// unit. Which of these may be believed is not checked: a host name can be any text, and
// can have several machine IDs or senders.
//
// It asks three questions, however many hosts there are.
func (s Store) Units(ctx context.Context, since time.Time, patterns ...string) ([]StoreUnit, error) {
	if len(patterns) == 0 {
		return nil, nil
	}
	counts, err := s.counts(ctx, since, patterns)
	if err != nil {
		return nil, err
	}
	query := fmt.Sprintf(`%s _PID:="1" MESSAGE_ID:* %s | stats by (%s) max(_time) last, row_max(_time, INVOCATION_ID) final, row_max(_time, _time, INVOCATION_ID) if (MESSAGE_ID:="%s") began`,
		sinceFilter(since), patternFilter("UNIT", patterns), s.by("UNIT"), messageStarting)
	var units []StoreUnit
	for row, err := range s.ask(ctx, query) {
		if err != nil {
			return nil, err
		}
		u := s.unitOf(row, "UNIT")
		u.since = since
		if u.Last, err = time.Parse(time.RFC3339Nano, row["last"]); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrStoreAnswer, err)
		}
		var final, began struct {
			ID   string    `json:"INVOCATION_ID"`
			Time time.Time `json:"_time"`
		}
		if json.Unmarshal([]byte(row["final"]), &final) == nil && json.Unmarshal([]byte(row["began"]), &began) == nil && final.ID == began.ID {
			if u.Run.UnmarshalText([]byte(began.ID)) == nil {
				u.Began = began.Time
			}
		}
		if u.Run != (ID{}) && time.Since(u.Began) < countSince {
			u.Entries = counts[countedRun{u.Host, u.Machine, u.Sender, u.Unit, u.Run.String()}]
		}
		units = append(units, u)
	}
	slices.SortFunc(units, func(a, b StoreUnit) int {
		return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.Unit, b.Unit), cmp.Compare(a.Machine, b.Machine), cmp.Compare(a.Sender, b.Sender))
	})
	return units, nil
}

// Source returns what the store keeps of the host of u. It spares the questions that
// [Store.Units] has answered, and does not look for runs before its time.
func (s Store) Source(u StoreUnit) Source { return storeHost{s, u.Host, &u} }

// A countedRun is a run of a unit of a host.
type countedRun struct{ host, machine, sender, unit, run string }

// counts returns how many entries there are of each run of the last days: lines, and what
// the manager says.
func (s Store) counts(ctx context.Context, since time.Time, patterns []string) (map[countedRun]uint64, error) {
	if from := time.Now().Add(-countSince); since.Before(from) {
		since = from
	}
	counts := make(map[countedRun]uint64)
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
			n, err := strconv.ParseUint(row["n"], 10, 64)
			if err != nil {
				return nil, fmt.Errorf("%w: %w", ErrStoreAnswer, err)
			}
			u := s.unitOf(row, unit)
			counts[countedRun{u.Host, u.Machine, u.Sender, u.Unit, row[id]}] += n
		}
	}
	return counts, nil
}

// by lists the fields that tell units of hosts apart.
func (s Store) by(unit string) string {
	fields := "_HOSTNAME," + machine + "," + unit
	if s.SenderField != "" {
		fields += "," + strconv.Quote(s.SenderField)
	}
	return fields
}

func (s Store) unitOf(row map[string]string, unit string) StoreUnit {
	u := StoreUnit{Host: row["_HOSTNAME"], Unit: row[unit], Machine: row[machine]}
	if s.SenderField != "" {
		u.Sender = row[s.SenderField]
	}
	return u
}

func sinceFilter(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return "_time:>=" + t.UTC().Format(time.RFC3339Nano)
}

// patternFilter is what field is asked for to match one of patterns.
func patternFilter(field string, patterns []string) string {
	var or []string
	for _, p := range patterns {
		or = append(or, field+":~"+strconv.Quote(compile(p).String()))
	}
	return "(" + strings.Join(or, " or ") + ")"
}
