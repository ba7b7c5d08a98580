package parser

import (
	"bytes"
	"time"
)

var forgetForms = []form{
	{pattern: "Applying Policy: …", opens: CommandForget, read: (*state).forgetPolicy},
	{pattern: "snapshots for (…", read: (*state).forgetGroup},
	{pattern: "keep # snapshots:", opens: CommandForget, read: (*state).forgetKeep},
	{pattern: "remove # snapshots:", opens: CommandForget, read: (*state).forgetRemove},
	{pattern: "# snapshots", read: (*state).forgetTableEnd},
	{pattern: "[… files deleted", within: CommandForget, read: (*state).forgetDeleted},
	{pattern: "Would have removed the following snapshots:", read: (*state).dryRun},
	{pattern: "failed to remove one or more snapshots", tells: CommandForget, read: (*state).otherFatal},
	{pattern: "refusing to delete last snapshot of snapshot group …", read: (*state).otherFatal},
}

type forgetState struct {
	policy  bool   // a forget named its policy, and no group of snapshots yet
	tables  int    // begun and not ended
	deleted uint64 // of the files to be deleted, by the last counter
	of      uint64
	counter string // its line; "" if there was none
	counts  bool   // a release that prints this counter
}

// heard notes when the last line of a forget was logged.
func (f *forgetState) heard(p *Process, t time.Time) {
	if p.Forget != nil && p.Command == CommandForget {
		p.Forget.End = t
	}
}

func (f *forgetState) end(p *Process) {
	if f.policy && p.Forget == nil && p.Fatal == "" {
		p.Forget = new(Forget) // it says no more if nothing matches
	}
	if f.counter != "" && f.deleted < f.of {
		// 0.17 and 0.18 say no more, and exit with 0.
		if p.Fatal == "" {
			p.Fatal, p.Cause = f.counter, CauseOther
		}
		if p.Forget != nil && p.Forget.Removed == f.of {
			forget := *p.Forget
			forget.Removed = f.deleted
			p.Forget = &forget
		}
	}
	p.Done = p.Fatal == "" && f.tables == 0 && p.Forget != nil &&
		(p.Forget.Removed == 0 || !f.counts || f.counter != "" || p.DryRun)
}

func (s *state) forgetPolicy(l *line) error {
	s.forget.policy = true
	// 0.11 and later count the files that they delete, and begin with "keep 7 latest".
	policy := l.word[0]
	s.forget.counts = has(policy, "keep ") && !has(policy, "keep the last ") && !bytes.HasSuffix(policy, []byte(" snapshots snapshots"))
	return nil
}

func (s *state) forgetGroup(*line) error {
	s.forget.policy = false
	return nil
}

func (s *state) forgetKeep(l *line) error {
	n, err := count(l.word[0])
	if err == nil {
		s.forgetTable().Kept += n
	}
	return err
}

func (s *state) forgetRemove(l *line) error {
	n, err := count(l.word[0])
	if err == nil {
		s.forgetTable().Removed += n
	}
	return err
}

// forgetTable begins a table of snapshots.
func (s *state) forgetTable() *Forget {
	s.forget.tables++
	if s.process.Forget == nil {
		s.process.Forget = new(Forget)
	}
	return s.process.Forget
}

func (s *state) forgetTableEnd(*line) error {
	if s.forget.tables > 0 {
		s.forget.tables--
	}
	return nil
}

// forgetDeleted reads "[0:00] 100.00%  3 / 3 files deleted". With
// RESTIC_PROGRESS_FPS there are several; a total that is not known is not there.
func (s *state) forgetDeleted(l *line) error {
	f := &s.forget
	f.counter, f.deleted, f.of = string(l.text), 0, 0
	var w [5][]byte
	if fields(w[:], l.word[0]) != len(w) {
		return nil
	}
	deleted, err := count(w[2])
	of, err2 := count(w[4])
	if err == nil && err2 == nil {
		f.deleted, f.of = deleted, of
	}
	return nil
}

func (s *state) dryRun(*line) error {
	s.restic, s.process.DryRun = true, true
	return nil
}
