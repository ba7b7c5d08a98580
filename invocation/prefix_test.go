package invocation

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What restic 0.19.1 printed.
var (
	good = `using parent snapshot 53f36d46

Files:           7 new,     5 changed,   221 unmodified
Dirs:            0 new,     8 changed,    19 unmodified
Added to the repository: 1.051 MiB (1.033 MiB stored)

processed 233 files, 8.662 MiB in 0:00
snapshot 2564248e saved`
	json = `{"message_type":"status","percent_done":0,"total_files":1,"total_bytes":3}
{"message_type":"summary","files_new":1,"files_changed":0,"files_unmodified":0,"dirs_new":1,"dirs_changed":0,"dirs_unmodified":0,` +
		`"data_blobs":1,"tree_blobs":2,"data_added":705,"data_added_packed":602,"total_files_processed":1,"total_bytes_processed":3,` +
		`"total_duration":0.5,"backup_start":"2026-11-25T00:00:00Z","backup_end":"2026-11-25T00:00:01Z",` +
		`"snapshot_id":"2564248e2564248e2564248e2564248e2564248e2564248e2564248e2564248e"}`
	locked = `unable to create lock in backend: repository is already locked by PID 5 on machine by root (UID 0, GID 0)
lock was created at 2026-11-25 01:00:00 (1.5s ago)
storage ID 2564248e
Fatal: unable to create lock in backend: repository is already locked by PID 5 on machine by root (UID 0, GID 0)`
)

// before puts a prefix, made from the number of the line, before each line.
func before(lines string, prefix func(n int) string) string {
	var b strings.Builder
	n := 0
	for line := range strings.Lines(lines) {
		b.WriteString(prefix(n) + line)
		n++
	}
	return b.String()
}

// readPassedOn reads lines that a wrapper has passed on to the journal.
func readPassedOn(t *testing.T, text string, o Options) *Run {
	var log strings.Builder
	at := time.Duration(0)
	for line := range strings.Lines(text) {
		log.WriteString(printed(at, "wrapper", 7, strings.TrimSpace(line)))
		at += time.Microsecond
	}
	run, err := readLog(t, log.String()+said(at, succeeded), o)
	require.NoError(t, err)
	return run
}

// hint returns which Strip is recommended for lines, nil if none is.
func hint(t *testing.T, text string) (strip *regexp.Regexp) {
	readPassedOn(t, text, Options{Warn: func(err error) {
		if p, ok := errors.AsType[*PrefixError](err); ok {
			require.Nil(t, strip, "once")
			strip = p.Strip
		}
	}})
	return strip
}

// TestPrefix reads logs in which a prefix hides restic's lines: the warning names an
// expression that cuts it, and with that expression the log is understood.
func TestPrefix(t *testing.T) {
	constant := func(s string) func(int) string { return func(int) string { return s } }
	for name, tt := range map[string]struct {
		text   string
		prefix func(n int) string
		want   string
	}{
		"runrestic":      {good, constant("[restic] "), "^[[]restic[]] "},
		"docker compose": {good, constant("backup-1  | "), "^backup[-][0-9]+ +[|] "},
		"ts": {
			good, func(n int) string { return fmt.Sprintf("Nov 25 03:00:%02d ", n) },
			"^[A-Z][a-z][a-z] +[0-9]+ [0-9]+[:][0-9]+[:][0-9]+ ",
		},
		"syslog": {
			good, func(n int) string { return fmt.Sprintf("<13>Nov  5 03:00:%02d backup: ", n) },
			"^[<][0-9]+[>][A-Z][a-z][a-z] +[0-9]+ [0-9]+[:][0-9]+[:][0-9]+ backup[:] ",
		},
		"two streams": {
			"error: open /a: permission denied\n" + good,
			func(n int) string { return []string{"[stderr] ", "[stdout] "}[min(n, 1)] }, "^[[]std(out|err)[]] ",
		},
		"levels": {
			"error: open /a: permission denied\n" + good, func(n int) string {
				return fmt.Sprintf("2026-11-25T03:00:%02d+0000 %s ", n, []string{"WARN", "INFO"}[min(n, 1)])
			},
			"^[0-9]+[-][0-9]+[-][A-Za-z]*[0-9][0-9A-Za-z]*[:][0-9]+[:][0-9]+[+][0-9]+ [A-Z]+ ",
		},
		"docker compose in a unit":  {good, constant("\x1b[2Kbackup-1  | "), "^backup[-][0-9]+ +[|] "},
		"docker compose in colours": {good, constant("\x1b[2K\x1b[36mbackup-1  | \x1b[0m"), "^backup[-][0-9]+ +[|] "},
		"docker compose with times": {
			good, func(n int) string { return fmt.Sprintf("\x1b[2Kbackup-1  | 2026-11-29T02:17:54.20885252%dZ", n) },
			"^backup[-][0-9]+ +[|] [0-9]+[-][0-9]+[-][A-Za-z]*[0-9][0-9A-Za-z]*[:][0-9]+[:][0-9]+[.][0-9]+Z",
		},
		"json":   {json, constant("web_1 | "), "^web[_][0-9]+ +[|] "},
		"locked": {locked, constant("[restic] "), "^[[]restic[]] "},
	} {
		t.Run(name, func(t *testing.T) {
			text := before(tt.text, tt.prefix)
			strip := hint(t, text)
			require.NotNil(t, strip)
			assert.Equal(t, tt.want, strip.String())
			assert.Equal(t, readPassedOn(t, tt.text, Options{}), readPassedOn(t, text, Options{Strip: strip}), "as without the prefix")
		})
	}
}

// TestNoPrefix: no advice is better than one that loses something.
func TestNoPrefix(t *testing.T) {
	behind := func(prefix string) string { return before(good, func(int) string { return prefix }) }
	for name, text := range map[string]string{
		"no prefix":                      good,
		"words that can be restic's own": behind("error "),
		"numbers alone":                  behind("17 "),
		"a control character":            behind("\x01backup | "),
		"what a shell would expand":      behind("$name | "),
		"a reason behind another":        behind("[restic] ") + "\nERROR in backup: Fatal: wrong password or no key found\n",
		"no summary that is whole":       strings.ReplaceAll(behind("[restic] "), "[restic] processed", "[restic] Processed"),
		"understood without":             good + "\n" + behind("again: "),
		"names of files":                 before(good, func(int) string { return "unchanged /srv/" }),
		"a script's own words":           "backup.sh: Fatal: no disk\n",
	} {
		t.Run(name, func(t *testing.T) {
			assert.Nil(t, hint(t, text))
		})
	}
	assert.Empty(t, shapeOf(string(bytes.Repeat([]byte("a | "), 100))), "longer than any prefix")
}

// TestStrip cuts what stands at the beginning of a line, and only there.
func TestStrip(t *testing.T) {
	want := readPassedOn(t, good, Options{})
	strip := regexp.MustCompile(`Files: +|x: `)
	assert.Equal(t, want.Processes, readPassedOn(t, before(good, func(int) string { return "x: " }), Options{Strip: strip}).Processes)
	assert.Equal(t, want.Processes, readPassedOn(t, good, Options{Strip: regexp.MustCompile(`to the repository: |unmodified`)}).Processes)
}
