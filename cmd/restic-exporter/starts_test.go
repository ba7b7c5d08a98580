package main

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restic-exporter/restic-exporter/internal/golden"
	"github.com/restic-exporter/restic-exporter/internal/machine"
	"github.com/restic-exporter/restic-exporter/internal/metrictest"
	"github.com/restic-exporter/restic-exporter/internal/testenv"
)

// A situation is a unit that has run well once, and what happens to it then.
//
// In its strings NAME is the unit's name without ".service", FLAGS a directory of its own for
// files that make it fail, BIN the directory with its script; ctl is systemctl of its manager.
type situation struct {
	unit, service string // lines of these sections
	script        string // what the unit runs; by default a backup
	typ           string // Type=, by default oneshot
	timer         bool   // an active timer keeps the unit loaded, and with it the ID of the last run
	fresh         bool   // without the good run before
	do            string // what happens; by default the unit is started
	want          series
	callers       string // who is called of "inside handler both"; others are called in any case
	retries       bool   // several runs fail, and not everyone hears of each
	user          bool   // the same as a unit of a user's manager, too
	usersOnly     bool   // only that
	silent        bool   // a user's manager says nothing of this end, so a recording does not have it
	alone         bool   // it changes what others meet
	live          bool   // a recording of the unit lacks what tells it
}

type series = map[string]float64

func runFailed(reason string) series {
	return series{
		"restic_run_status{status=success}": 0, "restic_run_status{status=partial}": 0, "restic_run_status{status=failed}": 1,
		"restic_run_failure_reason{reason=" + reason + "}": 1, "restic_backup_failure{}": 1, failures: 1,
	}
}

func with(s series, name string, value float64) series {
	s = maps.Clone(s)
	s[name] = value
	return s
}

var runSucceeded = series{
	"restic_run_status{status=success}": 1, "restic_run_status{status=partial}": 0, "restic_run_status{status=failed}": 0,
	"restic_backup_failure{}": 0, failures: 0, code: 0,
}

// refused is a start without a run.
var refused = with(with(runFailed("not_started"), code, none), "restic_exporter_log_entries{}", none)

// unreadable is a call that leaves nothing but a note that it failed.
var unreadable = series{"restic_exporter_failed{}": 1}

const (
	none          = -1 // there is no such series
	wrongPassword = -2 // restic says 1, and from 0.17 on 12
)

const (
	code        = "restic_run_exit_code{}"
	failures    = "restic_run_consecutive_failures{}"
	lastSuccess = "restic_run_last_success_timestamp_seconds{}"
)

// begun starts the unit and waits until its script waits.
const begun = `touch FLAGS/hang; ctl start --no-block NAME; until test -e FLAGS/begun; do sleep 0.05; done; rm FLAGS/hang
`

// active does that with a unit that counts as started while it runs.
const active = begun + `until ctl is-active --quiet NAME; do sleep 0.05; done
`

// ended waits until the unit has ended.
const ended = "until ctl show -P ActiveState,SubState NAME | grep -qE 'inactive|exited|failed'; do sleep 0.1; done"

// held is the beginning of a script that can be made to wait, and goes on as soon as it may.
const held = "test ! -e FLAGS/hang || { touch FLAGS/begun; until test -e FLAGS/go; do sleep 0.1; done; }\n"

// outOfMemory marks the unit's control group as systemd-oomd does before it kills a process there.
const outOfMemory = `perl -e '$n = qx(uname -m) =~ /aarch64/ ? 5 : 188; # setxattr
	for (qw(ooms kill)) { $a = "user.oomd_$_"; $v = "1"; syscall($n, $ARGV[0], $a, $v, 1, 0) and die "$a: $!" }
	' /sys/fs/cgroup"$(ctl show -P ControlGroup NAME)"
`

// atStop are lines of a unit that does its work when it is stopped.
const atStop = "RemainAfterExit=yes\nExecStart=\nExecStart=/bin/true\nExecStop=BIN/restic-backup.sh"

// tooOften lets a unit with Restart= fail until that is refused.
const tooOften = "ctl reset-failed NAME; " +
	"touch FLAGS/fail; ctl start NAME; until journal | grep -q 'repeated too quickly'; do sleep 0.1; done; rm FLAGS/fail"

// failing starts the unit while the file FLAGS/WHAT makes it fail.
func failing(what string) string { return "touch FLAGS/" + what + "; ctl start NAME; rm FLAGS/" + what }

// without starts the unit while a file is away.
func without(path string) string {
	return "mv " + path + " " + path + ".away; ctl start NAME; mv " + path + ".away " + path
}

