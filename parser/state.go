package parser

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"strconv"
	"syscall"
	"time"
)

// A state is what one process has said so far.
type state struct {
	process Process
	first   int    // number of the first line, counted over the whole log
	restic  bool   // it printed a line of restic's
	known   bool   // the process is restic itself
	begun   bool   // it printed a line that restic prints only after it has looked for its sources
	opened  bool   // it printed a first line of the command, which only --quiet leaves out
	odd     bool   // a line without a form looks like a complaint
	stream  bool   // several restics may share this process, which forwards what they print: see stream.go
	strange int    // lines since opened that have no form
	unknown []byte // the first possible error without a form since the last line with one

	after  aftermath
	said   window              // what a backup says of its sources
	seen   map[uint64]struct{} // hashes of complaints
	last   uint64              // hash of the last line of the stream; 0 if it has no form
	lastAt time.Time

	names   suspicion
	backup  backupState
	forget  forgetState
	prune   pruneState
	check   checkState
	failure failureState
	other   otherState

	line *line // the line being read
}

// A suspicion tracks which lines may be part of a file's name. restic prints some
// names raw, and a name can hold line breaks.
type suspicion struct {
	item  bool // the last line was about a single file
	items bool // there was a line about a single file

	// A line about an unreadable source has the name in its middle and the
	// reason at its end. If the name holds line breaks, the lines that follow are
	// part of it, up to one that ends in a reason.
	complained bool    // there was a line that may begin such a name
	honest     Command // the command of the process before that line
	ended      bool    // the end of a command was seen, and a later line may discard it
	doubted    bool    // the same in a stream, where only another summary discards it
}

// add reads one line of the process. f is its form; nil if it has none.
func (s *state) add(text []byte, f *form) error {
	s.names.item = false
	s.refute(text)
	if f != nil && f.complaint {
		widen(&s.said.first, &s.said.last, s.line.time)
	}
	if f == nil {
		if (s.restic || s.known) && len(s.unknown) == 0 && bytes.Contains(text, []byte(": ")) {
			s.unknown = append(s.unknown, text[:min(len(text), 512)]...)
		}
		s.odd = s.odd || s.known && !s.names.items && !s.names.complained && !s.process.Done && complains(text)
		if s.known && s.process.Command == "" {
			s.unheard(text)
		}
		switch {
		case s.restic && s.forget.inTable: // a row of a table
		case s.restic:
			s.strange++
		case !s.known:
			s.stream = true // for the reason in Collector.meet
		}
	}
	err := s.read(f)
	if f != nil {
		s.unknown = s.unknown[:0]
	}
	return err
}

// read evaluates s.line. f is its form; nil if it has none.
func (s *state) read(f *form) error {
	var err error
	switch {
	case f == nil:
	case printsNames(s.process.Command) && !f.failure && f.within != s.process.Command && f.tells != s.process.Command:
		// The line may be a file's name.
	case printsNames(f.tells) && s.process.Command != CommandRestore && (s.names.complained || s.names.items):
		// The line was part of a name: a backup does not turn into another command.
	case f.ends && s.line.time.Before(s.failure.until):
		// restic is waiting to retry, so this is from its server's error message.
	default:
		c := f.tells
		if c != "" {
			s.is(c)
		}
		if f.opens != "" && f.opens == s.process.Command && !s.opened {
			s.opened, s.strange = true, 0
		}
		switch {
		case f.read == nil:
		case c == "" || c == CommandBackup || c == s.process.Command:
			err = f.read(s, s.line)
		case f.ends && !s.stream:
			err = s.unlessNamed(errMisplaced)
		}
	}
	s.forget.heard(&s.process, s.line.time)
	return err
}

// is notes that the process is restic, running command c. A command that is known
// already does not change, except that a forget can go on to prune.
func (s *state) is(c Command) {
	s.restic, s.begun = true, true
	if s.process.Command == "" || s.process.Command == CommandForget && c == CommandPrune {
		s.process.Command = c
	}
}

// item notes a line about a single file of a backup. So the backup is still going
// on, and what looked like its end, or like another command, was part of a file's
// name.
func (s *state) item() {
	p := &s.process
	switch {
	case p.Command == another:
		return
	case s.stream && p.Done && !s.names.items && !s.names.complained:
		return // the backup has printed no names, so its end is real
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
		p.Fatal, p.Cause = fatal, cause // after this one restic goes on for a while
	}
	s.backup.stage, p.Backup, p.Done = none, nil, false
	p.SyntaxErrors = 0
	s.names.ended = false
	s.notLast()
}

// notLast discards what restic prints last, because the backup is still going on.
func (s *state) notLast() {
	s.backup.warned, s.backup.unclear, s.process.ExitCode = false, false, nil
}

