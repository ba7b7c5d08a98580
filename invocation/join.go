package invocation

import (
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/restic-exporter/restic-exporter/parser"
)

// join merges the processes that are really one: the output of a restic can reach the
// journal twice, as through tee and logger, and its two streams can take different
// ways.
func join(processes []parser.Process) []parser.Process {
	joined := make([]parser.Process, 0, len(processes))
next:
	for _, p := range processes {
		for i := range joined {
			if same(&joined[i], &p) {
				merge(&joined[i], &p)
				continue next
			}
		}
		joined = append(joined, p)
	}
	for i := 0; i < len(joined); i++ {
		if out := summaryOf(joined, i); out != nil {
			unclear(joined, &joined[i], out)
			complain(out, &joined[i])
			joined = slices.Delete(joined, i, i+1)
			i--
		}
	}
	straight := slices.ContainsFunc(joined, func(p parser.Process) bool { return p.Backup != nil && !passedOn(&p) })
	return slices.DeleteFunc(joined, func(p parser.Process) bool {
		// p belongs to no backup: if there was a restic that could have said this, its
		// own output has it, too.
		return passedOn(&p) && onlyComplains(&p) && (p.Command == "" || straight)
	})
}

// passedOn reports whether another program forwarded the output of p.
func passedOn(p *parser.Process) bool { return p.PID == 0 }

// same reports whether a and b are the same restic process: both saved the same
// snapshot, or said the same at the same time by different ways.
func same(a, b *parser.Process) bool {
	if a.Command != b.Command || a.DryRun != b.DryRun {
		return false
	}
	if a.Backup != nil && b.Backup != nil && a.Backup.Snapshot != "" && b.Backup.Snapshot != "" {
		// IDs are short in text and full in JSON.
		return strings.HasPrefix(a.Backup.Snapshot, b.Backup.Snapshot) || strings.HasPrefix(b.Backup.Snapshot, a.Backup.Snapshot)
	}
	if a.Source == b.Source && a.PID == b.PID || !passedOn(a) && !passedOn(b) || apart(a, b) > delay {
		return false
	}
	return a.Done == b.Done && a.Unfinished == b.Unfinished && a.Fatal == b.Fatal && sameBackup(a.Backup, b.Backup) &&
		sameForget(a.Forget, b.Forget) && reflect.DeepEqual(a.Prune, b.Prune) && reflect.DeepEqual(a.Check, b.Check)
}

// delay is how much later a line can come by the other way.
const delay = time.Second

// sameBackup reports whether two summaries are the same. It does not compare when they were
// logged and how much could not be read, because one of the ways may not show that.
func sameBackup(a, b *parser.Backup) bool {
	if a == nil || b == nil {
		return a == b
	}
	x, y := *a, *b
	x.Saved, x.Unreadable, y.Saved, y.Unreadable = time.Time{}, nil, time.Time{}, nil
	return reflect.DeepEqual(x, y)
}

func sameForget(a, b *parser.Forget) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Kept == b.Kept && a.Removed == b.Removed && a.Failed == b.Failed
}

// apart returns the time between two processes; 0 if they overlap.
func apart(a, b *parser.Process) time.Duration {
	return max(0, b.Start.Sub(a.End), a.Start.Sub(b.End))
}

// merge adds the other copy of p's output to p. It counts nothing twice.
func merge(p, other *parser.Process) {
	if other.Backup != nil && p.Backup != nil && other.Backup.Exact && !p.Backup.Exact {
		p.Backup = other.Backup
	}
	p.Incomplete = p.Incomplete || other.Incomplete
	p.Unreadable = max(p.Unreadable, other.Unreadable)
	p.Errors = max(p.Errors, other.Errors)
	p.Retries = max(p.Retries, other.Retries)
	p.SyntaxErrors = max(p.SyntaxErrors, other.SyntaxErrors)
	unreadable(p)
	widen(p, other)
}

// onlyComplains reports whether p says that it could not read some sources, but neither
// what it saved nor why it gave up.
func onlyComplains(p *parser.Process) bool {
	return p.Backup == nil && p.Fatal == "" && (p.Command == "" || p.Command == parser.CommandBackup) && (p.Unreadable > 0 || p.Incomplete)
}

// summaryOf returns the backup that process i complains about, or nil. One of the
// two streams of that backup was forwarded, and the other went straight to the journal.
func summaryOf(processes []parser.Process, i int) *parser.Process {
	p := &processes[i]
	if !onlyComplains(p) {
		return nil
	}
	var nearest *parser.Process
	for j := range processes {
		b := &processes[j]
		switch {
		case !complements(p, b), b.Incomplete && p.Incomplete, !p.Incomplete && p.Missing == 0 && warns(b) && passedOn(p):
			continue
		case onlyMissing(p) && b.End.Before(p.Start):
			continue // restic names missing sources first
		}
		if nearest == nil || apart(p, b) < apart(p, nearest) {
			nearest = b
		}
	}
	return nearest
}

// onlyMissing reports whether p names missing sources and nothing else.
func onlyMissing(p *parser.Process) bool { return !p.Incomplete && p.Missing == p.Unreadable }

// complements reports whether p can be the standard error of b. If both were forwarded, by
// two programs, p can also be a copy of what b says itself.
func complements(p, b *parser.Process) bool {
	if b.Backup == nil || b.DryRun {
		return false
	}
	return passedOn(b) != passedOn(p) || passedOn(p) && b.Source != p.Source && !b.Incomplete && b.Unreadable == 0
}

// warns reports whether b is of a release that warns after errors: errors without a
// warning are those of another program. Releases from 0.10 on do, but only from 0.14 on
// does a summary show it, by the size that was stored.
func warns(b *parser.Process) bool { return b.Backup.StoredBytes != nil }

// complain adds what p says in the other stream to the backup b.
func complain(b, p *parser.Process) {
	b.Incomplete = b.Incomplete || p.Incomplete
	b.Unreadable += p.Unreadable
	b.Missing += p.Missing
	b.Errors += p.Errors
	b.Retries += p.Retries
	b.SyntaxErrors += p.SyntaxErrors
	unreadable(b)
	widen(b, p)
}

// unclear forgets how many sources the backups except b could not read, if p was still
// complaining when they ran: nothing shows which backup its last complaints are about.
func unclear(processes []parser.Process, p, b *parser.Process) {
	for i := range processes {
		other := &processes[i]
		until := other.Start
		if onlyMissing(p) {
			until = b.End // the next restic names its missing sources before it says anything else
		}
		if other != b && complements(p, other) && p.End.After(until) && other.End.After(p.Start) {
			backup := *other.Backup
			backup.Unreadable = nil
			other.Backup = &backup
		}
	}
}

// unreadable updates the backup's count of unreadable sources from the process's.
func unreadable(p *parser.Process) {
	if p.Backup == nil {
		return
	}
	b := *p.Backup
	b.Unreadable = nil
	if p.Unreadable > 0 || !p.Incomplete || p.Errors > 0 {
		b.Unreadable = new(p.Unreadable)
	}
	p.Backup = &b
}

func widen(p, other *parser.Process) {
	if other.Start.Before(p.Start) {
		p.Start = other.Start
	}
	if other.End.After(p.End) {
		p.End = other.End
	}
}