var situations = map[string]situation{
	"dependency": {unit: "Requires=dep@NAME.service\nAfter=dep@NAME.service", do: failing("dep"), user: true,
		want: refused, callers: "handler both"},
	"dependency, loaded": {unit: "Requires=dep@NAME.service\nAfter=dep@NAME.service", timer: true, do: failing("dep"), user: true,
		want: refused, callers: "handler both"},
	"dependency, never ran": {unit: "Requires=dep@NAME.service\nAfter=dep@NAME.service", fresh: true, do: failing("dep"), user: true,
		want: refused, callers: "handler both"},
	"assertion": {unit: "AssertPathExists=!FLAGS/nope", do: failing("nope"), want: refused},
	"assertion, loaded": {unit: "AssertPathExists=!FLAGS/nope", timer: true, do: failing("nope"),
		want: refused},
	"condition": {unit: "ConditionPathExists=!FLAGS/nope", do: failing("nope"), want: runSucceeded},
	"condition, loaded": {unit: "ConditionPathExists=!FLAGS/nope", timer: true, do: failing("nope"), user: true,
		want: runSucceeded},
	"exec condition": {service: "ExecCondition=/bin/sh -c 'test ! -e FLAGS/nope'", do: failing("nope"), user: true,
		want: runSucceeded, callers: "inside both"},
	"exec condition, not executable": {service: "ExecCondition=BIN/program", do: without("BIN/program"), user: true,
		want: with(runFailed("not_started"), code, none), callers: "inside both"},
	"exec condition, second not executable": {service: "ExecCondition=/bin/echo yes\nExecCondition=BIN/program", do: without("BIN/program"),
		want: with(runFailed("not_started"), code, none), callers: "inside both"},
	// When journald comes to it, the process is gone, and nothing says whose it was.
	"exec condition, not executable, journald late": {service: "ExecCondition=BIN/program",
		do: "ctl kill --kill-whom=main --signal=STOP systemd-journald; mv BIN/program BIN/away; ctl start --no-block NAME; " +
			"for i in $(seq 300); do test $(ctl show -P SubState NAME) = stop-post && break; sleep 0.05; done; " +
			"ctl kill --kill-whom=main --signal=CONT systemd-journald; " + ended + "; mv BIN/away BIN/program",
		want: with(runFailed("not_started"), code, none), callers: "inside both", alone: true, live: true},
	"exec condition, 255": {service: "ExecCondition=/bin/sh -c 'test ! -e FLAGS/nope || exit 255'", do: failing("nope"),
		want: with(runFailed("other"), code, 255), callers: "inside handler both"},
	"start limit": {unit: "StartLimitBurst=1\nStartLimitIntervalSec=1h", timer: true, user: true,
		want:    refused,
		callers: "handler both"},
	"restart limit": {unit: "StartLimitBurst=3\nStartLimitIntervalSec=1h", service: "Restart=on-failure\nRestartSec=100ms", timer: true,
		do:   tooOften,
		want: with(runFailed("password"), code, wrongPassword), callers: "inside handler both", retries: true},
	"restart limit, and a start": {unit: "StartLimitBurst=2\nStartLimitIntervalSec=1h", timer: true,
		service: "Restart=on-failure\nRestartSec=100ms", do: tooOften + "; sleep 3; ctl start NAME",
		want: refused, retries: true},
	"restart, good": {service: "Restart=on-failure\nRestartSec=1s",
		do:   "touch FLAGS/fail; ctl start NAME; rm FLAGS/fail; until journal | grep -c 'snapshot.*saved' | grep -q 2; do sleep 0.1; done",
		want: runSucceeded, callers: "inside"},
	"job timeout": {unit: "Wants=slow@NAME.service\nAfter=slow@NAME.service\nJobTimeoutSec=2", do: failing("slow"), fresh: true,
		want: refused, callers: "handler both"},
	"job timeout, loaded": {unit: "Wants=slow@NAME.service\nAfter=slow@NAME.service\nJobTimeoutSec=8", do: failing("slow"), timer: true,
		script: "true",
		want:   refused, callers: "handler both"},
	"mount": {unit: "RequiresMountsFor=/mnt/NAME", timer: true,
		do:   "ctl stop mnt-NAME.mount; rmdir FLAGS/device; touch FLAGS/device; ctl start NAME",
		want: refused, callers: "handler both"},
	"sandbox": {service: "ReadWritePaths=FLAGS/writable", do: without("FLAGS/writable"),
		want: with(runFailed("not_started"), code, 226), callers: "handler both"},
	"working directory": {service: "WorkingDirectory=FLAGS/writable", do: without("FLAGS/writable"),
		want: with(runFailed("not_started"), code, 200), callers: "handler both"},
	"program": {do: without("BIN/restic-backup.sh"), user: true,
		want: with(runFailed("not_started"), code, 203), callers: "inside handler both"},
	"program of ExecStartPre": {service: "ExecStartPre=BIN/program", do: without("BIN/program"),
		want: with(runFailed("not_started"), code, 203), callers: "inside handler both"},
	"ExecStartPre": {service: "ExecStartPre=/bin/sh -c 'test ! -e FLAGS/nope || exit 5'", do: failing("nope"),
		want: with(runFailed("other"), code, 5), callers: "inside handler both"},
	"ExecStartPre with output": {service: "ExecStartPre=/bin/sh -c 'echo pre; test ! -e FLAGS/nope || exit 226'", do: failing("nope"),
		want: with(runFailed("other"), code, 226), callers: "inside handler both"},
	"ExecStartPost": {service: "ExecStartPost=/bin/sh -c 'test ! -e FLAGS/nope || exit 5'", do: failing("nope"),
		want: with(runFailed("other"), code, 5), callers: "inside handler both"},
	"runtime directory": {service: "RuntimeDirectory=NAME", do: "touch /run/NAME; ctl start NAME; rm /run/NAME",
		want: with(runFailed("not_started"), code, 233), callers: "handler both"},
	"standard output": {service: "StandardOutput=append:FLAGS/writable/out", do: without("FLAGS/writable"), script: "true",
		want: with(runFailed("not_started"), code, 209), callers: "handler both"},
	"standard input": {service: "StandardInput=file:FLAGS/writable/credential", do: without("FLAGS/writable"),
		want: with(runFailed("not_started"), code, 208), callers: "handler both"},
	"standard error": {service: "StandardError=append:FLAGS/writable/errors", do: without("FLAGS/writable"), script: "true",
		want: with(runFailed("not_started"), code, 222), callers: "handler both"},
	"group": {service: "Group=nosuch", fresh: true, user: true,
		want: with(runFailed("not_started"), code, 216), callers: "handler both"},
	"processors": {service: "CPUAffinity=4000", fresh: true, want: with(runFailed("not_started"), code, 215), callers: "handler both"},
	"pam": {service: "User=plain\nPAMName=NAME", fresh: true, do: "echo 'account required pam_deny.so' >/etc/pam.d/NAME; ctl start NAME",
		want: with(runFailed("not_started"), code, 224), callers: "handler both"},
	"network": {service: "NetworkNamespacePath=/nosuch", fresh: true, user: true,
		want: with(runFailed("not_started"), code, 225), callers: "handler both"},
	"capabilities": {service: "CapabilityBoundingSet=CAP_CHOWN", fresh: true, usersOnly: true,
		want: with(runFailed("not_started"), code, 218), callers: "handler both"},
	"cache directory": {service: "CacheDirectory=NAME",
		do:   "rm -r /var/cache/NAME; touch /var/cache/NAME; ctl start NAME; rm /var/cache/NAME",
		want: with(runFailed("not_started"), code, 239), callers: "handler both"},
	"an ignored program": {service: "ExecStartPre=-/nosuch/program", do: failing("fail"),
		want: with(runFailed("password"), code, wrongPassword), callers: "inside handler both"},
	"credentials": {service: "LoadCredential=x:FLAGS/writable/credential", do: without("FLAGS/writable"),
		want: with(runFailed("not_started"), code, 243), callers: "handler both"},
	"resources": {service: "EnvironmentFile=FLAGS/writable/credential", do: without("FLAGS/writable"), user: true,
		want: refused, callers: "handler both"},
	"user": {service: "User=starts-NAME", do: "userdel starts-NAME; ctl start NAME", script: "exit 0",
		want: with(runFailed("not_started"), code, 217), callers: "handler both"},
	"a later program": {service: "ExecStart=BIN/program", do: without("BIN/program"),
		want: with(runFailed("other"), code, 203), callers: "inside handler both"},
	"stopped": {typ: "simple", do: active + "ctl stop NAME",
		want: runFailed("killed"), callers: "inside both", user: true},
	"stopped, exec": {typ: "exec", do: active + "ctl stop NAME",
		want: runFailed("killed"), callers: "inside both"},
	"stopped, notify": {typ: "notify", service: "NotifyAccess=all", script: "systemd-notify --ready\n" + aBackup,
		do:   active + "ctl stop NAME",
		want: runFailed("killed"), callers: "inside both"},
	"stopped, forking": {typ: "forking", script: "(\n" + aBackup + ") &", do: active + "ctl stop NAME",
		want: runFailed("killed"), callers: "inside both"},
	"stopped, oneshot": {do: begun + "ctl stop NAME",
		want: with(runFailed("killed"), code, 143), callers: "inside handler both"},
	"stopped, exit 0": {script: "trap 'exit 0' TERM\n" + aBackup, do: begun + "ctl stop NAME",
		want: runFailed("killed"), callers: "both"},
	"stopped, exit 1": {script: "trap 'exit 1' TERM\n" + aBackup, do: begun + "ctl stop NAME",
		want: with(runFailed("killed"), code, 1), callers: "handler both"},
	"stopped, exit 1, simple": {typ: "simple", script: "trap 'exit 1' TERM\n" + aBackup, do: active + "ctl stop NAME",
		want: with(runFailed("killed"), code, 1), callers: "inside handler both"},
	"stopped, deaf": {fresh: true, service: "TimeoutStopSec=5s", typ: "simple",
		script: "trap '' TERM; if test -e FLAGS/hang; then touch FLAGS/begun; sleep 1000; fi",
		do:     active + "ctl stop NAME",
		want:   with(runFailed("killed"), code, 137), callers: "inside handler both"},
	"stopped after a failed reload": {typ: "simple", service: "ExecReload=/bin/false", user: true,
		script:  "restic backup /srv/data; test ! -e FLAGS/hang || { touch FLAGS/begun; exec sleep 1000; }",
		do:      active + "ctl reload NAME; ctl stop NAME",
		want:    with(runFailed("killed"), "restic_exporter_backups{}", 1),
		callers: "inside both"},
	"stopped, restarted": {do: begun + "ctl restart NAME", want: runSucceeded, callers: "inside both"},
	"stopped after a good backup": {typ: "simple",
		script:  "restic backup /srv/data; test ! -e FLAGS/hang || { touch FLAGS/begun; exec sleep 1000; }",
		do:      active + "ctl stop NAME",
		want:    with(with(runFailed("killed"), "restic_exporter_backups{}", 1), "restic_snapshot_processed_files{backup=1}", 3),
		callers: "inside both"},
	"killed": {typ: "simple",
		do:   active + "ctl kill --kill-whom=main --signal=KILL NAME; " + ended,
		want: with(runFailed("killed"), code, 137), callers: "inside handler both"},
	"signal": {do: begun + "ctl kill NAME; " + ended,
		want: with(runFailed("killed"), code, 143), callers: "inside handler both"},
	"signal, exit 0": {script: "trap 'exit 0' TERM\n" + aBackup, do: begun + "ctl kill NAME; " + ended,
		want: runFailed("killed"), callers: "inside both"},
	"signal, simple": {typ: "simple", script: "if test -e FLAGS/hang; then touch FLAGS/begun; exec sleep 1000; fi\n" + aBackup,
		do:   active + "ctl kill NAME; " + ended,
		want: runFailed("killed"), callers: "inside both", user: true, silent: true},
	"out of memory": {do: begun + outOfMemory + "ctl kill --kill-whom=main --signal=KILL NAME; " + ended,
		want: with(runFailed("oom"), code, 137), callers: "inside handler both"},
	"out of memory, restic alone": {
		do:   begun + outOfMemory + "pkill --signal KILL --exact --parent $(ctl show -P MainPID NAME) restic; " + ended,
		want: with(runFailed("oom"), code, 137), callers: "inside handler both"},
	"bound to what dies": {unit: "BindsTo=bound@NAME.service\nAfter=bound@NAME.service", fresh: true,
		do:   begun + "ctl kill --signal=KILL bound@NAME; " + ended,
		want: with(runFailed("killed"), code, 143), callers: "inside handler both"},
	"part of what is stopped": {unit: "PartOf=bound@NAME.service\nWants=bound@NAME.service\nAfter=bound@NAME.service", fresh: true,
		do:   begun + "ctl stop bound@NAME; " + ended,
		want: with(runFailed("killed"), code, 143), callers: "inside handler both"},
	"job timeout in mid-run": {unit: "JobRunningTimeoutSec=2", fresh: true, script: held + aBackup,
		do:   "touch FLAGS/hang; ctl start NAME; rm FLAGS/hang; sleep 2; touch FLAGS/go; " + ended,
		want: runSucceeded, callers: "inside both"},
	"manager executed again": {script: held + aBackup, do: begun + "ctl daemon-reload; ctl daemon-reexec; touch FLAGS/go; " + ended,
		want: runSucceeded, callers: "inside both", user: true, alone: true},
	"manager executed again, failed": {script: held + aBackup,
		do:   begun + "ctl daemon-reexec; touch FLAGS/fail FLAGS/go; " + ended + "; rm FLAGS/fail",
		want: with(runFailed("password"), code, wrongPassword), callers: "inside handler both", alone: true},
	"journald restarted": {script: held + aBackup, do: begun + "ctl restart systemd-journald; touch FLAGS/go; " + ended,
		want: runSucceeded, callers: "inside both", alone: true},
	"simple": {typ: "simple", user: true, silent: true,
		do:   "ctl start NAME; " + ended,
		want: runSucceeded, callers: "inside both"},
	"never ready": {typ: "notify", do: "ctl start NAME",
		want: runFailed("other"), callers: "inside handler both", fresh: true},
	"start timeout": {fresh: true, service: "TimeoutStartSec=5", do: "touch FLAGS/hang; ctl start NAME",
		want: with(runFailed("timeout"), code, 143), callers: "inside handler both"},
	"run timeout": {fresh: true, typ: "simple", service: "RuntimeMaxSec=4",
		do:   "touch FLAGS/hang; ctl start NAME; " + ended,
		want: runFailed("timeout"), callers: "inside handler both"},
	"watchdog": {fresh: true, typ: "notify",
		service: "WatchdogSec=2\nNotifyAccess=all", script: "systemd-notify --ready\n" + aBackup,
		do:   "touch FLAGS/hang; ctl start NAME; " + ended,
		want: with(runFailed("timeout"), code, 134), callers: "inside handler both"},
	"remains after exit": {service: "RemainAfterExit=yes",
		do:      "ctl stop NAME; ctl start NAME; sleep 2.5; ctl stop NAME",
		want:    runSucceeded,
		callers: "inside both"},
	"remains after exit, failed": {service: "RemainAfterExit=yes",
		do:      "ctl stop NAME; " + failing("fail"),
		want:    with(runFailed("password"), code, wrongPassword),
		callers: "inside handler both"},
	"a backup at shutdown": {service: atStop, do: "ctl stop NAME; ctl start NAME; ctl stop NAME",
		want: runSucceeded, callers: "inside both"},
	"a backup at shutdown, failed": {service: atStop, do: "ctl stop NAME; ctl start NAME; touch FLAGS/fail; ctl stop NAME; rm FLAGS/fail",
		want: with(runFailed("password"), code, wrongPassword), callers: "inside handler both"},
	"ExecStop": {service: "ExecStop=/bin/sh -c 'test ! -e FLAGS/nope || exit 5'", do: failing("nope"),
		want: with(runFailed("other"), code, 5), callers: "inside handler both"},
	"namespace, dependency": {unit: "Requires=dep@NAME.service\nAfter=dep@NAME.service", service: "LogNamespace=starts", timer: true,
		do: failing("dep"), want: refused, callers: "handler both"},
	"namespace, program": {service: "LogNamespace=starts", do: without("BIN/restic-backup.sh"),
		want: with(runFailed("not_started"), code, 203), callers: "inside handler both"},
	// The manager and the unit are silenced: all that is left is to say that nothing can be said. Inside, systemd 262
	// warns of control groups, and $SERVICE_RESULT makes that a run without a backup.
	"log level": {service: "LogLevelMax=warning", fresh: true, want: unreadable, callers: "both"},
	"quiet": {script: "restic backup --quiet /srv/data; sleep 1.5",
		want: runSucceeded, callers: "inside both"},
	"an ignored failure, at debug": {service: "ExecStart=-/bin/sh -c 'exit 9'\nExecStart=/bin/sh -c 'test ! -e FLAGS/fail7 || exit 7'",
		do:   "ctl log-level debug; " + failing("fail7") + "; ctl log-level info",
		want: with(runFailed("other"), code, 7), callers: "inside handler both", alone: true},
	"dependency, at debug": {unit: "Requires=dep@NAME.service\nAfter=dep@NAME.service", timer: true,
		do: "ctl log-level debug; " + failing("dep") + "; ctl log-level info", want: refused, callers: "handler both", alone: true},
	"condition, at debug": {unit: "ConditionPathExists=!FLAGS/nope", timer: true,
		do: "ctl log-level debug; " + failing("nope") + "; ctl log-level info", want: runSucceeded, alone: true},
	"a lying environment": {script: "restic backup /srv/data; test ! -e FLAGS/fail || exit 7",
		service: "Environment=SERVICE_RESULT=success EXIT_CODE=exited EXIT_STATUS=0" +
			" MONITOR_UNIT=NAME.service MONITOR_SERVICE_RESULT=success MONITOR_INVOCATION_ID=00000000000000000000000000000001",
		do:      failing("fail"),
		want:    with(runFailed("other"), code, 7),
		callers: "inside handler both", user: true},
	"a good run of a lying environment": {
		service: "Environment=SERVICE_RESULT=timeout EXIT_CODE=exited EXIT_STATUS=9 MAINPID=7",
		want:    runSucceeded,
		callers: "both"}, // inside, nothing contradicts it
	"ignored": {service: "ExecStart=-/bin/sh -c 'test ! -e FLAGS/fail7 || exit 7'", do: failing("fail7"),
		want: runSucceeded, callers: "inside both"},
	"success status": {service: "SuccessExitStatus=7", script: "restic backup /srv/data; test ! -e FLAGS/fail || exit 7",
		do:   failing("fail"),
		want: runSucceeded, callers: "inside both"},
	"second command": {service: "ExecStart=/bin/sh -c 'test ! -e FLAGS/nope || exit 5'", do: failing("nope"),
		want: with(with(runFailed("other"), code, 5), "restic_exporter_backups{}", 1), callers: "inside handler both"},
	"ExecStopPost": {service: "ExecStopPost=/bin/true", want: runSucceeded, callers: "inside both"},
	"_underscore":  {want: runSucceeded, callers: "inside both"},
	"io": {do: failing("fail"),
		want: with(runFailed("password"), code, wrongPassword), callers: "inside handler both"},
	`in@a\x2db`: {do: failing("fail"),
		want: with(runFailed("password"), code, wrongPassword), callers: "inside handler both"},
	"in@dep": {unit: "Requires=dep@NAME.service\nAfter=dep@NAME.service", timer: true, do: failing("dep"),
		want: refused, callers: "handler both"},
	"sliced": {service: "Slice=some-slice.slice\nSyslogIdentifier=restic-exporter", do: failing("fail"),
		want: with(runFailed("password"), code, wrongPassword), callers: "inside handler both"},
}

