package parser

import (
	"bytes"
	"cmp"
	"encoding/json"
	"time"
)

// A state is what one process has said so far.
type state struct {
	process Process
	restic  bool // something that it printed is restic's
	begun   bool // something was printed that can only come after the sources were looked at

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
	item bool // nothing but lines about single files since the last such line

	// A line about a source that cannot be read has its name in the middle, so
	// what follows may be the name's. Then after the name comes the reason.
	complained bool
	honest     Command // what the process was before that
	ended      bool    // the end of a command was seen, and can be refuted
}

// add reads one line of the process. It is matched whole, by all its words.
func (s *state) add(text []byte, t time.Time) error {
	if len(text) == 0 {
		return nil
	}
	if isItem(text) {
		if !s.names.item {
			s.item()
		}
		return nil
	}
	s.names.item = false
	s.refute(text)
	return s.read(s.line.find(text, t, s.process.Command))
}

// read takes what s.line says, which has the form f or none.
func (s *state) read(f *form) error {
	var err error
	if f != nil {
		c := cmp.Or(f.tells, f.opens)
		if c != "" {
			s.is(c)
		}
		if f.read != nil && (c == "" || c == CommandBackup || c == s.process.Command) {
			err = f.read(s, &s.line)
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
	s.names.item = true
	s.is(CommandBackup)
	p := &s.process
	if p.Command == CommandRestore {
		return
	}
	fatal, cause := p.Fatal, p.Cause
	s.onlyBackup()
	if has([]byte(fatal), "Fatal: failed to refresh lock") {
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
// name of a source that cannot be read: of a real end nothing follows but that
// not all could be read.
func (s *state) refute(text []byte) {
	if !s.names.ended || !s.names.complained || !bytes.Contains(text, []byte(": ")) {
		return
	}
	if string(text) == warningSources || string(text) == warningSourceData || text[0] == '{' && json.Valid(text) {
		return
	}
	s.names.ended = false
	s.notLast()
	s.onlyBackup()
	p := &s.process
	p.Command, p.Backup, p.Done, p.DryRun = s.names.honest, nil, false, false
}

// onlyBackup forgets what a backup cannot have said: one process is one
// command.
func (s *state) onlyBackup() {
	p := &s.process
	if p.PID == 0 {
		return
	}
	p.Command = CommandBackup
	p.Forget, p.Prune, p.Check = nil, nil, nil
	p.Fatal, p.Cause, p.Lock = "", "", nil
	s.forget, s.prune, s.check, s.failure.locked = forgetState{}, pruneState{}, checkState{}, false
}

// begins reports whether a line of the form f is the first of another command
// than the one that s has been printing. It is asked only where there is no
// process ID to tell.
func (s *state) begins(f *form) bool {
	if !s.restic || f == nil || f.opens == "" {
		return false
	}
	p, c := &s.process, f.opens
	ended := p.Done || p.Fatal != "" || p.Command == CommandForget && (p.Forget != nil || s.forget.policy) && s.forget.tables == 0
	switch {
	case p.Command == "" || p.Command == CommandForget && c == CommandPrune:
		return p.Fatal != ""
	case c != p.Command:
		return true
	case c == CommandBackup && p.Backup == nil && s.backup.dryRun && s.backup.stage == processed:
		return true
	case c == CommandForget && !has(s.line.text, "Applying Policy: "):
		return false // the next group
	}
	return ended
}

// result returns the process as far as it has come.
func (s *state) result() Process {
	p := s.process
	s.backup.end(&p)
	switch p.Command {
	case CommandForget:
		s.forget.end(&p)
	case CommandPrune:
		s.prune.end(&p)
	case CommandCheck:
		s.check.end(&p)
	}
	if p.Fatal != "" {
		p.Done = false
	}
	return p
}
