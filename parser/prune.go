package parser

import "math"

var pruneForms = []form{
	{pattern: "counting files in repo", opens: CommandPrune},   // until 0.11
	{pattern: "loading indexes...", opens: CommandPrune},       // 0.12 to 0.18
	{pattern: "loading all snapshots...", opens: CommandPrune}, // 0.12 and later
	{pattern: "# snapshots have been removed, running prune", tells: CommandPrune},
	{pattern: "# snapshots would be removed, running prune dry run", tells: CommandPrune, read: (*state).dryRun},
	{pattern: "Would have made the following changes:", read: (*state).dryRun},

	{pattern: "to repack: # blobs / # #", tells: CommandPrune, ends: true, read: (*state).pruneRepack},
	{pattern: "this removes: # blobs / # #", tells: CommandPrune, ends: true, read: (*state).pruneRepackRemoves}, // 0.13 and later
	{pattern: "this removes # blobs / # #", tells: CommandPrune, ends: true, read: (*state).pruneRepackRemoves},  // 0.12
	{pattern: "to delete: # blobs / # #", tells: CommandPrune, ends: true, read: (*state).pruneDeletes},
	{pattern: "total prune: # blobs / # #", tells: CommandPrune, ends: true, read: (*state).pruneTotal},
	{pattern: "remaining: # blobs / # #", tells: CommandPrune, ends: true, read: (*state).pruneRemaining},
	{pattern: "unused size after prune: # # (…size)", ends: true, read: (*state).pruneUnused},

	{pattern: "repository contains # packs (# blobs) with # #", tells: CommandPrune, ends: true, read: (*state).pruneContents},
	{pattern: "processed # blobs: # duplicate blobs, …", tells: CommandPrune, ends: true, read: (*state).pruneDuplicates},
	{pattern: "found # of # data blobs still in use, removing # blobs", tells: CommandPrune, ends: true, read: (*state).pruneInUse},
	{pattern: "will delete # packs and rewrite # packs, this frees # #", tells: CommandPrune, ends: true, read: (*state).pruneFrees},
	{pattern: "will delete # packs and rewrite # packs, this frees #", tells: CommandPrune, ends: true, read: (*state).pruneFrees}, // "0B", until 0.9.3

	{pattern: "repacking packs", within: CommandPrune, read: (*state).pruneAction},
	{pattern: "rebuilding index", within: CommandPrune, read: (*state).pruneAction},
	{pattern: "removing # old packs", within: CommandPrune, read: (*state).pruneAction},
	{pattern: "deleting …", within: CommandPrune, read: (*state).pruneAction},
	{pattern: "done", within: CommandPrune, ends: true, read: (*state).pruneDone},
	{pattern: "getting pack files to read...", within: CommandPrune, read: (*state).repairIndex},

	// What else a prune prints. Lines that are not listed count as not understood.
	{pattern: "[…] …", within: CommandPrune},
	{pattern: "building new index for repo", within: CommandPrune},
	{pattern: "load all snapshots", within: CommandPrune},
	{pattern: "find data that is still in use for …", within: CommandPrune},
	{pattern: "finding data that is still in use for …", within: CommandPrune},
	{pattern: "searching used packs...", within: CommandPrune},
	{pattern: "collecting packs for deletion and repacking", within: CommandPrune},
	{pattern: "will remove …", within: CommandPrune},
	{pattern: "incomplete pack file …", within: CommandPrune},
	{pattern: "used: …", within: CommandPrune},
	{pattern: "duplicates: …", within: CommandPrune},
	{pattern: "unused: …", within: CommandPrune},
	{pattern: "unreferenced: …", within: CommandPrune},
	{pattern: "total: …", within: CommandPrune},
	{pattern: "unused size: …", within: CommandPrune},
	{pattern: "not yet compressed: …", within: CommandPrune},
	{pattern: "totally used packs: …", within: CommandPrune},
	{pattern: "partly used packs: …", within: CommandPrune},
	{pattern: "unused packs: …", within: CommandPrune},
	{pattern: "to keep: # packs", within: CommandPrune},
	{pattern: "to repack: # packs", within: CommandPrune},
	{pattern: "to delete: # packs", within: CommandPrune},
	{pattern: "to delete: # unreferenced packs", within: CommandPrune},
	{pattern: "Repeated prune dry-runs …", within: CommandPrune},
	{pattern: "Would have …", within: CommandPrune},
	{pattern: "{…}", within: CommandPrune, read: (*state).listed},
	{pattern: "finding old index files", within: CommandPrune},
	{pattern: "saved new indexes as …", within: CommandPrune},
	{pattern: "remove # old …", within: CommandPrune},
	{pattern: "removed …", within: CommandPrune},
	{pattern: "warning: running prune without a cache, …"},
}

// A pruneState is what a prune has said so far.
type pruneState struct {
	prune Prune
	found uint16 // set of the lines below that were read

	total uint64 // bytes in the repository, which releases until 0.11 give
	parts uint64 // blobs removed by repacking plus blobs removed by deleting
}

