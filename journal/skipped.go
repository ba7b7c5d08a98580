package journal

import (
	"context"
	"time"
)

// A Start finds out from the entries of an invocation whether its start was skipped. The
// zero Start has seen none.
type Start struct {
	first  time.Time // when the first line of output came
	pid    int       // from this process
	spoke  bool
	failed bool   // that process could not execute its command
	result Result // ExecCondition, or "" if the manager has not said so
}

// Add adds an entry of the invocation.
func (s *Start) Add(e Entry) { s.add(e.Kind, e.Event, e.PID, e.Time) }

func (s *Start) add(k Kind, e Event, pid int, t time.Time) {
	if k == Manager && e == EventSkipped {
		s.result = ExecCondition
	}
	if k != Output {
		return
	}
	if !s.spoke || t.Before(s.first) {
		s.first, s.pid, s.spoke, s.failed = t, pid, true, false
	}
	s.failed = s.failed || e == EventSpawnFailed && pid == s.pid
}

// Skipped reports whether the start was skipped if the manager's result is r: ExecCondition=
// prevented it, so nothing ran and nothing failed. The manager gives the same result if it
// could not execute ExecCondition= at all. Such a start has failed. Only what the first
// process logged tells them apart.
func (s *Start) Skipped(r Result) bool { return r == ExecCondition && !s.failed }

func (s *Start) skipped() bool { return s.Skipped(s.result) }

// starts finds the latest of several invocations from their entries. K tells invocations
// apart.
type starts[K comparable] struct {
	of    map[K]*Start
	order []K // by first entry
}

func (s *starts[K]) add(k K, kind Kind, e Event, pid int, t time.Time) {
	at := s.of[k]
	if at == nil {
		if s.of == nil {
			s.of = make(map[K]*Start)
		}
		at = new(Start)
		s.of[k] = at
		s.order = append(s.order, k)
	}
	at.add(kind, e, pid, t)
}

// latest returns the invocation that began last, leaving out those that were skipped; if all
// were, the last of them. It returns the zero K if there is none.
func (s *starts[K]) latest() (latest K) {
	for i, k := range s.order {
		if i == 0 || !s.of[k].skipped() || s.of[latest].skipped() {
			latest = k
		}
	}
	return latest
}

// skipped reports whether the start of an invocation was skipped, from its entries.
func skipped(ctx context.Context, rs records, s selector, id ID) (bool, error) {
	var start Start
	for e, err := range entries(ctx, rs, s, id) {
		if err != nil {
			return false, err
		}
		start.Add(e)
	}
	return start.skipped(), nil
}
