package parser

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"
)

// With --json restic prints one object per line. Several kinds of objects share a
// message_type; their other fields distinguish them.
var jsonForms = []form{
	{pattern: `{"message_type":"status",…`, read: (*state).jsonStatus},   // many a second
	{pattern: `{"message_type":"verbose_status"…`, read: (*state).quiet}, // one for each file
	{pattern: `{"message_type":"summary","files_new":…`, opens: CommandBackup, ends: true, unique: true, read: (*state).jsonMessage},
	{pattern: `{"message_type":"summary","num_errors":…`, opens: CommandCheck, ends: true, read: (*state).jsonMessage},
	{pattern: `{"message_type":"summary","blobs":…`, opens: CommandPrune, ends: true, read: (*state).jsonMessage}, // after 0.19
	{pattern: `{"message_type":"excluded_item"…`, read: (*state).quiet},                                           // after 0.19
	{pattern: `{"message_type":"initialized"…`, opens: CommandInit, read: (*state).jsonMessage},
	{pattern: `{"message_type":"summary"…`, ends: true, read: (*state).jsonMessage},
	{pattern: `{"message_type":"error","message":…`, opens: CommandCheck, read: (*state).jsonMessage},
	{pattern: `{"message_type":"error"…`, complaint: true, unique: true, read: (*state).jsonMessage},
	{pattern: `{"message_type":"exit_error"…`, failure: true, unique: true, read: (*state).jsonMessage},
	{pattern: `{"message_type":"…`, read: (*state).jsonMessage},
	{pattern: `{"…"message_type":"…`, ends: true, read: (*state).jsonMessage}, // in another order
	{pattern: `{"files_new":…`, read: (*state).jsonUnknown},
	{pattern: `{"…,"files_new":…`, read: (*state).jsonUnknown},
	{pattern: `{"…,"num_errors":…`, read: (*state).jsonUnknown},
	{pattern: `[{"…"keep":…`, opens: CommandForget, ends: true, read: (*state).jsonForget},
	{pattern: `[{"…"reasons":…`, opens: CommandForget, ends: true, read: (*state).jsonForget},
}

// otherMessages are the known messages that do not matter here.
var otherMessages = map[string]bool{
	"status": true, "verbose_status": true, // backup, restore
	"change": true, "statistics": true, // diff
	"changed": true, "version": true, "snapshot": true, "node": true, "matches": true,
}

// A message holds the fields that matter, of all kinds of messages.
type message struct {
	Type string `json:"message_type"`

	// summary of a backup
	FilesNew        *uint64  `json:"files_new"`
	FilesChanged    *uint64  `json:"files_changed"`
	FilesUnmodified *uint64  `json:"files_unmodified"`
	DirsNew         *uint64  `json:"dirs_new"`
	DirsChanged     *uint64  `json:"dirs_changed"`
	DirsUnmodified  *uint64  `json:"dirs_unmodified"`
	DataAdded       *uint64  `json:"data_added"`
	DataAddedPacked *uint64  `json:"data_added_packed"`
	FilesProcessed  *uint64  `json:"total_files_processed"`
	BytesProcessed  *uint64  `json:"total_bytes_processed"`
	Duration        *float64 `json:"total_duration"`
	SnapshotID      string   `json:"snapshot_id"`
	DryRun          bool     `json:"dry_run"`

	// summary of a check
	NumErrors *uint64 `json:"num_errors"`

	// summary of a prune
	Blobs map[string]uint64 `json:"blobs"`
	Bytes map[string]uint64 `json:"bytes"`

	// error, exit_error
	During  string          `json:"during"`
	Error   json.RawMessage `json:"error"`
	Code    *int            `json:"code"`
	Message string          `json:"message"`
}

// reportsProgress reports whether a line is one of the many in which a restic with --json
// reports its progress, and says nothing new about the process s.
func (s *state) reportsProgress(text []byte) bool {
	return text[0] == '{' && !s.stream && !s.names.ended &&
		(s.process.Command != "" && has(text, `{"message_type":"status",`) || s.restic && has(text, `{"message_type":"verbose_status",`))
}

// jsonStatus recognizes a backup by its report of progress.
func (s *state) jsonStatus(l *line) error {
	if s.process.Command == "" && (bytes.Contains(l.text, []byte(`"files_done":`)) || bytes.Contains(l.text, []byte(`"current_files":`))) {
		s.is(CommandBackup)
		s.opened = true
	}
	return nil
}

