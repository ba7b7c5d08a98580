package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/restic-exporter/restic-exporter/internal/metrictest"
)

// TestOtherFormats reads what people have who did not ask journalctl for an export.
func TestOtherFormats(t *testing.T) {
	figures := map[string]float64{
		"restic_exporter_backups{}": 1, "restic_exporter_unparsed_lines{}": 0,
		"restic_repo_files{state=new}": 29, "restic_repo_files{state=changed}": 150, "restic_repo_files{state=unmodified}": 583372,
	}
	for name, unreadable := range map[string]float64{"docker-logs-t": 0, "short": 1} {
		figures["restic_snapshot_unreadable_items{backup=1}"] = unreadable
		got := metrictest.Flat(t, metricsOf(t, "../../testdata/formats/"+name+".txt"))
		assert.Equal(t, figures, metrictest.Pick(got, figures), name)
	}
}

// TestDressed reads one run's lines in what people paste, mail and collect.
func TestDressed(t *testing.T) {
	const output = `using parent snapshot 53f36d46
error: open /srv/a: permission denied

Files:          29 new,   150 changed, 583372 unmodified
Dirs:            3 new,    15 changed, 58337 unmodified
Added to the repository: 1.051 MiB (1.033 MiB stored)

processed 583551 files, 8.662 GiB in 1:00
snapshot 2564248e saved
Warning: at least one source file could not be read
`
	each := func(text string, before func(n int) string) string {
		var b strings.Builder
		n := 0
		for line := range strings.Lines(text) {
			b.WriteString(before(n) + line)
			n++
		}
		return b.String()
	}
	logged := func(before string) string {
		return each(strings.ReplaceAll(output, "\n\n", "\n"), func(n int) string { return fmt.Sprintf(before+" nas restic[7]: ", n) })
	}
	figures := map[string]float64{
		"restic_exporter_backups{}": 1, "restic_exporter_unparsed_lines{}": 0, "restic_snapshot_unreadable_items{backup=1}": 1,
		"restic_repo_files{state=new}": 29, "restic_repo_files{state=changed}": 150, "restic_repo_files{state=unmodified}": 583372,
	}
	stderrFirst := "error: open /srv/a: permission denied\nWarning: at least one source file could not be read\n"
	for name, tt := range map[string]struct{ text, strip string }{
		"carriage returns":        {strings.ReplaceAll(output, "\n", "\r\n"), ""},
		"kubectl --timestamps":    {each(output, func(n int) string { return fmt.Sprintf("2026-11-25T03:00:%02d.123456789Z ", n) }), ""},
		"kubectl --prefix":        {each(output, func(int) string { return "[pod/backup-1/restic] " }), `^[^ ]+ `},
		"docker compose logs":     {each(output, func(int) string { return "\x1b[2Kbackup-1  | " }), `^[^|]+[|] `},
		"a container's two pipes": {stderrFirst + strings.ReplaceAll(output, "error: open /srv/a: permission denied\n", ""), ""},
		"cron's mail":             {"From: root@nas (Cron Daemon)\nSubject: Cron <root@nas> restic backup /srv\n\n" + output, ""},
		"script": {"Script started on 2026-11-25 03:00:00+00:00\n\x1b[?2004h# restic backup /srv\n\x1b[?2004l" +
			strings.ReplaceAll(output, "\n", "\r\n") + "Script done on 2026-11-25 03:01:00+00:00\n", ""},
		"old rsyslog, of last year": {logged("Dec 31 03:00:%02d"), ""},
		"rsyslog":                   {logged("2026-11-25T03:00:%02d.123456+01:00"), ""},
		"syslog-ng":                 {logged("2026-11-25T03:00:%02dZ"), ""},
		"short-full":                {logged("Wed 2026-11-25 03:00:%02d CET"), ""},
		"a paste":                   {"```\n" + logged("Nov 25 03:00:%02d") + "```\n", ""},
	} {
		args := []string{"-"}
		if tt.strip != "" {
			args = append(args, "--strip", tt.strip)
		}
		got := call(t, nil, tt.text, args...)
		assert.Empty(t, got.stderr, name)
		assert.Equal(t, figures, metrictest.Pick(metrictest.Flat(t, got.stdout), figures), name)
	}
}
