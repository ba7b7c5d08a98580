package parser

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"
)

// add reads one line of the process.
func (p *process) add(text []byte, t time.Time) error {
	err := p.read(text, t)
	if p.run.Command == CommandForget && p.run.Forget != nil {
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

var errUnit = fmt.Errorf("unknown unit of size: %w", strconv.ErrSyntax)

// count reads a whole number.
func count(text []byte) (uint64, error) {
	v, err := strconv.ParseUint(string(text), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("number: %w", errors.Unwrap(err))
	}
	return v, nil
}

// size reads "9.560", "MiB". Releases before 0.9.4 print small sizes as "0B":
// then unit is empty.
func size(number, unit []byte) (uint64, error) {
	if len(unit) == 0 && len(number) > 1 && number[len(number)-1] == 'B' {
		number, unit = number[:len(number)-1], number[len(number)-1:]
	}
	var shift uint
	switch string(unit) {
	case "B":
	case "KiB":
		shift = 10
	case "MiB":
		shift = 20
	case "GiB":
		shift = 30
	case "TiB":
		shift = 40
	case "PiB":
		shift = 50
	case "EiB":
		shift = 60
	default:
		return 0, errUnit
	}
	for _, c := range number {
		if (c < '0' || c > '9') && c != '.' {
			return 0, fmt.Errorf("size: %w", strconv.ErrSyntax)
		}
	}
	v, err := strconv.ParseFloat(string(number), 64)
	if err != nil {
		return 0, fmt.Errorf("size: %w", errors.Unwrap(err))
	}
	v = math.Round(v * float64(uint64(1)<<shift))
	if v >= 1<<64 {
		return 0, fmt.Errorf("size: %w", strconv.ErrRange)
	}
	return uint64(v), nil
}

// clock reads "M:SS" or "H:MM:SS", with any number of hours. It returns nil
// for a time that no backup takes: restic 0.18 prints one for a skipped
// snapshot.
func clock(text []byte) (*time.Duration, error) {
	var parts [3]uint64
	n := 0
	for part := range bytes.SplitSeq(text, []byte{':'}) {
		v, err := strconv.ParseUint(string(part), 10, 64)
		if err != nil || n == 3 || n > 0 && (v > 59 || len(part) != 2) {
			return nil, fmt.Errorf("duration: %w", strconv.ErrSyntax)
		}
		parts[n] = v
		n++
	}
	switch n {
	case 2:
		parts = [3]uint64{0, parts[0], parts[1]}
	case 3:
	default:
		return nil, fmt.Errorf("duration: %w", strconv.ErrSyntax)
	}
	const year = 365 * 24
	if parts[0] > 100*year || parts[1] > 100*year*60 {
		return nil, nil
	}
	d := time.Duration(parts[0])*time.Hour + time.Duration(parts[1])*time.Minute + time.Duration(parts[2])*time.Second
	return &d, nil
}

// isID reports whether text is a snapshot's ID, short or in full.
func isID(text []byte) bool {
	if len(text) != 8 && len(text) != 64 {
		return false
	}
	for _, c := range text {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// fields splits text at blanks into f and returns how many fields there are;
// len(f)+1 stands for more than fit.
func fields(f [][]byte, text []byte) int {
	n := 0
	for i := 0; i < len(text); {
		if text[i] == ' ' {
			i++
			continue
		}
		j := i
		for j < len(text) && text[j] != ' ' {
			j++
		}
		if n == len(f) {
			return n + 1
		}
		f[n] = text[i:j]
		n++
		i = j
	}
	return n
}
