package journal

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// A Reader reads a journal. The zero Reader reads the journal of the local system. A
// Reader keeps nothing open between calls.
type Reader struct {
	Dir  string // read the journal files in this directory instead
	File string // read this journal file instead, such as one of systemd-journal-remote
	User bool   // the units belong to the calling user's manager
	// Namespace is the journal namespace that the units log into (LogNamespace= in
	// systemd.exec(5)). It is read together with the default journal, which has the
	// manager's messages. "" means only the default journal. A File has no namespaces.
	Namespace string
}

// Boot returns the ID of this machine's current boot.
func Boot() (ID, error) {
	var id ID
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return id, err
	}
	return id, id.UnmarshalText(bytes.TrimSpace(text))
}

// elsewhere reports whether the journal is not the one of this system.
func (r Reader) elsewhere() bool { return r.Dir != "" || r.File != "" }

// Latest implements [Source].
func (r Reader) Latest(ctx context.Context, unit string) (id ID, err error) {
	err = r.open(func(b backend) (err error) {
		id, err = latestIn(ctx, b, r.selector(unit))
		return err
	})
	if err != nil {
		err = cmp.Or(r.unreadable(), hint(unit, err))
	}
	return id, err
}

// Entries implements [Source]. It returns ErrIncomplete after the last entry if the
// beginning of the invocation is not in the journal.
//
// The journal stays open for the length of the loop, and the loop is bound to its thread,
// as sd-journal(3) requires. So do not pass the iterator to [iter.Pull2].
func (r Reader) Entries(ctx context.Context, unit string, id ID) iter.Seq2[Entry, error] {
	return r.read(ctx, unit, id, nil, r.open)
}

// Skim implements [Source]. The iterator behaves like that of Entries. Skim leaves out
// lines only of runs with 200 entries or more, and only if it reads through libsystemd:
// journalctl would save no time.
func (r Reader) Skim(ctx context.Context, unit string, id ID, s Skipper) iter.Seq2[Entry, error] {
	return r.read(ctx, unit, id, s, r.open)
}

// An opener calls a function with a backend that reads the journal.
type opener func(func(backend) error) error

// read yields the entries of an invocation, through the backend that open opens.
func (r Reader) read(ctx context.Context, unit string, id ID, skipper Skipper, open opener) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		some := false
		err := open(func(b backend) (err error) {
			p := pass{ctx: ctx, b: b, s: r.selector(unit), id: id, yield: func(e Entry, err error) bool {
				some = true
				return yield(e, err)
			}}
			run := func() error {
				if err := p.run(skipper); err != nil {
					return err
				}
				return r.checkNamespace(ctx, cmp.Or(p.firstSent, p.firstLine))
			}
			if id != (ID{}) {
				return run()
			}
			p.newest = true
			if p.id, err = latestIn(ctx, b, p.s); err != ErrNotFound {
				if err != nil {
					return err
				}
				return run()
			}
			// There is no run. Perhaps the manager refused each start.
			if err := p.refused(time.Time{}); err != nil {
				return err
			}
			if !some {
				return ErrNotFound
			}
			return nil
		})
		if !some {
			err = cmp.Or(r.unreadable(), hint(unit, err))
		}
		if err != nil && err != errStop {
			yield(Entry{}, err)
		}
	}
}

// hint explains err, the error of a source that has nothing of unit, if the name of the
// unit is incomplete. A nil err stands for ErrNotFound.
func hint(unit string, err error) error {
	if err != nil && err != ErrNotFound || UnitType(unit) != "" {
		return err
	}
	return fmt.Errorf("%w: %q is not the whole name of a unit, want %q", ErrNotFound, unit, unit+".service")
}

// unreadable returns why the journal has less than expected; nil if no reason is known.
func (r Reader) unreadable() error { return cmp.Or(r.check(), r.forbidden()) }

// check returns what is wrong with Dir or File.
func (r Reader) check() error {
	if r.File != "" {
		file, err := os.Open(r.File)
		if err != nil {
			return err
		}
		defer file.Close()
		begin := make([]byte, len(fileSignature))
		if _, err := io.ReadFull(file, begin); err != nil || string(begin) != fileSignature {
			return fmt.Errorf("%s: %w: it is not a journal file", r.File, ErrFormat)
		}
		return nil
	}
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

// fileSignature is at the beginning of each journal file.
const fileSignature = "LPKSHHRH"

func isJournal(name string) bool {
	return strings.HasSuffix(name, ".journal") || strings.HasSuffix(name, ".journal~")
}

// forbidden returns an error if this process may not read some of the journal files.
// libsystemd leaves them out silently.
func (r Reader) forbidden() error {
	if r.File != "" {
		return nil // check has opened it
	}
	dirs := []string{r.Dir}
	if r.Dir == "" || r.Namespace != "" {
		folders := r.folders()
		dirs = folders[""]
		if r.Namespace != "" {
			dirs = append(dirs, folders[r.Namespace]...)
		}
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
