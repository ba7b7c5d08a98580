package invocation

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restic-exporter/restic-exporter/internal/journaltest"
	"github.com/restic-exporter/restic-exporter/journal"
	"github.com/restic-exporter/restic-exporter/parser"
)

// A spokenLine is a line of output, and who printed it.
type spokenLine struct {
	program string
	pid     int
	text    string
}

// outputs returns what the restics of each recording printed, by its name.
func outputs(tb testing.TB) map[string][]spokenLine {
	logs := make(map[string][]spokenLine)
	for _, name := range journaltest.Recordings(tb) {
		export, err := os.ReadFile(name)
		require.NoError(tb, err)
		var log []spokenLine
		for entry := range bytes.SplitSeq(export, []byte("\n\n")) {
			fields := make(map[string]string)
			for field := range strings.SplitSeq(string(entry), "\n") {
				name, value, _ := strings.Cut(field, "=")
				fields[name] = value
			}
			pid, _ := strconv.Atoi(fields["_PID"])
			if fields["_COMM"] == "restic" && fields["MESSAGE"] != "" {
				log = append(log, spokenLine{"restic", pid, fields["MESSAGE"]})
			}
		}
		if len(log) > 0 && len(log) < 200 {
			logs[journaltest.Title(name)] = log
		}
	}
	return logs
}

// by returns the lines of a log as another program prints them.
func by(program string, pid int, log []spokenLine) []spokenLine {
	log = slices.Clone(log)
	for i := range log {
		log[i].program, log[i].pid = program, pid
	}
	return log
}

// mix returns the lines of a and b in a random order that keeps that of each. None is more
// than lag lines ahead of the other.
func mix(rng *rand.Rand, a, b []spokenLine, lag int) (mixed []spokenLine) {
	i, j := 0, 0
	for i < len(a) || j < len(b) {
		first := rng.IntN(len(a)-i+len(b)-j) < len(a)-i
		if i-j >= lag && j < len(b) {
			first = false
		} else if j-i >= lag && i < len(a) {
			first = true
		}
		if first && i < len(a) || j == len(b) {
			mixed = append(mixed, a[i])
			i++
		} else {
			mixed = append(mixed, b[j])
			j++
		}
	}
	return mixed
}

// whatRan returns the run of a log, and its processes without who, when and where.
func whatRan(log []spokenLine) (*Run, []parser.Process) {
	var lines collector
	for i, l := range log {
		lines.add(journal.Entry{
			Kind: journal.Output, Time: began.Add(time.Duration(i) * time.Microsecond), Identifier: l.program, PID: l.pid,
			Comm: l.program, Exe: "/usr/bin/" + l.program, Message: []byte(l.text),
		})
	}
	run := &Run{Outcome: Failed, Processes: join(believed(lines.Processes(), lines.known, lines.relayed))}
	var processes []parser.Process
	for _, p := range run.Processes {
		p.Source, p.PID, p.Start, p.End = "", 0, time.Time{}, time.Time{}
		if p.Backup != nil {
			b := *p.Backup
			b.Saved = time.Time{}
			p.Backup = &b
		}
		if p.Forget != nil {
			f := *p.Forget
			f.End = time.Time{}
			p.Forget = &f
		}
		processes = append(processes, p)
	}
	return run, processes
}

// sorted returns the processes in an order that does not depend on when they began.
func sorted(processes []parser.Process) []parser.Process {
	key := func(p parser.Process) string {
		text := fmt.Sprint(p.Command, p.Done, p.Unfinished, p.DryRun, p.Incomplete, p.Unreadable, p.Errors, p.Retries, p.Fatal)
		if p.Backup != nil {
			text += fmt.Sprint(p.Backup.Snapshot, p.Backup.Files, p.Backup.ProcessedBytes)
		}
		return text
	}
	slices.SortStableFunc(processes, func(a, b parser.Process) int { return cmp.Compare(key(a), key(b)) })
	return processes
}

// isComplaint reports whether a backup prints a line to standard error.
func isComplaint(l spokenLine) bool {
	return strings.HasPrefix(l.text, "error: ") || strings.HasPrefix(l.text, "Warning: ") ||
		strings.HasSuffix(l.text, " does not exist, skipping")
}

// FuzzPassedOn: the same processes ran, whether the lines of restics come interleaved with
// those of others, by two ways, twice, followed by foreign lines, or standard error by
// another way than standard output.
func FuzzPassedOn(f *testing.F) {
	logs := outputs(f)
	maps.DeleteFunc(logs, func(name string, _ []spokenLine) bool { return strings.HasSuffix(name, "/hostile-names") })
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
		if strings.ContainsAny(foreign, "\n\r\x1b") {
			t.Skip("several lines, or codes")
		}
		one, two := names[i%uint(len(names))], names[j%uint(len(names))]
		log, other := logs[one], logs[two]
		rng := rand.New(rand.NewPCG(seed, 0))
		words := []spokenLine{{"bash", 9, foreign}, {"python3", 8, foreign}, {"find", 7, foreign}, {"bash", 9, foreign}}
		if _, p := whatRan(words[:2]); len(p) > 0 {
			t.Skip("not foreign")
		}

		_, alone := whatRan(log)
		_, others := whatRan(other)
		both := mix(rng, log, by("restic", 6, other), 1<<30)
		if one != two && !slices.ContainsFunc(other, func(l spokenLine) bool { return l.pid != other[0].pid }) {
			_, got := whatRan(mix(rng, both, words, 1<<30))
			assert.Equal(t, sorted(slices.Concat(alone, others)), sorted(got), "%s, interleaved with %s", one, two)
		}

		tee := by("tee", 5, log)
		run, want := whatRan(tee)
		_, got := whatRan(mix(rng, tee, by("logger", 4, log), 1+rng.IntN(4)))
		assert.Equal(t, want, got, "%s, by two ways", one)

		var doubled []spokenLine
		for _, l := range tee {
			doubled = append(doubled, l, l)
		}
		_, got = whatRan(doubled)
		assert.Equal(t, want, got, "%s, doubled", one)

		_, got = whatRan(slices.Concat(mix(rng, tee, words, 1<<30), words))
		assert.Equal(t, want, got, "%s, between and before %q", one, foreign)

		if n := slices.IndexFunc(log, isComplaint); n >= 0 && len(want) == 1 && want[0].Backup != nil {
			apart := slices.Clone(log)
			for i := range apart {
				if !isComplaint(apart[i]) {
					apart[i] = tee[i]
				}
			}
			gotRun, got := whatRan(apart)
			require.Len(t, got, 1, one)
			assert.Equal(t, []any{run.Status(), want[0].Backup}, []any{gotRun.Status(), got[0].Backup}, "%s, standard error apart", one)
		}
	})
}
