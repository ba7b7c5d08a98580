package parser

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"
)

// With --json restic prints an object a line. Their message_type is not unique:
// it takes the other fields to tell what they are.
var jsonForms = []form{
	{pattern: `{"message_type":"status",…`},                              // many a second, and nothing in them
	{pattern: `{"message_type":"verbose_status"…`, read: (*state).known}, // one for each file
	{pattern: `{"message_type":"summary","files_new":…`, opens: CommandBackup, read: (*state).jsonMessage},
	{pattern: `{"message_type":"summary","num_errors":…`, opens: CommandCheck, read: (*state).jsonMessage},
	{pattern: `{"message_type":"initialized"…`, opens: CommandInit, read: (*state).jsonMessage},
	{pattern: `{"message_type":"summary"…`, read: (*state).jsonMessage},
	{pattern: `{"message_type":"error"…`, read: (*state).jsonMessage},
	{pattern: `{"message_type":"exit_error"…`, read: (*state).jsonMessage},
	{pattern: `[{"tags":…"keep":…`, opens: CommandForget, read: (*state).jsonForget},
}

// A message is what is of interest in the objects that restic prints with
// --json, one a line. Their message_type is not unique: it takes the other
// fields to tell what they are.
type message struct {
	Type string `json:"message_type"`

	// summary of a backup
	FilesNew        *uint64  `json:"files_new"`
	FilesChanged    uint64   `json:"files_changed"`
	FilesUnmodified uint64   `json:"files_unmodified"`
	DirsNew         uint64   `json:"dirs_new"`
	DirsChanged     uint64   `json:"dirs_changed"`
	DirsUnmodified  uint64   `json:"dirs_unmodified"`
	DataAdded       uint64   `json:"data_added"`
	DataAddedPacked *uint64  `json:"data_added_packed"`
	FilesProcessed  uint64   `json:"total_files_processed"`
	BytesProcessed  uint64   `json:"total_bytes_processed"`
	Duration        *float64 `json:"total_duration"`
	SnapshotID      string   `json:"snapshot_id"`
	DryRun          bool     `json:"dry_run"`

	// summary of a check
	NumErrors *uint64 `json:"num_errors"`

	// error, exit_error
	During  string          `json:"during"`
	Error   json.RawMessage `json:"error"`
	Code    *int            `json:"code"`
	Message string          `json:"message"`
}

func (s *state) jsonMessage(l *line) error {
	var m message
	if err := json.Unmarshal(l.text, &m); err != nil {
		return fmt.Errorf("JSON: %w", err)
	}
	switch {
	case m.Type == "initialized":
		s.process.Done = true
	case m.Type == "exit_error" && m.Code != nil:
		s.jsonExit(m)
	case m.Type == "error":
		return s.jsonError(m)
	case m.Type == "summary" && m.FilesNew != nil:
		s.jsonBackup(m, l.time)
	case m.Type == "summary" && m.NumErrors != nil:
		s.is(CommandCheck)
		if s.process.Command == CommandCheck {
			s.process.Check = &Check{Errors: *m.NumErrors}
			s.process.Done = *m.NumErrors == 0
		}
	}
	return nil
}

func (s *state) jsonBackup(m message, t time.Time) {
	b := Backup{
		Files:          Changes{*m.FilesNew, m.FilesChanged, m.FilesUnmodified},
		Dirs:           Changes{m.DirsNew, m.DirsChanged, m.DirsUnmodified},
		ProcessedFiles: m.FilesProcessed,
		ProcessedBytes: m.BytesProcessed,
		AddedBytes:     m.DataAdded,
		StoredBytes:    m.DataAddedPacked,
		Snapshot:       m.SnapshotID,
		Exact:          true,
	}
	// restic 0.18 gives a negative time for a skipped snapshot.
	if d := m.Duration; d != nil && *d >= 0 && *d < math.MaxInt32 {
		b.Duration = new(time.Duration(math.Round(*d * float64(time.Second))))
	}
	if m.DryRun {
		s.backedUp(true)
		s.process.Backup = nil
		return
	}
	s.backup.dryRun = false
	s.saved(b, t)
	if b.Snapshot == "" {
		s.process.Backup.Saved = time.Time{}
	}
}

// jsonError reads a message of type error: of a backup or a restore, then it
// has an item, or of a check.
func (s *state) jsonError(m message) error {
	switch m.During {
	case "scan":
		return nil // the backup itself meets the same file, and counts
	case "archival":
		s.is(CommandBackup)
		var reason struct{ Message string }
		if json.Unmarshal(m.Error, &reason) != nil || !isDamage([]byte(reason.Message)) {
			s.backup.unreadable++
		}
	case "":
		if m.Message != "" {
			return s.jsonText(m.Message)
		}
	}
	s.complaint()
	return nil
}

// jsonText reads what a check says with --json: what it prints as text else,
// advice too.
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

// jsonExit reads what restic says last since 0.18.
func (s *state) jsonExit(m message) {
	s.restic = true
	s.process.ExitCode = m.Code
	text := []byte(m.Message)
	cause := classify(text)
	switch *m.Code {
	case 3:
		s.backup.warned = true
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
	if cause == CauseLocked {
		s.failure.locked = true
		s.process.Lock = &Lock{}
	}
	for text := range bytes.Lines(text) {
		if text = trim(text); has(text, "lock was created at ") {
			// An age that cannot be read is an unknown one.
			_ = s.read(s.line.find(text, s.line.time, s.process.Command))
		}
	}
	first, _, _ := bytes.Cut(text, []byte{'\n'})
	s.fatal(first, cause)
	if cause == CauseKilled {
		s.process.Fatal, s.process.Cause = string(first[:min(len(first), 512)]), cause
	}
}

// jsonForget reads the one line that forget --json prints: an array of groups.
func (s *state) jsonForget(l *line) error {
	if !json.Valid(l.text) {
		return fmt.Errorf("JSON: %w", strconv.ErrSyntax)
	}
	f := new(Forget)
	for group := range elements(l.text) {
		for key, value := range members(group) {
			switch string(key) {
			case "keep":
				f.Kept += length(value)
			case "remove":
				f.Removed += length(value)
			}
		}
	}
	s.process.Forget = f
	return nil
}