const (
	foundRemoved = 1 << iota
	foundRemaining
	foundUnused
	foundContents
	foundInUse
	foundFrees
	foundRepackRemoves
	foundDeletes
	foundAction // it has begun to change the repository
)

func (pr *pruneState) end(p *Process) {
	if p.Command != CommandPrune {
		return
	}
	if !p.Done && p.Fatal == "" && pr.found&(foundUnused|foundAction) == foundUnused {
		// Releases 0.12 to 0.14 do not say that it is a dry run. They just
		// stop after the plan.
		p.DryRun = true
	}
	if p.DryRun && p.Fatal == "" && pr.planned() {
		p.Done = true
	}
	if p.DryRun || p.Fatal != "" {
		p.Prune = nil // with --json, restic prints the plan before it does the work
	}
}

// planned reports whether a prune has said all that it is going to do.
func (pr *pruneState) planned() bool { return pr.found&(foundUnused|foundFrees) != 0 }

// blobs reads the words "N blobs / SIZE".
func (l *line) blobs() (b Blobs, err error) {
	if b.Count, err = count(l.word(0)); err != nil {
		return b, err
	}
	b.Bytes, err = size(l.word(1), l.word(2))
	return b, err
}

func (s *state) pruneRepack(l *line) error {
	b, err := l.blobs()
	if err == nil {
		s.prune.prune.Repacked = &b
	}
	return err
}

func (s *state) pruneRepackRemoves(l *line) error { return s.part(l, foundRepackRemoves) }
func (s *state) pruneDeletes(l *line) error       { return s.part(l, foundDeletes) }

func (s *state) part(l *line, found uint16) error {
	b, err := l.blobs()
	if err == nil && s.prune.found&found == 0 {
		s.prune.parts += b.Count
		s.prune.found |= found
	}
	return err
}

func (s *state) pruneTotal(l *line) error {
	return s.pruneBlobs(l, &s.prune.prune.Removed, foundRemoved)
}

func (s *state) pruneRemaining(l *line) error {
	return s.pruneBlobs(l, &s.prune.prune.Remaining, foundRemaining)
}

// pruneBlobs reads a line about blobs into to, and notes that it was found.
func (s *state) pruneBlobs(l *line, to *Blobs, found uint16) error {
	b, err := l.blobs()
	if err == nil {
		*to = b
		s.prune.found |= found
	}
	return err
}

func (s *state) pruneUnused(l *line) error {
	if s.prune.found&foundRemaining == 0 {
		return nil
	}
	v, err := size(l.word(0), l.word(1))
	if err != nil {
		return err
	}
	if v < math.MaxInt64 { // larger values are negative ones, which 0.14 and older print
		s.prune.prune.Unused = &v
	}
	s.prune.found |= foundUnused
	return nil
}

func (s *state) pruneContents(l *line) (err error) {
	if _, err = count(l.word(0)); err != nil {
		return err
	}
	if _, err = count(l.word(1)); err != nil {
		return err
	}
	if s.prune.total, err = size(l.word(2), l.word(3)); err != nil {
		return err
	}
	s.prune.found |= foundContents
	return nil
}

func (s *state) pruneDuplicates(l *line) (err error) {
	_, err = count(l.word(1))
	return err
}

func (s *state) pruneInUse(l *line) error {
	used, err := count(l.word(0))
	if err != nil {
		return err
	}
	removed, err := count(l.word(2))
	if err != nil {
		return err
	}
	s.prune.prune.Remaining.Count = used
	s.prune.prune.Removed.Count = removed
	s.prune.found |= foundInUse
	return nil
}

func (s *state) pruneFrees(l *line) error {
	v, err := size(l.word(2), l.word(3))
	if err != nil {
		return err
	}
	s.prune.prune.Removed.Bytes = v
	s.prune.found |= foundFrees
	return nil
}

// pruneAction notes that the prune has begun to change the repository.
func (s *state) pruneAction(*line) error {
	s.prune.found |= foundAction
	return nil
}

// repairIndex notes that the command is not a prune, though it begins like one.
func (s *state) repairIndex(*line) error {
	if s.prune.found == 0 {
		s.process.Command = another
	}
	return nil
}

// pruneDone reads the last line of a prune, and accepts its plan as what it did.
// Without a complete plan it is known only that the prune is done.
func (s *state) pruneDone(*line) error {
	const (
		old = foundContents | foundInUse | foundFrees
		all = foundRemoved | foundRemaining | foundUnused | foundRepackRemoves | foundDeletes
	)
	if s.process.Done {
		return nil // a second copy of the line
	}
	s.process.Done, s.names.ended = true, true
	pr, found := s.prune.prune, s.prune.found
	switch {
	case found&old == old:
		pr.TotalBytes = s.prune.total
		pr.Remaining.Bytes = pr.TotalBytes - min(pr.Removed.Bytes, pr.TotalBytes)
	case found&all == all && pr.Repacked != nil && s.prune.parts == pr.Removed.Count:
		pr.TotalBytes = pr.Remaining.Bytes + pr.Removed.Bytes
	default:
		return s.unlessNamed(errIncomplete)
	}
	s.process.Prune = &pr
	return nil
}
