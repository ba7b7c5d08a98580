package parser

import (
	"bytes"
	"fmt"
	"strconv"
	"time"
)

// add reads one line of the process.
func (p *process) add(text []byte, t time.Time) error {
	err := p.read(text, t)
	if len(text) > 0 && p.run.Command == CommandForget && p.run.Forget != nil {
		p.run.Forget.End = t
	}
	return err
}

// read reads a line. Lines are matched whole, by all their words: file names
// may hold anything else.
func (p *process) read(text []byte, t time.Time) error {
	if len(text) == 0 {
		return nil
	}
	if isItem(text) {
		if !p.clean {
			p.item()
		}
		return nil
	}
	p.clean = false
	p.refute(text)
	if p.checkError(text) {
		return nil
	}
	switch c := text[0]; c {
	case '{':
		return p.json(text, t)
	case '[':
		if isForgetJSON(text) {
			return p.forgetJSON(text)
		}
		p.filesDeleted(text)
	case 'F':
		switch {
		case has(text, "Files: "):
			return p.changes(text[len("Files:"):], files)
		case has(text, "Fatal: "):
			p.fatalLine(text)
		}
	case 'D':
		switch {
		case has(text, "Dirs: "):
			return p.changes(text[len("Dirs:"):], dirs)
		case has(text, "Detected data corruption while saving "):
			p.complaint()
		}
	case 'A', 'W':
		return p.additions(text, t)
	case 'p':
		return p.processed(text, t)
	case 's':
		switch {
		case has(text, "snapshots"):
			p.policy = false
		case has(text, "snapshot "):
			p.snapshot(text, t)
		case string(text) == "skipped creating snapshot":
			if p.stage == processed && !p.dryRun {
				p.saved(p.summary, time.Time{})
			}
		case has(text, "start scan on ["), has(text, "start backup on ["), has(text, "scan finished in "):
			p.is(CommandBackup)
		case has(text, "scan: "):
			p.complaining()
		case has(text, "signal ") && bytes.HasSuffix(text, []byte(" received, cleaning up")):
			p.restic, p.signalled = true, true
		case has(text, "skipping source snapshot "):
			p.is(CommandCopy)
			p.run.Done = p.run.Command == CommandCopy
		}
	case 'k', 'r':
		return p.kOrR(text)
	case 'f', 'w', 't':
		if string(text) == "failed to remove one or more snapshots" {
			p.is(CommandForget)
			p.fatal(text, CauseOther)
			break
		}
		return p.pruneLine(text)
	case 'c':
		switch {
		case string(text) == "counting files in repo":
			p.startPrune()
		case string(text) == "check all packs":
			p.is(CommandCheck)
		case has(text, "created restic repository "):
			p.is(CommandInit)
			p.run.Done = p.run.Command == CommandInit
		case string(text) == "context canceled":
			p.fatal(text, CauseKilled)
		}
	case 'l':
		switch {
		case string(text) == "load indexes":
			p.is(CommandCheck)
		case string(text) == "loading indexes...", string(text) == "loading all snapshots...":
			p.startPrune()
		case string(text) == "load index files":
			p.is(CommandBackup)
		case p.locked && has(text, "lock was created at "):
			return p.lockAge(text)
		}
	case 'u':
		return p.u(text)
	case 'n':
		switch {
		case string(text) == "no parent snapshot found, will read all files":
			p.is(CommandBackup)
			p.warns = true
		case string(text) == "no errors were found":
			p.is(CommandCheck)
			if p.run.Command == CommandCheck {
				p.run.Check, p.run.Done = &Check{}, true
			}
		}
	case 'o':
		if string(text) == "open repository" {
			p.is(CommandBackup)
			p.verbose = true
		}
	case 'd':
		switch {
		case string(text) == "done":
			p.pruned()
		case has(text, "deleting "), has(text, "done "):
			p.action()
		}
	case 'e':
		if has(text, "error: ") {
			p.errorLine(text[len("error: "):])
		}
	case 'g':
		if string(text) == "getting pack files to read..." && p.run.Command == CommandPrune && p.prune.found == 0 {
			p.run.Command = "" // repair index begins as a prune does
		}
	case 'i':
		if has(text, "ignoring error for ") && p.run.Command == CommandRestore {
			p.complaint()
		}
	case 'S':
		if has(text, "Summary: Restored ") && p.run.Command == CommandRestore {
			p.run.Done = true
			break
		}
		p.retry(text)
	case 'R':
		if has(text, "Resolving password failed: ") {
			p.fatal(text, classify(text))
			break
		}
		p.retry(text)
	case 'L', 'T':
		p.retry(text)
	case 'I':
		if p.run.Fatal != "" && string(text) == "Is there a repository at the following location?" && p.run.Cause == CauseOther {
			p.run.Cause = CauseNoRepository
		}
	default:
		if c >= '0' && c <= '9' {
			p.number(text)
		}
	}
	if !p.begun && bytes.HasSuffix(text, []byte(", skipping")) {
		p.skipped(text)
	}
	return nil
}

