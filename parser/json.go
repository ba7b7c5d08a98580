package parser

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"
)

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

// json reads a line that begins with a brace.
func (p *process) json(text []byte, t time.Time) error {
	const lead = `{"message_type":"`
	if !has(text, lead) {
		return nil
	}
	kind, _, _ := bytes.Cut(text[len(lead):], []byte{'"'})
	switch string(kind) {
	case "verbose_status":
		p.restic = true
		return nil // one for each file: not worth reading
	case "summary", "error", "exit_error", "initialized":
	default:
		return nil
	}
	var m message
	if err := json.Unmarshal(text, &m); err != nil {
		return fmt.Errorf("JSON: %w", err)
	}
	switch {
	case m.Type == "initialized":
		p.is(CommandInit)
		p.run.Done = p.run.Command == CommandInit
	case m.Type == "exit_error" && m.Code != nil:
		p.exitError(m)
	case m.Type == "error":
		p.errorMessage(m)
	case m.Type == "summary" && m.FilesNew != nil:
		p.backupSummary(m, t)
	case m.Type == "summary" && m.NumErrors != nil:
		p.is(CommandCheck)
		if p.run.Command == CommandCheck {
			p.run.Check = &Check{Errors: *m.NumErrors}
			p.run.Done = *m.NumErrors == 0
		}
	}
	return nil
}

func (p *process) backupSummary(m message, t time.Time) {
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
		p.backedUp(true)
		p.run.Backup = nil
		return
	}
	p.dryRun = false
	p.saved(b, t)
	if b.Snapshot == "" {
		p.run.Backup.Saved = time.Time{}
	}
}

// errorMessage reads a message of type error: of a backup or a restore, then it
// has an item, or of a check.
func (p *process) errorMessage(m message) {
	if isRetry([]byte(m.Message)) {
		p.restic = true
		p.run.Retries++
		return
	}
	switch m.During {
	case "scan":
		return // the backup itself meets the same file, and counts
	case "archival":
		p.is(CommandBackup)
		var reason struct{ Message string }
		if json.Unmarshal(m.Error, &reason) != nil || !isDamage([]byte(reason.Message)) {
			p.unreadable++
		}
	case "":
		if m.Message == "" {
			break
		}
		// A check prints as messages what it prints as text else, advice too.
		p.is(CommandCheck)
		for line := range strings.Lines(m.Message) {
			switch text := trim([]byte(line)); {
			case len(text) == 0:
			case has(text, "error: "):
				p.errorLine(text[len("error: "):])
			default:
				p.checkError(text)
			}
		}
		return
	}
	p.complaint()
}

// exitError reads what restic says last since 0.18.
func (p *process) exitError(m message) {
	p.restic = true
	p.run.ExitCode = m.Code
	text := []byte(m.Message)
	cause := classify(text)
	switch *m.Code {
	case 3:
		p.warned = true
		if p.run.Command == "" || p.run.Command == CommandBackup {
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
		p.run.Lock = &Lock{}
	}
	for line := range bytes.Lines(text) {
		if line = trim(line); has(line, "lock was created at ") {
			_ = p.lockAge(line) // an age that cannot be read is an unknown one
		}
	}
	first, _, _ := bytes.Cut(text, []byte{'\n'})
	p.fatal(first, cause)
	if cause == CauseKilled {
		p.run.Fatal, p.run.Cause = string(first[:min(len(first), 512)]), cause
	}
}

// isForgetJSON reports whether text is the one line that forget --json prints.
func isForgetJSON(text []byte) bool {
	return has(text, `[{"tags":`) && bytes.Contains(text, []byte(`"keep":`)) ||
		has(text, `[{"tags":`) && len(text) > 4096
}

func (p *process) forgetJSON(text []byte) error {
	var groups []struct {
		Keep    []struct{} `json:"keep"`
		Remove  []struct{} `json:"remove"`
		Reasons []struct{} `json:"reasons"`
	}
	if err := json.Unmarshal(text, &groups); err != nil {
		return fmt.Errorf("JSON: %w", err)
	}
	p.is(CommandForget)
	if p.run.Command != CommandForget {
		return nil
	}
	p.run.Forget = new(Forget)
	for _, g := range groups {
		p.run.Forget.Kept += uint64(len(g.Keep))
		p.run.Forget.Removed += uint64(len(g.Remove))
	}
	return nil
}
