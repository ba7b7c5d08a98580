package metrics

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/restic-exporter/restic-exporter/internal/golden"
	"github.com/restic-exporter/restic-exporter/invocation"
)

// page is docs/metrics.md, but for the tables, which are made of the families.
// Each table has the families whose names begin with one of the words.
const page = `# Metrics

All metrics are gauges and have the label ` + "`unit`, the name of the unit with its `.service`. `--label`" + ` adds labels to
every series. No series has a timestamp of its own. A metric that the log says nothing about is left out: unknown is not
zero.

Some values are kept when a run does not have them, so that a failed run does not wipe them. The column *kept* says until
when. All other values are about the last run alone.

` + "`go test ./metrics -update`" + ` writes this page from the declarations in the package [metrics](../metrics).

## The run

{restic_run_}

` + "`status`" + ` is success, partial (a snapshot was saved, but not all sources could be read) or failed. There is a series for each of
them: 1 for the one that applies, 0 for the others.

` + "`reason`" + ` is one of {reasons}.
There is a series for each of them, and all are 0 after a success. not_started, timeout, killed and oom come from systemd, the
others from the last lines that restic printed.

The exit code is 128+N if signal N killed the process. It is left out if it is unknown.

## Steps

{restic_step_}

` + "`step`" + ` is a restic command: backup, forget, prune, check, and init, copy and restore where the log is certain about them.
` + "`forget --prune`" + ` counts as both. A check that never began, because of a lock or because the repository could not be reached or
opened, leaves all of these as they were.

## Snapshots

{restic_snapshot_}

` + "`backup`" + ` numbers the backups of a run, from 1. ` + "`state`" + ` is new, changed or unmodified, compared with
the parent snapshot. restic's text is rounded to three decimals of its unit; with ` + "`--json`" + ` the numbers are exact.

## The repository

{restic_forget_ restic_prune_ restic_repository_ restic_check_ restic_lock_}

` + "`result`" + ` is kept or removed.

## The exporter

{restic_exporter_}

` + "`restic_exporter_backups`" + ` is 0 after a success if restic was quiet, if its log was cut off, or if this release of restic is not
understood yet.

` + "`restic_exporter_failed` is in a file of its own, `UNIT.exporter.prom`" + `, next to the unit's file, which stays as it
is. A call by a unit or a handler writes it when it could not do its work; the next call that succeeds deletes it.

` + "`restic_exporter_collected_timestamp_seconds` and `restic_exporter_failed_hosts`" + ` are in ` + "`_collector.prom`" + `, which
` + "`--store` writes next to the files of the hosts. `unit` is what `--unit`" + ` asked for. While the store does not answer, the file
stays as it is. It also has ` + "`restic_exporter_failed`" + ` of each unit and host whose last run cannot be read, because the store
lacks its beginning.

## The shell exporter's

These have the names, labels and meaning of the shell exporter's metrics, for dashboards and alerts that were made for it.

{restic_repo_ restic_backup_}

` + "`state` is new, changed or unmodified or, for the size, new or total. `action` is the name that `--action`" + ` gives to a
script, else the restic command. ` + "`timestamp`" + ` is the Unix time, in seconds, at which the run ended.
`

// TestPage: docs/metrics.md has all families.
func TestPage(t *testing.T) {
	left := maps.Collect(func(yield func(string, *family) bool) {
		for _, f := range declared {
			yield(f.name, f)
		}
	})
	var reasons []string
	for _, r := range invocation.Reasons() {
		reasons = append(reasons, string(r))
	}
	text := strings.Replace(page, "{reasons}", strings.Join(reasons, ", "), 1)
	for _, section := range strings.Split(text, "\n") {
		words, ok := strings.CutPrefix(section, "{")
		if !ok {
			continue
		}
		var table strings.Builder
		table.WriteString("| metric | labels | | kept |\n|---|---|---|---|\n")
		for _, word := range strings.Fields(strings.TrimSuffix(words, "}")) {
			for _, name := range slices.Sorted(maps.Keys(left)) {
				if strings.HasPrefix(name, word) {
					labels := strings.Join(left[name].labels, ", ")
					fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n", name, labels, left[name].help, left[name].kept)
					delete(left, name)
				}
			}
		}
		rows := strings.ReplaceAll(table.String(), "|  |", "| |")
		text = strings.Replace(text, section, strings.TrimSuffix(rows, "\n"), 1)
	}
	assert.Empty(t, left, "families in no table")
	golden.Equal(t, "../docs/metrics.md", text)
}
