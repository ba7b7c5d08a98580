package parser

import (
	"bytes"
	"fmt"
	"strconv"
	"time"
)

// failureForms are what any command prints about errors, whether it gives up or goes on.
var failureForms = []form{
	{pattern: "error: …", complaint: true, unique: true, read: (*state).errorLine},
	{pattern: "Detected data corruption while saving …", read: (*state).otherError},
	{pattern: "unable to refresh lock: …", read: (*state).otherError},
	{pattern: "unable to remove snapshot/…", tells: CommandForget, read: (*state).forgetFailed},  // 0.17 and later
	{pattern: "unable to remove <snapshot/…", tells: CommandForget, read: (*state).forgetFailed}, // 0.10 to 0.16
	{pattern: "unable to remove … from the repository", read: (*state).otherError},
	{pattern: `Ignoring "…", …`, read: (*state).otherError}, // until 0.13
	{pattern: "failed to refresh stale lock: …", read: (*state).otherError},
	{pattern: `Ignoring "…": …`, read: (*state).otherError}, // a snapshot that cannot be read

	// The stack of a Go program that gives up over an error of no known form.
	{pattern: "github.com/restic/restic/…", read: (*state).stack},
	{pattern: "runtime.goexit", read: (*state).stack},
	{pattern: "main.main…", read: (*state).stack},

	{pattern: "repo already locked, waiting up to …", failure: true, read: (*state).waits}, // 0.16 and later
	{pattern: noLock + "…", failure: true, unique: true, read: (*state).fatalLine},
	{pattern: "storage ID #"},
	{pattern: "the `unlock` command can be used to remove stale locks"},
	{pattern: "lock was created at … (# ago)", read: (*state).lockAge},

	{pattern: "Fatal: …", failure: true, unique: true, read: (*state).fatalLine},
	{pattern: "Resolving password failed: …", failure: true, read: (*state).fatalLine},
	{pattern: "unable to open config file: …", failure: true, read: (*state).fatalLine},
	{pattern: "config cannot be loaded: …", failure: true, read: (*state).fatalLine},
	{pattern: "failed to load snapshot …", failure: true, read: (*state).fatalLine},
	{pattern: "context canceled", failure: true, read: (*state).fatalLine},
	{pattern: "signal # received, cleaning up", failure: true, read: (*state).signal},
	{pattern: "subprocess ssh: …", read: (*state).helperLine},
	{pattern: "rclone: …", read: (*state).helperLine},
	{pattern: "subprocess …"},

	{pattern: "Save(…) returned error, retrying after …", failure: true, read: (*state).retry},
	{pattern: "Load(…) returned error, retrying after …", failure: true, read: (*state).retry},
	{pattern: "Stat(…) returned error, retrying after …", failure: true, read: (*state).retry},
	{pattern: "Remove(…) returned error, retrying after …", failure: true, read: (*state).retry},
	{pattern: "List(…) returned error, retrying after …", failure: true, read: (*state).retry},
	{pattern: "Test(…) returned error, retrying after …", failure: true, read: (*state).retry},
	{pattern: "Save(…) operation successful after # retries"}, // 0.15 and later
	{pattern: "Load(…) operation successful after # retries"},
	{pattern: "Stat(…) operation successful after # retries"},
	{pattern: "Remove(…) operation successful after # retries"},
	{pattern: "List(…) operation successful after # retries"},
	{pattern: "Save(…) failed: …"}, // 0.17 and later
	{pattern: "Load(…) failed: …"},
	{pattern: "Stat(…) failed: …"},
	{pattern: "Remove(…) failed: …"},
	{pattern: "List(…) failed: …"},
	{pattern: "error while unlocking: …"},
	{pattern: "error clearing …"}, // of the cache
}

const (
	noLock        = "unable to create lock in backend: "
	refreshFailed = "Fatal: failed to refresh lock"
)

type failureState struct {
	waits     string // the line that says that it waits for a lock
	locked    bool   // another process has locked the repository
	signalled bool   // restic received a signal
	refused   bool   // ssh or rclone reported that the server denied access
	until     int64  // Unix time of the next retry in µs; until then, what looks like an end is from the server's message
}

// quiet reads a line that shows nothing but that the process is restic.
func (s *state) quiet(*line) error {
	s.restic = true
	return nil
}