var (
	errUnknownJSON = fmt.Errorf("JSON: unknown message: %w", strconv.ErrSyntax)
	errFieldJSON   = fmt.Errorf("JSON: a field is missing: %w", strconv.ErrSyntax)
)

func (s *state) jsonUnknown(*line) error {
	return s.unlessNamed(errUnknownJSON)
}

func (s *state) jsonMessage(l *line) error {
	var m message
	if err := json.Unmarshal(l.text, &m); err != nil {
		return fmt.Errorf("JSON: %w", err)
	}
	switch {
	case m.Type == "initialized":
		s.is(CommandInit)
		s.process.Done = s.process.Command == CommandInit
		return nil
	case m.Type == "exit_error" && m.Code != nil:
		s.jsonExit(m)
		return nil
	case m.Type == "error":
		return s.jsonError(m)
	case m.Type == "summary":
		return s.jsonSummary(&m, l)
	case otherMessages[m.Type]:
		return nil
	}
	return s.jsonUnknown(l)
}

// jsonSummary reads the summary of a command. Its fields show which command it is.
func (s *state) jsonSummary(m *message, l *line) error {
	switch {
	case m.FilesNew != nil:
		return s.jsonBackup(m, l)
	case m.NumErrors != nil:
		s.is(CommandCheck)
		if s.process.Command == CommandCheck {
			s.process.Check = &Check{Errors: *m.NumErrors}
			s.process.Done = *m.NumErrors == 0
		}
		return nil
	case m.Blobs != nil:
		return s.jsonPrune(m)
	}
	restore := false
	for name := range members(l.text) {
		switch string(name) {
		case "message_type", "changed_snapshots": // tag
		case "total_files", "files_restored", "files_skipped", "files_deleted", "total_bytes", "bytes_restored", "bytes_skipped":
			restore = true
		case "seconds_elapsed":
		default:
			return s.jsonUnknown(l)
		}
	}
	if restore {
		s.is(CommandRestore)
		s.process.Done = s.process.Done || s.process.Command == CommandRestore
	}
	return nil
}

func (s *state) jsonBackup(m *message, l *line) error {
	s.is(CommandBackup)
	for _, v := range []*uint64{m.FilesChanged, m.FilesUnmodified, m.DirsNew, m.DirsChanged, m.DirsUnmodified, m.DataAdded, m.FilesProcessed, m.BytesProcessed} {
		if v == nil {
			return s.unlessNamed(errFieldJSON)
		}
	}
	if m.Duration == nil {
		return s.jsonUnknown(l)
	}
	packs := false // this release reports how much it stored
	for name, value := range members(l.text) {
		known := jsonSummaryNames[string(name)]
		// A new flag may change what the figures mean, as dry_run did. A missing
		// snapshot_id means that no snapshot was saved, unless a new field has it.
		if !known && (value[0] == 't' || value[0] == 'f' || m.SnapshotID == "" && value[0] == '"') {
			return s.jsonUnknown(l)
		}
		switch string(name) {
		case "backup_start":
			packs = true
			_ = s.backup.from.UnmarshalJSON(value) // used only to tell runs apart
		case "backup_end":
			_ = s.backup.to.UnmarshalJSON(value)
		}
		packs = packs || !known
	}
	b := &Backup{
		Files:          Changes{*m.FilesNew, *m.FilesChanged, *m.FilesUnmodified},
		Dirs:           Changes{*m.DirsNew, *m.DirsChanged, *m.DirsUnmodified},
		ProcessedFiles: *m.FilesProcessed,
		ProcessedBytes: *m.BytesProcessed,
		AddedBytes:     *m.DataAdded,
		StoredBytes:    m.DataAddedPacked,
		Snapshot:       m.SnapshotID,
		Exact:          true,
	}
	// restic 0.18 gives a negative time for a skipped snapshot.
	if d := *m.Duration; d >= 0 && d < math.MaxInt32 {
		b.Duration = new(time.Duration(math.Round(d * float64(time.Second))))
	}
	if m.DryRun {
		s.backedUp(true)
		s.process.Backup = nil
		return nil
	}
	s.backup.dryRun = false
	t := l.time
	if b.Snapshot == "" {
		t = time.Time{}
	}
	s.saved(b, t)
	if packs && b.StoredBytes == nil {
		return s.unlessNamed(errFieldJSON)
	}
	return nil
}

