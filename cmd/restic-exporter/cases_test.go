package main

import (
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restic-exporter/restic-exporter/internal/golden"
	"github.com/restic-exporter/restic-exporter/internal/metrictest"
)

const cases = "../../testdata/cases"

// unparsed are the warnings of cases that hold a line which is not understood.
var unparsed = map[string]string{
	"unknown/json-key.export":     `JSON: a field is missing`,
	"unknown/forget-table.export": `not where restic prints it`,
}

// TestCases reads what logs hold beside one restic that goes straight to the
// journal: wrappers, streams, forged lines, other releases.
func TestCases(t *testing.T) {
	args := map[string][]string{ // those that need more than their name
		"runs/dependency-failed-for-days.export":                  nil,
		"runs/simple-unit.iso":                                    {"--unit", "s1"},
		"starts/exec-condition-203.export":                        {"--unit", "exec-condition-203"},
		"starts/exec-condition-226.export":                        {"--unit", "exec-condition-226"},
		"starts/backup-at-shutdown-failed.export":                 nil,
		"starts/backup-at-shutdown-failed-text.iso":               nil,
		"starts/exec-condition-second.export":                     nil,
		"starts/oomd-killed-restic.export":                        nil,
		"starts/job-timeout.export":                               {"--unit", "job-timeout"},
		"starts/job-timeout-loaded.export":                        {"--unit", "job-timeout-loaded"},
		"starts/job-timeouts.iso":                                 {"--unit", "job-timeout"},
		"starts/stop-post-not-forked.export":                      {"--unit", "simple"},
		"starts/stopped-deaf.export":                              {"--unit", "stopped-deaf"},
		"starts/stopped-exit-0.export":                            {"--unit", "stopped-exit-0"},
		"starts/stopped-exit-1.export":                            {"--unit", "stopped-exit-1"},
		"starts/user-stopped.export":                              {"--unit", "user-stopped"},
		"streams/lock-after-backup.export":                        nil,
		"streams/script-line-after-partial.export":                nil,
		"streams/second-of-two-with-errors-0.9.6.export":          nil,
		"streams/stdout-through-tee.export":                       {"--unit", "td"},
		"streams/summary-twice.txt":                               nil,
		"streams/tee-and-logger.export":                           {"--unit", "tc"},
		"streams/podman-and-conmon.export":                        {"--unit", "json"},
		"streams/podman-passthrough.export":                       {"--unit", "passthrough"},
		"streams/terminal.export":                                 {"--unit", "te2"},
		"forget/none-removed-0.17.2.export":                       {"--unit", "sit@forget-failrm"},
		"forget/one-not-removed.export":                           nil,
		"reasons/init-after-lock.iso":                             nil,
		"reasons/unauthorized.export":                             {"--unit", "sit@rest-401-text"},
		"missing/photos.txt":                                      nil,
		"forged/diff.export":                                      {"--unit", "sitm@h-backupdiff"},
		"forged/find.export":                                      nil,
		"next/first-of-two-fails.export":                          {"--unit", "sitm@fail-first"},
		"next/partial-keeps-its-lock.export":                      {"--unit", "sitm@partial-unlockfail"},
		"next/prune-json.export":                                  {"--unit", "sit@prune-json"},
		"unknown/forget-table.export":                             {"--unit", "sit@forget"},
		"unknown/json-key.export":                                 {"--unit", "sit@second-json"},
		"wrappers/autorestic-prune-locked.export":                 {"--unit", "lab-autorestic-prune-locked"},
		"wrappers/docker-compose-partial.export":                  {"--unit", "compose-backup", "--strip", `^backup[-][0-9]+ +[|] `},
		"wrappers/docker-mc-backup-partial.export":                {"--unit", "lab-mc-unread", "--strip", `^[^ ]+ [A-Z]+ `},
		"wrappers/resticprofile-stderr-apart-0.19.export":         {"--unit", "lab-rp19-two-unread"},
		"wrappers/autorestic-stopped.export":                      {"--unit", "lab-autorestic-stopped"},
		"wrappers/resticprofile-stderr-apart-json.export":         {"--unit", "lab-resticprofile-json-unread"},
		"wrappers/resticprofile-stderr-apart-missing-0.14.export": {"--unit", "lab-resticprofile-prune-missing"},
		"wrappers/resticprofile-stderr-apart-two.export":          {"--unit", "lab-resticprofile-two-unread"},
		"wrappers/resticprofile-stopped.export":                   {"--unit", "lab-resticprofile-stopped"},
		"wrappers/autorestic-two-one-partial.export":              {"--unit", "autorestic"},
		"wrappers/podman-tty.export":                              {"--unit", "ttyk8s"},
		"wrappers/podman-detached-json.export":                    {"--unit", "jsondetached"},
		"wrappers/erikw-stopped.export":                           {"--unit", "restic-backup@default"},
		"wrappers/nixos-files-from-missing.export":                {"--unit", "restic-backups-nix"},
		"wrappers/nixos-init-locked.export":                       {"--unit", "restic-backups-nix"},
		"wrappers/nixos-prune-locked.export":                      {"--unit", "restic-backups-nix"},
		"wrappers/resticprofile-group-one-partial.export":         {"--unit", "rpgroup"},
		"wrappers/resticprofile-partial.export":                   {"--unit", "resticprofile-backup@profile-default"},
		"wrappers/quadlet-notify-partial.export":                  {"--unit", "qd-notify"},
		"wrappers/roles-ansible-tee-missing.export":               {"--unit", "restic-home"},
		"wrappers/runrestic-locked.export":                        {"--unit", "runrestic", "--strip", `^\[restic\] `},
	}
	var found []string
	require.NoError(t, filepath.WalkDir(cases, func(path string, _ fs.DirEntry, err error) error {
		switch filepath.Ext(path) {
		case ".export", ".iso", ".txt":
			name, _ := filepath.Rel(cases, path)
			found = append(found, name)
		}
		return err
	}))
	require.ElementsMatch(t, slices.Collect(maps.Keys(args)), found)

	for name, args := range args {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(cases, name)
			got := call(t, nil, "", append([]string{path}, args...)...)
			require.Zero(t, got.code, got.stderr)
			if warning := unparsed[name]; warning != "" {
				assert.Contains(t, got.stderr, warning)
			} else {
				assert.Empty(t, got.stderr)
			}
			base := strings.TrimSuffix(path, filepath.Ext(path))
			golden.Equal(t, base+".prom", got.stdout)
			if strings.HasPrefix(name, "wrappers/") {
				compareRepository(t, base+".json", metrictest.Flat(t, got.stdout))
			}
		})
	}
}