// fatal notes that the process gave up, and why.
func (s *state) fatal(text []byte, cause Cause) {
	s.restic, s.begun = true, true
	p := &s.process
	switch {
	case s.failure.signalled && cause != CauseExists:
		cause = CauseKilled
	case cause == CauseKilled && p.Fatal != "":
		return // a consequence of the error before
	case cause == CauseExists && p.Fatal != "":
		return // a script tried to create the repository because it could not open it
	case s.failure.refused && (cause == CauseNetwork || cause == CauseOther):
		cause = CauseNoAccess
	}
	p.Fatal, p.Cause = string(text[:min(len(text), 512)]), cause
	if p.Command == CommandBackup && !s.stream {
		p.Backup, p.Done = nil, false // restic saved nothing, so a summary before was part of a name
	}
}

// complaint counts an error after which the process goes on.
func (s *state) complaint() {
	s.restic, s.begun = true, true
	s.process.Errors++
}

// fatalLine reads the line that says why the process gave up.
func (s *state) fatalLine(l *line) error {
	s.gaveUp(l.text, classify(l.text))
	return nil
}

// gaveUp notes that the process gave up, and what the reason says about its command.
func (s *state) gaveUp(text []byte, cause Cause) {
	if ofNoSource(text) || has(text, "Fatal: unable to save snapshot: ") {
		s.is(CommandBackup)
	}
	switch cause {
	case CauseCheckErrors:
		s.is(CommandCheck)
	case CauseLocked:
		s.failure.locked = true
		s.process.Lock = &Lock{}
	}
	s.fatal(text, cause)
}

// errorLine reads "error: …". A check prints it, and a backup, mostly about a source.
func (s *state) errorLine(l *line) error {
	text := l.text[len("error: "):]
	s.complaining()
	s.sourceError(hash(l.text), text)
	if s.process.Command == "" && has(text, noLock) {
		s.gaveUp(text, classify(text))
	}
	return nil
}

// lastWords returns why restic itself gave up if the first possible error after its last
// line with a form gives a known cause; else CauseNone. Most errors without the prefix
// "Fatal: " have no form.
func (s *state) lastWords() Cause {
	p := &s.process
	if !s.known || p.Fatal != "" || p.Done || len(s.unknown) == 0 || s.names.items || s.names.complained || printsNames(p.Command) {
		return CauseNone
	}
	if cause := classify(s.unknown); cause != CauseOther {
		return cause
	}
	return CauseNone
}

// stack reads a line of a Go stack: the process gave up over the error before it.
func (s *state) stack(*line) error {
	if s.process.Fatal == "" && len(s.unknown) > 0 && !s.process.Done {
		s.odd = false
		s.gaveUp(s.unknown, classify(s.unknown))
	}
	return nil
}

// waits notes that the process waits for a lock. A wrapper may drop what follows.
func (s *state) waits(l *line) error {
	s.restic, s.failure.waits = true, string(l.text[:min(len(l.text), 512)])
	return nil
}

func (s *state) signal(*line) error {
	s.restic, s.failure.signalled = true, true
	return nil
}

func (s *state) lockAge(l *line) error {
	if !s.failure.locked {
		if !s.known || s.process.Fatal != "" && s.process.Cause != CauseOther {
			return nil
		}
		s.gaveUp(l.text, CauseLocked) // the line before has unknown words
	}
	age, err := time.ParseDuration(string(l.word(1)))
	if err != nil {
		return fmt.Errorf("age of a lock: %w", strconv.ErrSyntax)
	}
	if s.process.Lock != nil {
		age = max(0, age) // clocks differ
		s.process.Lock.Age = &age
	}
	return nil
}

// retry reads a line about an operation that restic tries again after some time. The line
// quotes the reason, which can be a server's message with line breaks.
func (s *state) retry(l *line) error {
	s.restic = true
	s.process.Retries++
	wait, _, _ := bytes.Cut(l.word(1), []byte(":"))
	if d, err := time.ParseDuration(string(wait)); err == nil && !l.time.IsZero() {
		if l.time.Nanosecond() == 0 {
			d -= time.Second // the log has no fractions
		}
		s.failure.until = max(s.failure.until, l.time.Add(d).UnixMicro())
	}
	return nil
}

// helperLine reads an error of ssh or rclone, which talks to the server for restic.
func (s *state) helperLine(l *line) error {
	s.failure.refused = s.failure.refused || classify(l.text) == CauseNoAccess
	return nil
}
