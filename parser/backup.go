package parser

import (
	"bytes"
	"time"
)

var backupForms = []form{
	{pattern: "open repository", opens: CommandBackup, read: (*state).backupOpens},
	{pattern: "using parent snapshot …", opens: CommandBackup, read: (*state).backupParent},
	{pattern: "no parent snapshot found, will read all files", opens: CommandBackup, read: (*state).backupWarns},
	{pattern: "load index files", tells: CommandBackup},
	{pattern: "read data from stdin", tells: CommandBackup},
	{pattern: "start scan on […", tells: CommandBackup},
	{pattern: "start backup on […", tells: CommandBackup},
	{pattern: "scan finished in …", tells: CommandBackup},
	{pattern: "scan: …", read: (*state).backupScan},

	{pattern: "Files: # new, # changed, # unmodified", opens: CommandBackup, read: (*state).backupFiles},
	{pattern: "Dirs: # new, # changed, # unmodified", tells: CommandBackup, read: (*state).backupDirs},
	{pattern: "Added: # #", read: (*state).backupAdded},                                          // 0.9.0, 0.9.1
	{pattern: "Added to the repo: # #", read: (*state).backupAdded},                              // 0.9.2 to 0.13
	{pattern: "Added to the repository: # # (# # stored)", read: (*state).backupAddedStored},     // 0.14
	{pattern: "Would add to the repo: # #", read: (*state).backupWouldAdd},                       // 0.13
	{pattern: "Would add to the repository: # # (# # stored)", read: (*state).backupWouldAddAll}, // 0.14
	{pattern: "processed # files, # # in #", read: (*state).backupProcessed},
	{pattern: "snapshot # saved", read: (*state).backupSaved},
	{pattern: "skipped creating snapshot", read: (*state).backupSkipped}, // 0.17

	{pattern: warningSources, tells: CommandBackup, read: (*state).backupWarned},
	{pattern: warningSourceData, tells: CommandBackup, read: (*state).backupWarned},

	{pattern: "… does not exist, skipping", read: (*state).backupMissing},
	{pattern: "… cannot be accessed, skipping", read: (*state).backupMissing}, // 0.19.1
}

// What restic says last of a backup that could not read all.
const (
	warningSources    = "Warning: at least one source file could not be read"   // 0.12.1 and later
	warningSourceData = "Warning: failed to read all source data during backup" // 0.10 to 0.12.0
)

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

type backupState struct {
	// The summary, line by line. Which of its lines have been seen is told by
	// stage; any other order is no summary.
	stage   stage
	summary Backup
	dryRun  bool

	verbose    bool   // "open repository" was seen: the line about the parent is one of -v
	warns      bool   // a release that would have warned
	warned     bool   // restic called its backup incomplete
	missing    uint64 // sources that do not exist
	unreadable uint64 // error lines
}

type stage uint8

const (
	none stage = iota
	files
	dirs
	added
	processed
)

func (b *backupState) end(p *Process) {
	if p.Backup != nil {
		backup := *p.Backup
		unreadable := b.unreadable
		if b.warns && !b.warned {
			// restic 0.10 and later say so when they could not read
			// something: these lines were not restic's own.
			unreadable = 0
			p.Errors -= int(b.unreadable)
		}
		backup.Unreadable = b.missing + unreadable
		p.Backup = &backup
	}
	if p.Command == CommandBackup {
		p.Incomplete = b.warned && p.Fatal == ""
		p.Done = p.Done || p.Incomplete
	}
}

func (s *state) backupOpens(*line) error {
	s.backup.verbose = true
	return nil
}

func (s *state) backupParent(*line) error {
	s.backup.warns = s.backup.warns || !s.backup.verbose
	return nil
}

func (s *state) backupWarns(*line) error {
	s.backup.warns = true
	return nil
}

func (s *state) backupScan(*line) error {
	s.complaining()
	return nil
}

