package parser

import (
	"bytes"
	"slices"
)

// otherForms are the lines of commands that have no figures: it matters only that they
// ran, and whether they succeeded.
var otherForms = []form{
	{pattern: "created restic repository …", opens: CommandInit, read: (*state).otherDone},

	{pattern: "Please note that knowledge of your password is required to access", tells: CommandInit},
	{pattern: "the repository. Losing your password means that your data is", tells: CommandInit},
	{pattern: "irrecoverably lost.", tells: CommandInit},

	{pattern: "snapshot # of […filtered by […", opens: another},                    // ls
	{pattern: "snapshot # of [… at …", opens: another, read: (*state).otherGoesOn}, // rewrite, copy
	{pattern: "  copy started, this may take a while...", within: another, read: (*state).copyBegins},
	{pattern: "snapshot # saved, copied …", within: CommandCopy, read: (*state).otherDone}, // 0.19
	{pattern: "snapshot # saved, copied …", within: another, read: (*state).copyUnheard},
	{pattern: "skipping source snapshot …", within: another, read: (*state).copySkips},
	{pattern: "skipping source snapshot …", tells: CommandCopy, read: (*state).otherDone},

	{pattern: "restoring snapshot …", opens: CommandRestore, read: (*state).restoreBegins}, // 0.17 and later
	{pattern: "restoring …", opens: CommandRestore},
	{pattern: "restored  /…", within: CommandRestore, read: (*state).restoreNames},
	{pattern: "updated   /…", within: CommandRestore, read: (*state).restoreNames},
	{pattern: "deleted   /…", within: CommandRestore, read: (*state).restoreNames},
	{pattern: "Summary: Restored …", within: CommandRestore, read: (*state).otherDone},                    // 0.16 and later
	{pattern: "Summary: Restored … files/dirs (…) in #", tells: CommandRestore, read: (*state).otherDone}, // with --quiet
	{pattern: "verifying files in …", within: CommandRestore, read: (*state).restoreVerifies},
	{pattern: "finished verifying # files in …", within: CommandRestore, read: (*state).otherDone},
	{pattern: "There were # errors", within: CommandRestore, read: (*state).restoreErrors}, // to 0.11, which exits with 0
	{pattern: "Fatal: There were # errors", within: CommandRestore, read: (*state).restoreErrors},
	{pattern: "ignoring error for …", tells: CommandRestore, read: (*state).restoreIgnores},

	// These commands print names, and a name can hold any line.
	{pattern: "comparing snapshot # to #", opens: another},
	{pattern: "Found matching entries in snapshot …", opens: another},

	{pattern: "saved new snapshot #", read: (*state).otherCommand}, // recover, rewrite
	{pattern: "repository # opened …"},
	{pattern: "load index files"},
	{pattern: "lock repository"},
	{pattern: "found # old cache directories in …"},
	{pattern: "removing # old cache dirs from …"},
	{pattern: "read password from stdin"},
	{pattern: "reading repository password from stdin"},
	{pattern: "unable to open cache: …"},
	{pattern: "unable to create cache directory …"},
	{pattern: "unable to create temporary directory for cache …"},
	{pattern: "unable to find old cache directories: …"},
	{pattern: "unable to locate cache directory: …"},
	{pattern: "error removing temporary cache directory: …"},
	{pattern: "could not open exclusion tagfile: …"},
	{pattern: "could not access exclusion tagfile: …"},
	{pattern: "could not read signature from exclusion tagfile …"},
	{pattern: "error for exclude pattern: …"},
	{pattern: "error for iexclude pattern: …"},
	{pattern: "error in cleanup handler: …"},
}

// An otherState is what a process of these commands, or of an unknown one, has said.
type otherState struct {
	shows   bool   // the command only shows something
	unheard bool   // restic itself printed a line that no known command begins with
	copies  bool   // it named a snapshot as a copy does
	ends    bool   // this release says how the command ends
	ignored uint64 // errors that a restore went on after
}

// another stands for every command that has no constant of its own. Only the reason why
// such a command gave up matters. The Command of its [Process] is "".
const another Command = "another"

// otherGoesOn notes that a command goes on with the next snapshot.
func (s *state) otherGoesOn(*line) error {
	s.process.Done, s.other.copies = false, true
	return nil
}

// restoreIgnores reads an error of a restore, which says at its end how many there were.
func (s *state) restoreIgnores(*line) error {
	s.complaint()
	s.other.ignored++
	return nil
}

// restoreNames reads a line about a single file, so what looked like the end of the
// restore was part of a name.
func (s *state) restoreNames(*line) error {
	s.process.Done, s.after = false, aftermath{}
	return nil
}

func (s *state) restoreVerifies(*line) error {
	s.process.Done, s.other.ends = false, true
	return nil
}

// restoreErrors reads the last line of a restore with errors.
func (s *state) restoreErrors(l *line) error {
	n, err := count(l.word(0))
	s.odd = s.odd || !s.stream && (err != nil || n != s.other.ignored)
	return s.otherFatal(l)
}

// copyBegins notes that the command is a copy. Other commands name snapshots, too.
func (s *state) copyBegins(*line) error {
	s.process.Command, s.other.ends = CommandCopy, true
	return nil
}

// copyUnheard reads the end of a copy that did not begin as a copy does.
func (s *state) copyUnheard(*line) error {
	s.odd = s.odd || s.other.copies && !s.stream
	return nil
}

func (s *state) copySkips(*line) error {
	s.process.Command, s.process.Done = CommandCopy, true
	return nil
}

func (s *state) restoreBegins(*line) error {
	s.other.ends = true
	return nil
}

// shows are the beginnings of lines of commands that only show something, and of errors
// about how restic was called.
var shows = []string{
	"{", "[", "null", "ID  ", " ID  ", "Repo ID  ", "scanning...", "restic ", // snapshots, key, cache, stats, version
	"create exclusive lock", "modified ", "no ", "saved new key", "removed key ", "remove ", "successfully ", // tag, key, cache, unlock
	"load ", "ensuring ", "available migrations", "migration ", "applying migration", "checking repository", "salvaging ",
	"writing ", "find latest ", "latest version ", "Now serving ", "All ", "Command ", "Flag ", "unknown ", "flag needs ", "invalid ",
}

// unheard notes a line without a form, of a restic whose command is unknown. Either the
// command only shows something, or a new release has other first lines.
func (s *state) unheard(text []byte) {
	first, rest, _ := bytes.Cut(text, []byte(" "))
	if isID(first) || isID(rest) || slices.ContainsFunc(shows, func(begin string) bool { return has(text, begin) }) {
		s.other.shows = true // "restic list" prints bare IDs
	}
	s.other.unheard = s.other.unheard || !s.other.shows
}

// misheard reports whether restic itself ran a command that is not known.
func (s *state) misheard() bool { return s.other.unheard && s.process.Command == "" }

// printsNames reports whether command c prints bare names of files. A name can hold
// line breaks, so any line of its output may be part of a name.
func printsNames(c Command) bool { return c == another || c == CommandRestore || c == CommandCopy }

// otherCommand notes that the command is not a backup, though it begins like one.
func (s *state) otherCommand(*line) error {
	if !s.stream && s.process.Backup == nil {
		s.process.Command = another
	}
	return nil
}

func (s *state) otherDone(*line) error {
	s.process.Done = true
	return nil
}

func (s *state) otherError(*line) error {
	s.complaint()
	return nil
}

func (s *state) otherFatal(l *line) error {
	s.fatal(l.text, CauseOther)
	return nil
}