// isItem reports whether text is what a backup says of one file or directory
// with -vv.
func isItem(text []byte) bool {
	switch text[0] {
	case 'u':
		return has(text, "unchanged ") && len(text) > len("unchanged ")
	case 'n':
		return has(text, "new       ")
	case 'm':
		return has(text, "modified  ")
	}
	// The end of a name that was printed raw and held line breaks.
	return text[len(text)-1] == ')' && bytes.Contains(text, []byte(", saved in ")) && bytes.Contains(text, []byte(" added"))
}

// skipped reads the lines about sources that do not exist. restic prints them
// before anything else, so later ones are forged.
func (p *process) skipped(text []byte) {
	switch {
	case bytes.HasSuffix(text, []byte(" does not exist, skipping")),
		bytes.HasSuffix(text, []byte(" cannot be accessed, skipping")):
		p.restic = true
		p.run.Command = CommandBackup
		p.missing++
		p.run.Errors++
	}
}

func (p *process) complaint() {
	p.restic, p.begun = true, true
	p.run.Errors++
}

// errorLine reads what stands behind "error: ".
func (p *process) errorLine(text []byte) {
	p.complaining()
	p.complaint()
	switch {
	case p.run.Command == CommandCheck:
		p.checkErrors++
	case !isDamage(text):
		p.unreadable++
	}
	if p.run.Command == "" && has(text, noLock) {
		p.fatal(text, classify(text))
	}
}

// isDamage reports whether an error of a backup says that the repository is at
// fault: the source was read. Since 0.16.3 the path stands before it.
func isDamage(text []byte) bool {
	if has(text, "parts of ") && bytes.HasSuffix(text, []byte("storing the file again")) {
		return true
	}
	if i := bytes.Index(text, []byte(": tree ")); i >= 0 && !has(text, "tree ") {
		text = text[i+len(": "):]
	}
	const id = 64
	if !has(text, "tree ") || len(text) < len("tree ")+id || !isID(text[len("tree "):][:id]) {
		return false
	}
	rest := text[len("tree ")+id:]
	return has(rest, " could not be loaded; ") || has(rest, " is not known; ")
}

const noLock = "unable to create lock in backend: "

// fatalLine reads a line that begins with "Fatal: ".
func (p *process) fatalLine(text []byte) {
	if has(text, "Fatal: all ") || has(text, "Fatal: nothing to backup") {
		p.is(CommandBackup)
	}
	if has(text, "Fatal: unable to save snapshot: ") {
		p.is(CommandBackup)
	}
	if isLocked(text) {
		p.locked = true
		p.run.Lock = &Lock{}
	}
	cause := classify(text)
	if cause == CauseCheckErrors {
		p.is(CommandCheck)
	}
	p.fatal(text, cause)
}

func isLocked(text []byte) bool {
	return bytes.Contains(text, []byte("unable to create lock in backend: repository is already locked"))
}

// checkError reads the lines in which a check names an error, but for those
// that begin with "error: ".
func (p *process) checkError(text []byte) bool {
	switch {
	case has(text, "error for tree ") && text[len(text)-1] == ':':
		p.is(CommandCheck)
		p.inTree = true
		return true
	case p.inTree && text[0] == ' ':
	case p.run.Command != CommandCheck:
		return false
	case has(text, "pack ") && packError(text), has(text, "Pack ID does not match, want "), has(text, "download error: "),
		has(text, "unused blob "):
	default:
		return false
	}
	p.checkErrors++
	p.complaint()
	return true
}

// packError reports whether a line "pack ID…" of a check is an error, not only
// a remark.
func packError(text []byte) bool {
	return bytes.HasSuffix(text, []byte(": does not exist")) ||
		bytes.Contains(text, []byte(": unexpected file size: got ")) ||
		bytes.Contains(text, []byte(" contains ")) && bytes.Contains(text, []byte(" errors: ["))
}

