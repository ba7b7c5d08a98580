package parser

import "bytes"

// backupErrors counts what a backup says about sources that it could not read.
type backupErrors struct {
	missing    uint64 // sources that do not exist
	unreadable uint64 // error lines about sources
	damage     uint64 // error lines about the repository
}

func (e *backupErrors) lines() int { return int(e.missing + e.unreadable + e.damage) }

func (e *backupErrors) add(more backupErrors) {
	e.missing += more.missing
	e.unreadable += more.unreadable
	e.damage += more.damage
}

// isName reports whether text looks like the name of a source, and not like a sentence of
// another program that has one in it.
func isName(text []byte) bool {
	return has(text, "/") || len(text) > 0 && !bytes.Contains(text, []byte(": ")) && !bytes.Contains(text, []byte(" /"))
}

// ofNoSource reports whether a line is the last line of a backup that found no source.
func ofNoSource(text []byte) bool {
	return has(text, "Fatal: all ") || has(text, "Fatal: nothing to backup")
}

// sourceError reads an error of a backup or a check. In a stream an error after the
// end of a command may belong to the next command.
func (s *state) sourceError(h uint64, text []byte) {
	again := s.repeated(h)
	s.restic, s.begun = true, true
	switch {
	case s.stream && s.over():
		s.after.of(s.line, again).read(text)
	case again:
	case s.process.Command == CommandCheck:
		s.complaint()
		s.check.errors++
	default:
		s.complaint()
		s.backup.read(text)
	}
}

// read counts an error of a backup.
func (e *backupErrors) read(text []byte) {
	if isDamage(text) {
		e.damage++
	} else {
		e.unreadable++
	}
}

// isDamage reports whether an error of a backup is about the repository, not about
// a source. Since 0.16.3 the path comes first.
func isDamage(text []byte) bool {
	if has(text, "parts of ") && bytes.HasSuffix(text, []byte("storing the file again")) {
		return true
	}
	if i := bytes.Index(text, []byte(": tree ")); i >= 0 && !has(text, "tree ") {
		text = text[i+len(": "):]
	}
	const id = 64
	if !has(text, "tree ") || len(text) < len("tree ")+id || !isID(text[len("tree "):][:id]) {
		return false
	}
	rest := text[len("tree ")+id:]
	return has(rest, " could not be loaded; ") || has(rest, " is not known; ")
}
