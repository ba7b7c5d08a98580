package parser

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What any command prints about errors, whether it gives up or goes on.
var failureForms = []form{
	{pattern: "error: …", complaint: true, telling: true, read: (*state).errorLine},
	{pattern: "Detected data corruption while saving …", read: (*state).otherError},
	{pattern: "unable to refresh lock: …", read: (*state).otherError},
	{pattern: "unable to remove snapshot/…", tells: CommandForget, read: (*state).forgetFailed},  // 0.17 and later
	{pattern: "unable to remove <snapshot/…", tells: CommandForget, read: (*state).forgetFailed}, // 0.10 to 0.16
	{pattern: "unable to remove …", read: (*state).otherError},
	{pattern: `Ignoring "…", …`, read: (*state).otherError}, // until 0.13
	{pattern: "failed to refresh stale lock: …", read: (*state).otherError},
	{pattern: `Ignoring "…": …`, read: (*state).otherError}, // a snapshot that cannot be read

	// The stack of a Go program that gives up over an error of no known form.
	{pattern: "github.com/restic/restic/…", read: (*state).stack},
	{pattern: "runtime.goexit", read: (*state).stack},
	{pattern: "main.main…", read: (*state).stack},

	{pattern: "repo already locked, waiting up to …", failure: true, read: (*state).waits}, // 0.16 and later
	{pattern: noLock + "…", failure: true, telling: true, read: (*state).fatalLine},
	{pattern: "storage ID #"},
	{pattern: "the `unlock` command can be used to remove stale locks"},
	{pattern: "lock was created at … (# ago)", read: (*state).lockAge},

	{pattern: "Fatal: …", failure: true, telling: true, read: (*state).fatalLine},
	{pattern: "Resolving password failed: …", failure: true, read: (*state).fatalLine},
	{pattern: "unable to open config file: …", failure: true, read: (*state).fatalLine},
	{pattern: "config cannot be loaded: …", failure: true, read: (*state).fatalLine},
	{pattern: "failed to load snapshot …", failure: true, read: (*state).fatalLine},
	{pattern: "context canceled", failure: true, read: (*state).fatalLine},
	{pattern: "signal # received, cleaning up", failure: true, read: (*state).signal},
	{pattern: "subprocess ssh: …", read: (*state).sshLine},
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
	waits     string    // the line that says that it waits for a lock
	locked    bool      // another process has locked the repository
	signalled bool      // restic received a signal
	refused   bool      // ssh reported that the server denied access
	until     time.Time // time of the last retry; before it, what looks like an end is from the server's message
}

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

func (s *state) complaint() {
	s.restic, s.begun = true, true
	s.process.Errors++
}

// fatalLine reads the line that says why the process gave up.
func (s *state) fatalLine(l *line) error {
	s.gaveUp(l.text, classify(l.text))
	return nil
}

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

// lastWords returns why restic itself gave up if its last line has no form, as an error
// without the prefix "Fatal: " has none, but gives a known cause; else CauseNone.
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

// waits reads that the process waits for a lock. A wrapper may drop the rest.
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

// retry reads a line about an operation that restic tries again after some time. It
// quotes the reason, which can be a server's message with line breaks.
func (s *state) retry(l *line) error {
	s.restic = true
	s.process.Retries++
	wait, _, _ := bytes.Cut(l.word[1], []byte(":"))
	if d, err := time.ParseDuration(string(wait)); err == nil && !l.time.IsZero() {
		if l.time.Nanosecond() == 0 {
			d -= time.Second // the log has no fractions
		}
		if until := l.time.Add(d); until.After(s.failure.until) {
			s.failure.until = until
		}
	}
	return nil
}

// sshLine reads an error of ssh. Soon after it restic gives up.
func (s *state) sshLine(l *line) error {
	s.failure.refused = s.failure.refused || classify(l.text) == CauseNoAccess
	return nil
}

