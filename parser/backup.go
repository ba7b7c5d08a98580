package parser

import (
	"bytes"
	"time"
)

var backupForms = []form{
	{pattern: "open repository", opens: CommandBackup, read: (*state).backupOpens},
	{pattern: "using parent snapshot …", opens: CommandBackup, read: (*state).backupParent},
	{pattern: "no parent snapshot found, will read all files", opens: CommandBackup, read: (*state).backupWarns},
	{pattern: "read data from stdin", tells: CommandBackup},
	{pattern: "start scan on […", tells: CommandBackup},
	{pattern: "start backup on […", tells: CommandBackup, read: (*state).backupStarts},
	{pattern: "scan finished in …", tells: CommandBackup},
	{pattern: "scan: …", read: (*state).backupScan},

	{pattern: "Files: # new, # changed, # unmodified", opens: CommandBackup, ends: true, unique: true, read: (*state).backupFiles},
	{pattern: "Dirs: # new, # changed, # unmodified", tells: CommandBackup, ends: true, read: (*state).backupDirs},
	{pattern: "Data Blobs: # new", within: CommandBackup},
	{pattern: "Tree Blobs: # new", within: CommandBackup},
	{pattern: "Added: # #", within: CommandBackup, ends: true, read: (*state).backupAdded},                                      // 0.9.0, 0.9.1
	{pattern: "Added to the repo: # #", tells: CommandBackup, ends: true, read: (*state).backupAdded},                           // 0.9.2 to 0.13
	{pattern: "Added to the repository: # # (# # stored)", tells: CommandBackup, ends: true, read: (*state).backupAdded},        // 0.14
	{pattern: "Would add to the repo: # #", tells: CommandBackup, ends: true, read: (*state).backupWouldAdd},                    // 0.13
	{pattern: "Would add to the repository: # # (# # stored)", tells: CommandBackup, ends: true, read: (*state).backupWouldAdd}, // 0.14
	{pattern: "processed # files, # # in #", tells: CommandBackup, ends: true, read: (*state).backupProcessed},
	{pattern: "snapshot # saved", within: CommandCopy, read: (*state).otherDone},
	{pattern: "snapshot # saved", within: another, read: (*state).copyUnheard},
	{pattern: "snapshot # saved", ends: true, read: (*state).backupSaved},
	{pattern: "skipped creating snapshot", tells: CommandBackup, ends: true, read: (*state).backupSkipped}, // 0.17

	{pattern: warningSources, tells: CommandBackup, ends: true, complaint: true, unique: true, read: (*state).backupWarned},
	{pattern: warningSourceData, tells: CommandBackup, ends: true, complaint: true, unique: true, read: (*state).backupWarned},
	{pattern: "Warning: …", within: CommandBackup, ends: true, read: (*state).backupOtherWarning},

	{pattern: "… does not exist, skipping", complaint: true, read: (*state).backupMissing},
	{pattern: "… cannot be accessed, skipping", complaint: true, read: (*state).backupMissing}, // 0.19.1
	{pattern: `pattern "…" does not match any files, skipping`, complaint: true, read: (*state).backupPattern},
}

// The last line of a backup that could not read everything.
const (
	warningSources    = "Warning: at least one source file could not be read"   // 0.12.1 and later
	warningSourceData = "Warning: failed to read all source data during backup" // 0.10 to 0.12.0
)

// isItem reports whether text is what a backup with -vv says about one file or
// directory.
func isItem(text []byte) bool {
	if len(text) == 0 {
		return false
	}
	switch text[0] {
	case 'u':
		return has(text, "unchanged ") && len(text) > len("unchanged ")
	case 'n':
		return has(text, "new       ")
	case 'm':
		return has(text, "modified  ")
	}
	// The end of such a line, if the name was printed raw and held line breaks.
	return text[len(text)-1] == ')' && bytes.Contains(text, []byte(", saved in ")) && bytes.Contains(text, []byte(" added"))
}

type backupState struct {
	summary *Backup // being read; nil before its first line
	// The lines of the summary come in a fixed order. stage is the last one that
	// was read.
	stage  stage
	dryRun bool

	verbose  bool    // "open repository" was printed, so the line about the parent may be due to -v
	parent   bool    // it named its parent, or said that it has none
	parentID [8]byte // of that snapshot, short
	warns    bool    // this release prints a warning if it cannot read a source
	warned   bool    // restic called the backup incomplete
	unclear  bool    // there was an unknown warning
	lost     bool    // the end was seen, but the summary was not understood

	from, to time.Time // when it began and ended, according to a summary in JSON

	backupErrors
}

type stage int8