// changes takes what a line says of files or directories.
func (l *line) changes() (c Changes, err error) {
	for i, v := range []*uint64{&c.New, &c.Changed, &c.Unmodified} {
		if *v, err = count(l.word[i]); err != nil {
			return c, err
		}
	}
	return c, nil
}

func (s *state) backupFiles(l *line) error {
	s.backup.stage = none
	c, err := l.changes()
	if err != nil {
		return err
	}
	s.backup.summary, s.backup.dryRun = Backup{Files: c}, false
	s.backup.stage = files
	s.notLast()
	return nil
}

func (s *state) backupDirs(l *line) error {
	before := s.backup.stage
	s.backup.stage = none
	c, err := l.changes()
	if err != nil || before != files {
		return err
	}
	s.backup.summary.Dirs = c
	s.backup.stage = dirs
	return nil
}

func (s *state) backupAdded(l *line) error       { return s.adds(l, false, false) }
func (s *state) backupAddedStored(l *line) error { return s.adds(l, false, true) }
func (s *state) backupWouldAdd(l *line) error    { return s.adds(l, true, false) }
func (s *state) backupWouldAddAll(l *line) error { return s.adds(l, true, true) }

func (s *state) adds(l *line, dryRun, stored bool) (err error) {
	b := &s.backup
	if b.stage != dirs {
		return nil
	}
	b.stage = none
	if b.summary.AddedBytes, err = size(l.word[0], l.word[1]); err != nil {
		return err
	}
	if stored {
		v, err := size(l.word[2], l.word[3])
		if err != nil {
			return err
		}
		b.summary.StoredBytes = &v
		b.warns = true
	}
	b.dryRun = dryRun
	b.stage = added
	return nil
}

func (s *state) backupProcessed(l *line) (err error) {
	b := &s.backup
	if b.stage != added {
		return nil
	}
	b.stage = none
	if b.summary.ProcessedFiles, err = count(l.word[0]); err != nil {
		return err
	}
	if b.summary.ProcessedBytes, err = size(l.word[1], l.word[2]); err != nil {
		return err
	}
	if b.summary.Duration, err = clock(l.word[3]); err != nil {
		return err
	}
	b.stage = processed
	if b.dryRun {
		// A dry run saves nothing, and says no more.
		s.backedUp(true)
		s.process.Command = CommandBackup
	}
	return nil
}

func (s *state) backupSaved(l *line) error {
	switch {
	case !isID(l.word[0]):
	case s.process.Command == CommandCopy:
		s.process.Done = true
	case s.backup.stage == processed && !s.backup.dryRun:
		b := s.backup.summary
		b.Snapshot = string(l.word[0])
		s.saved(b, l.time)
	}
	return nil
}

func (s *state) backupSkipped(*line) error {
	if s.backup.stage == processed && !s.backup.dryRun {
		s.saved(s.backup.summary, time.Time{})
	}
	return nil
}

func (s *state) backupWarned(l *line) error {
	if s.backup.stage == processed && !s.backup.dryRun {
		// 0.10 to 0.12 may lose the line about the snapshot.
		s.saved(s.backup.summary, l.time)
	}
	s.backup.warned, s.names.ended = true, true
	return nil
}

// backupMissing reads the lines about sources that do not exist. restic prints
// them before anything else, so later ones are forged.
func (s *state) backupMissing(*line) error {
	if !s.begun {
		s.restic = true
		s.process.Command = CommandBackup
		s.backup.missing++
		s.process.Errors++
	}
	return nil
}

// saved takes the summary that has been read: it is whole.
func (s *state) saved(b Backup, t time.Time) {
	b.Saved = t
	s.backedUp(s.backup.dryRun)
	s.process.Backup = &b
	s.backup.stage = none
}

// backedUp notes the end of a backup. What looked like a reason to give up before
// was in a file's name.
func (s *state) backedUp(dryRun bool) {
	s.is(CommandBackup)
	s.onlyBackup()
	s.process.DryRun, s.process.Done = dryRun, true
	s.process.Fatal, s.process.Cause = "", ""
	s.names.ended = true
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
