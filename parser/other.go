package parser

// Commands of which only that they were there, and their end, is of interest.
var otherForms = []form{
	{pattern: "created restic repository …", opens: CommandInit, read: (*state).otherDone},

	{pattern: "snapshot # of [… at …", tells: CommandCopy, read: (*state).copyNext},
	{pattern: "snapshot # saved, copied …", tells: CommandCopy, read: (*state).otherDone}, // 0.19
	{pattern: "skipping source snapshot …", tells: CommandCopy, read: (*state).otherDone},

	{pattern: "restoring …", opens: CommandRestore},
	{pattern: "Summary: Restored …", within: CommandRestore, read: (*state).otherDone}, // 0.16 and later
	{pattern: "ignoring error for …", within: CommandRestore, read: (*state).otherError},
}

func (s *state) otherDone(*line) error {
	s.process.Done = true
	return nil
}

// copyNext notes that a copy goes on with the next snapshot.
func (s *state) copyNext(*line) error {
	s.process.Done = false
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