const (
	broken stage = iota - 1 // a line was missing, or could not be read
	none
	files
	dirs
	added
	processed
	saved
)

func (b *backupState) end(p *Process, s *state) {
	errors, after := b.backupErrors, s.after
	if !b.warned && !b.warns { // else its errors come before the warning
		errors.add(after.backupErrors)
		p.Errors += after.lines()
	}
	if s.odd {
		b.unclear = true // the complaint may be about sources, in the words of a new release
	}
	known := !b.unclear
	switch {
	case b.unwarned(s):
	case b.warns && !b.warned && p.Backup != nil:
		// restic 0.10 and later warn if they could not read a source. There is no
		// warning, so restic did not print these lines.
		p.Errors -= int(errors.unreadable)
		errors.unreadable = 0
	case b.warned && errors.lines() == 0:
		known = false
	}
	p.Unreadable, p.Missing = errors.missing+errors.unreadable, errors.missing
	if p.Backup != nil {
		backup := *p.Backup
		if known {
			backup.Unreadable = new(p.Unreadable)
		}
		p.Backup = &backup
	}
	if p.Command == CommandBackup {
		p.Incomplete = b.warned && p.Fatal == ""
		p.Done = p.Done || p.Incomplete
	}
}

// unwarned reports whether restic itself complained about sources, but the warning
// that should follow is missing or has unknown words.
func (b *backupState) unwarned(s *state) bool {
	return s.known && !s.names.items && b.warns && !b.warned && b.stage == saved && b.unreadable > 0
}

func (s *state) backupOpens(*line) error {
	s.backup.verbose = true
	s.opened = false // 0.9.4 prints this with --quiet, too
	return nil
}

func (s *state) backupStarts(*line) error {
	s.opened = true
	return nil
}

// namesParent reports whether a line is one that a backup prints once, about its parent.
func namesParent(text []byte) bool {
	return has(text, "using parent snapshot ") || has(text, "no parent snapshot found")
}

func (s *state) backupParent(l *line) error {
	s.backup.parent = true
	if isID(l.word(0)) {
		copy(s.backup.parentID[:], l.word(0))
	}
	s.backup.warns = s.backup.warns || !s.backup.verbose
	return nil
}

func (s *state) backupWarns(*line) error {
	s.backup.warns, s.backup.parent = true, true
	return nil
}

func (s *state) backupScan(*line) error {
	s.complaining()
	return nil
}

// changes reads the three counts of a line about files or directories.
func (l *line) changes() (c Changes, err error) {
	for i, v := range []*uint64{&c.New, &c.Changed, &c.Unmodified} {
		if *v, err = count(l.word(i)); err != nil {
			return c, err
		}
	}
	return c, nil
}

func (s *state) backupFiles(l *line) error {
	b := &s.backup
	c, err := l.changes()
	if err == nil && b.stage > none && b.stage < saved && c == b.summary.Files {
		return nil // a second copy of the line
	}
	switch {
	case s.names.doubted:
		s.refuted()
	case s.stream && s.process.Fatal != "":
		b.stage = broken // this is from the server's error message
		return errMisplaced
	}
	overtaken := s.stream && b.warned && b.stage == none && b.lines() > 0 // by standard error, as in a container's log
	b.stage = broken
	if err != nil {
		return err
	}
	b.summary, b.dryRun, b.stage = &Backup{Files: c}, false, files
	s.notLast()
	b.warned = overtaken
	return nil
}

// next reports whether a line of the summary is in its place, right after the
// stage before. If not, it returns the error for that line. The error is nil if the
// line only repeats an earlier one.
func (s *state) next(before stage, repeats bool) (bool, error) {
	b := &s.backup
	switch {
	case b.stage == before:
		b.stage = broken // the caller sets it once the line has been read
		return true, nil
	case b.stage == broken, repeats:
		return false, nil
	}
	b.stage = broken
	return false, s.unlessNamed(errMisplaced)
}

func (s *state) backupDirs(l *line) error {
	b := &s.backup
	c, err := l.changes()
	if err != nil {
		b.stage = broken
		return err
	}
	if ok, err := s.next(files, b.stage > files && c == b.summary.Dirs); !ok {
		return err
	}
	b.summary.Dirs, b.stage = c, dirs
	return nil
}

func (s *state) backupAdded(l *line) error    { return s.adds(l, false) }
func (s *state) backupWouldAdd(l *line) error { return s.adds(l, true) }

