package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// A Reader reads a journal. The zero Reader reads that of the local system. It
// holds nothing open between calls.
type Reader struct {
	Dir  string // read the journal files in this directory instead
	User bool   // the units are those of the calling user's manager
}

// A match is a disjunction of conjunctions of FIELD=value, as sd_journal_add_match(3)
// has it.
type match [][]string

// ofUnit matches what may be of any invocation of unit.
func (r Reader) ofUnit(unit string) match {
	return match{r.anyOutput(unit), r.manager(unit)}
}

func (r Reader) anyOutput(unit string) []string {
	if r.User {
		return []string{"_SYSTEMD_USER_UNIT=" + unit, "_UID=" + strconv.Itoa(os.Getuid())}
	}
	return []string{"_SYSTEMD_UNIT=" + unit}
}

// output is what matches the lines of an invocation.
func (r Reader) output(unit string, id ID, more ...string) []string {
	return append(append(r.anyOutput(unit), "_SYSTEMD_INVOCATION_ID="+id.String()), more...)
}

func (r Reader) manager(unit string, more ...string) []string {
	if r.User {
		uid := strconv.Itoa(os.Getuid())
		return append([]string{
			"USER_UNIT=" + unit, "_SYSTEMD_USER_UNIT=init.scope", "_UID=" + uid, "_SYSTEMD_UNIT=user@" + uid + ".service",
		}, more...)
	}
	return append([]string{"UNIT=" + unit, "_PID=1"}, more...)
}

// ofInvocation matches what is of one invocation of unit.
func (r Reader) ofInvocation(unit string, id ID) match {
	return append(match{r.output(unit, id)}, r.notes(unit, id)...)
}

// notes matches what the manager and journald say of an invocation.
func (r Reader) notes(unit string, id ID) match {
	managerID, objectUnit := "INVOCATION_ID=", "OBJECT_SYSTEMD_UNIT="
	if r.User {
		managerID, objectUnit = "USER_INVOCATION_ID=", "OBJECT_SYSTEMD_USER_UNIT="
	}
	return match{
		r.manager(unit, managerID+id.String()),
		{objectUnit + unit, "OBJECT_SYSTEMD_INVOCATION_ID=" + id.String(), "_SYSTEMD_UNIT=systemd-journald.service"},
	}
}

// A mark is an entry that has an invocation.
type mark struct {
	id   ID
	time time.Time
}

// messageStarting is the MESSAGE_ID of EventStarting.
const messageStarting = "7d4958e842da4a758f6c1cdc7b36dcc5"

// Latest implements [Source].
func (r Reader) Latest(ctx context.Context, unit string) (ID, error) {
	id, err := r.latest(ctx, unit, r.edges)
	if err != nil {
		err = cmpErr(r.unreadable(), err)
	}
	return id, err
}

// latest is Latest by what ends says.
func (r Reader) latest(ctx context.Context, unit string, ends ends) (ID, error) {
	// A process that an earlier invocation has left behind may log last. So
	// what the manager started last counts, unless it said nothing of what
	// came later: LogLevelMax= can silence it.
	marks, err := ends(ctx,
		edge{match: match{r.manager(unit, "MESSAGE_ID="+messageStarting)}},
		edge{match: r.ofUnit(unit)})
	if err != nil {
		return ID{}, err
	}
	started, last := marks[0], marks[1]
	switch {
	case last.id == (ID{}):
		return ID{}, ErrNotFound
	case started.id == (ID{}) || started.id == last.id:
		return last.id, nil
	}
	marks, err = ends(ctx, edge{match: r.ofInvocation(unit, last.id), first: true})
	if err != nil {
		return ID{}, err
	}
	if marks[0].time.After(started.time) {
		return last.id, nil
	}
	return started.id, nil
}

// Extents returns when the entries of each origin, of those that processes of
// one invocation of unit wrote, begin and end.
func (r Reader) Extents(ctx context.Context, unit string, id ID, of []Origin) ([]Extent, error) {
	edges := make([]edge, 0, 2*len(of))
	for _, o := range of {
		var more []string
		if o.Identifier != "" {
			more = append(more, "SYSLOG_IDENTIFIER="+o.Identifier)
		}
		if o.PID != 0 {
			more = append(more, "_PID="+strconv.Itoa(o.PID))
		}
		m := match{r.output(unit, id, more...)}
		edges = append(edges, edge{m, true}, edge{m, false})
	}
	marks, err := r.edges(ctx, edges...)
	if err != nil {
		return nil, err
	}
	extents := make([]Extent, len(of))
	for i := range extents {
		extents[i] = Extent{marks[2*i].time, marks[2*i+1].time}
	}
	return extents, nil
}

