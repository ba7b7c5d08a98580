package parser

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"strconv"
	"syscall"
)

// A state is what one process has said so far.
type state struct {
	process Process
	first   int  // line of the process, counted over all
	restic  bool // something that it printed is restic's
	known   bool // the process is restic itself
	begun   bool // something was printed that can only come after the sources were looked at
	opened  bool // a line was seen that the command prints unless it is quiet
	strange int  // lines that are not understood since then
	odd     bool // one that is not understood complains

	// stream: several restics may be behind the process, which passes on what
	// they print. Commands are told apart by their first and last lines.
	stream bool
	after  aftermath
	seen   map[uint64]struct{} // complaints, by their hash

	names   suspicion
	backup  backupState
	forget  forgetState
	prune   pruneState
	check   checkState
	failure failureState

	line line // the one that is being read
}

// A suspicion is what is known of lines that may have stood in a file's name.
// restic prints some names raw, and they may hold line breaks.
type suspicion struct {
	item  bool // nothing but lines about single files since the last such line
	items bool // there were such lines

	// A line about a source that cannot be read has its name in the middle, so
	// what follows may be the name's. Then after the name comes the reason.
	complained bool
	honest     Command // what the process was before that
	ended      bool    // the end of a command was seen, and can be refuted
}

// An aftermath is what a stream says of sources after the end of a command. It
// belongs to that command if a warning follows, else to the backup that begins
// next.
type aftermath struct {
	backupErrors
	repeated backupErrors // what was said before
}

// add reads one line of the process, which has the form f or none. It is matched
// whole, by all its words.
func (s *state) add(text []byte, f *form) error {
	if isItem(text) {
		if !s.names.item {
			s.item()
		}
		return nil
	}
	s.names.item = false
	s.refute(text)
	if f == nil {
		s.odd = s.odd || s.known && !s.names.items && !s.names.complained && !s.process.Done && complains(text)
		switch {
		case s.restic && s.forget.tables > 0: // a row of a table
		case s.restic:
			s.strange++
		case !s.known:
			s.stream = true // see meet
		}
	}
	return s.read(f)
}

// read takes what s.line says, which has the form f or none.
func (s *state) read(f *form) error {
	var err error
	switch {
	case f == nil:
	case printsNames(s.process.Command) && !f.failure && f.within != s.process.Command && f.opens != s.process.Command:
		// What it prints may be a name.
	case printsNames(f.opens) && (s.names.complained || s.names.items):
		// That was in a name.
	case f.ends && s.line.time.Before(s.failure.until):
		// The backend's server said so: restic waits until then.
	default:
		c := cmp.Or(f.tells, f.opens)
		if c != "" {
			s.is(c)
		}
		if f.opens != "" && f.opens == s.process.Command && !s.opened {
			s.opened, s.strange = true, 0
		}
		switch {
		case f.read == nil:
		case c == "" || c == CommandBackup || c == s.process.Command:
			err = f.read(s, &s.line)
		case f.ends && !s.stream:
			err = s.unlessNamed(errMisplaced)
		}
	}
	s.forget.heard(&s.process, s.line.time)
	return err
}

// is notes that what the process prints is restic's, and of which command. It
// does not change what is known, but that a forget may go on to prune.
func (s *state) is(c Command) {
	s.restic, s.begun = true, true
	if s.process.Command == "" || s.process.Command == CommandForget && c == CommandPrune {
		s.process.Command = c
	}
}

// item notes a line about one file of a backup: the backup is still going on,
// and what looked like its end, or like another command's, was in a file's name.
func (s *state) item() {
	p := &s.process
	switch {
	case p.Command == another:
		return
	case s.stream && p.Done && !s.names.items && !s.names.complained:
		return // nothing could have stood in a name
	}
	s.names.item = true
	s.is(CommandBackup)
	if p.Command == CommandRestore {
		return
	}
	s.names.items = true
	fatal, cause := p.Fatal, p.Cause
	s.onlyBackup()
	if has([]byte(fatal), refreshFailed) {
		p.Fatal, p.Cause = fatal, cause // restic goes on for a while
	}
	s.backup.stage, p.Backup, p.Done = none, nil, false
	p.SyntaxErrors = 0
	s.names.ended = false
	s.notLast()
}

// notLast forgets what restic says last: a backup in text goes on.
func (s *state) notLast() { s.backup.warned, s.process.ExitCode = false, nil }

// complaining notes that what follows may be in a file's name.
func (s *state) complaining() {
	if !s.names.complained {
		s.names.complained, s.names.honest = true, s.process.Command
	}
}

// refute looks at what follows the end of a command that may have stood in the
// name of a source that cannot be read: after a name comes the reason.
func (s *state) refute(text []byte) {
	if !s.names.ended || !s.names.complained || !endsInReason(text) {
		return
	}
	switch {
	case has(text, "error: "), has(text, "error while unlocking: "), has(text, "Remove(<lock/"):
		return
	case string(text) == warningSources, string(text) == warningSourceData, text[0] == '{' && json.Valid(text):
		return
	}
	s.names.ended = false
	s.notLast()
	s.onlyBackup()
	s.backup.stage = none
	p := &s.process
	p.Command, p.Backup, p.Done, p.DryRun = s.names.honest, nil, false, false
	s.opened = s.opened && p.Command != ""
}

// reasons are the words of the system for why something failed.
var reasons = func() map[string]bool {
	m := make(map[string]bool)
	for n := syscall.Errno(1); n < 134; n++ {
		m[n.Error()] = true
	}
	return m
}()

// complains reports whether a line has the looks of a complaint.
func complains(text []byte) bool {
	for _, begin := range []string{"error", "warning", "fatal"} {
		if len(text) > len(begin) && bytes.EqualFold(text[:len(begin)], []byte(begin)) {
			return true
		}
	}
	return bytes.Contains(text, []byte("not exist")) || bytes.HasSuffix(text, []byte(", skipping")) || endsInReason(text)
}