func (s *state) adds(l *line, dryRun bool) (err error) {
	b := &s.backup
	size1, err := size(l.word(0), l.word(1))
	if err != nil {
		b.stage = broken
		return err
	}
	if ok, err := s.next(dirs, b.stage > dirs && size1 == b.summary.AddedBytes); !ok {
		return err
	}
	b.summary.AddedBytes = size1
	if l.word(2) != nil {
		stored, err := size(l.word(2), l.word(3))
		if err != nil {
			return err
		}
		b.summary.StoredBytes = &stored
		b.warns = true
	}
	b.dryRun, b.stage = dryRun, added
	return nil
}

func (s *state) backupProcessed(l *line) error {
	b := &s.backup
	n, err := count(l.word(0))
	if err != nil {
		b.stage = broken
		return err
	}
	if ok, err := s.next(added, b.stage > added && n == b.summary.ProcessedFiles); !ok {
		return err
	}
	b.summary.ProcessedFiles = n
	if b.summary.ProcessedBytes, err = size(l.word(1), l.word(2)); err != nil {
		return err
	}
	if b.summary.Duration, err = clock(l.word(3)); err != nil {
		return err
	}
	b.stage = processed
	if b.dryRun {
		// This is the last line of a dry run, which saves nothing.
		s.backedUp(true)
		s.process.Command = CommandBackup
	}
	return nil
}

func (s *state) backupSaved(l *line) error {
	b := &s.backup
	switch {
	case !isID(l.word(0)):
		return nil
	case s.process.Command != CommandBackup || b.dryRun || s.process.Done && b.stage == none:
		return nil
	}
	if ok, err := s.next(processed, s.backup.stage > processed); !ok {
		b.lost = s.process.Backup == nil
		return err
	}
	b.summary.Snapshot = string(l.word(0))
	s.saved(b.summary, l.time)
	return nil
}

func (s *state) backupSkipped(*line) error {
	if s.backup.dryRun {
		return nil
	}
	if ok, err := s.next(processed, s.backup.stage > processed); !ok {
		s.backup.lost = s.process.Backup == nil
		return err
	}
	s.saved(s.backup.summary, time.Time{})
	return nil
}

func (s *state) backupWarned(l *line) error {
	b := &s.backup
	if b.stage == processed && !b.dryRun {
		// 0.10 to 0.12 may omit the line about the snapshot.
		s.saved(b.summary, l.time)
	}
	s.warned()
	s.names.ended = true
	return nil
}

// warned notes that restic called the backup incomplete. Errors since the summary
// in the same stream belong to this backup.
func (s *state) warned() {
	s.backup.add(s.after.backupErrors)
	s.process.Errors += s.after.lines()
	s.after = aftermath{}
	s.backup.warned = true
}

// backupOtherWarning reads an unknown warning after the summary. Something is wrong
// with the backup.
func (s *state) backupOtherWarning(*line) error {
	if s.stream || s.backup.stage != saved && s.backup.stage != processed {
		return nil // in a stream others warn, too
	}
	s.backup.unclear = true
	return s.unlessNamed(errMisplaced)
}

// backupMissing reads a line about a source that does not exist. restic prints
// these before anything else, so later ones are forged or belong to the next
// backup. A script may print the same words, so they count only if the process
// turns out to be a backup.
func (s *state) backupMissing(l *line) error {
	switch {
	case s.stream && !isName(l.word(0)): // a script says it
	case !s.begun:
		s.backup.missing++
		s.process.Errors++
		if s.known {
			s.restic = true
			s.process.Command = CommandBackup
		}
	case s.stream && s.over():
		s.after.of(s.line, false).missing++
	}
	return nil
}

// backupPattern reads a line about a pattern from --files-from that matches nothing.
// Without a wildcard the pattern is the path of a missing source. With one it is
// not an error that nothing matches.
func (s *state) backupPattern(l *line) error {
	if bytes.ContainsAny(l.word(0), "*?[") {
		return nil
	}
	return s.backupMissing(l)
}

// saved accepts b, which is complete, as the summary of the backup. Nothing changes it
// after that.
func (s *state) saved(b *Backup, t time.Time) {
	p := &s.process
	if !s.stream && p.Fatal != "" && !s.names.items && !s.names.complained && !has([]byte(p.Fatal), refreshFailed) {
		return // restic has given up; this is still the server's message that it quotes
	}
	b.Saved = t
	s.backedUp(s.backup.dryRun)
	p.Backup = b
	s.backup.summary, s.backup.stage = b, saved
}

// backedUp notes the end of a backup. So an earlier line that looked like a fatal
// error was part of a file's name.
func (s *state) backedUp(dryRun bool) {
	s.is(CommandBackup)
	s.onlyBackup()
	s.process.DryRun, s.process.Done = dryRun, true
	s.process.Fatal, s.process.Cause = "", ""
	s.names.ended = true
}
