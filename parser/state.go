package parser

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"strconv"
)

// A state is what one process has said so far.
type state struct {
	process Process
	span    int                 // index of the span of process.Source
	first   int                 // number of the first line, counted over the whole log
	restic  bool                // it printed a line of restic's
	known   bool                // the process is restic itself
	begun   bool                // it printed a line that restic prints only after it has looked for its sources
	opened  bool                // it printed a first line of the command, which only --quiet leaves out
	odd     bool                // a line without a form looks like a complaint
	stream  bool                // several restics may share this process, which forwards what they print: see stream.go
	strange int                 // lines since opened that have no form
	unknown []byte              // the first possible error without a form since the last line with one
	seen    map[uint64]struct{} // hashes of complaints

	streamState
	names   suspicion
	backup  backupState
	forget  forgetState
	prune   pruneState
	check   checkState
	failure failureState
	other   otherState

	line *line // the line being read
}

// add reads one line of the process. f is its form; nil if it has none.
func (s *state) add(text []byte, f *form) error {
	s.names.item = false
	s.refute(text)
	if f != nil && f.complaint {
		widen(&s.said.first, &s.said.last, s.line.time)
	}
	if f == nil && !s.forget.isRow(text) {
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
			s.stream = true // several programs print here: see Collector.meet
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
	case printsNames(s.process.Command) && !f.failure && f.within != s.process.Command && f.tells != s.process.Command && !s.ofNext(f):
		// The line may be a file's name.
	case printsNames(f.tells) && s.process.Command != CommandRestore && (s.names.complained || s.names.items):
		// The line was part of a name: a backup does not turn into another command.
	case f.ends && s.failure.until > 0 && s.failure.until > s.line.time.UnixMicro():
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

// complains reports whether a line looks like an error message or a warning.
func complains(text []byte) bool {
	for _, begin := range []string{"error", "warning", "fatal"} {
		if len(text) > len(begin) && bytes.EqualFold(text[:len(begin)], []byte(begin)) {
			return true
		}
	}
	return bytes.Contains(text, []byte("not exist")) || bytes.HasSuffix(text, []byte(", skipping")) || endsInReason(text)
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

// errMisplaced reports a line that is well formed, but not where restic prints it.
var errMisplaced = fmt.Errorf("not where restic prints it: %w", strconv.ErrSyntax)

// errIncomplete reports the last line of a command if the lines before it are
// incomplete or inconsistent.
var errIncomplete = fmt.Errorf("the lines before it are incomplete or inconsistent: %w", strconv.ErrSyntax)