// A restic that waits for standard input ends when that does: what is stopped must end the sleep, too.
const aBackup = `test ! -e FLAGS/fail || export RESTIC_PASSWORD=wrong
if test -e FLAGS/hang; then touch FLAGS/begun; restic backup --verbose --stdin < <(exec sleep 1000); fi
restic backup /srv/data
`

// TestStarts: a run that did not happen never looks like one that did, whoever
// asks: a command of the unit, a handler, a handler that systemd tells nothing,
// somebody outside, with libsystemd or journalctl, or a reader of a recording.
func TestStarts(t *testing.T) {
	testenv.Long(t)
	m := machine.Boot(t)
	install(t, m)
	t.Logf("%s", m.Run("restic version; systemctl --version | head -1"))
	all := starts()
	setUpStarts(m, all)
	password, err := strconv.ParseFloat(m.Run("RESTIC_PASSWORD=wrong restic --repo /srv/repo snapshots 2>/dev/null || echo -n $?"), 64)
	require.NoError(t, err)

	do := func(which []start, atOnce int, script func(start) string) {
		for _, s := range which {
			m.Write("/usr/local/share/starts/"+s.dir()+"/do", s.shell(script(s)), 0o755)
		}
		var list strings.Builder
		for _, s := range which {
			as := ""
			if s.asUser {
				as = asPlain
			}
			fmt.Fprintf(&list, "%s timeout 120 bash /usr/local/share/starts/%s/do >>/srv/log/%[2]s 2>&1\n", as, s.dir())
		}
		m.Write("/usr/local/share/starts/list", list.String(), 0o644)
		m.Run(fmt.Sprintf("xargs -d '\\n' -P %d -I LINE bash -c 'LINE || true' </usr/local/share/starts/list", atOnce))
	}
	const atOnce = 8
	settle := func() {
		m.Eventually(60*time.Second, settled+" && "+asPlain+` bash -c "`+strings.ReplaceAll(settled, "systemctl", "systemctl --user")+`"`)
	}
	outside := func(s start) string {
		flags := s.flag() + " --unit NAME --output /srv/out/"
		return exporter + flags + "outside; " + exporter + "-static" + flags + "static"
	}

	ran := slices.DeleteFunc(slices.Clone(all), func(s start) bool { return s.fresh })
	do(ran, atOnce, func(s start) string {
		return "ctl start NAME; " + ended
	})
	settle()
	do(ran, atOnce, outside)
	m.Run("cp -r /srv/out /srv/before; sleep 1.1") // the next run ends in another second
	do(slices.DeleteFunc(slices.Clone(all), func(s start) bool { return s.alone }), atOnce, start.event)
	do(slices.DeleteFunc(slices.Clone(all), func(s start) bool { return !s.alone }), 1, start.event)
	settle()
	do(all, atOnce, outside)
	do(all, atOnce, outside) // counts once
	do(all, atOnce, func(s start) string {
		var b strings.Builder
		for _, format := range recordingFormats {
			of, user := "-u", ""
			if s.asUser {
				of = "--user-unit"
			}
			if format == "short-iso" {
				user = s.flag()
			}
			fmt.Fprintf(&b, "journalctl -q %s NAME -o %s | %s%s --unit NAME --output /srv/out/%s/ -\n",
				of, format, exporter, user, strings.Fields(format)[0])
		}
		return b.String()
	})
	if *record {
		for _, s := range all {
			require.NoError(t, os.WriteFile(s.recording()+".export", []byte(m.Run(s.export())), 0o644))
		}
	}
	files := make(map[string]series)
	for file := range strings.SplitSeq(m.Run("cd /srv; for f in before/*/* out/*/*; do echo \"== $f\"; cat \"$f\"; done"), "== ") {
		if name, text, ok := strings.Cut(file, ".prom\n"); ok {
			files[name] = metrictest.Flat(t, text)
		}
	}
	for _, s := range all {
		t.Run(s.name(), func(t *testing.T) {
			m.Use(t)
			s.check(t, files, password)
			if t.Failed() {
				t.Log(m.Run("cat /srv/log/" + s.dir() + "; journalctl -q -o short-precise -u '" + s.name() + "' --user-unit '" + s.name() +
					"' | tail -n 40"))
			}
		})
	}
}