// causes maps what a fatal line says to a cause. The first match counts.
var causes = []struct {
	cause Cause
	words []string
}{
	{CauseLocked, []string{"repository is already locked"}},
	{CauseExists, []string{"config file already exists", "already initialized"}},
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
		"storage cap exceeded", "storage_cap_exceeded", "(413)", "413 request entity too large", "413 payload too large", "quotaexceeded",
	}},
	{CauseNetwork, []string{
		"dial tcp", "connection refused", "connection reset", "connection timed out", "no such host", "no route to host",
		"network is unreachable", "i/o timeout", "tls handshake", "server misbehaving", "temporary failure in name resolution",
		"client.timeout", "context deadline exceeded", "broken pipe", "unexpected eof", "circuit breaker open",
		"500 internal", "502 bad gateway", "503 service", "504 gateway", "server closed", "ssh command exited", "x509:",
		"unable to start the sftp session", "error talking http to rclone", "could not resolve hostname",
	}},
	{CauseNoAccess, []string{
		"(401)", "401 unauthorized", "(403)", "403 forbidden", "access denied", "accessdenied", "access key id",
		"signature we calculated does not match", "signaturedoesnotmatch", "invalidaccesskeyid", "not entitled", "bad_auth_token",
		"permission denied (", "host key verification failed", "ssh: handshake failed", "unable to authenticate",
		"request time and the", "requesttimetooskewed", "authentication failed", "authorizationfailure", "authenticationfailed",
	}},
	{CauseSourceUnreadable, []string{
		"at least one source file could not be read", "failed to read all source data", "failed to save /stdin", "no data read",
	}},
	{CauseKilled, []string{"context canceled", "signal received", "interrupted"}},
}

// absent and denied matter only in a line about the repository, which has one of the
// words in repository: elsewhere they are about sources.
var (
	repository = []string{"config file", "config cannot be loaded", "repository", "lock in backend", "save snapshot", "key", "index"}
	absent     = []string{
		"does not exist", "no such file", "not found", "(404)", "404:", "nosuchkey", "nosuchbucket", "doesn't exist", "not exist",
	}
	denied = []string{"permission denied", "operation not permitted"}
)

// classify returns why restic gave up, according to its last line. Names and
// messages that the line quotes do not count.
func classify(text []byte) Cause {
	s := strings.ToLower(string(unquoted(text)))
	for _, c := range causes {
		if containsAny(s, c.words) {
			return c.cause
		}
	}
	switch {
	case !containsAny(s, repository):
	case containsAny(s, denied):
		return CauseNoAccess
	case strings.Contains(s, "repository does not exist"), strings.Contains(s, "config file") && containsAny(s, absent):
		return CauseNoRepository
	}
	return CauseOther
}

func containsAny(s string, words []string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(s, w) })
}

// unquoted returns text without the names in it: paths (which can hold blanks, and
// end at a colon), hosts, and whatever is in quotes.
func unquoted(text []byte) []byte {
	said := make([]byte, 0, len(text)+1)
	for len(text) > 0 {
		word, rest, _ := bytes.Cut(text, []byte(" "))
		name := bytes.Trim(word, "(),:")
		switch {
		case len(word) > 1 && (word[0] == '"' || word[0] == '\''):
			if i := bytes.IndexByte(word[1:], word[0]); i < 0 {
				if i := bytes.Index(rest, word[:1]); i >= 0 {
					rest = rest[i+1:]
				}
			}
		case bytes.Contains(name, []byte("//")), bytes.HasPrefix(name, []byte("/")), isLocation(name):
			if word[len(word)-1] != ':' {
				_, after, ok := bytes.Cut(rest, []byte(": "))
				if !ok {
					after = nil
				}
				rest = after
			}
			said = append(said, ": "...)
		case isHost(name):
		default:
			said = append(append(said, word...), ' ')
		}
		text = rest
	}
	return said
}

// isLocation reports whether a word is the location of a repository.
func isLocation(name []byte) bool {
	scheme, rest, ok := bytes.Cut(name, []byte(":"))
	if !ok || len(rest) == 0 {
		return false
	}
	switch string(scheme) {
	case "s3", "b2", "azure", "gs", "swift", "rest", "rclone", "sftp", "local":
		return true
	}
	return false
}

// isHost reports whether a word has a dot in it, and is not one of the names that
// the backends give their operations, such as "client.Open".
func isHost(name []byte) bool {
	i := bytes.IndexByte(name, '.')
	return i > 0 && i < len(name)-1 && !has(name, "client.") && !has(name, "Client.") && !has(name, "net/") && !has(name, "http.")
}
