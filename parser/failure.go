package parser

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// What any command says when it cannot go on, or does with less.
var failureForms = []form{
	{pattern: "error: …", read: (*state).errorLine},
	{pattern: "Detected data corruption while saving …", read: (*state).otherError},
	{pattern: "unable to refresh lock: …", read: (*state).otherError},
	{pattern: "unable to remove …", read: (*state).otherError},

	{pattern: "repo already locked, waiting up to …", read: (*state).known}, // 0.16 and later
	{pattern: noLock + "…", read: (*state).fatalLine},
	{pattern: "lock was created at … (# ago)", read: (*state).lockAge},

	{pattern: "Fatal: …", read: (*state).fatalLine},
	{pattern: "Resolving password failed: …", read: (*state).fatalLine},
	{pattern: "unable to open config file: …", read: (*state).fatalLine},
	{pattern: "Is there a repository at the following location?", read: (*state).noRepository},
	{pattern: "context canceled", read: (*state).fatalLine},
	{pattern: "signal # received, cleaning up", read: (*state).signal},

	{pattern: "Save(…) returned error, retrying after …", read: (*state).retry},
	{pattern: "Load(…) returned error, retrying after …", read: (*state).retry},
	{pattern: "Stat(…) returned error, retrying after …", read: (*state).retry},
	{pattern: "Remove(…) returned error, retrying after …", read: (*state).retry},
	{pattern: "List(…) returned error, retrying after …", read: (*state).retry},
	{pattern: "Test(…) returned error, retrying after …", read: (*state).retry},
}

const noLock = "unable to create lock in backend: "

type failureState struct {
	locked    bool // by another process
	signalled bool
}

func (s *state) known(*line) error {
	s.restic = true
	return nil
}

// fatal notes that the process gives up.
func (s *state) fatal(text []byte, cause Cause) {
	s.restic, s.begun = true, true
	p := &s.process
	if cause == CauseKilled && p.Fatal != "" && !s.failure.signalled {
		return // the consequence of what it has said before
	}
	p.Fatal, p.Cause = string(text[:min(len(text), 512)]), cause
}

func (s *state) complaint() {
	s.restic, s.begun = true, true
	s.process.Errors++
}

// fatalLine reads the line over which a process gives up.
func (s *state) fatalLine(l *line) error {
	text := l.text
	if has(text, "Fatal: all ") || has(text, "Fatal: nothing to backup") || has(text, "Fatal: unable to save snapshot: ") {
		s.is(CommandBackup)
	}
	cause := classify(text)
	if cause == CauseCheckErrors {
		s.is(CommandCheck)
	}
	if bytes.Contains(text, []byte(noLock+"repository is already locked")) {
		s.failure.locked = true
		s.process.Lock = &Lock{}
	}
	s.fatal(text, cause)
	return nil
}

// errorLine reads "error: …": of a backup, then it is mostly about a source, or
// of a check.
func (s *state) errorLine(l *line) error {
	text := l.text[len("error: "):]
	s.complaining()
	s.complaint()
	switch {
	case s.process.Command == CommandCheck:
		s.check.errors++
	case !isDamage(text):
		s.backup.unreadable++
	}
	if s.process.Command == "" && has(text, noLock) {
		s.fatal(text, classify(text))
	}
	return nil
}

func (s *state) noRepository(*line) error {
	if p := &s.process; p.Fatal != "" && p.Cause == CauseOther {
		p.Cause = CauseNoRepository
	}
	return nil
}

func (s *state) signal(*line) error {
	s.restic, s.failure.signalled = true, true
	return nil
}

func (s *state) lockAge(l *line) error {
	if !s.failure.locked {
		return nil
	}
	age, err := time.ParseDuration(string(l.word[1]))
	if err != nil {
		return fmt.Errorf("age of a lock: %w", strconv.ErrSyntax)
	}
	if s.process.Lock != nil {
		age = max(0, age) // clocks differ
		s.process.Lock.Age = &age
	}
	return nil
}

func (s *state) retry(*line) error {
	s.restic = true
	s.process.Retries++
	return nil
}

// causes are told by what stands in a fatal line, first match first: a lock
// that cannot be had over a broken network is the network's fault.
var causes = []struct {
	cause Cause
	words []string
}{
	{CauseLocked, []string{"repository is already locked"}},
	{CausePassword, []string{
		"wrong password or no key found", "an empty password is not", "resolving password failed",
		"password file", "unable to open repository with the password",
	}},
	{CauseNoSource, []string{
		"all target directories/files do not exist", "all source directories/files do not exist",
		"nothing to backup", "snapshot is empty",
	}},
	{CauseCheckErrors, []string{"repository contains errors", "loadindex returned errors"}},
	{CauseNoSpace, []string{
		"no space left on device", "disk quota exceeded", "quota exceeded", "insufficient storage", "not enough space", "disk is full",
	}},
	{CauseNetwork, []string{
		"dial tcp", "connection refused", "connection reset", "connection timed out", "no such host", "no route to host",
		"network is unreachable", "i/o timeout", "tls handshake", "server misbehaving", "temporary failure in name resolution",
		"client.timeout", "context deadline exceeded", "broken pipe", "unexpected eof", "circuit breaker open",
		"500 internal", "502 bad gateway", "503 service", "504 gateway", "server closed", "ssh command exited", "x509:",
		"unable to start the sftp session", "error talking http to rclone", "could not resolve hostname",
	}},
	{CauseNoRepository, []string{"repository does not exist", "unable to open config file"}},
	{CauseSourceUnreadable, []string{"at least one source file could not be read", "failed to read all source data", "failed to save /stdin", "no data read"}},
	{CauseKilled, []string{"context canceled", "signal received", "interrupt"}},
}

// classify returns why restic gave up, as far as its last line tells.
func classify(text []byte) Cause {
	s := strings.ToLower(string(bytes.ToValidUTF8(text, []byte{'?'})))
	for _, c := range causes {
		for _, w := range c.words {
			if strings.Contains(s, w) {
				return c.cause
			}
		}
	}
	return CauseOther
}
