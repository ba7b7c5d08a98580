package parser

var checkForms = []form{
	{pattern: "using temporary cache in …", opens: CommandCheck},
	{pattern: "load indexes", opens: CommandCheck},
	{pattern: "check all packs", tells: CommandCheck},
	{pattern: "read all data", tells: CommandCheck},
	{pattern: "no errors were found", tells: CommandCheck, read: (*state).checkGood},

	{pattern: "error for tree …:", tells: CommandCheck, read: (*state).checkTree},
	{pattern: " …", within: CommandCheck, read: (*state).checkTreeError},
	{pattern: "pack …: does not exist", within: CommandCheck, read: (*state).checkError},
	{pattern: "pack …: unexpected file size: got …", within: CommandCheck, read: (*state).checkError},
	{pattern: "pack … contains … errors: […", within: CommandCheck, read: (*state).checkError},
	{pattern: "Pack ID does not match, want …", within: CommandCheck, read: (*state).checkError},
	{pattern: "download error: …", within: CommandCheck, read: (*state).checkError},
	{pattern: "unused blob …", within: CommandCheck, read: (*state).checkError},
}

type checkState struct {
	errors uint64
	inTree bool // indented lines name the errors of a tree
}

func (c *checkState) end(p *Process) {
	switch {
	case p.Fatal == "":
	case p.Cause != CauseCheckErrors:
		p.Check = nil // the check did not get to its end
	case p.Check == nil || p.Check.Errors == 0: // else in restic's own words
		p.Check = &Check{Errors: max(1, c.errors)}
	}
}

func (s *state) checkGood(*line) error {
	s.process.Check, s.process.Done = &Check{}, true
	return nil
}

func (s *state) checkTree(*line) error {
	s.check.inTree = true
	return nil
}

func (s *state) checkTreeError(l *line) error {
	if s.check.inTree {
		return s.checkError(l)
	}
	return nil
}

func (s *state) checkError(*line) error {
	s.check.errors++
	s.complaint()
	return nil
}
