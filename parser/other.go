package parser

// Of these commands, it matters only that they ran and whether they succeeded.
var otherForms = []form{
	{pattern: "created restic repository …", opens: CommandInit, read: (*state).otherDone},

	{pattern: "Please note that knowledge of your password is required to access", tells: CommandInit},
	{pattern: "the repository. Losing your password means that your data is", tells: CommandInit},
	{pattern: "irrecoverably lost.", tells: CommandInit},

	{pattern: "snapshot # of [… at …", opens: another, read: (*state).otherGoesOn}, // ls, rewrite, copy
	{pattern: "  copy started, this may take a while...", within: another, read: (*state).copyBegins},
	{pattern: "snapshot # saved, copied …", within: CommandCopy, read: (*state).otherDone}, // 0.19
	{pattern: "skipping source snapshot …", within: another, read: (*state).copySkips},
	{pattern: "skipping source snapshot …", tells: CommandCopy, read: (*state).otherDone},

	{pattern: "restoring …", opens: CommandRestore},
	{pattern: "Summary: Restored …", within: CommandRestore, read: (*state).otherDone},                    // 0.16 and later
	{pattern: "Summary: Restored … files/dirs (…) in #", tells: CommandRestore, read: (*state).otherDone}, // with --quiet
	{pattern: "verifying files in …", within: CommandRestore, read: (*state).otherGoesOn},
	{pattern: "finished verifying # files in …", within: CommandRestore, read: (*state).otherDone},
	{pattern: "There were # errors", within: CommandRestore, read: (*state).otherFatal}, // to 0.11, which exits with 0
	{pattern: "ignoring error for …", within: CommandRestore, read: (*state).otherError},

	// These print names, and a name can hold any line.
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
	{pattern: "rclone: …"},
}

// another stands for the commands that are known only by why they gave up.
const another Command = "another"

// otherGoesOn notes that a command goes on: with the next snapshot, or to verify.
func (s *state) otherGoesOn(*line) error {
	s.process.Done = false
	return nil
}

// copyBegins notes that the command is a copy. Other commands name snapshots, too.
func (s *state) copyBegins(*line) error {
	s.process.Command = CommandCopy
	return nil
}

func (s *state) copySkips(*line) error {
	s.process.Command, s.process.Done = CommandCopy, true
	return nil
}

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
