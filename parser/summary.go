package parser

import (
	"bytes"
	"time"
)

// changes reads "N new, N changed, N unmodified" of the line of stage s. The
// line of restic diff has other words.
func (p *process) changes(text []byte, s stage) error {
	var f [6][]byte
	if fields(f[:], text) != 6 || string(f[1]) != "new," || string(f[3]) != "changed," || string(f[5]) != "unmodified" {
		return nil
	}
	p.is(CommandBackup)
	before := p.stage
	p.stage = none
	var ch Changes
	var err error
	for i, v := range []*uint64{&ch.New, &ch.Changed, &ch.Unmodified} {
		if *v, err = count(f[2*i]); err != nil {
			return err
		}
	}
	switch {
	case s == files:
		p.summary, p.dryRun = Backup{Files: ch}, false
		p.stage = files
		p.notLast()
	case before == files:
		p.summary.Dirs = ch
		p.stage = dirs
	}
	return nil
}

// What restic says last of a backup that could not read all.
const (
	warningSources    = "Warning: at least one source file could not be read"   // 0.12.1 and later
	warningSourceData = "Warning: failed to read all source data during backup" // 0.10 to 0.12.0
)

// additions reads the lines "Added…" and "Would add…" of a summary, and other
// lines that begin with an A or a W.
func (p *process) additions(text []byte, t time.Time) error {
	var rest []byte
	dry, stored := false, false
	switch {
	case has(text, "Added to the repository: "):
		rest, stored = text[len("Added to the repository: "):], true
	case has(text, "Added to the repo: "):
		rest = text[len("Added to the repo: "):]
	case has(text, "Would add to the repository: "):
		rest, stored, dry = text[len("Would add to the repository: "):], true, true
	case has(text, "Would add to the repo: "):
		rest, dry = text[len("Would add to the repo: "):], true
	case has(text, "Added: ") && p.stage == dirs:
		rest = text[len("Added: "):]
	case has(text, "Applying Policy: "):
		p.is(CommandForget)
		p.policy = true
		p.counts = has(text, "Applying Policy: keep ") && !bytes.HasSuffix(text, []byte(" snapshots snapshots")) && !has(text, "Applying Policy: keep the last ")
		return nil
	case string(text) == "Would have removed the following snapshots:", string(text) == "Would have made the following changes:":
		p.restic, p.run.DryRun = true, true
		return nil
	case string(text) == warningSources, string(text) == warningSourceData:
		if p.stage == processed && !p.dryRun {
			// 0.10 to 0.12 may lose the line about the snapshot.
			p.saved(p.summary, t)
		}
		p.is(CommandBackup)
		p.warned, p.ended = true, true
		return nil
	default:
		return nil
	}

	var f [5][]byte
	n := fields(f[:], rest)
	switch {
	case stored && n == 5 && len(f[2]) > 1 && f[2][0] == '(' && string(f[4]) == "stored)":
		f[2] = f[2][1:]
	case !stored && n == 2:
	case !stored && n == 1: // "0B", as releases before 0.9.4 print elsewhere
	default:
		return nil
	}
	if p.stage != dirs {
		return nil
	}
	p.stage = none
	var err error
	if p.summary.AddedBytes, err = size(f[0], f[1]); err != nil {
		return err
	}
	if stored {
		v, err := size(f[2], f[3])
		if err != nil {
			return err
		}
		p.summary.StoredBytes = &v
		p.warns = true
	}
	p.dryRun = dry
	p.stage = added
	return nil
}

// processed reads "processed N files, SIZE in DURATION", and a count of an old
// prune.
func (p *process) processed(text []byte, t time.Time) error {
	var f [8][]byte
	n := fields(f[:], text)
	switch {
	case n == 7 && string(f[0]) == "processed" && string(f[2]) == "files," && string(f[5]) == "in":
		if p.stage != added {
			return nil
		}
		p.stage = none
		var err error
		if p.summary.ProcessedFiles, err = count(f[1]); err != nil {
			return err
		}
		if p.summary.ProcessedBytes, err = size(f[3], f[4]); err != nil {
			return err
		}
		if p.summary.Duration, err = clock(f[6]); err != nil {
			return err
		}
		p.stage = processed
		if p.dryRun {
			// A dry run saves nothing, and says no more.
			p.backedUp(true)
			p.run.Command = CommandBackup
		}
	case n >= 7 && string(f[0]) == "processed" && string(f[2]) == "blobs:" && string(f[4]) == "duplicate" && string(f[5]) == "blobs,":
		v, err := count(f[3])
		if err != nil {
			return err
		}
		p.startPrune()
		p.prune.duplicates = v
	}
	return nil
}

// snapshot reads the lines that begin with "snapshot ".
func (p *process) snapshot(text []byte, t time.Time) {
	var f [4][]byte
	n := fields(f[:], text)
	switch {
	case n == 3 && string(f[2]) == "saved" && isID(f[1]):
		if p.run.Command == CommandCopy {
			p.run.Done = true
			return
		}
		if p.stage == processed && !p.dryRun {
			b := p.summary
			b.Snapshot = string(f[1])
			p.saved(b, t)
		}
	case n >= 4 && string(f[2]) == "saved," && string(f[3]) == "copied" && isID(f[1]):
		p.is(CommandCopy)
		p.run.Done = p.run.Command == CommandCopy
	case n >= 4 && string(f[2]) == "of" && f[3][0] == '[' && isID(f[1]):
		p.is(CommandCopy)
		if p.run.Command == CommandCopy {
			p.run.Done = false
		}
	}
}
