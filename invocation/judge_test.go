package invocation

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restic-exporter/restic-exporter/journal"
)

// began is when the logs of these tests begin.
var began = time.Date(2026, 11, 25, 1, 30, 0, 0, time.UTC)

// entry returns an entry in the export format.
func entry(at time.Duration, fields ...string) string {
	return fmt.Sprintf("__REALTIME_TIMESTAMP=%d\n%s\n\n", began.Add(at).UnixMicro(), strings.Join(fields, "\n"))
}

// printed returns what a process of the unit printed.
func printed(at time.Duration, program string, pid int, text string) string {
	return entry(at, "MESSAGE="+text, "SYSLOG_IDENTIFIER="+program, fmt.Sprint("_PID=", pid), "_COMM="+program, "_EXE=/usr/bin/"+program,
		"_SYSTEMD_UNIT="+unit, "_SYSTEMD_INVOCATION_ID="+id1.String())
}

// The MESSAGE_IDs of what the manager says.
const (
	starting  = "7d4958e842da4a758f6c1cdc7b36dcc5"
	started   = "39f53479d3a045ac8e11786248231fbf"
	exited    = "98e322203f7a4ed290d09fe03c09fe15"
	failed    = "d9b373ed55a64feb8242e02dbe79a49c"
	succeeded = "7ad2d189f7e94e70a38c781354912448"
	consumed  = "ae8f7b866b0347b9af31fe1c80b127c0"
)

// said returns an entry of the manager about the unit.
func said(at time.Duration, messageID string, more ...string) string {
	return entry(at, append([]string{"MESSAGE=of the unit", "_PID=1", "_COMM=systemd", "UNIT=" + unit, "INVOCATION_ID=" + id1.String(),
		"MESSAGE_ID=" + messageID}, more...)...)
}

// readLog reads the run of a log.
func readLog(t *testing.T, log string, o Options) (*Run, error) {
	recording, err := journal.OpenRecording(strings.NewReader(log))
	require.NoError(t, err)
	return Read(t.Context(), recording, unit, journal.ID{}, o)
}