// complaining notes that the lines which follow may be part of a file's name.
func (s *state) complaining() {
	if !s.names.complained {
		s.names.complained, s.names.honest = true, s.process.Command
	}
}

// refute discards the end of a command if it was part of the name of an unreadable
// source. That shows in a later line: the one that ends the name gives the reason.
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
	if s.stream {
		s.names.doubted = s.backup.warns // others speak there, too
		return
	}
	s.refuted()
}

// refuted forgets the end of a command that stood in a name.
func (s *state) refuted() {
	s.names.ended, s.names.doubted = false, false
	s.notLast()
	s.onlyBackup()
	s.backup.stage = none
	p := &s.process
	p.Command, p.Backup, p.Done, p.DryRun = s.names.honest, nil, false, false
	s.opened = s.opened && p.Command != ""
}

// reasons are the system's error messages.
var reasons = func() map[string]bool {
	m := make(map[string]bool)
	for n := syscall.Errno(1); n < 134; n++ {
		m[n.Error()] = true
	}
	return m
}()

// complains reports whether a line looks like an error message or a warning.
func complains(text []byte) bool {
	for _, begin := range []string{"error", "warning", "fatal"} {
		if len(text) > len(begin) && bytes.EqualFold(text[:len(begin)], []byte(begin)) {
			return true
		}
	}
	return bytes.Contains(text, []byte("not exist")) || bytes.HasSuffix(text, []byte(", skipping")) || endsInReason(text)
}

func endsInReason(text []byte) bool {
	colon := []byte(": ")
	return bytes.Contains(text, colon) && reasons[string(text[bytes.LastIndex(text, colon)+len(colon):])] // seldom
}

// onlyBackup discards what only other commands print: a process runs one command,
// and this one is a backup.
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

// repeated reports whether the process has printed a complaint with this hash
// before. It remembers a bounded number of them.
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

// result returns what is known of the process so far.
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
	if cause := s.lastWords(); cause != CauseNone {
		p.Fatal, p.Cause = string(s.unknown), cause
	}
	if s.stream && s.failure.waits != "" && p.Command == "" && p.Fatal == "" {
		p.Fatal, p.Cause, p.Lock = s.failure.waits, CauseLocked, new(Lock)
	}
	if p.Fatal != "" || p.Command == CommandRestore && s.other.ignored > 0 {
		p.Done = false
	}
	if s.onlyComplains(&p) && !s.said.first.IsZero() {
		p.Start, p.End = s.said.first, s.said.last // the other lines are those of other programs
	}
	if p.SyntaxErrors == 0 && s.misunderstood(&p) {
		p.SyntaxErrors++
	}
	if s.opened && !p.Done && p.Fatal == "" {
		switch p.Command {
		case CommandBackup, CommandForget, CommandPrune, CommandCheck:
			p.Unfinished = p.SyntaxErrors == 0
		case CommandRestore, CommandCopy:
			p.Unfinished = s.other.ends && p.SyntaxErrors == 0
		}
	}
	return p
}

// misunderstood reports whether p must have said something that was not understood.
// In a stream, unknown lines do not count: other programs print there, too.
func (s *state) misunderstood(p *Process) bool {
	strange := s.strange > 0 && !s.stream
	switch {
	case p.Lock != nil && p.Lock.Age == nil && !s.stream:
		return true
	case s.odd, p.Cause == CauseNoSource && s.other.unheard, p.Cause == CauseCheckErrors && strange, p.Cause == CauseOther && s.check.errors > 0:
		return true
	case p.Fatal != "":
		return false
	}
	switch p.Command {
	case CommandBackup:
		part := s.backup.stage != none && s.backup.stage != saved // of a summary
		return s.backup.unclear || s.backup.unwarned(s) || p.Incomplete && s.known && p.Errors == 0 ||
			p.Backup == nil && !s.failure.signalled && (part && !p.DryRun || p.Incomplete && (s.opened || s.names.items))
	case CommandForget, CommandPrune:
		return !p.Done && s.opened && strange // its last lines are unknown
	case CommandCheck:
		return !p.Done && (s.opened && strange || s.check.errors > 0)
	case CommandInit:
		return !p.Done
	case CommandRestore:
		return s.other.ignored > 0 // it says at its end how many
	case "":
		return s.misheard()
	}
	return false
}

// unlessNamed returns err, or nil if the line may be part of a file's name.
func (s *state) unlessNamed(err error) error {
	if s.names.items || s.names.complained {
		return nil
	}
	return err
}

// errMisplaced reports a line that is well formed, but not where restic prints it.
var errMisplaced = fmt.Errorf("not where restic prints it: %w", strconv.ErrSyntax)

// errIncomplete reports the last line of a command if the lines before it are
// incomplete or inconsistent.
var errIncomplete = fmt.Errorf("the lines before it do not add up: %w", strconv.ErrSyntax)
