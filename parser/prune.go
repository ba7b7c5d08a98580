package parser

import "math"

// startPrune notes that the process prunes, be it a prune or a forget.
func (p *process) startPrune() {
	p.is(CommandPrune)
	if p.run.Command == CommandForget {
		p.run.Command = CommandPrune
	}
}

// action notes that a prune changes the repository.
func (p *process) action() {
	if p.run.Command == CommandPrune {
		p.prune.found |= foundAction
	}
}

// pruneLine reads the lines "LABEL N blobs / SIZE" of a prune since 0.12, and
// the counts of an older one.
func (p *process) pruneLine(text []byte) error {
	var f [14][]byte
	switch {
	case has(text, "to repack: "):
		return p.blobs(text[len("to repack:"):], func(b Blobs) { p.prune.prune.Repacked = &b })
	case has(text, "total prune: "):
		return p.blobs(text[len("total prune:"):], func(b Blobs) {
			p.prune.prune.Removed = b
			p.prune.found |= foundRemoved
		})
	case has(text, "remaining: "):
		return p.blobs(text[len("remaining:"):], func(b Blobs) {
			p.prune.prune.Remaining = b
			p.prune.found |= foundRemaining
		})
	case has(text, "unused size after prune: "):
		n := fields(f[:], text[len("unused size after prune:"):])
		if n < 4 || n > len(f) || string(f[n-1]) != "size)" || p.prune.found&foundRemaining == 0 {
			break
		}
		v, err := size(f[0], f[1])
		if err != nil {
			return err
		}
		if v < math.MaxInt64 { // else below zero, in 0.14 and older
			p.prune.prune.Unused = &v
		}
		p.prune.found |= foundUnused
	case has(text, "found "):
		if fields(f[:], text) != 12 || string(f[2]) != "of" || string(f[4]) != "data" || string(f[5]) != "blobs" ||
			string(f[6]) != "still" || string(f[9]) != "removing" || string(f[11]) != "blobs" {
			break
		}
		used, err := count(f[1])
		if err != nil {
			return err
		}
		removed, err := count(f[10])
		if err != nil {
			return err
		}
		p.startPrune()
		p.prune.prune.Remaining.Count = used
		p.prune.prune.Removed.Count = removed
		p.prune.found |= foundInUse
	case has(text, "will delete "):
		if n := fields(f[:], text); n != 12 && n != 11 || string(f[3]) != "packs" || string(f[5]) != "rewrite" ||
			string(f[7]) != "packs," || string(f[9]) != "frees" {
			break
		}
		v, err := size(f[10], f[11])
		if err != nil {
			return err
		}
		p.startPrune()
		p.prune.prune.Removed.Bytes = v
		p.prune.found |= foundFrees
	}
	return nil
}

// blobs reads "N blobs / SIZE"; with packs instead of blobs the line is
// another.
func (p *process) blobs(text []byte, set func(Blobs)) error {
	var f [5][]byte
	if fields(f[:], text) != 5 || string(f[1]) != "blobs" || string(f[2]) != "/" {
		return nil
	}
	n, err := count(f[0])
	if err != nil {
		return err
	}
	bytes, err := size(f[3], f[4])
	if err != nil {
		return err
	}
	p.startPrune()
	set(Blobs{n, bytes})
	return nil
}

// pruned takes what a prune has said: it is done.
func (p *process) pruned() {
	if p.run.Command != CommandPrune {
		return
	}
	pr := p.prune.prune
	switch {
	case p.prune.found&(foundRemoved|foundRemaining) == foundRemoved|foundRemaining:
		pr.TotalBytes = pr.Remaining.Bytes + pr.Removed.Bytes
	case p.prune.found&foundContents != 0 && p.prune.found&foundInUse != 0 && p.prune.found&foundFrees != 0:
		pr.TotalBytes = p.prune.oldTotal.Bytes
		pr.Remaining.Bytes = pr.TotalBytes - min(pr.Removed.Bytes, pr.TotalBytes)
	default:
		return // rebuild-index ends like this, too
	}
	p.run.Prune = &pr
	p.run.Done, p.ended = true, true
}