var jsonSummaryNames = map[string]bool{
	"message_type": true, "files_new": true, "files_changed": true, "files_unmodified": true, "dirs_new": true, "dirs_changed": true,
	"dirs_unmodified": true, "data_blobs": true, "tree_blobs": true, "data_added": true, "data_added_packed": true,
	"total_files_processed": true, "total_bytes_processed": true, "total_duration": true, "backup_start": true, "backup_end": true,
	"snapshot_id": true, "dry_run": true,
}

// jsonPrune reads the plan of a prune. restic prints it before it does the work, and
// prints more only if that fails.
func (s *state) jsonPrune(m *message) error {
	s.is(CommandPrune)
	if s.process.Command != CommandPrune {
		return nil
	}
	for _, name := range []string{"repack", "remove_total", "remaining"} {
		_, ok := m.Blobs[name]
		_, ok2 := m.Bytes[name]
		if !ok || !ok2 {
			return s.unlessNamed(errFieldJSON)
		}
	}
	blobs := func(name string) Blobs { return Blobs{m.Blobs[name], m.Bytes[name]} }
	p := Prune{Removed: blobs("remove_total"), Repacked: new(blobs("repack")), Remaining: blobs("remaining")}
	p.TotalBytes = p.Remaining.Bytes + p.Removed.Bytes
	if v, ok := m.Bytes["remaining_unused"]; ok {
		p.Unused = &v
	}
	s.process.Prune, s.process.Done = &p, true
	return nil
}

// jsonError reads a message of type error. It is from a backup or a restore, which
// name what they were doing, or from a check.
func (s *state) jsonError(m message) error {
	switch {
	case m.During == "" && m.Message != "":
		return s.jsonText(m.Message)
	case m.During == "scan":
		return nil // the backup itself reports the same file, and that counts
	case m.During == "archival":
		s.is(CommandBackup)
		var reason struct{ Message string }
		text := []byte(nil)
		if json.Unmarshal(m.Error, &reason) == nil {
			text = []byte(reason.Message)
		}
		s.sourceError(hash(s.line.text), text)
		return nil
	case s.repeated(hash(s.line.text)):
		return nil
	case m.During != "restore":
		return s.jsonUnknown(nil)
	}
	return s.restoreIgnores(nil)
}

// jsonText reads the message of a check with --json. The message is the text that the
// check prints without --json: errors and advice alike.
func (s *state) jsonText(message string) error {
	s.is(CommandCheck)
	for text := range bytes.Lines([]byte(message)) {
		if text = trim(text); len(text) == 0 {
			continue
		}
		if err := s.read(s.line.find(text, s.line.time, CommandCheck)); err != nil {
			return err
		}
	}
	return nil
}

// jsonExit reads the last message of a restic 0.18 or later that failed.
func (s *state) jsonExit(m message) {
	s.restic = true
	s.process.ExitCode = m.Code
	text := []byte(m.Message)
	first, _, _ := bytes.Cut(text, []byte{'\n'})
	cause := classify(first)
	switch *m.Code {
	case 3:
		s.warned()
		if s.process.Command == "" || s.process.Command == CommandBackup {
			return
		}
	case 10:
		cause = CauseNoRepository
	case 11:
		cause = CauseLocked
	case 12:
		cause = CausePassword
	case 130:
		cause = CauseKilled
	}
	s.gaveUp(first, cause)
	if cause == CauseKilled {
		s.process.Fatal, s.process.Cause = string(first[:min(len(first), 512)]), cause
	}
	for text := range bytes.Lines(text) {
		if text = trim(text); has(text, "lock was created at ") {
			// If the age cannot be read, it is unknown.
			_ = s.read(s.line.find(text, s.line.time, s.process.Command))
		}
	}
}

// partial reports whether the line is the last one of a backup that could not read
// everything. With --json restic prints it like a fatal error.
func (l *line) partial() bool {
	return l.text[0] == '{' && bytes.Contains(l.text, []byte(`"code":3,`))
}

// jsonForget reads the one line that forget --json prints: an array of groups.
func (s *state) jsonForget(l *line) error {
	s.forget.bad = true // unless the line turns out to be valid
	if !json.Valid(l.text) {
		return fmt.Errorf("JSON: %w", strconv.ErrSyntax)
	}
	f := new(Forget)
	for group := range elements(l.text) {
		found := 0
		for name, value := range members(group) {
			switch string(name) {
			case "keep":
				f.Kept += length(value)
				found++
			case "remove":
				f.Removed += length(value)
				found++
			}
		}
		if found != 2 {
			return s.unlessNamed(errFieldJSON)
		}
	}
	s.process.Forget, s.forget.bad = f, false
	return nil
}
