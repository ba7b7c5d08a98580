package parser

import (
	"bytes"
	"slices"
	"strings"
)

// causes maps what a fatal line says to a cause. The first match counts.
var causes = []struct {
	cause Cause
	words []words
}{
	{CauseLocked, anyOf("repository is already locked")},
	{CauseExists, anyOf("config file already exists", "already initialized", "repository already contains")},
	{CausePassword, anyOf(
		"wrong password or no key found", "an empty password is not", "resolving password failed",
		"password file", "unable to open repository with the password",
	)},
	{CauseNoSource, anyOf(
		"all target directories/files do not exist", "all source directories/files do not exist",
		"nothing to backup", "snapshot is empty",
	)},
	{CauseCheckErrors, anyOf("repository contains errors", "loadindex returned errors")},
	{CauseNoSpace, anyOf(
		"no space left on device", "disk quota exceeded", "quota exceeded", "insufficient storage", "not enough space", "disk is full",
		"storage cap exceeded", "storage_cap_exceeded", "(413)", "413 request entity too large", "413 payload too large", "quotaexceeded",
	)},
	{CauseNetwork, anyOf(
		"dial tcp", "connection refused", "connection reset", "connection timed out", "no such host", "no route to host",
		"network is unreachable", "i/o timeout", "tls handshake", "server misbehaving", "temporary failure in name resolution",
		"client.timeout", "context deadline exceeded", "broken pipe", "unexpected eof", "circuit breaker open",
		"500 internal", "502 bad gateway", "503 service", "504 gateway", "server closed", "ssh command exited", "x509:",
		"ratelimitexceeded", "unable to start the sftp session", "error talking http to rclone", "could not resolve hostname",
	)},
	{CauseNoAccess, anyOf(
		"(401)", "401 unauthorized", "error 401:", "(403)", "403 forbidden", "error 403:", "access denied", "accessdenied", "access key id",
		"proxy authentication required",
		"signature we calculated does not match", "signaturedoesnotmatch", "invalidaccesskeyid", "not entitled", "bad_auth_token",
		"permission denied (", "permission denied, please try again", "host key verification failed", "ssh: handshake failed", "unable to authenticate",
		"request time and the", "requesttimetooskewed", "authentication failed", "authorizationfailure", "authenticationfailed",
	)},
	{CauseSourceUnreadable, anyOf(
		"at least one source file could not be read", "failed to read all source data", "fatal: command failed", "no data read",
	)},
	{CauseKilled, anyOf("context canceled", "signal received", "interrupted")},
}

// absent and denied matter only in a line about the repository, which has one of the
// words in repository: elsewhere they are about sources.
var (
	repository = anyOf("config file", "config cannot be loaded", "repository", "lock in backend", "save snapshot", "key", "index")
	absent     = anyOf(
		"does not exist", "no such file", "not found", "(404)", "404:", "nosuchkey", "nosuchbucket", "doesn't exist", "not exist",
	)
	denied = anyOf("permission denied", "operation not permitted")
)

// classify returns why restic gave up, according to its last line. Names and
// messages that the line quotes do not count.
func classify(text []byte) Cause {
	s := newWords(string(unquoted(text)))
	for _, c := range causes {
		if s.hasAny(c.words) {
			return c.cause
		}
	}
	switch {
	case strings.Contains(s.text, "create repository") && strings.Contains(s.text, "already"):
		return CauseExists
	case !s.hasAny(repository):
	case s.hasAny(denied):
		return CauseNoAccess
	case strings.Contains(s.text, "repository does not exist"), strings.Contains(s.text, "config file") && s.hasAny(absent):
		return CauseNoRepository
	}
	return CauseOther
}

// words is a text, and a set of its pairs of adjacent bytes. A text cannot be part of
// another that lacks one of its pairs. Two pairs can share a bit,
// which costs a search. The set saves most searches.
type words struct {
	text  string
	pairs uint64
}

func newWords(text string) words {
	w := words{text: text}
	for i := range len(text) - 1 {
		w.pairs |= 1 << ((text[i]*7 + text[i+1]) % 64)
	}
	return w
}

func anyOf(texts ...string) (all []words) {
	for _, text := range texts {
		all = append(all, newWords(text))
	}
	return all
}

func (w words) hasAny(parts []words) bool {
	return slices.ContainsFunc(parts, func(part words) bool {
		return part.pairs&^w.pairs == 0 && strings.Contains(w.text, part.text)
	})
}

// unquoted returns text in lower case, without the names in it: paths (which can hold
// blanks, and end at a colon), hosts, and whatever is in quotes.
func unquoted(text []byte) []byte {
	said := make([]byte, 0, len(text)+1)
	for len(text) > 0 {
		word, rest, _ := bytes.Cut(text, []byte(" "))
		name := bytes.TrimFunc(word, func(r rune) bool { return r == '(' || r == ')' || r == ',' || r == ':' })
		switch {
		case len(word) > 1 && (word[0] == '"' || word[0] == '\''):
			if i := bytes.IndexByte(word[1:], word[0]); i < 0 {
				if i := bytes.Index(rest, word[:1]); i >= 0 {
					rest = rest[i+1:]
				}
			}
		case has(name, "/"), isLocation(name):
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
	for i, c := range said {
		if c >= 'A' && c <= 'Z' {
			said[i] += 'a' - 'A'
		}
	}
	return said
}

// isLocation reports whether a word is a URL, or the location of a repository.
func isLocation(name []byte) bool {
	scheme, rest, ok := bytes.Cut(name, []byte(":"))
	if !ok || len(rest) == 0 {
		return false
	}
	switch string(scheme) {
	case "s3", "b2", "azure", "gs", "swift", "rest", "rclone", "sftp", "local":
		return true
	}
	return has(rest, "//")
}

// isHost reports whether a word has a dot in its middle, as the name of a host does. In
// causes, only Client.Timeout has one.
func isHost(name []byte) bool {
	i := bytes.IndexByte(name, '.')
	return i > 0 && i < len(name)-1 && !has(name, "Client.Timeout")
}
