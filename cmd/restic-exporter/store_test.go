package main

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restic-exporter/restic-exporter/internal/victorialogs"
	"github.com/restic-exporter/restic-exporter/journal"
)

var (
	hostLine    = regexp.MustCompile(`(?m)^_HOSTNAME=.*$`)
	machineLine = regexp.MustCompile(`(?m)^_MACHINE_ID=.*$`)
)

// as returns a recording as the journal of another machine.
func as(t testing.TB, recording, host string, n int) []byte {
	text, err := os.ReadFile(recording)
	require.NoError(t, err)
	text = hostLine.ReplaceAll(text, []byte("_HOSTNAME="+host))
	return machineLine.ReplaceAll(text, fmt.Appendf(nil, "_MACHINE_ID=%032x", n+1))
}

// TestStoreGolden reads each recording from a store that keeps all of them.
func TestStoreGolden(t *testing.T) {
	at := victorialogs.Start(t, victorialogs.Flags...)
	names := recordings(t)
	for n, recording := range names {
		text := as(t, recording, fmt.Sprintf("host%d", n), n)
		victorialogs.Send(t, at, bytes.NewReader(text))
		if n%7 == 0 { // senders repeat themselves
			victorialogs.Send(t, at, bytes.NewReader(text))
		}
	}
	for n, recording := range names {
		t.Run(title(recording), func(t *testing.T) {
			host := journal.Store{URL: at}.Host(fmt.Sprintf("host%d", n))
			assert.Equal(t, byPackages(t, open(t, recording)), byPackages(t, host))
		})
	}
}