// An edge asks for the first or the last entry that matches.
type edge struct {
	match match
	first bool
}

// ends returns, for each edge, the entry that it asks for, of those that have an
// invocation; the zero mark if there is none.
type ends func(ctx context.Context, edges ...edge) ([]mark, error)

// Entries implements [Source]. It reports ErrIncomplete behind the last entry if
// the beginning of the invocation is not in the journal.
//
// The zero ID stands for the latest invocation; if there is none Entries reports
// ErrNotFound. That is faster than to ask [Reader.Latest] first. The journal is open for the length of the loop.
// The loop holds on to its thread, as sd-journal(3) asks: do not pass the
// iterator to [iter.Pull2].
func (r Reader) Entries(ctx context.Context, unit string, id ID) iter.Seq2[Entry, error] {
	return r.explained(r.entries(ctx, unit, id))
}

// explained is seq, with the reason if nothing can be read.
func (r Reader) explained(seq iter.Seq2[Entry, error]) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		some := false
		for e, err := range seq {
			if err != nil && !some {
				err = cmpErr(r.unreadable(), err)
			}
			some = true
			if !yield(e, err) || err != nil {
				return
			}
		}
		if some {
			return
		}
		if err := r.unreadable(); err != nil {
			yield(Entry{}, err)
		}
	}
}

// Skim is Entries in a hurry, for invocations that log very much: it may leave out
// lines for which idle is true. idle is called with the line, and with a function
// that says which process wrote it, which costs as much again, and after which
// the line is no longer valid. Through journalctl nothing is left out, for
// nothing would be won.
//
// Lines come in the order in which journald received them, those without an
// invocation ID last. Where among them the entries of the manager and of journald
// come is not promised.
//
// The zero ID stands for the latest invocation, as it does for Entries.
func (r Reader) Skim(ctx context.Context, unit string, id ID, idle func(message []byte, pid func() int) bool) iter.Seq2[Entry, error] {
	return r.explained(r.skim(ctx, unit, id, idle))
}

// unreadable tells why the journal holds less than was expected; nil if no
// reason is known.
func (r Reader) unreadable() error { return cmpErr(r.check(), r.forbidden()) }

// check reports what is wrong with Dir.
func (r Reader) check() error {
	if r.Dir == "" {
		return nil
	}
	names, err := os.ReadDir(r.Dir)
	if err != nil {
		return err
	}
	found := false
	filepath.WalkDir(r.Dir, func(name string, _ fs.DirEntry, err error) error {
		if err == nil && isJournal(name) {
			found = true
			return fs.SkipAll
		}
		return nil
	})
	if !found {
		return fmt.Errorf("%s: %w: no journal file among its %d entries", r.Dir, ErrFormat, len(names))
	}
	return nil
}

func isJournal(name string) bool {
	return strings.HasSuffix(name, ".journal") || strings.HasSuffix(name, ".journal~")
}

// forbidden reports that there are journal files that may not be read: libsystemd
// silently leaves them out.
func (r Reader) forbidden() error {
	dirs := []string{r.Dir}
	if r.Dir == "" {
		machine, err := os.ReadFile("/etc/machine-id")
		if err != nil {
			return nil
		}
		id := strings.TrimSpace(string(machine))
		dirs = []string{filepath.Join("/var/log/journal", id), filepath.Join("/run/log/journal", id)}
	}
	for _, dir := range dirs {
		names, err := os.ReadDir(dir)
		if errors.Is(err, fs.ErrPermission) {
			return err
		}
		for _, n := range names {
			if !isJournal(n.Name()) || r.User && !strings.HasPrefix(n.Name(), "user-"+strconv.Itoa(os.Getuid())) {
				continue
			}
			file, err := os.Open(filepath.Join(dir, n.Name()))
			if errors.Is(err, fs.ErrPermission) {
				return err
			}
			if err == nil {
				file.Close()
			}
		}
	}
	return nil
}

// markOf returns the invocation that rec is of.
func (r Reader) markOf(rec *record) mark {
	managerID := fieldInvocation
	if r.User {
		managerID = fieldUserInvocation
	}
	id, _ := rec.id(fieldSystemdInvocation)
	// The manager's own invocation is not the unit's.
	if (selector{user: r.User}).manager(rec) {
		id, _ = rec.id(managerID)
	}
	return mark{id, usec(rec.usec)}
}