// record lets TestStarts write what each situation logs into testdata/starts/252.
var record = flag.Bool("record", false, "let TestStarts write recordings")

// recordedFields are those that a recording needs, so that it is small.
const recordedFields = "MESSAGE,MESSAGE_ID,PRIORITY,SYSLOG_IDENTIFIER,_HOSTNAME,_PID,_UID,_COMM,_EXE,_TRANSPORT,_STREAM_ID,_LINE_BREAK," +
	"_SOURCE_REALTIME_TIMESTAMP,_SYSTEMD_UNIT,_SYSTEMD_USER_UNIT,_SYSTEMD_INVOCATION_ID,UNIT,INVOCATION_ID,USER_UNIT,USER_INVOCATION_ID," +
	"UNIT_RESULT,JOB_RESULT,COMMAND,EXIT_CODE,EXIT_STATUS,N_DROPPED," +
	"OBJECT_SYSTEMD_UNIT,OBJECT_SYSTEMD_USER_UNIT,OBJECT_SYSTEMD_INVOCATION_ID"

// export is the command that records all about the unit. journalctl -u would leave out the last words of a process of which
// journald no longer knew whose it was.
func (s start) export() string {
	fields := []string{"_SYSTEMD_UNIT", "UNIT", "OBJECT_SYSTEMD_UNIT"}
	if s.asUser {
		fields = []string{"_SYSTEMD_USER_UNIT", "USER_UNIT", "OBJECT_SYSTEMD_USER_UNIT"}
	}
	return fmt.Sprintf("journalctl -q -o export --output-fields=%[1]s "+
		"'%[2]s=%[5]s.service' + '%[3]s=%[5]s.service' + '%[4]s=%[5]s.service'", recordedFields, fields[0], fields[1], fields[2], s.name())
}

