package invocation

import (
	"reflect"
	"strings"
	"time"

	"github.com/restic-exporter/restic-exporter/parser"
)

// join merges the processes that are really one: the output of a restic can reach the
// journal twice, such as through tee and logger, and its two streams can take
// different ways.
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
			complain(out, &joined[i])
			joined = append(joined[:i], joined[i+1:]...)
			i--
		}
	}
	return joined
}

// passedOn reports whether another program forwarded the output of p.
func passedOn(p *parser.Process) bool { return p.PID == 0 }

// same reports whether a and b are the same restic process: both saved the same
// snapshot, or have the same result at the same time by different ways.
func same(a, b *parser.Process) bool {
	if a.Command != b.Command || a.DryRun != b.DryRun {
		return false
	}
	if a.Backup != nil && b.Backup != nil && a.Backup.Snapshot != "" && b.Backup.Snapshot != "" {
		// IDs are short in text and full in JSON.
		return strings.HasPrefix(a.Backup.Snapshot, b.Backup.Snapshot) || strings.HasPrefix(b.Backup.Snapshot, a.Backup.Snapshot)
	}
	if a.Source == b.Source && a.PID == b.PID || !passedOn(a) && !passedOn(b) || apart(a, b) > 0 {
		return false
	}
	switch a.Command {
	case parser.CommandBackup:
		if a.Backup == nil || b.Backup == nil || a.Backup.Snapshot != b.Backup.Snapshot {
			return false
		}
		x, y := *a.Backup, *b.Backup
		x.Saved, x.Unreadable, y.Saved, y.Unreadable = time.Time{}, nil, time.Time{}, nil
		return reflect.DeepEqual(x, y)
	case parser.CommandForget, parser.CommandPrune, parser.CommandCheck:
		return a.Done == b.Done && a.Fatal == b.Fatal && sameForget(a.Forget, b.Forget) &&
			reflect.DeepEqual(a.Prune, b.Prune) && reflect.DeepEqual(a.Check, b.Check)
	}
	return false
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

// summaryOf returns the backup whose standard error is process i; nil if process i
// is something else. This happens if a program forwards one of restic's two streams
// and the other goes straight to the journal.
func summaryOf(processes []parser.Process, i int) *parser.Process {
	p := &processes[i]
	if p.Backup != nil || p.Fatal != "" || p.Command != "" && p.Command != parser.CommandBackup || p.Unreadable == 0 && !p.Incomplete {
		return nil
	}
	var nearest *parser.Process
	for j := range processes {
		b := &processes[j]
		if j == i || b.Backup == nil || b.DryRun || passedOn(b) == passedOn(p) || b.Incomplete && p.Incomplete {
			continue
		}
		if nearest == nil || apart(p, b) < apart(p, nearest) {
			nearest = b
		}
	}
	return nearest
}

// complain adds p, the other stream of backup b, to it.
func complain(b, p *parser.Process) {
	b.Incomplete = b.Incomplete || p.Incomplete
	b.Unreadable += p.Unreadable
	b.Errors += p.Errors
	b.Retries += p.Retries
	b.SyntaxErrors += p.SyntaxErrors
	unreadable(b)
	widen(b, p)
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