// TestJudge reads logs in which the manager's words alone do not say what happened.
func TestJudge(t *testing.T) {
	const second = time.Second
	lines := func(program string, pid int, text string) string {
		var b strings.Builder
		for line := range strings.Lines(text) {
			b.WriteString(printed(second, program, pid, strings.TrimSpace(line)))
		}
		return b.String()
	}
	const broken = "Files:           x new,     5 changed,   221 unmodified"
	const begun = "using parent snapshot 53f36d46"
	wrong := strings.Replace(good, begun, begun+"\n"+broken, 1)
	const forget = "keep 3 snapshots:\nID        Time                 Host        Tags        Paths"
	limited := entry(2*second, "MESSAGE=Suppressed 5 messages", "_PID=50", "_SYSTEMD_UNIT=systemd-journald.service",
		"OBJECT_SYSTEMD_UNIT="+unit, "OBJECT_SYSTEMD_INVOCATION_ID="+id1.String(), "N_DROPPED=5")
	exit := func(status string) string {
		return said(3*second, exited, "EXIT_CODE=exited", "EXIT_STATUS="+status, "COMMAND=ExecStart")
	}
	oneshot, simple := said(0, starting), said(0, started)
	ok, bad := said(4*second, succeeded), said(4*second, failed, "UNIT_RESULT=exit-code")

	type result struct {
		outcome           Outcome
		exitCode          int // -1 if unknown
		seconds           float64
		entries, unparsed uint64
	}
	for name, tt := range map[string]struct {
		log  []string
		want result
	}{
		"a backup": {[]string{oneshot, lines("restic", 7, good), ok}, result{Succeeded, -1, 4, 10, 0}},
		"stopped in its backup": {
			[]string{simple, lines("restic", 7, begun), ok}, result{Killed, -1, 4, 3, 0},
		},
		"a backup with dropped lines": {
			[]string{simple, lines("restic", 7, begun), limited, ok}, result{Succeeded, -1, 4, 4, 0},
		},
		"stopped in its forget": {
			[]string{simple, lines("restic", 7, forget), ok}, result{Killed, -1, 4, 4, 0},
		},
		"a forget with a line that is not understood": {
			[]string{simple, lines("restic", 6, good+"\n"+broken), lines("restic", 7, forget), ok}, result{Succeeded, -1, 4, 13, 2},
		},
		"the end of a forget was not understood": {
			[]string{oneshot, lines("restic", 7, forget), ok}, result{Succeeded, -1, 4, 4, 1},
		},
		"it was dropped": {
			[]string{oneshot, lines("restic", 7, forget), limited, ok}, result{Succeeded, -1, 4, 5, 0},
		},
		"a process that ended well, and one that failed": {
			[]string{oneshot, lines("restic", 7, good), exit("0"), exit("3"), bad}, result{Failed, 3, 4, 12, 0},
		},
		"what the manager says at once": {
			[]string{oneshot, lines("restic", 7, good), ok, said(5*second, consumed)}, result{Succeeded, -1, 5, 11, 0},
		},
		"what the manager says later": {
			[]string{oneshot, lines("restic", 7, good), ok, said(9*second, consumed)}, result{Succeeded, -1, 4, 10, 0},
		},
		"a second verdict": {
			[]string{oneshot, lines("restic", 7, good), ok, said(5*second, failed, "UNIT_RESULT=exit-code")},
			result{Succeeded, -1, 4, 10, 0},
		},
		"nothing ran, but ExecStopPost=": {
			[]string{oneshot, exit("203"), printed(4*second, "sh", 9, "bye"), bad}, result{NotStarted, 203, 4, 4, 0},
		},
		"a script exits as if nothing had run": {
			[]string{oneshot, printed(second, "sh", 9, "hello"), exit("203"), bad}, result{Failed, 203, 4, 4, 0},
		},
		"a line that comes later": {
			[]string{oneshot, lines("restic", 7, good), ok, printed(9*second, "sh", 9, "bye")}, result{Succeeded, -1, 4, 11, 0},
		},
		"the manager's clock went back": {
			[]string{oneshot, lines("restic", 7, good), said(-second, started), ok}, result{Succeeded, -1, 4, 11, 0},
		},
		"a line that came before": {
			[]string{printed(-second, "sh", 9, "hello"), oneshot, lines("restic", 7, good), ok}, result{Succeeded, -1, 5, 11, 0},
		},
		"this program's own words": {
			[]string{oneshot, lines("restic", 7, good), printed(2*second, "restic-exporter", 9, "restic-exporter: error: x"), ok},
			result{Succeeded, -1, 4, 10, 0},
		},
		"a wrong line that comes twice": {
			[]string{oneshot, lines("tee", 7, wrong), lines("logger", 8, wrong), ok},
			result{Succeeded, -1, 4, 20, 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			run, err := readLog(t, strings.Join(tt.log, ""), Options{})
			require.NoError(t, err)
			code := -1
			if run.ExitCode != nil {
				code = *run.ExitCode
			}
			assert.Equal(t, tt.want, result{run.Outcome, code, run.End.Sub(run.Start).Seconds(), run.Entries, run.Unparsed})
		})
	}
}

// TestStrip cuts what stands at the beginning of a line, and only there.
func TestStrip(t *testing.T) {
	want := readPassedOn(t, good, Options{})
	strip := regexp.MustCompile(`Files: +|x: `)
	assert.Equal(t, want.Processes, readPassedOn(t, before(good, func(int) string { return "x: " }), Options{Strip: strip}).Processes)
	assert.Equal(t, want.Processes, readPassedOn(t, good, Options{Strip: regexp.MustCompile(`to the repository: |unmodified`)}).Processes)
}
