package parser

import (
	"bytes"
	"slices"
	"strings"
)

// causes maps what a fatal line says to a cause. The first match counts.
var causes = []struct {
	cause Cause
	words []string
}{
	{CauseLocked, []string{"repository is already locked"}},
	{CauseExists, []string{"config file already exists", "already initialized", "repository already contains"}},
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
		"ratelimitexceeded", "unable to start the sftp session", "error talking http to rclone", "could not resolve hostname",
	}},
	{CauseNoAccess, []string{
		"(401)", "401 unauthorized", "error 401:", "(403)", "403 forbidden", "error 403:", "access denied", "accessdenied", "access key id",
		"proxy authentication required",
		"signature we calculated does not match", "signaturedoesnotmatch", "invalidaccesskeyid", "not entitled", "bad_auth_token",
		"permission denied (", "permission denied, please try again", "host key verification failed", "ssh: handshake failed", "unable to authenticate",
		"request time and the", "requesttimetooskewed", "authentication failed", "authorizationfailure", "authenticationfailed",
	}},
	{CauseSourceUnreadable, []string{
		"at least one source file could not be read", "failed to read all source data", "fatal: command failed", "no data read",
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
	case strings.Contains(s, "create repository") && strings.Contains(s, "already"):
		return CauseExists
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

// isHost reports whether a word has a dot in it, as no word in causes has but this one.
func isHost(name []byte) bool {
	i := bytes.IndexByte(name, '.')
	return i > 0 && i < len(name)-1 && !has(name, "Client.Timeout")
}