// recording is the name of the recording of the situation, without its suffix.
func (s start) recording() string { return "../../testdata/starts/252/" + s.dir() }

// TestStartsRecorded: what a situation has once logged gives what the table says, and everything in its golden file.
func TestStartsRecorded(t *testing.T) {
	var names []string
	for _, s := range starts() {
		names = append(names, s.recording()+".export")
		t.Run(s.name(), func(t *testing.T) {
			got := call(t, nil, "", append([]string{s.recording() + ".export", "--unit", s.name()}, strings.Fields(s.flag())...)...)
			if s.asUser && s.silent || s.want["restic_exporter_failed{}"] == 1 {
				golden.Equal(t, s.recording()+".txt", got.stderr)
				assert.Equal(t, result{code: 1, stderr: got.stderr}, got)
				return
			}
			golden.Equal(t, s.recording()+".prom", got.stdout)
			want, absent := s.expect("export", 1) // of restic 0.14
			if !s.fresh && want["restic_run_status{status=failed}"] == 1 {
				absent = append(absent, lastSuccess) // there is no file to keep it from
			}
			assert.Equal(t, want, metrictest.Pick(metrictest.Flat(t, got.stdout), want, absent...))
			assert.Equal(t, result{stdout: got.stdout}, got)
		})
	}
	found, err := filepath.Glob("../../testdata/starts/252/*.export")
	require.NoError(t, err)
	assert.ElementsMatch(t, names, found)
}

