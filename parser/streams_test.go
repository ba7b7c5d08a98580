package parser_test

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restic-exporter/restic-exporter/internal/journaltest"
	"github.com/restic-exporter/restic-exporter/parser"
)

// outputs returns what the processes of each recording printed, by its name.
func outputs(tb testing.TB) map[string][]string {
	tb.Helper()
	logs := make(map[string][]string)
	for _, name := range journaltest.Recordings(tb) {
		export, err := os.ReadFile(name)
		require.NoError(tb, err)
		var log []string
		for entry := range bytes.SplitSeq(export, []byte("\n\n")) {
			text := messageField.FindSubmatch(entry)
			if text != nil && bytes.Contains(entry, []byte("_TRANSPORT=stdout")) {
				log = append(log, string(text[1]))
			}
		}
		logs[journaltest.Title(name)] = log
	}
	return logs
}

var messageField = regexp.MustCompile(`(?m)^MESSAGE=(.*)$`)

// stream gives each line a time of its own, a millisecond after the one before.
func stream(source string, log []string) []parser.Line {
	lines := make([]parser.Line, len(log))
	for i, text := range log {
		lines[i] = parser.Line{Source: source, Time: time.UnixMilli(int64(i)), Text: []byte(text)}
	}
	return lines
}

// undate clears when a forget ended: at the last line of its process, whatever that is.
func undate(f *parser.Forget) {
	if f != nil {
		f.End = time.Time{}
	}
}

// said returns the processes of stream "a", but for when they said it.
func said(lines []parser.Line) (processes []parser.Process) {
	for _, p := range runs(lines) {
		p.Start, p.End = time.Time{}, time.Time{}
		if p.Backup != nil {
			p.Backup.Saved = time.Time{}
		}
		undate(p.Forget)
		if p.Source == "a" {
			processes = append(processes, p)
		}
	}
	return processes
}

// TestStreamOfProcesses: in a process that other programs share, each backup counts, a line
// that comes twice at once counts once, and what a terminal overwrites does not count.
func TestStreamOfProcesses(t *testing.T) {
	times := func(pid int, at map[time.Duration]string) (commands []parser.Command) {
		var lines []parser.Line
		for _, after := range slices.Sorted(maps.Keys(at)) {
			for text := range strings.Lines(at[after]) {
				lines = append(lines, parser.Line{PID: pid, Time: time.Unix(10, 0).Add(after), Text: []byte(text)})
			}
		}
		for _, p := range runs(lines) {
			commands = append(commands, p.Command)
		}
		return commands
	}
	const locked = "Fatal: unable to create lock in backend: repository is already locked\n"
	backup := parser.CommandBackup
	two := map[time.Duration]string{0: "a script\n", 1: smallText, 2: other}
	assert.Equal(t, []parser.Command{backup, backup}, times(7, two), "one PID")
	assert.Equal(t, []parser.Command{""}, times(0, map[time.Duration]string{0: locked, time.Second: locked}), "said twice")
	assert.Equal(t, []parser.Command{"", ""}, times(0, map[time.Duration]string{0: locked, 2 * time.Second: locked}), "two that wait")
	assert.Equal(t, []parser.Command{""}, times(0, map[time.Duration]string{0: "[0:00] 1 / 2 packs\r" + locked}), "overwritten")

	assert.Equal(t, []parser.Command{backup, backup}, times(0, map[time.Duration]string{
		0: "using parent snapshot 298b4840\nusing parent snapshot 398b4840\n" + smallText}), "two parents")

	damaged, err := parser.Parse(bytes.Lines([]byte("load indexes\nerror: a\nerror: b\nFatal: repository contains errors\n")))
	require.NoError(t, err)
	require.Len(t, damaged, 1)
	assert.Equal(t, &parser.Check{Errors: 2}, damaged[0].Check)

	retry := "Save(<data/0123456789>) returned error, retrying after 1.5s: server response unexpected: 500\n"
	assert.Equal(t, []parser.Command{backup}, times(7, map[time.Duration]string{0: retry, time.Second: smallText}), "whole seconds")
}

// other is the summary of another backup than smallText.
var other = strings.ReplaceAll(smallText, "298b4840", "398b4840")

// unended are recordings in which restic does not come to an end of its own, or does
// not say so, as a restore up to 0.16 without --verify: what follows in a stream may be its.
var unended = regexp.MustCompile(`/(killed|sigkill|quiet-run)$|^0\.11\.0/restore-fails$`)

// A stream in which each line stands twice, which foreign lines follow, which comes
// interleaved with another, or after another, holds the same processes.
func FuzzStream(f *testing.F) {
	logs := outputs(f)
	maps.DeleteFunc(logs, func(name string, _ []string) bool { return strings.HasSuffix(name, "/hostile-names") })
	names := slices.Sorted(maps.Keys(logs))
	foreign := []string{
		"2026/11/25 10:00:00 ERROR backup on profile 'default': exit status 3: permission denied",
		"Nov 25 10:00:00 host backup[7]: done: No such file or directory",
		"umount: /mnt: device or resource busy",
		"/var/backups/db: 1 / 2 packs",
	}
	for i := range names {
		f.Add(uint(i), uint(i*7+3), uint64(i), foreign[i%len(foreign)])
	}
	f.Fuzz(func(t *testing.T, i, j uint, seed uint64, foreign string) {
		one, two := names[i%uint(len(names))], names[j%uint(len(names))]
		log, other := logs[one], logs[two]
		want := said(stream("a", log))

		var doubled []string
		for _, text := range log {
			doubled = append(doubled, text, text)
		}
		assert.Equal(t, want, said(stream("a", doubled)), "%s, doubled", one)

		if !strings.ContainsAny(foreign, "\n\r\x1b") && len(said(stream("a", []string{foreign}))) == 0 {
			assert.Equal(t, want, said(stream("a", append(slices.Clone(log), foreign, foreign))), "%s, followed by %q", one, foreign)
		}

		rng := rand.New(rand.NewPCG(seed, 0))
		a, b := stream("a", log), stream("b", other)
		var mixed []parser.Line
		for len(a)+len(b) > 0 {
			if rng.IntN(len(a)+len(b)) < len(a) {
				mixed, a = append(mixed, a[0]), a[1:]
			} else {
				mixed, b = append(mixed, b[0]), b[1:]
			}
		}
		assert.Equal(t, want, said(mixed), "%s, interleaved with %s", one, two)

		release, _, _ := strings.Cut(one, "/")
		if one != two && strings.HasPrefix(two, release+"/") && !unended.MatchString(one) {
			want := slices.Concat(want, said(stream("a", other)))
			assert.Equal(t, want, said(stream("a", slices.Concat(log, other))), "%s, then %s", one, two)
		}
	})
}