func endsInReason(text []byte) bool {
	i := bytes.LastIndex(text, []byte(": "))
	return i >= 0 && reasons[string(text[i+2:])]
}

// onlyBackup forgets what a backup cannot have said: one process is one
// command.
func (s *state) onlyBackup() {
	if s.stream {
		return
	}
	p := &s.process
	p.Command = CommandBackup
	p.Forget, p.Prune, p.Check = nil, nil, nil
	p.Fatal, p.Cause, p.Lock = "", "", nil
	s.forget, s.prune, s.check, s.failure.locked = forgetState{}, pruneState{}, checkState{}, false
}

// over reports whether the command has come to its end.
func (s *state) over() bool {
	p := &s.process
	switch {
	case p.Fatal != "":
		return !has([]byte(p.Fatal), refreshFailed)
	case p.Command == CommandForget:
		return p.Forget != nil && s.forget.tables == 0 && s.forget.deletes(p)
	}
	return p.Done
}

// begins reports whether a line of the form f is the first of another command
// than the one that s has been printing.
func (s *state) begins(f *form) bool {
	if !s.stream || !s.restic || f == nil || f.opens == "" && !f.failure {
		return false
	}
	p, c := &s.process, f.opens
	switch {
	case f.failure:
		return s.over() && !s.line.partial()
	case p.Command == "" || p.Command == CommandForget && c == CommandPrune:
		return p.Fatal != ""
	case p.Command == another && has(s.line.text, "Files: "):
		return false // of diff, or in a name
	case c != p.Command:
		return true
	case c == CommandBackup && p.Backup == nil && s.backup.stage != none:
		summary := has(s.line.text, "Files: ") || has(s.line.text, "{")
		return !summary || s.backup.stage == processed || s.backup.lost
	case c == CommandForget:
		if !has(s.line.text, "Applying Policy: ") || s.forget.tables > 0 {
			return false // the next group
		}
		again := s.forget.policy == hash(s.line.text) // the same line twice
		return p.Forget != nil || p.Fatal != "" || s.forget.policy != 0 && !again
	}
	return p.Done || p.Fatal != ""
}

// follows takes over from the command before what belongs to this one, which
// begins with a line of the form f.
func (s *state) follows(before *state, f *form) {
	s.line, s.stream, s.known = before.line, true, before.known
	if f.opens == CommandBackup {
		s.backup.backupErrors = before.after.backupErrors
		s.backup.add(before.after.repeated)
		s.process.Errors = s.backup.lines
		before.after = aftermath{}
	}
}

// again reports whether s repeats the output of an earlier process of its
// stream: the snapshot is the same.
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

// repeated reports whether the process has complained in the words of this hash before.
// What it remembers is bounded.
func (s *state) repeated(h uint64) bool {
	if _, ok := s.seen[h]; ok {
		return true
	}
	if s.seen == nil {
		s.seen = make(map[uint64]struct{})
	}
	if len(s.seen) < 1<<16 {
		s.seen[h] = struct{}{}
	}
	return false
}

var seed = maphash.MakeSeed()

func hash(text []byte) uint64 { return max(1, maphash.Bytes(seed, text)) }

// result returns the process as far as it has come.
func (s *state) result() Process {
	p := s.process
	s.backup.end(&p, s)
	switch p.Command {
	case CommandForget, CommandPrune:
		s.forget.end(&p)
		s.prune.end(&p)
	case CommandCheck:
		s.check.end(&p, s.strange > 0 && !s.stream)
	case another:
		p.Command = ""
	}
	if p.Fatal != "" {
		p.Done = false
	}
	if p.SyntaxErrors == 0 && s.misunderstood(&p) {
		p.SyntaxErrors++
	}
	if s.opened && !p.Done && p.Fatal == "" {
		switch p.Command {
		case CommandBackup, CommandForget, CommandPrune, CommandCheck:
			p.Unfinished = p.SyntaxErrors == 0
		}
	}
	return p
}

// misunderstood reports whether p must have said more than was understood. What is
// not known in a stream is not looked at: others speak there, too.
func (s *state) misunderstood(p *Process) bool {
	strange := s.strange > 0 && !s.stream
	switch {
	case p.Lock != nil && p.Lock.Age == nil && !s.stream:
		return true
	case s.odd, p.Cause == CauseCheckErrors && strange, p.Cause == CauseOther && s.check.errors > 0:
		return true
	case p.Fatal != "":
		return false
	}
	switch p.Command {
	case CommandBackup:
		part := s.backup.stage != none && s.backup.stage != saved // of a summary
		return s.backup.unclear || s.backup.unwarned(s) ||
			p.Backup == nil && !s.failure.signalled && (part && !p.DryRun || p.Incomplete && (s.opened || s.names.items))
	case CommandForget, CommandPrune:
		return !p.Done && s.opened && strange // it came to an end that is not known
	case CommandCheck:
		return !p.Done && (s.opened && strange || s.check.errors > 0)
	case CommandInit:
		return !p.Done
	}
	return false
}

// unlessNamed returns err, unless what it is about may have stood in a file's name.
func (s *state) unlessNamed(err error) error {
	if s.names.items || s.names.complained {
		return nil
	}
	return err
}

// errMisplaced is that of a line which is whole, but not where restic prints it.
var errMisplaced = fmt.Errorf("not where restic prints it: %w", strconv.ErrSyntax)

// errIncomplete is that of the last line of a command, if those before it lack
// something or do not add up.
var errIncomplete = fmt.Errorf("what comes before it does not add up: %w", strconv.ErrSyntax)
