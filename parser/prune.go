package parser

import "math"

var pruneForms = []form{
	{pattern: "counting files in repo", opens: CommandPrune},   // until 0.11
	{pattern: "loading indexes...", opens: CommandPrune},       // 0.12 to 0.18
	{pattern: "loading all snapshots...", opens: CommandPrune}, // 0.12 and later
	{pattern: "# snapshots have been removed, running prune", tells: CommandPrune},
	{pattern: "# snapshots would be removed, running prune dry run", tells: CommandPrune, read: (*state).dryRun},
	{pattern: "Would have made the following changes:", read: (*state).dryRun},

	{pattern: "to repack: # blobs / # #", tells: CommandPrune, read: (*state).pruneRepack},
	{pattern: "total prune: # blobs / # #", tells: CommandPrune, read: (*state).pruneTotal},
	{pattern: "remaining: # blobs / # #", tells: CommandPrune, read: (*state).pruneRemaining},
	{pattern: "unused size after prune: # # (…size)", read: (*state).pruneUnused},

	{pattern: "repository contains # packs (# blobs) with # #", tells: CommandPrune, read: (*state).pruneContents},
	{pattern: "processed # blobs: # duplicate blobs, …", tells: CommandPrune, read: (*state).pruneDuplicates},
	{pattern: "found # of # data blobs still in use, removing # blobs", tells: CommandPrune, read: (*state).pruneInUse},
	{pattern: "will delete # packs and rewrite # packs, this frees # #", tells: CommandPrune, read: (*state).pruneFrees},
	{pattern: "will delete # packs and rewrite # packs, this frees #", tells: CommandPrune, read: (*state).pruneFrees}, // "0B", until 0.9.3

	{pattern: "repacking packs", within: CommandPrune, read: (*state).pruneAction},
	{pattern: "rebuilding index", within: CommandPrune, read: (*state).pruneAction},
	{pattern: "removing # old packs", within: CommandPrune, read: (*state).pruneAction},
	{pattern: "deleting …", within: CommandPrune, read: (*state).pruneAction},
	{pattern: "done", within: CommandPrune, read: (*state).pruneDone},
	{pattern: "done …", within: CommandPrune, read: (*state).pruneAction},
	{pattern: "getting pack files to read...", within: CommandPrune, read: (*state).repairIndex},
}

// A pruneState is what a prune has said before it is done.
type pruneState struct {
	prune Prune
	found uint8 // which of the lines below were seen

	oldTotal   Blobs
	duplicates uint64
}

const (
	foundRemoved = 1 << iota
	foundRemaining
	foundUnused
	foundContents
	foundInUse
	foundFrees
	foundAction // it has begun to change the repository
)

func (pr *pruneState) end(p *Process) {
	if !p.Done && p.Fatal == "" && pr.found&(foundUnused|foundAction) == foundUnused {
		// Releases 0.12 to 0.14 do not say that they only pretend: they
		// stop after the plan.
		p.DryRun = true
	}
	if p.DryRun && p.Fatal == "" && pr.found&(foundUnused|foundFrees) != 0 {
		p.Done = true
	}
	if p.DryRun {
		p.Prune = nil
	}
}

// blobs reads the words "N blobs / SIZE" from the i-th on.
func (l *line) blobs() (b Blobs, err error) {
	if b.Count, err = count(l.word[0]); err != nil {
		return b, err
	}
	b.Bytes, err = size(l.word[1], l.word[2])
	return b, err
}

func (s *state) pruneRepack(l *line) error {
	b, err := l.blobs()
	if err == nil {
		s.prune.prune.Repacked = &b
	}
	return err
}

func (s *state) pruneTotal(l *line) error {
	b, err := l.blobs()
	if err == nil {
		s.prune.prune.Removed = b
		s.prune.found |= foundRemoved
	}
	return err
}

func (s *state) pruneRemaining(l *line) error {
	b, err := l.blobs()
	if err == nil {
		s.prune.prune.Remaining = b
		s.prune.found |= foundRemaining
	}
	return err
}

func (s *state) pruneUnused(l *line) error {
	if s.prune.found&foundRemaining == 0 {
		return nil
	}
	v, err := size(l.word[0], l.word[1])
	if err != nil {
		return err
	}
	if v < math.MaxInt64 { // else below zero, in 0.14 and older
		s.prune.prune.Unused = &v
	}
	s.prune.found |= foundUnused
	return nil
}

func (s *state) pruneContents(l *line) (err error) {
	if _, err = count(l.word[0]); err != nil {
		return err
	}
	if s.prune.oldTotal.Count, err = count(l.word[1]); err != nil {
		return err
	}
	if s.prune.oldTotal.Bytes, err = size(l.word[2], l.word[3]); err != nil {
		return err
	}
	s.prune.found |= foundContents
	return nil
}

func (s *state) pruneDuplicates(l *line) (err error) {
	s.prune.duplicates, err = count(l.word[1])
	return err
}

func (s *state) pruneInUse(l *line) error {
	used, err := count(l.word[0])
	if err != nil {
		return err
	}
	removed, err := count(l.word[2])
	if err != nil {
		return err
	}
	s.prune.prune.Remaining.Count = used
	s.prune.prune.Removed.Count = removed
	s.prune.found |= foundInUse
	return nil
}

func (s *state) pruneFrees(l *line) error {
	v, err := size(l.word[2], l.word[3])
	if err != nil {
		return err
	}
	s.prune.prune.Removed.Bytes = v
	s.prune.found |= foundFrees
	return nil
}

// pruneAction notes that a prune changes the repository.
func (s *state) pruneAction(*line) error {
	s.prune.found |= foundAction
	return nil
}

// repairIndex notes that what began as a prune does is none.
func (s *state) repairIndex(*line) error {
	if s.prune.found == 0 {
		s.process.Command = ""
	}
	return nil
}

// pruneDone takes what a prune has said: it is done.
func (s *state) pruneDone(*line) error {
	pr, found := s.prune.prune, s.prune.found
	switch {
	case found&(foundRemoved|foundRemaining) == foundRemoved|foundRemaining:
		pr.TotalBytes = pr.Remaining.Bytes + pr.Removed.Bytes
	case found&foundContents != 0 && found&foundInUse != 0 && found&foundFrees != 0:
		pr.TotalBytes = s.prune.oldTotal.Bytes
		pr.Remaining.Bytes = pr.TotalBytes - min(pr.Removed.Bytes, pr.TotalBytes)
	default:
		return nil // rebuild-index ends like this, too
	}
	s.process.Prune = &pr
	s.process.Done, s.names.ended = true, true
	return nil
}
