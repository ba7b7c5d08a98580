package parser

import (
	"bytes"
	"strings"
)

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
