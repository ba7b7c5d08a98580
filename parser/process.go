package parser

import (
	"bytes"
	"encoding/json"
	"time"
)

// A process is a Process in the making.
type process struct {
	run     Process
	restic  bool // something that it printed is restic's
	verbose bool // "load index files" was seen: the lines of -v came before the parent's
	begun   bool // something was printed that can only come after the sources were looked at

	// The summary of a backup, line by line. Which of its lines have been
	// seen is told by stage; any other order is no summary.
	stage   stage
	summary Backup
	dryRun  bool
	clean   bool // nothing but lines about single files since the last such line

	missing    uint64 // sources that do not exist
	unreadable uint64 // error lines of a backup
	warned     bool   // restic called its backup incomplete
	warns      bool   // a release that would have warned

	policy  bool   // a forget named its policy, and no group of snapshots yet
	tables  int    // begun and not ended
	deleted uint64 // of the files to be deleted, by the last counter
	of      uint64
	counter string // its line; "" if there was none
	counts  bool   // a release that prints this counter

	// A line about a source that cannot be read has its name in the middle, and
	// the name may hold line breaks: what follows may be the name's. Then behind
	// the name comes the reason.
	complained bool
	honest     Command // what the process was before that
	ended      bool    // the end of a command was seen, and can be refuted

	prune       pruning
	checkErrors uint64
	inTree      bool // indented lines name the errors of a tree
	locked      bool
	signalled   bool
}

type stage uint8

const (
	none stage = iota
	files
	dirs
	added
	processed
)

