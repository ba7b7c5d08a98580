package invocation

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"

	"github.com/restic-exporter/restic-exporter/journal"
)

// A request is a call of Read with what this machine knows of the unit.
type request struct {
	from    journal.Source
	unit    string
	id      journal.ID // zero: the latest, or what the manager has told the caller
	options Options

	local bool // from is the journal of the running machine
	told  told

	// present is the run of a user's unit that is going on, according to the manager's link.
	present journal.ID
	linked  bool // it is known whether there is such a link
}

func newRequest(from journal.Source, unit string, id journal.ID, o Options) *request {
	q := &request{from: from, unit: unit, id: id, options: o}
	reader, ok := from.(journal.Reader)
	q.local = ok && reader.Dir == "" && reader.File == ""
	if !q.local {
		return q
	}
	q.unit = UnitName(unit, reader.User)
	if o.Getenv != nil {
		q.told = environment(q.unit, reader.User, o.Getenv)
	}
	if id != (journal.ID{}) && id != q.told.id {
		q.told = none // it is about another run
	}
	if namespace := o.namespace(reader, q.told); namespace != "" {
		reader.Namespace = namespace
		q.from = reader
	}
	if reader.User {
		q.present, q.linked = presentRun(q.unit)
	}
	return q
}

// wantsLatest reports whether the run is the latest one, a start that the manager
// refused included.
func (q *request) wantsLatest() bool { return q.id == (journal.ID{}) && !q.told.inside }

// find reads the run that is wanted.
func (q *request) find(ctx context.Context) (*Run, *verdict, error) {
	id := q.id
	if q.told.inside {
		id = q.told.id
	}
	r, v, err := q.read(ctx, id)
	if errors.Is(err, syscall.EBADMSG) && q.local {
		// journald may have deleted a file during the read.
		r, v, err = q.read(ctx, id)
	}
	// A handler, too, reads the latest run first. If the manager has refused a start
	// since the last run, it gives the handler the ID of that run all the same.
	if q.wantsLatest() && q.told.id != (journal.ID{}) && (err != nil || r.ID != q.told.id && v.refused.IsZero()) {
		id = q.told.id
		r, v, err = q.read(ctx, id) // the next run has begun
	}
	if err == nil && len(r.Spans) == 0 && r.ID != (journal.ID{}) {
		return readNamespace(ctx, q.from, r, v, id, q.options)
	}
	return r, v, err
}

func (q *request) read(ctx context.Context, id journal.ID) (*Run, *verdict, error) {
	return read(ctx, q.from, q.unit, id, q.options)
}

// judge sets the outcome of r. A run of a store that has no verdict is over if its
// machine has been rebooted since.
func (q *request) judge(ctx context.Context, r *Run, v *verdict) (*Run, error) {
	if told := &q.told; told.inside && told.result == "" && !told.running {
		// In the environment, an ExecStart= of a oneshot cannot be told from its ExecStartPost=.
		reader, _ := q.from.(journal.Reader)
		told.running = atWork(ctx, q.unit, reader.User)
	}
	running := r.judge(v, q.told, q.local)
	h, ok := q.from.(host)
	if !ok || !errors.Is(running, ErrRunning) {
		return r, running
	}
	switch over, err := rebooted(ctx, h, v); {
	case err != nil:
		return nil, err
	case !over:
		return nil, running
	}
	// The machine sends the last words of a boot before the first of the next, but
	// perhaps not before the read.
	r, v, err := q.read(ctx, r.ID)
	if err != nil {
		return nil, err
	}
	if err := r.judge(v, q.told, q.local); errors.Is(err, ErrRunning) {
		r.Outcome = Killed
	} else if err != nil {
		return nil, err
	}
	return r, nil
}

// A host is a source that has the journal of a host of a store. Boot returns the boot in
// which the manager of that machine last logged something.
type host interface {
	Host() string
	Boot(context.Context) (journal.ID, error)
}

// rebooted reports whether the machine of a run without a verdict has been rebooted since.
func rebooted(ctx context.Context, from host, v *verdict) (bool, error) {
	last, err := from.Boot(ctx)
	return v.boot != (journal.ID{}) && last != (journal.ID{}) && last != v.boot, err
}

func sync(ctx context.Context, from journal.Source, unit string) error {
	if err := from.Sync(ctx, unit); err != nil {
		return fmt.Errorf("waiting until journald has written everything down: %w", err)
	}
	return nil
}

// namespace returns the journal namespace of a unit if the caller is a command of it:
// systemd sets it in the environment. A handler has a namespace of its own.
func (o Options) namespace(reader journal.Reader, told told) string {
	if !told.inside || reader.Namespace != "" {
		return ""
	}
	name := o.Getenv("LOG_NAMESPACE") // since systemd 246
	if !slices.Contains(reader.Namespaces(), name) {
		return ""
	}
	return name
}

// readNamespace takes a run without any line of output, which may have logged into a
// journal namespace. If so, readNamespace reads it again with the journal of that
// namespace. If not, it returns the run as it is.
func readNamespace(ctx context.Context, from journal.Source, r *Run, v *verdict, id journal.ID, o Options) (*Run, *verdict, error) {
	reader, ok := from.(journal.Reader)
	if !ok || reader.Namespace != "" || reader.User {
		return r, v, nil
	}
	namespace, err := reader.NamespaceOf(ctx, r.Unit, r.ID, r.Start)
	if err != nil || namespace == "" {
		return r, v, err
	}
	reader.Namespace = namespace
	if err := sync(ctx, reader, r.Unit); err != nil {
		return r, v, err
	}
	return read(ctx, reader, r.Unit, id, o)
}