// recordingFormats are the arguments of journalctl -o.
var recordingFormats = []string{"export", "json --all", "short-iso"}

// asPlain runs a program as the user with units of its own.
const asPlain = "setpriv --reuid=plain --regid=plain --init-groups env HOME=/srv/plain XDG_RUNTIME_DIR=/run/user/$(id -u plain)"

// settled reports whether no handler is at work.
const settled = "! systemctl list-units --all --no-legend --state=activating,active,reloading 'handler@*' 'both@*' | grep -q . && " +
	"! systemctl list-jobs --no-legend | grep -qE '(handler|both)@'"

// A start is a situation of a unit of the system's manager, or of a user's.
type start struct {
	situation
	title  string
	asUser bool
}

// starts returns all of them.
func starts() []start {
	var all []start
	for title, s := range situations {
		if !s.usersOnly {
			all = append(all, start{situation: s, title: title})
		}
		if s.user || s.usersOnly {
			all = append(all, start{situation: s, title: title, asUser: true})
		}
	}
	slices.SortFunc(all, func(a, b start) int { return cmp.Compare(a.name(), b.name()) })
	return all
}

func (s start) name() string {
	name := strings.NewReplacer(" ", "-", ",", "").Replace(s.title)
	if s.asUser {
		return "user-" + name
	}
	return name
}

