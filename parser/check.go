package parser

var checkForms = []form{
	{pattern: "using temporary cache in /…", opens: CommandCheck},
	{pattern: "load indexes", opens: CommandCheck},
	{pattern: "check all packs", tells: CommandCheck},
	{pattern: "read all data", tells: CommandCheck},
	{pattern: "no errors were found", tells: CommandCheck, ends: true, read: (*state).checkGood},

	{pattern: "error for tree …:", tells: CommandCheck, read: (*state).checkTree},
	{pattern: "  …", within: CommandCheck, read: (*state).checkTreeError},
	{pattern: "pack …: does not exist", within: CommandCheck, read: (*state).checkError},
	{pattern: "pack …: unexpected file size: got …", within: CommandCheck, read: (*state).checkError},
	{pattern: "pack … contains … errors: […", within: CommandCheck, read: (*state).checkError},
	{pattern: "Pack ID does not match, want …", within: CommandCheck, read: (*state).checkError},
	{pattern: "download error: …", within: CommandCheck, read: (*state).checkError},
	{pattern: "unused blob …", within: CommandCheck, read: (*state).checkError},
	{pattern: "snapshot error …", within: CommandCheck, read: (*state).checkError}, // after 0.19

	// What else a check prints. Lines that are not listed count as not understood.
	{pattern: "[…] …", within: CommandCheck},
	{pattern: "check snapshots, trees and blobs", within: CommandCheck},
	{pattern: "create exclusive lock for repository", within: CommandCheck},
	{pattern: "created new cache in …"},
	{pattern: "duration: …", within: CommandCheck},
	{pattern: "read …", within: CommandCheck},
	{pattern: "pack …: not referenced in any index", within: CommandCheck},
	{pattern: "pack … contained in several indexes: …", within: CommandCheck},
	{pattern: "pack … contains a mix of tree and data blobs", within: CommandCheck},
	{pattern: "Mixed packs …", within: CommandCheck},
	{pattern: "Duplicate packs…", within: CommandCheck},
	{pattern: "This is non-critical, …", within: CommandCheck},
	{pattern: "You can run …", within: CommandCheck},
	{pattern: "index … has old format", within: CommandCheck},
	{pattern: "# additional files were found in the repo, …", within: CommandCheck},
	{pattern: "The repository …", within: CommandCheck},
	{pattern: "restic repair …", within: CommandCheck},
	{pattern: "RESTIC_FEATURES=…", within: CommandCheck},
	{pattern: "Damaged pack files can be caused by …", within: CommandCheck},
}

type checkState struct {
	errors uint64
	tree   uint64 // hash of the line that names a tree; indented lines after it are its errors
}

func (c *checkState) end(p *Process, strange bool) {
	switch {
	case p.Fatal == "":
	case p.Cause == CauseCheckErrors && strange:
		p.Check = nil // the lines that were not understood may be errors, too
	case p.Cause != CauseCheckErrors:
		p.Check = nil // the check did not finish
	case p.Check == nil || p.Check.Errors == 0: // with --json restic itself gives the number
		p.Check = &Check{Errors: max(1, c.errors)}
	}
}

func (s *state) checkGood(*line) error {
	s.process.Check, s.process.Done = &Check{}, true
	return nil
}

func (s *state) checkTree(l *line) error {
	s.check.tree = hash(l.text)
	return nil
}

// checkTreeError reads an error of a tree. Two trees can have the same error.
func (s *state) checkTreeError(l *line) error {
	if s.check.tree != 0 {
		s.checkFound(s.check.tree ^ hash(l.text))
	}
	return nil
}

func (s *state) checkError(l *line) error {
	s.checkFound(hash(l.text))
	return nil
}

func (s *state) checkFound(h uint64) {
	if !s.repeated(h) && !(s.stream && s.over()) {
		s.check.errors++
		s.complaint()
	}
}