// pruning is what a prune has said before it is done.
type pruning struct {
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

// result returns the run as far as it has come.
func (p *process) result() Process {
	r := p.run
	if b := r.Backup; b != nil {
		b := *b
		unreadable := p.unreadable
		if p.warns && !p.warned {
			// restic 0.10 and later say so when they could not read
			// something: these lines were not restic's own.
			unreadable = 0
			r.Errors -= int(p.unreadable)
		}
		b.Unreadable = p.missing + unreadable
		r.Backup = &b
	}
	switch r.Command {
	case CommandBackup:
		r.Incomplete = p.warned && r.Fatal == ""
		r.Done = r.Done || r.Incomplete
	case CommandForget:
		if p.policy && r.Forget == nil && r.Fatal == "" {
			r.Forget = new(Forget) // it says no more if nothing matches
		}
		if p.counter != "" && p.deleted < p.of {
			// 0.17 and 0.18 say no more, and exit with 0.
			if r.Fatal == "" {
				r.Fatal, r.Cause = p.counter, CauseOther
			}
			if r.Forget != nil && r.Forget.Removed == p.of {
				f := *r.Forget
				f.Removed = p.deleted
				r.Forget = &f
			}
		}
		r.Done = r.Fatal == "" && p.tables == 0 && r.Forget != nil &&
			(r.Forget.Removed == 0 || !p.counts || p.counter != "" || r.DryRun)
	case CommandPrune:
		if !r.Done && r.Fatal == "" && p.prune.found&(foundUnused|foundAction) == foundUnused {
			// Releases 0.12 to 0.14 do not say that they only pretend: they
			// stop after the plan.
			r.DryRun = true
		}
		if r.DryRun && r.Fatal == "" && p.prune.found&(foundUnused|foundFrees) != 0 {
			r.Done = true
		}
		if r.DryRun {
			r.Prune = nil
		}
	case CommandCheck:
		if r.Fatal != "" && r.Cause == CauseCheckErrors {
			if r.Check == nil || r.Check.Errors == 0 { // else in restic's own words
				r.Check = &Check{Errors: max(1, p.checkErrors)}
			}
		} else if r.Fatal != "" {
			r.Check = nil // the check did not get to its end
		}
	}
	if r.Fatal != "" {
		r.Done = false
	}
	return r
}

// is notes that what the process prints is restic's, and of which command. It
// does not change what is known.
func (p *process) is(c Command) {
	p.restic, p.begun = true, true
	if p.run.Command == "" {
		p.run.Command = c
	}
}

// item notes a line about one file of a backup: the backup is still going on,
// and what looked like its end, or like another command's, was in a file's name.
func (p *process) item() {
	p.clean = true
	p.is(CommandBackup)
	if p.run.Command == CommandRestore {
		return
	}
	fatal, cause := p.run.Fatal, p.run.Cause
	p.onlyBackup()
	if has([]byte(fatal), "Fatal: failed to refresh lock") {
		p.run.Fatal, p.run.Cause = fatal, cause // restic goes on for a while
	}
	p.stage, p.run.Backup, p.run.Done = none, nil, false
	p.run.SyntaxErrors = 0
	p.ended = false
	p.notLast()
}

// notLast forgets what restic says last: a backup in text goes on.
func (p *process) notLast() { p.warned, p.run.ExitCode = false, nil }

// complaining notes that what follows may be in a file's name.
func (p *process) complaining() {
	if !p.complained {
		p.complained, p.honest = true, p.run.Command
	}
}

// refute looks at what follows the end of a command that may have stood in the
// name of a source that cannot be read: of a real end nothing follows but that
// not all could be read.
func (p *process) refute(text []byte) {
	if !p.ended || !p.complained || !bytes.Contains(text, []byte(": ")) {
		return
	}
	if string(text) == warningSources || string(text) == warningSourceData || text[0] == '{' && json.Valid(text) {
		return
	}
	p.ended = false
	p.notLast()
	p.onlyBackup()
	p.run.Command, p.run.Backup, p.run.Done, p.run.DryRun = p.honest, nil, false, false
}

// onlyBackup forgets what a backup cannot have said: one process is one
// command.
func (p *process) onlyBackup() {
	if p.run.PID == 0 {
		return
	}
	p.run.Command = CommandBackup
	p.run.Forget, p.run.Prune, p.run.Check = nil, nil, nil
	p.run.Fatal, p.run.Cause, p.run.Lock, p.locked = "", "", nil, false
	p.prune, p.policy, p.tables = pruning{}, false, 0
}

// saved takes the summary that has been read: it is whole.
func (p *process) saved(b Backup, t time.Time) {
	b.Saved = t
	p.backedUp(p.dryRun)
	p.run.Backup = &b
	p.stage = none
}

// backedUp notes the end of a backup. What looked like a reason to give up before
// was in a file's name.
func (p *process) backedUp(dryRun bool) {
	p.is(CommandBackup)
	p.onlyBackup()
	p.run.DryRun, p.run.Done = dryRun, true
	p.run.Fatal, p.run.Cause = "", ""
	p.ended = true
}

// fatal notes that the process gives up.
func (p *process) fatal(text []byte, cause Cause) {
	p.restic, p.begun = true, true
	if cause == CauseKilled && p.run.Fatal != "" && !p.signalled {
		return // the consequence of what it has said before
	}
	p.run.Fatal = string(text[:min(len(text), 512)])
	p.run.Cause = cause
}

// begins reports whether text is the first line of another command than the
// one that p has been printing. It is asked only where there is no process ID
// to tell.
func (p *process) begins(text []byte) bool {
	if !p.restic {
		return false
	}
	c := opens(text)
	if c == "" {
		return false
	}
	r := &p.run
	ended := r.Done || r.Fatal != "" || r.Command == CommandForget && (r.Forget != nil || p.policy) && p.tables == 0
	switch {
	case r.Command == "" || r.Command == CommandForget && c == CommandPrune:
		return r.Fatal != ""
	case c != r.Command:
		return true
	case c == CommandBackup && r.Backup == nil && p.dryRun && p.stage == processed:
		return true
	case c == CommandForget && !has(text, "Applying Policy: "):
		return false // the next group
	}
	return ended
}

// opens returns the command that prints text early in its output, or "".
func opens(text []byte) Command {
	if len(text) == 0 {
		return ""
	}
	switch text[0] {
	case 'o':
		if string(text) == "open repository" {
			return CommandBackup
		}
	case 'u':
		switch {
		case has(text, "using parent snapshot "):
			return CommandBackup
		case has(text, "using temporary cache in "):
			return CommandCheck
		}
	case 'n':
		if string(text) == "no parent snapshot found, will read all files" {
			return CommandBackup
		}
	case 'F':
		if has(text, "Files: ") {
			return CommandBackup
		}
	case 'A':
		if has(text, "Applying Policy: ") {
			return CommandForget
		}
	case 'k', 'r':
		switch {
		case has(text, "keep ") && bytes.HasSuffix(text, []byte(" snapshots:")),
			has(text, "remove ") && bytes.HasSuffix(text, []byte(" snapshots:")):
			return CommandForget
		case has(text, "restoring "):
			return CommandRestore
		}
	case 'l':
		switch string(text) {
		case "loading indexes...", "loading all snapshots...":
			return CommandPrune
		case "load indexes":
			return CommandCheck
		}
	case 'c':
		switch {
		case string(text) == "counting files in repo":
			return CommandPrune
		case string(text) == "create exclusive lock for repository":
			return CommandCheck
		case has(text, "created restic repository "):
			return CommandInit
		}
	case '{':
		switch {
		case has(text, `{"message_type":"summary","files_new":`):
			return CommandBackup
		case has(text, `{"message_type":"summary","num_errors":`):
			return CommandCheck
		case has(text, `{"message_type":"initialized"`):
			return CommandInit
		}
	case '[':
		if isForgetJSON(text) {
			return CommandForget
		}
	}
	return ""
}

func has(text []byte, prefix string) bool {
	return len(text) >= len(prefix) && string(text[:len(prefix)]) == prefix
}
