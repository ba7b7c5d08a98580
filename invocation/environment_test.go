package invocation

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/restic-exporter/restic-exporter/journal"
)

const unit = "restic-backup.service"

var id1, id2 = journal.ID{1}, journal.ID{2}

func TestEnvironment(t *testing.T) {
	const (
		inside   = "0::/system.slice/restic-backup.service\n"
		instance = "0::/system.slice/system-restic.slice/restic@a.service\n"
		hybrid   = "12:cpu:/system.slice\n1:name=systemd:/system.slice/restic-backup.service\n0::/\n"
		users    = "0::/user.slice/user-1000.slice/user@1000.service/app.slice/restic-backup.service\n"
	)
	tests := map[string]struct {
		unit   string
		user   bool
		cgroup string
		env    map[string]string
		want   told
	}{
		"ExecStartPost": {
			unit, false, inside, map[string]string{"INVOCATION_ID": id1.String()}, told{id: id1, inside: true},
		},
		"ExecStartPost, while the main process runs": {
			unit, false, inside, map[string]string{"INVOCATION_ID": id1.String(), "MAINPID": "7"},
			told{id: id1, inside: true, running: true},
		},
		"ExecStopPost, good": {
			unit, false, inside, map[string]string{
				"INVOCATION_ID": id1.String(), "SERVICE_RESULT": "success", "EXIT_CODE": "exited", "EXIT_STATUS": "0",
			}, told{id: id1, inside: true, result: journal.Success, exit: &journal.Exit{}},
		},
		"ExecStopPost, killed": {
			unit, false, inside, map[string]string{
				"INVOCATION_ID": id1.String(), "SERVICE_RESULT": "signal", "EXIT_CODE": "killed", "EXIT_STATUS": "KILL",
			}, told{id: id1, inside: true, result: journal.Signal, exit: &journal.Exit{Status: 137}, killed: true},
		},
		"ExecStopPost, unknown": {
			unit, false, inside, map[string]string{"INVOCATION_ID": id1.String(), "SERVICE_RESULT": "timeout"},
			told{id: id1, inside: true, result: journal.Timeout},
		},
		"OnFailure": {
			unit, false, "0::/system.slice/handler.service\n",
			map[string]string{
				"MONITOR_UNIT": unit, "MONITOR_INVOCATION_ID": id1.String(), "MONITOR_SERVICE_RESULT": "exit-code",
				"MONITOR_EXIT_CODE": "exited", "MONITOR_EXIT_STATUS": "1", "INVOCATION_ID": id2.String(),
			}, told{id: id1, result: journal.ExitCode, exit: &journal.Exit{Status: 1}},
		},
		"OnFailure of another": {
			unit, false, "0::/system.slice/handler.service\n", map[string]string{
				"MONITOR_UNIT": "other.service", "MONITOR_INVOCATION_ID": id1.String(), "INVOCATION_ID": id2.String(),
			}, none,
		},
		"a handler without ID": {
			unit, false, "0::/system.slice/handler.service\n", map[string]string{"INVOCATION_ID": id2.String()}, none,
		},
		"a shell": {
			unit, false, "0::/user.slice/user-0.slice/session-1.scope\n", map[string]string{"INVOCATION_ID": id2.String()}, none,
		},
		"a name as a beginning": {
			unit, false, "0::/system.slice/restic-backup.service.x\n", map[string]string{"INVOCATION_ID": id1.String()}, none,
		},
		"instance": {
			"restic@a.service", false, instance, map[string]string{"INVOCATION_ID": id1.String()}, told{id: id1, inside: true},
		},
		"hybrid hierarchy": {
			unit, false, hybrid, map[string]string{"INVOCATION_ID": id1.String()}, told{id: id1, inside: true},
		},
		"user's": {
			unit, true, users, map[string]string{"INVOCATION_ID": id1.String()}, told{id: id1, inside: true},
		},
		"user's, the system's": {unit, false, users, map[string]string{"INVOCATION_ID": id1.String()}, none},
		"system's, the user's": {unit, true, inside, map[string]string{"INVOCATION_ID": id1.String()}, none},
		"an ID that is none":   {unit, false, inside, map[string]string{"INVOCATION_ID": "; rm -rf /"}, none},
		"a signal that is none": {
			unit, false, inside, map[string]string{"INVOCATION_ID": id1.String(), "SERVICE_RESULT": "signal", "EXIT_STATUS": "NONSENSE"},
			told{id: id1, inside: true, result: journal.Signal},
		},
		"a status below 0": {
			unit, false, inside, map[string]string{
				"INVOCATION_ID": id1.String(), "SERVICE_RESULT": "exit-code", "EXIT_CODE": "exited", "EXIT_STATUS": "-1",
			}, told{id: id1, inside: true, result: journal.ExitCode},
		},
		"a status too large": {
			unit, false, inside, map[string]string{
				"INVOCATION_ID": id1.String(), "SERVICE_RESULT": "exit-code", "EXIT_CODE": "exited", "EXIT_STATUS": "256",
			}, told{id: id1, inside: true, result: journal.ExitCode},
		},
		"a status of digits": {
			unit, false, inside, map[string]string{
				"INVOCATION_ID": id1.String(), "SERVICE_RESULT": "exit-code", "EXIT_STATUS": strings.Repeat("9", 99),
			}, told{id: id1, inside: true, result: journal.ExitCode},
		},
		"a unit that is none": {
			unit, false, "0::/system.slice/handler.service\n",
			map[string]string{"MONITOR_UNIT": unit + "\n", "MONITOR_INVOCATION_ID": id1.String()}, none,
		},
		"a handler's ID of none": {
			unit, false, "0::/system.slice/handler.service\n",
			map[string]string{"MONITOR_UNIT": unit, "MONITOR_INVOCATION_ID": "\xff", "INVOCATION_ID": id2.String()}, none,
		},
		"a name as one of the kernel's": {
			"io.service", false, "0::/system.slice/_io.service\n", map[string]string{"INVOCATION_ID": id1.String()},
			told{id: id1, inside: true},
		},
		"a name with an underscore": {
			"_io.service", false, "0::/system.slice/__io.service\n", map[string]string{"INVOCATION_ID": id1.String()},
			told{id: id1, inside: true},
		},
		"a name that is another's escaped": {
			"_io.service", false, "0::/system.slice/_io.service\n", map[string]string{"INVOCATION_ID": id1.String()}, none,
		},
		"a unit that claims to be a handler": {
			unit, false, inside, map[string]string{
				"INVOCATION_ID": id1.String(), "SERVICE_RESULT": "exit-code", "MONITOR_UNIT": unit, "MONITOR_INVOCATION_ID": id2.String(),
				"MONITOR_SERVICE_RESULT": "success",
			}, told{id: id1, inside: true, result: journal.ExitCode},
		},
		"no control group":       {unit, false, "", map[string]string{"INVOCATION_ID": id1.String()}, none},
		"a broken control group": {unit, false, "::\n:\n0\n\xff", map[string]string{"INVOCATION_ID": id1.String()}, none},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := environmentIn([]byte(tt.cgroup), tt.unit, tt.user, func(name string) string { return tt.env[name] })
			assert.Equal(t, tt.want, got)
		})
	}
}
