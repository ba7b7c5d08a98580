package parser

import (
	"bytes"
	"cmp"
	"time"
)

var forgetForms = []form{
	{pattern: "Applying Policy: …", opens: CommandForget, ends: true, read: (*state).forgetPolicy},
	{pattern: "snapshots for (…", read: (*state).forgetGroup},
	{pattern: "keep # snapshots:", opens: CommandForget, ends: true, read: (*state).forgetKeep},
	{pattern: "remove # snapshots:", opens: CommandForget, ends: true, read: (*state).forgetRemove},
	{pattern: "--------…", within: CommandForget, ends: true, read: (*state).forgetRule},
	{pattern: "# snapshots", within: CommandForget, ends: true, read: (*state).forgetTableEnd},
	{pattern: "[# # # / # files deleted", within: CommandForget, ends: true, read: (*state).forgetDeleted},
	{pattern: "[… files deleted", within: CommandForget, ends: true, read: (*state).forgetDeletes}, // the total is unknown
	{pattern: "Would have removed the following snapshots:", read: (*state).dryRun},
	{pattern: "{…}", within: CommandForget, read: (*state).listed}, // the snapshots that a dry run would remove
	{pattern: "failed to remove one or more snapshots", tells: CommandForget, read: (*state).otherFatal},
	{pattern: "refusing to delete last snapshot of snapshot group …", read: (*state).otherFatal},
}

type forgetState struct {
	policy  uint64 // hash of the line with the policy; 0 if there was none
	title   uint64 // hash of the first line of the last table
	size    uint64 // rows that this table should have
	deleted uint64 // files deleted, according to the last line that counts them
	of      uint64 // files to be deleted, according to that line
	counter string // that line; "" if there was none
	failed  uint64 // snapshots that could not be removed
	first   string // the line about the first of them

	group   bool // a line with a group of snapshots was read
	inTable bool // a table has begun and not ended
	ruled   bool // its first rule was read
	counts  bool // this release prints a line that counts deleted files
	bad     bool // the tables do not add up
}

// isRow reports whether a line that has no form is a row of a table. Rows have names in
// them.
func (f *forgetState) isRow(text []byte) bool {
	return f.inTable && (text[0] == ' ' || len(text) > 8 && isID(text[:8]))
}

// heard records that the process logged a line at t, and is still in its forget.
func (f *forgetState) heard(p *Process, t time.Time) {
	if p.Forget != nil && p.Command == CommandForget {
		p.Forget.End = t
	}
}

func (f *forgetState) end(p *Process) {
	if p.Command == CommandForget && f.policy != 0 && !f.group && p.Forget == nil && p.Fatal == "" {
		p.Forget = new(Forget) // no snapshot matched, so no table follows
	}
	if f.bad {
		p.Forget = nil
		return
	}
	failure := f.first
	if f.counter != "" && f.deleted < f.of && failure == "" {
		failure = f.counter // 0.17 and 0.18 do not report the failure otherwise, and exit with 0
	}
	if failure != "" && p.Forget != nil {
		forget := *p.Forget
		forget.Failed = min(cmp.Or(f.failed, f.of-f.deleted), forget.Removed)
		forget.Removed -= forget.Failed
		p.Forget = &forget
	}
	if p.Command != CommandForget {
		return
	}
	if failure != "" && p.Fatal == "" {
		p.Fatal, p.Cause = failure, CauseOther
	}
	p.Done = p.Fatal == "" && !f.inTable && p.Forget != nil && f.deletes(p)
}

// deletes reports whether the forget has deleted what it wanted to. It assumes so for
// releases that do not report it.
func (f *forgetState) deletes(p *Process) bool {
	return p.Forget.Removed == 0 || !f.counts || f.counter != "" || p.DryRun
}

func (s *state) forgetPolicy(l *line) error {
	s.forget.policy = hash(l.text)
	// 0.11 and later count the files that they delete. Their policy line differs, too:
	// it begins with "keep 7 latest".
	policy := l.word(0)
	s.forget.counts = has(policy, "keep ") && !has(policy, "keep the last ") && !bytes.HasSuffix(policy, []byte(" snapshots snapshots"))
	return nil
}

func (s *state) forgetGroup(*line) error {
	s.forget.group = true
	return nil
}

func (s *state) forgetKeep(l *line) error   { return s.forgetTable(l, true) }
func (s *state) forgetRemove(l *line) error { return s.forgetTable(l, false) }

// forgetTable reads the first line of a table of snapshots.
func (s *state) forgetTable(l *line, keep bool) error {
	f := &s.forget
	title := hash(l.text)
	if f.inTable && f.title == title && !f.ruled {
		return nil // a second copy of the line
	}
	n, err := count(l.word(0))
	if err == nil && f.inTable {
		err = errMisplaced // the table before has no end
	}
	if err != nil {
		f.bad = true
		return err
	}
	f.inTable, f.size, f.title, f.ruled = true, n, title, false
	if s.process.Forget == nil {
		s.process.Forget = new(Forget)
	}
	if keep {
		s.process.Forget.Kept += n
	} else {
		s.process.Forget.Removed += n
	}
	return nil
}

// forgetRule reads the rule of a table. The table must have begun.
func (s *state) forgetRule(*line) error {
	f := &s.forget
	f.ruled = true
	if !f.inTable && f.title == 0 && !f.bad {
		f.bad = true
		return s.unlessNamed(errMisplaced)
	}
	return nil
}

func (s *state) forgetTableEnd(l *line) error {
	f := &s.forget
	n, err := count(l.word(0))
	switch {
	case err == nil && n == f.size && f.title != 0: // possibly a second copy of the line
		f.inTable = false
		return nil
	case err == nil:
		err = errIncomplete
	}
	f.inTable, f.bad = false, true
	return err
}

// forgetDeletes reads a line that counts deleted files without their total. With
// RESTIC_PROGRESS_FPS there are several such lines.
func (s *state) forgetDeletes(l *line) error {
	s.forget.counter, s.forget.deleted, s.forget.of = string(l.text), 0, 0
	return nil
}

// forgetDeleted reads "[0:00] 100.00%  3 / 3 files deleted".
func (s *state) forgetDeleted(l *line) error {
	f := &s.forget
	deleted, err := count(l.word(2))
	of, err2 := count(l.word(3))
	if err := cmp.Or(err, err2); err != nil {
		f.counter, f.deleted, f.of = "", 0, 0
		return err
	}
	f.counter = string(l.text)
	f.deleted, f.of = deleted, of
	if s.process.Forget == nil && f.policy == 0 && !f.inTable {
		return nil // the snapshots were named by ID, so there is no table
	}
	if !f.bad && (f.inTable || s.process.Forget == nil || s.process.Forget.Removed != of) {
		f.bad = true
		return s.unlessNamed(errIncomplete)
	}
	return nil
}

// forgetFailed reads a line about a snapshot that could not be removed. The counter
// of deleted files may still reach 100 %.
func (s *state) forgetFailed(l *line) error {
	if s.repeated(hash(l.text)) {
		return nil
	}
	s.complaint()
	if s.forget.failed++; s.forget.first == "" {
		s.forget.first = string(l.text)
	}
	return nil
}

// listed reads the IDs of what a dry run would have removed. A line of JSON has the same
// form, but counts as not understood.
func (s *state) listed(l *line) error {
	if bytes.IndexByte(l.text, '"') >= 0 {
		s.strange++
	}
	return nil
}

func (s *state) dryRun(*line) error {
	s.restic, s.process.DryRun = true, true
	return nil
}