// kOrR reads the lines that begin with a k or an r.
func (p *process) kOrR(text []byte) error {
	switch {
	case has(text, "keep "), has(text, "remove "):
		var f [3][]byte
		if fields(f[:], text) != 3 || string(f[2]) != "snapshots:" {
			break
		}
		n, err := count(f[1])
		if err != nil {
			return err
		}
		p.is(CommandForget)
		if p.run.Command != CommandForget {
			break
		}
		if p.run.Forget == nil {
			p.run.Forget = new(Forget)
		}
		p.tables++
		if text[0] == 'k' {
			p.run.Forget.Kept += n
		} else {
			p.run.Forget.Removed += n
		}
	case has(text, "repository contains "):
		var f [9][]byte
		if fields(f[:], text) < 8 || string(f[3]) != "packs" || string(f[5]) != "blobs)" || string(f[6]) != "with" || f[4][0] != '(' {
			break
		}
		if _, err := count(f[2]); err != nil {
			return err
		}
		blobs, err := count(f[4][1:])
		if err != nil {
			return err
		}
		bytes, err := size(f[7], f[8])
		if err != nil {
			return err
		}
		p.startPrune()
		p.prune.oldTotal = Blobs{blobs, bytes}
		p.prune.found |= foundContents
	case has(text, "remaining: "):
		return p.pruneLine(text)
	case string(text) == "repacking packs", string(text) == "rebuilding index",
		has(text, "removing ") && bytes.HasSuffix(text, []byte(" old packs")):
		p.action()
	case has(text, "restoring "):
		p.is(CommandRestore)
	case string(text) == "read data from stdin":
		p.is(CommandBackup)
	case string(text) == "read all data":
		p.is(CommandCheck)
	case has(text, "repo already locked, waiting up to "):
		p.restic = true
	case has(text, "refusing to delete last snapshot of snapshot group "):
		p.fatal(text, CauseOther)
	}
	return nil
}

func (p *process) u(text []byte) error {
	switch {
	case has(text, "using parent snapshot "):
		p.is(CommandBackup)
		p.warns = p.warns || !p.verbose
	case has(text, "using temporary cache in "):
		p.is(CommandCheck)
	case isLocked(text):
		p.locked = true
		p.run.Lock = &Lock{}
		p.fatal(text, CauseLocked)
	case has(text, "unused size after prune: "):
		return p.pruneLine(text)
	case has(text, noLock):
		p.fatal(text, classify(text))
	case has(text, "unable to open config file: "):
		p.fatal(text, classify(text))
	case has(text, "unable to refresh lock: "), has(text, "unable to remove "):
		p.complaint()
	}
	return nil
}

// number reads the lines that begin with a digit.
func (p *process) number(text []byte) {
	switch {
	case bytes.HasSuffix(text, []byte(" snapshots have been removed, running prune")):
		p.startPrune()
	case bytes.HasSuffix(text, []byte(" snapshots would be removed, running prune dry run")):
		p.startPrune()
		p.run.DryRun = true
	case bytes.HasSuffix(text, []byte(" snapshots")):
		var f [2][]byte
		if fields(f[:], text) == 2 && p.tables > 0 {
			p.tables--
		}
	}
}

// filesDeleted reads "[0:00] 100.00%  3 / 3 files deleted". With
// RESTIC_PROGRESS_FPS there are several; a total that is not known is not there.
func (p *process) filesDeleted(text []byte) {
	if p.run.Command != CommandForget || !bytes.HasSuffix(text, []byte(" files deleted")) {
		return
	}
	p.counter, p.deleted, p.of = string(text), 0, 0
	var f [7][]byte
	if fields(f[:], text) != len(f) {
		return
	}
	deleted, err := count(f[2])
	of, err2 := count(f[4])
	if err == nil && err2 == nil {
		p.deleted, p.of = deleted, of
	}
}

func (p *process) lockAge(text []byte) error {
	i := bytes.LastIndexByte(text, '(')
	if i < 0 || !bytes.HasSuffix(text, []byte(" ago)")) {
		return nil
	}
	age, err := time.ParseDuration(string(text[i+1 : len(text)-len(" ago)")]))
	if err != nil {
		return fmt.Errorf("age of a lock: %w", strconv.ErrSyntax)
	}
	if p.run.Lock != nil {
		age = max(0, age) // clocks differ
		p.run.Lock.Age = &age
	}
	return nil
}

// retry reads "OP(FILE) returned error, retrying after DURATION: ERROR".
func (p *process) retry(text []byte) {
	if isRetry(text) {
		p.restic = true
		p.run.Retries++
	}
}

func isRetry(text []byte) bool {
	i := bytes.IndexByte(text, '(')
	if i < 0 {
		return false
	}
	switch string(text[:i]) {
	case "Save", "Load", "Stat", "Remove", "List", "Test":
		return bytes.Contains(text, []byte(") returned error, retrying after "))
	}
	return false
}