func (s start) flag() string {
	if s.asUser {
		return " --user"
	}
	return ""
}

// dir is the name for directories of the unit's, in which nothing is escaped.
func (s start) dir() string { return strings.ReplaceAll(s.name(), `\`, "_") }

func (s start) fill(text, name string) string {
	return strings.NewReplacer("NAME", name, "FLAGS", "/srv/flags/"+s.dir(), "BIN", "/srv/bin/"+s.dir()).Replace(text)
}

// shell is a script in which ctl and journal are those of the unit's manager.
func (s start) shell(script string) string {
	unit := "-u"
	if s.asUser {
		unit = "--user-unit"
	}
	return fmt.Sprintf("cd /\nN='%s'\nctl() { systemctl%s \"$@\"; }\njournal() { journalctl -q -o cat %s \"$N\"; }\n",
		s.name(), s.flag(), unit) + s.fill(script, `"$N"`) + "\n"
}

func (s start) event() string { return cmp.Or(s.do, "ctl start NAME") }

// setUpStarts writes the units.
func setUpStarts(m *machine.Machine, all []start) {
	const shared = "[Service]\nType=oneshot\nExecStart="
	for scope, user := range map[string]string{"system": "", "user": " --user"} {
		dir := "/etc/systemd/" + scope + "/"
		m.Write(dir+"dep@.service", shared+"/bin/sh -c 'test ! -e \"/srv/flags/%I/dep\" -a ! -e \"/srv/flags/%i/dep\"'\n", 0o644)
		m.Write(dir+"bound@.service", "[Service]\nExecStart=sleep 1000\n", 0o644)
		m.Write(dir+"slow@.service", shared+"/bin/sh -c 'test ! -e /srv/flags/%i/slow || sleep 10'\n", 0o644)
		for _, handler := range []string{"handler", "both"} {
			m.Write(dir+handler+"@.service", shared+exporter+user+" --unit %i --output /srv/out/"+handler+"\n", 0o644)
		}
	}
	var timers, userTimers, users []string
	for _, s := range all {
		name, dir, home := s.name(), "/etc/systemd/system/", "/srv"
		if s.asUser {
			dir, home = "/etc/systemd/user/", "/srv/plain"
		}
		script := s.fill(cmp.Or(s.script, aBackup), name)
		m.Write("/usr/local/share/starts/"+s.dir()+"/restic-backup.sh", "#!/bin/bash\nset -e\n"+script, 0o755)
		m.Write(dir+name+".service", s.fill(fmt.Sprintf(`[Unit]
Description=Run backup job
OnFailure=handler@%%n.service both@%%n.service
OnSuccess=both@%%n.service
%s
[Service]
Type=%s
TimeoutStopSec=20s
Environment=RESTIC_REPOSITORY=%s/repo RESTIC_PASSWORD=x RESTIC_CACHE_DIR=%s/cache
ExecStart=BIN/restic-backup.sh
%s
ExecStopPost=-%s%s --unit %%n --output /srv/out/inside
`, s.unit, cmp.Or(s.typ, "oneshot"), home, home, s.service, exporter, s.flag()), name), 0o644)
		if s.timer {
			m.Write(dir+name+".timer", "[Timer]\nOnCalendar=2099-01-01\n", 0o644)
			if s.asUser {
				userTimers = append(userTimers, name+".timer")
			} else {
				timers = append(timers, name+".timer")
			}
		}
		if strings.Contains(s.service, "User=starts-") {
			users = append(users, "useradd --system starts-"+name+"; ")
		}
		if strings.Contains(s.unit, "RequiresMountsFor") {
			m.Write(dir+"mnt-"+name+".mount", "[Mount]\nWhat=/srv/flags/"+name+"/device\nWhere=/mnt/"+name+"\nOptions=bind\n", 0o644)
		}
	}
	m.Run(`mkdir -p /srv/{data,bin,flags,log,cache} /srv/out/{inside,handler,both,outside,static,export,json,short-iso}
chmod 1777 /srv/log /srv/out/*
` + strings.Join(users, "") + `
useradd --home-dir /srv/plain --create-home plain
for i in 1 2 3; do head -c $((i * 1000)) /dev/urandom > /srv/data/$i; done
cp -r /usr/local/share/starts/* /srv/bin
for name in $(ls /srv/bin); do
	cp /bin/true /srv/bin/$name/program; mkdir -p /srv/flags/$name/{writable,device}; touch /srv/flags/$name/writable/credential
done
chown -R plain /srv/bin/user-* /srv/flags/user-*
chmod 777 /srv/flags/*
RESTIC_PASSWORD=x restic init --quiet --repo /srv/repo
mkdir /srv/plain/cache; cp -r /srv/repo /srv/plain; chown -R plain /srv/plain
systemctl daemon-reload
systemctl start user@$(id -u plain).service ` + strings.Join(timers, " ") + `
` + asPlain + " systemctl --user start " + strings.Join(userTimers, " "))
}

// recorded are the callers that read a recording.
var recorded = []string{"export", "json", "short-iso"}

// expect returns the series that a caller gives, and those that it must not give.
func (s start) expect(caller string, password float64) (want series, absent []string) {
	want = maps.Clone(s.want)
	for name, v := range want {
		switch v {
		case none:
			absent = append(absent, name)
			delete(want, name)
		case wrongPassword:
			want[name] = password
		}
	}
	if s.retries || slices.Contains(recorded, caller) {
		delete(want, failures)
	}
	if caller == "short-iso" {
		delete(want, code) // not all of them are told in it
	}
	return want, absent
}

// check compares what all callers have left.
func (s start) check(t *testing.T, files map[string]series, password float64) {
	wants, got := make(map[string]series), make(map[string]series)
	failed := s.want["restic_run_status{status=failed}"] == 1
	for _, caller := range append([]string{"inside", "handler", "both", "outside", "static"}, recorded...) {
		if (s.live || s.asUser && s.silent) && slices.Contains(recorded, caller) {
			continue
		}
		called := slices.Contains([]string{"inside", "handler", "both"}, caller)
		if called && !strings.Contains(s.callers, caller) {
			continue
		}
		want, absent := s.expect(caller, password)
		if kept, ok := files["before/"+caller+"/"+s.name()][lastSuccess]; ok && failed {
			want[lastSuccess] = kept
		}
		file := "out/" + caller + "/" + s.name()
		if _, ok := s.want["restic_exporter_failed{}"]; ok {
			if !called {
				continue // a person sees the exit status
			}
			file += ".exporter"
		}
		wants[caller], got[caller] = want, metrictest.Pick(files[file], want, absent...)
	}
	assert.Equal(t, wants, got)
	assert.NotEqual(t, 1.0, files["out/handler/"+s.name()]["restic_run_status{status=success}"], "it is only called for a failure")
}

// TestStartsPage: docs/starts.md lists all situations and what they give.
func TestStartsPage(t *testing.T) {
	const name = "../../docs/starts.md"
	page, err := os.ReadFile(name)
	require.NoError(t, err)
	const head = "\n| situation | status, reason, exit code |"
	text, table, ok := strings.Cut(string(page), head)
	require.True(t, ok)
	assert.Contains(t, text, fmt.Sprintf(" %d situations ", len(situations)))
	var b strings.Builder
	further := make(map[string]string) // columns
	for row := range strings.Lines(table) {
		if cells := strings.SplitN(row, "|", 4); len(cells) == 4 && strings.Contains(row, " ") && cells[0] == "" {
			further[cells[1]] = cells[3]
		} else {
			b.WriteString(row) // the rest of the head
		}
	}
	for _, title := range slices.Sorted(maps.Keys(situations)) {
		cell := " " + title + " "
		fmt.Fprintf(&b, "|%s| %s |%s", cell, inWords(situations[title].want), cmp.Or(further[cell], "\n"))
	}
	golden.Equal(t, name, text+head+b.String())
}

// inWords returns what docs/starts.md says of a run.
func inWords(s series) string {
	var said []string
	for _, status := range []string{"success", "failed"} {
		if s["restic_run_status{status="+status+"}"] == 1 {
			said = append(said, status)
		}
	}
	for name, value := range s {
		if reason, ok := strings.CutPrefix(name, "restic_run_failure_reason{reason="); ok && value == 1 {
			said = append(said, strings.TrimSuffix(reason, "}"))
		}
	}
	switch n := s[code]; {
	case s["restic_exporter_failed{}"] == 1:
		said = append(said, "only `restic_exporter_failed`")
	case n == wrongPassword:
		said = append(said, "1 or 12")
	case n > 0:
		said = append(said, fmt.Sprint(n))
	}
	return strings.Join(said, ", ")
}
