package parser

import "time"

// This file distinguishes the commands in a stream, in which several restics and other
// programs print.

// A streamState holds what matters only for a process that is a stream.
type streamState struct {
	after  aftermath
	said   window // from the first to the last line about sources that a backup could not read
	last   uint64 // hash of the last line; 0 if it has no form
	lastAt int64  // when it was logged, as Unix time in µs
}

// An aftermath is what a stream says about unreadable sources after the end of a
// command. It belongs to that command if a warning follows, else to the next
// backup.
type aftermath struct {
	first int // the number of the first of these lines
	backupErrors
	repeated backupErrors // errors that the command itself has reported, too; the next backup may have the same
}

// A window is the time from the first to the last of some lines.
type window struct{ first, last time.Time }

// onlyComplains reports whether the stream s holds what a backup says about its sources
// on standard error, but not its standard output.
func (s *state) onlyComplains(p *Process) bool {
	return s.stream && p.Backup == nil && s.backup.stage == none && p.Fatal == "" && (p.Incomplete || p.Unreadable > 0)
}

// complainsAnew reports whether a line of the form f is a complaint of the next backup,
// in a stream that holds nothing but complaints: there, a backup ends with the warning.
func (s *state) complainsAnew(f *form) bool {
	if !f.complaint || f.ends || !s.backup.warned || s.backup.stage != none {
		return false
	}
	_, again := s.seen[hash(s.line.text)]
	return !again
}

// of returns where to count a complaint after the end of a command.
func (a *aftermath) of(l *line, again bool) *backupErrors {
	if a.first == 0 {
		a.first = l.number
	}
	if again {
		return &a.repeated
	}
	return &a.backupErrors
}

// over reports whether the command has ended.
func (s *state) over() bool {
	p := &s.process
	switch {
	case p.Fatal != "":
		return !has([]byte(p.Fatal), refreshFailed)
	case p.Command == CommandForget:
		return p.Forget != nil && !s.forget.inTable && s.forget.deletes(p)
	case p.Command == CommandPrune && p.DryRun:
		return s.prune.planned()
	}
	return p.Done
}

// ofNext reports whether a line of the form f, about a source, is the first line of the
// next backup in the stream, after the end of a command that prints names.
func (s *state) ofNext(f *form) bool { return f.complaint && f.tells == "" && s.stream && s.over() }

// echo reports whether a line of a stream repeats the line before, as where two
// programs forward the same output.
func (s *state) echo(text []byte, t time.Time, f *form) bool {
	last, lastAt := s.last, s.lastAt
	s.last, s.lastAt = 0, t.UnixMicro()
	if f != nil {
		s.last = hash(text)
	}
	return s.last != 0 && s.last == last && s.lastAt-lastAt <= 1e6
}

// begins reports whether a line of the form f begins a new command in the stream s.
func (s *state) begins(f *form) bool {
	switch {
	case !s.stream || !s.restic || f == nil:
		return false
	case s.complainsAnew(f):
		return true
	case f.opens == "" && !f.failure:
		return false
	}
	p, c := &s.process, f.opens
	switch {
	case f.failure:
		return s.over() && !s.line.partial() && !has(s.line.text, "Remove(<lock/") // unlocking comes last
	case p.Command == "" || p.Command == CommandForget && c == CommandPrune:
		return p.Fatal != ""
	case p.Command == another && has(s.line.text, "Files: "):
		return false // a line of diff, or part of a name
	case c != p.Command:
		return true
	case c == CommandBackup && namesParent(s.line.text) && s.backup.parent:
		return true
	case c == CommandBackup && p.Backup == nil && s.backup.stage != none:
		summary := has(s.line.text, "Files: ") || has(s.line.text, "{")
		return !summary || s.backup.stage == processed || s.backup.lost
	case c == CommandBackup && s.backup.warns && (s.names.doubted || p.Fatal != "") && has(s.line.text, "Files: "):
		return false // the next backup of such a release names its parent first
	case c == CommandForget:
		if !has(s.line.text, "Applying Policy: ") || s.forget.inTable {
			return false // the next group
		}
		again := s.forget.policy == hash(s.line.text) // a stream can hold a line twice
		return p.Forget != nil || p.Fatal != "" || s.forget.policy != 0 && !again
	}
	return p.Done || p.Fatal != ""
}

// follows moves to s what belongs to it from the command before. f is the form of
// its first line.
func (s *state) follows(before *state, f *form) {
	s.stream, s.known = true, before.known
	s.last, s.lastAt = before.last, before.lastAt
	if f.opens == CommandBackup || ofNoSource(s.line.text) {
		s.backup.backupErrors = before.after.backupErrors
		s.backup.add(before.after.repeated)
		s.process.Errors = s.backup.lines()
		if before.after.first > 0 {
			s.first = before.after.first
		}
		before.after = aftermath{}
	}
}

// again reports whether s is a second copy of the output of an earlier process in
// the same stream: both saved the same snapshot.
func (s *state) again(processes []*state) bool {
	b := s.process.Backup
	if b == nil || b.Snapshot == "" || !s.stream {
		return false
	}
	for _, e := range processes {
		if e == s {
			break
		}
		if earlier := e.process.Backup; earlier != nil && earlier.Snapshot == b.Snapshot && e.process.Source == s.process.Source && e.process.PID == s.process.PID {
			return true
		}
	}
	return false
}
