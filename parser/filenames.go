package parser

import (
	"bytes"
	"encoding/json"
	"sync"
	"syscall"
)

// This file distinguishes what restic says from what stands in the names that it prints.

// A suspicion tracks which lines may be part of a file's name. restic prints some
// names raw, and a name can hold line breaks.
type suspicion struct {
	item    bool // the last line was about a single file
	items   bool // there was a line about a single file
	ended   bool // the end of a command was seen, and a later line may discard it
	doubted bool // in a stream: such a later line came, but only another summary discards the end

	// A line about an unreadable source has the name in its middle and the
	// reason at its end. If the name holds line breaks, the lines that follow are
	// part of it, up to one that ends in a reason.
	complained bool    // there was a line that may begin such a name
	honest     Command // the command of the process before that line: what came later may be the name's
}

// item notes a line about a single file of a backup. So the backup is still going
// on, and what looked like its end, or like another command, was part of a file's
// name.
func (s *state) item() {
	p := &s.process
	switch {
	case p.Command == another:
		return
	case s.stream && p.Command == CommandRestore:
		s.restoreNames(nil)
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
// source. A later line shows that: the one in which the name ends gives the reason.
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
		s.names.doubted = s.backup.warns // other programs print there, too
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

// reasons returns the system's error messages. Most logs do without them.
var reasons = sync.OnceValue(func() map[string]bool {
	m := make(map[string]bool)
	for n := syscall.Errno(1); n < 134; n++ {
		m[n.Error()] = true
	}
	return m
})

// endsInReason reports whether text ends in a colon and one of the system's error messages.
func endsInReason(text []byte) bool {
	colon := []byte(": ")
	return bytes.Contains(text, colon) && reasons()[string(text[bytes.LastIndex(text, colon)+len(colon):])]
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

// unlessNamed returns err, or nil if the line may be part of a file's name.
func (s *state) unlessNamed(err error) error {
	if s.names.items || s.names.complained {
		return nil
	}
	return err
}