// compareRepository compares with what the repository itself says of the run:
// restic snapshots --json and cat index. restic prints sizes with three decimals.
func compareRepository(t *testing.T, file string, got map[string]float64) {
	var known struct{ Series map[string]float64 }
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &known))
	require.NotEmpty(t, known.Series)
	for name, want := range known.Series {
		name = strings.ReplaceAll(name, `"`, "")
		require.Contains(t, got, name)
		if strings.Contains(name, "bytes{") {
			assert.InDelta(t, want, got[name], want*0.0006, name)
		} else {
			assert.Equal(t, want, got[name], name)
		}
	}
}

// TestStripIsNamed: what the program says that it should be called with is right.
func TestStripIsNamed(t *testing.T) {
	name := filepath.Join(cases, "wrappers/runrestic-locked")
	args := []string{name + ".export", "--unit", "runrestic"}
	without := call(t, nil, "", args...)
	assert.Equal(t, "restic-exporter: warning: runrestic.service: no backup was understood, because a wrapper puts a prefix before "+
		"restic's lines: use --strip '^[[]restic[]] '\n", without.stderr)

	_, named, _ := strings.Cut(without.stderr, "--strip '")
	with := call(t, nil, "", append(args, "--strip", strings.TrimSuffix(named, "'\n"))...)
	assert.Empty(t, with.stderr)
	golden.Equal(t, name+".prom", with.stdout)
}
