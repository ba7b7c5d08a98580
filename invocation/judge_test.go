package invocation

import (
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restic-exporter/restic-exporter/journal"
	"github.com/restic-exporter/restic-exporter/parser"
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
	stopping  = "de5b426a63be47a7b6ac3eaac82e2f6f"
	reloading = "d34d037fff1847e6ae669a370e694725"
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
	signal := func(at time.Duration, name string) string {
		return entry(at, "MESSAGE="+unit+": Sent signal SIG"+name+" to main process 7 (sh) on client request.", "_PID=1", "UNIT="+unit,
			"INVOCATION_ID="+id1.String())
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
		"stopped after a reload that failed": {
			[]string{simple, lines("restic", 7, good), said(2*second, reloading), said(2*second, exited, "EXIT_CODE=exited",
				"EXIT_STATUS=1", "COMMAND=ExecReload"), said(3*second, stopping), ok}, result{Killed, -1, 4, 13, 0},
		},
		"it fails later, after a reload that failed": {
			[]string{simple, said(second, exited, "EXIT_CODE=exited", "EXIT_STATUS=1", "COMMAND=ExecReload"), exit("7"), bad},
			result{Failed, 7, 4, 4, 0},
		},
		"somebody has its main process killed": {[]string{simple, signal(2*second, "TERM"), ok}, result{Killed, -1, 4, 3, 0}},
		"after its backup": {
			[]string{simple, lines("restic", 7, good), signal(2*second, "TERM"), ok}, result{Killed, -1, 4, 11, 0},
		},
		"it survives that": {
			[]string{simple, signal(0, "TERM"), lines("restic", 7, good), ok}, result{Succeeded, -1, 4, 11, 0},
		},
		"somebody asks restic how far it is": {[]string{simple, signal(2*second, "USR1"), ok}, result{Succeeded, -1, 4, 3, 0}},
		"a restic that says that it was killed": {
			[]string{simple, lines("restic", 7, begun+"\nsignal terminated received, cleaning up\nFatal: context canceled"), ok},
			result{Killed, -1, 4, 5, 0},
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

// TestGoesOn: what a handler is told is about the run before, or about a job that timed out, as long as the run goes on.
func TestGoesOn(t *testing.T) {
	ended := exec.Command("true")
	require.NoError(t, ended.Run())
	boot, err := journal.Boot()
	require.NoError(t, err)
	cut := parser.Process{Command: parser.CommandBackup}
	for name, tt := range map[string]struct {
		manager int
		event   journal.Event
		told    told
		last    parser.Process
		want    Outcome // "" if it goes on
	}{
		"nothing is told":               {1, journal.EventStarting, none, cut, ""},
		"success is told":               {1, journal.EventStarting, told{result: journal.Success}, cut, ""},
		"a failure is told":             {1, journal.EventStarting, told{result: journal.Timeout}, cut, TimedOut},
		"a manager that is gone":        {ended.Process.Pid, journal.EventStarting, none, cut, Killed},
		"of Type=simple":                {ended.Process.Pid, journal.EventStarted, none, cut, Killed},
		"of Type=simple, after the end": {ended.Process.Pid, journal.EventStarted, none, parser.Process{Done: true}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var v verdict
			v.add(journal.Entry{Kind: journal.Manager, Event: tt.event, PID: tt.manager, Boot: boot})
			r := Run{Processes: []parser.Process{tt.last}}
			err := r.judge(&v, tt.told, true)
			assert.Equal(t, []any{tt.want, tt.want == ""}, []any{r.Outcome, errors.Is(err, ErrRunning)})
		})
	}
}
