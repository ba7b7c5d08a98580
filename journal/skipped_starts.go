package journal

// A Start finds out from the entries of an invocation whether its start was skipped. The
// zero Start has seen none.
type Start struct {
	failed bool   // a command of the unit could not be executed
	result Result // ExecCondition, or "" if the manager has not said so
}

// Add adds an entry of the invocation.
func (s *Start) Add(e Entry) { s.add(e.Kind, e.Event) }

func (s *Start) add(k Kind, e Event) {
	if k == Manager && e == EventSkipped {
		s.result = ExecCondition
	}
	s.failed = s.failed || k == Output && e == EventSpawnFailed
}

// Skipped reports whether the start was skipped if the manager's result is r: ExecCondition=
// prevented it, so nothing ran and nothing failed. The manager gives the same result if it
// could not execute ExecCondition= at all. Such a start has failed, and only what the process
// logged tells them apart. If ExecCondition= said no, and then ExecStopPost= could not be
// executed, that counts as a failure, too: nothing says which of the two it was.
func (s *Start) Skipped(r Result) bool { return r == ExecCondition && !s.failed }

func (s *Start) skipped() bool { return s.Skipped(s.result) }

// starts finds the latest of several invocations from their entries. K tells invocations
// apart.
type starts[K comparable] struct {
	of    map[K]*Start
	order []K // by first entry
}

func (s *starts[K]) add(k K, kind Kind, e Event) {
	at := s.of[k]
	if at == nil {
		if s.of == nil {
			s.of = make(map[K]*Start)
		}
		at = new(Start)
		s.of[k] = at
		s.order = append(s.order, k)
	}
	at.add(kind, e)
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
