package journal

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A unit with LogNamespace= (systemd.exec(5)) logs into the journal of that namespace,
// which has a directory of its own. The manager's messages about the unit are in the
// default journal.

// namespaceName matches the names that a namespace can have.
var namespaceName = lazily(`^[A-Za-z0-9:_.\\-]{1,200}$`)

// CheckNamespace returns what is wrong with the name of a namespace; nil if it is valid.
func CheckNamespace(name string) error {
	if !namespaceName().MatchString(name) || strings.Trim(name, ".") == "" {
		return fmt.Errorf("%q is not the name of a journal namespace, see LogNamespace= in systemd.exec(5)", name)
	}
	return nil
}

var machineID = lazily(`^[0-9a-f]{32}$`)

// folders returns the directories of the journals of r, by namespace. The default
// journal has the name "".
func (r Reader) folders() map[string][]string {
	found := make(map[string][]string)
	if r.File != "" {
		return found
	}
	roots := []string{r.Dir}
	id := "" // any machine's
	if r.Dir == "" {
		text, err := os.ReadFile("/etc/machine-id")
		if err != nil {
			return found
		}
		id = strings.TrimSpace(string(text))
		roots = []string{"/var/log/journal", "/run/log/journal"}
	} else {
		found[""] = roots
	}
	for _, root := range roots {
		names, err := os.ReadDir(root)
		if errors.Is(err, fs.ErrPermission) && r.Dir == "" {
			found[""] = append(found[""], filepath.Join(root, id))
		}
		for _, n := range names {
			of, namespace, _ := strings.Cut(n.Name(), ".")
			if machineID().MatchString(of) && (id == "" || of == id) && (namespace == "" || CheckNamespace(namespace) == nil) {
				found[namespace] = append(found[namespace], filepath.Join(root, n.Name()))
			}
		}
	}
	return found
}

// Namespaces returns the names of the namespaces that have a journal, in order.
func (r Reader) Namespaces() []string {
	var names []string
	for name := range r.folders() {
		if name != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// NamespaceOf returns the namespace whose journal has lines of an invocation of unit
// that began at the given time; "" if there is none.
func (r Reader) NamespaceOf(ctx context.Context, unit string, id ID, began time.Time) (string, error) {
	name, err := r.findNamespace(ctx, unit, id, began)
	if name != "" || err != nil || r.elsewhere() {
		return name, err
	}
	// The lines may not have been written down yet. If the unit was the first to use the
	// namespace, journald may not even have created the directory.
	sockets, _ := filepath.Glob(socketOf("*"))
	for _, socket := range sockets {
		ctx, cancel := context.WithTimeout(ctx, otherNamespace)
		_ = synchronize(ctx, socket) // an error may be that of a namespace that the unit does not use
		cancel()
	}
	return r.findNamespace(ctx, unit, id, began)
}

func (r Reader) findNamespace(ctx context.Context, unit string, id ID, began time.Time) (string, error) {
	if !began.IsZero() {
		began = began.Add(-lateBefore) // journald can receive a line before the manager's "Started"
	}
	for _, name := range r.Namespaces() {
		r := r
		r.Namespace = name
		s := r.selector(unit)
		some := false
		err := r.openNamespace(func(b backend) (err error) {
			// A late line has no ID, see [orphans].
			some, err = speaks(ctx, s, b.read(ctx, s, match{s.match(Output)}, began), id, ID{})
			return err
		})
		if errors.Is(err, fs.ErrNotExist) {
			continue // its directory is still empty
		}
		if some || err != nil {
			return name, err
		}
	}
	return "", nil
}

// otherNamespace bounds the wait for a journald whose namespace may have nothing to do
// with the unit.
const otherNamespace = 3 * time.Second

// files returns the journal files of the namespace and, if withDefault is set, of the
// default journal. Like libsystemd, it leaves out files without permission to read.
func (r Reader) files(withDefault bool) ([]string, error) {
	folders := r.folders()
	if len(folders[r.Namespace]) == 0 {
		return nil, fmt.Errorf("journal namespace %q: %w", r.Namespace, fs.ErrNotExist)
	}
	dirs := folders[r.Namespace]
	if withDefault {
		dirs = append(slices.Clone(dirs), folders[""]...)
	}
	var files []string
	var forbidden error
	for _, dir := range dirs {
		names, err := os.ReadDir(dir)
		if err != nil {
			forbidden = err
			continue
		}
		for _, n := range names {
			if !isJournal(n.Name()) {
				continue
			}
			name := filepath.Join(dir, n.Name())
			file, err := os.Open(name)
			switch {
			case errors.Is(err, fs.ErrNotExist):
				continue
			case err != nil:
				forbidden = err
				continue
			}
			file.Close()
			files = append(files, name)
		}
	}
	if len(files) == 0 {
		if forbidden == nil {
			forbidden = fmt.Errorf("journal namespace %q: %w", r.Namespace, fs.ErrNotExist)
		}
		return nil, forbidden
	}
	return files, nil
}

// checkNamespace returns ErrIncomplete if journald may have deleted lines of an
// invocation that began at the given time from the journal of the namespace. The
// manager's messages can still be there, because each journal has its own limit.
func (r Reader) checkNamespace(ctx context.Context, began time.Time) error {
	if r.Namespace == "" {
		return nil
	}
	var t time.Time
	var number uint64
	err := r.openNamespace(func(b backend) (err error) {
		t, number, err = b.head(ctx)
		return err
	})
	if err == nil && number > 1 && t.After(began) {
		err = ErrIncomplete
	}
	return err
}
