package invocation

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	_ "github.com/restic-exporter/restic-exporter/internal/golden" // go test ./... -update
	"github.com/restic-exporter/restic-exporter/journal"
	"github.com/restic-exporter/restic-exporter/parser"
)

func TestVerdict(t *testing.T) {
	boot := journal.ID{7}
	exit := func(command string, n int) *journal.Exit { return &journal.Exit{Command: command, Status: n} }
	at := time.Unix(1_700_000_000, 0)
	timedOut := journal.Entry{Kind: journal.Manager, Event: journal.EventStartFailed, JobResult: "timeout", Time: at}
	tests := map[string]struct {
		entries []journal.Entry
		want    verdict // without what processes said
	}{
		"none yet": {
			[]journal.Entry{{Kind: journal.Manager, Event: journal.EventStarting}, {Kind: journal.Output}},
			verdict{entries: 1, begun: true, starting: true, lineSince: true},
		},
		"success": {
			[]journal.Entry{{Kind: journal.Manager, Result: journal.Success, Boot: boot}},
			verdict{result: journal.Success, entries: 1, boot: boot},
		},
		"failure": {
			[]journal.Entry{{Kind: journal.Manager, Exit: exit("ExecStart", 3)}, {Kind: journal.Manager, Result: journal.ExitCode}},
			verdict{result: journal.ExitCode, exit: exit("ExecStart", 3), entries: 2},
		},
		"the first that fell": {
			[]journal.Entry{{Kind: journal.Manager, Exit: exit("ExecStart", 3)}, {Kind: journal.Manager, Exit: exit("ExecStopPost", 1)}},
			verdict{exit: exit("ExecStart", 3), entries: 2},
		},
		"failure stays": {
			[]journal.Entry{{Kind: journal.Manager, Result: journal.Timeout}, {Kind: journal.Manager, Result: journal.Success}},
			verdict{result: journal.Timeout, entries: 1},
		},
		"output has none": {
			[]journal.Entry{{Kind: journal.Output, Result: journal.Success, Exit: exit("", 1)}},
			verdict{begun: true, lineSince: true},
		},
		"a job that waited in vain": {[]journal.Entry{timedOut}, verdict{refused: at}},
		"a job that took too long": {
			[]journal.Entry{{Kind: journal.Manager, Event: journal.EventStarting}, timedOut},
			verdict{entries: 2, begun: true, starting: true},
		},
		"stopped, and failed by that": {
			[]journal.Entry{{Kind: journal.Manager, Event: journal.EventStopping}, {Kind: journal.Manager, Exit: exit("ExecStart", 1)}},
			verdict{exit: exit("ExecStart", 1), entries: 2, stopping: true},
		},
		"stopped when it had failed": {
			[]journal.Entry{{Kind: journal.Manager, Exit: exit("ExecStart", 1)}, {Kind: journal.Manager, Event: journal.EventStopping}},
			verdict{exit: exit("ExecStart", 1), entries: 2},
		},
		"stopped after a reload that failed, in a text log": {
			[]journal.Entry{
				{Kind: journal.Manager, Event: journal.EventReloading}, {Kind: journal.Manager, Exit: exit("", 1)},
				{Kind: journal.Manager, Event: journal.EventReloaded}, {Kind: journal.Manager, Event: journal.EventStopping},
			},
			verdict{entries: 4, stopping: true},
		},
		"failed while it was reloaded": {
			[]journal.Entry{{Kind: journal.Manager, Event: journal.EventReloading}, {Kind: journal.Manager, Exit: exit("ExecStart", 3)}},
			verdict{exit: exit("ExecStart", 3), entries: 2, reloading: true},
		},
		"a oneshot that was stopped": {
			[]journal.Entry{{Kind: journal.Manager, Result: journal.Success}, {Kind: journal.Manager, Event: journal.EventStopped}},
			verdict{result: journal.Success, entries: 1, stopped: true},
		},
		"stopped to be tried again": {
			[]journal.Entry{
				{Kind: journal.Manager, Result: journal.ExitCode}, {Kind: journal.Manager, Event: journal.EventRestarting},
				{Kind: journal.Manager, Event: journal.EventStopped},
			},
			verdict{result: journal.ExitCode, entries: 1, restarting: true},
		},
		"the last word about a oneshot unit, before systemd 246": {
			[]journal.Entry{
				{Kind: journal.Manager, Event: journal.EventStarting}, {Kind: journal.Output},
				{Kind: journal.Manager, Event: journal.EventStarted, Message: []byte("Started Run backup.")},
			},
			verdict{entries: 2, begun: true, starting: true, started: true, simple: true, ran: true},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var got verdict
			for _, e := range tt.entries {
				got.add(e)
			}
			got.spoke, got.start = firstWords{}, journal.Start{}
			assert.Equal(t, tt.want, got)
		})
	}
}

// TestStop: if ExecStop= makes the backup, as at shutdown, that is the run. If it only tidies up, it is not.
func TestStop(t *testing.T) {
	start := time.Unix(1_700_000_000, 0)
	at := func(s int) time.Time { return start.Add(time.Duration(s) * time.Second) }
	var entries []journal.Entry
	for _, e := range []journal.Entry{
		{Event: journal.EventStarting, Time: at(0)},
		{Event: journal.EventStarted, Result: journal.Success, Time: at(10)},
		{Event: journal.EventStopping, Time: at(100)},
		{Event: journal.EventExited, Exit: &journal.Exit{Command: "ExecStop", Status: 1}, Time: at(105)},
		{Event: journal.EventFailed, Result: journal.ExitCode, Time: at(106)},
	} {
		e.Kind = journal.Manager
		entries = append(entries, e)
	}
	backup := parser.Process{Command: parser.CommandBackup, Start: at(5), End: at(9), Done: true}
	for name, tt := range map[string]struct {
		last parser.Process
		want Outcome
		end  time.Time
	}{
		"tidies up":     {parser.Process{Start: at(101), End: at(102)}, Succeeded, at(10)},
		"cannot do so":  {parser.Process{Fatal: "Fatal: x", Start: at(101), End: at(102)}, Failed, at(106)},
		"makes another": {parser.Process{Command: parser.CommandBackup, Start: at(101), End: at(102)}, Failed, at(106)},
	} {
		t.Run(name, func(t *testing.T) {
			var v verdict
			for _, e := range entries {
				v.add(e)
			}
			r := Run{Start: start, End: at(10), Processes: []parser.Process{backup, tt.last}}
			assert.NoError(t, r.judge(&v, none, false))
			assert.Equal(t, []any{tt.want, tt.end}, []any{r.Outcome, r.End})
		})
	}
}
