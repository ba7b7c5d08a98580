package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restic-exporter/restic-exporter/internal/journaltest"
	"github.com/restic-exporter/restic-exporter/internal/metrictest"
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

// TestStoreGolden reads each recording from a store that keeps all of them: a single one,
// and a cluster, where the entries of a run lie on both nodes.
func TestStoreGolden(t *testing.T) {
	single := victorialogs.Start(t, victorialogs.Flags...)
	front, storage := victorialogs.StartCluster(t)
	names := journaltest.Recordings(t)
	var all bytes.Buffer
	for n, recording := range names {
		text := as(t, recording, fmt.Sprintf("host%d", n), n)
		all.Write(text)
		if n%7 == 0 { // senders repeat themselves
			all.Write(text)
		}
	}
	for _, at := range []string{single, front.URL} {
		victorialogs.Send(t, at, bytes.NewReader(all.Bytes()))
	}
	for _, node := range storage {
		victorialogs.Flush(t, node.URL)
		hosts, err := journal.Store{URL: node.URL}.Hosts(t.Context(), time.Unix(0, 0), "restic-*")
		require.NoError(t, err)
		assert.NotEmpty(t, hosts, "each node has its share")
	}
	for n, recording := range names {
		t.Run(journaltest.Title(recording), func(t *testing.T) {
			want, err := os.ReadFile(strings.TrimSuffix(recording, ".export") + ".prom")
			require.NoError(t, err)
			for _, at := range []string{single, front.URL} {
				host := journal.Store{URL: at}.Host(fmt.Sprintf("host%d", n))
				assert.Equal(t, string(want), byPackages(t, host))
			}
		})
	}
}

// TestStoreCommand collects from a store with good hosts and bad ones.
func TestStoreCommand(t *testing.T) {
	at := victorialogs.Start(t, victorialogs.Flags...)
	const recording = "../../testdata/0.16.5/first-run.export"
	send := func(host string, n int, sender string) {
		victorialogs.Send(t, at, bytes.NewReader(as(t, recording, host, n)), "sender="+sender)
	}
	send("good", 1, "good")
	send("silent", 2, "mallory")
	send("twice", 3, "twice")
	send("twice", 4, "twice")
	send("../escape", 5, "../escape")
	other := bytes.ReplaceAll(as(t, recording, "good", 1), []byte("restic-backup.service"), []byte("restic-second.service"))
	other = bytes.ReplaceAll(other, []byte("i=13"), []byte("i=23"))
	victorialogs.Send(t, at, bytes.NewReader(other), "sender=good")

	dir := t.TempDir()
	args := []string{"--store", at, "--unit", "restic-*", "--sender-field", "sender", "--output", dir}
	got := call(t, nil, "", args...)
	assert.Equal(t, 1, got.code)
	for _, want := range []string{
		`host "../escape": this is not a DNS name`, `host "silent": "mallory" sent entries in the name of this host`,
		`host "twice": two machines, `, "3 of 4 hosts failed",
	} {
		assert.Contains(t, got.stderr, want)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.prom"))
	require.NoError(t, err)
	good := filepath.Join(dir, "good.prom")
	assert.Equal(t, []string{filepath.Join(dir, "_collector.prom"), good}, files)
	targets, err := os.ReadFile(filepath.Join(dir, "targets.json"))
	require.NoError(t, err)
	assert.Equal(t, `[{"targets":["_collector","good"]}]`, string(targets))

	pass, err := os.ReadFile(filepath.Join(dir, "_collector.prom"))
	require.NoError(t, err)
	series := metrictest.Flat(t, string(pass))
	when := "restic_exporter_collected_timestamp_seconds{}"
	assert.InDelta(t, time.Now().Unix(), series[when], 600)
	assert.Equal(t, map[string]float64{when: series[when], "restic_exporter_failed_hosts{}": 3}, series)

	text, err := os.ReadFile(good)
	require.NoError(t, err)
	for line := range strings.Lines(string(text)) {
		if line[0] != '#' {
			assert.Contains(t, line, `host="good"`)
		}
	}
	for _, unit := range []string{"restic-backup.service", "restic-second.service"} {
		assert.Contains(t, string(text), `unit="`+unit+`"`)
	}

	// Once more changes nothing, and needs no word about it.
	args = append(args, "--host", "goo*")
	assert.Equal(t, result{}, call(t, nil, "", args...))
	again, err := os.ReadFile(good)
	require.NoError(t, err)
	assert.Equal(t, string(text), string(again))

	headers := filepath.Join(dir, "headers")
	require.NoError(t, os.WriteFile(headers, []byte("AccountID: 0\n"), 0o644))
	assert.Contains(t, call(t, nil, "", append(args, "--store-headers", headers)...).stderr, "chmod 0600")
	assert.Contains(t, call(t, map[string]string{"CREDENTIALS_DIRECTORY": filepath.Dir(dir)}, "",
		append(args, "--store-headers", headers)...).stderr, "chmod 0600", "it is not systemd that has made it")
	assert.Equal(t, result{}, call(t, map[string]string{"CREDENTIALS_DIRECTORY": dir}, "", append(args, "--store-headers", headers)...))
	require.NoError(t, os.Chmod(headers, 0o600))
	assert.Equal(t, result{}, call(t, nil, "", append(args, "--store-headers", headers)...))

	assert.Equal(t, 2, call(t, nil, "", append(args, "--label", "host=x")...).code)
	assert.Equal(t, 2, call(t, nil, "", "--host", "x").code)
}
