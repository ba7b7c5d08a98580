package main

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restic-exporter/restic-exporter/internal/machine"
	"github.com/restic-exporter/restic-exporter/internal/metrictest"
	"github.com/restic-exporter/restic-exporter/internal/testenv"
)

// A situation is a unit that has run well once, and what happens to it then.
type situation struct {
	unit, service string // lines of these sections
	script        string // what the unit runs; by default a backup
	typ           string // Type=, by default oneshot
	timer         bool   // an active timer keeps the unit loaded, and with it the ID of the last run
	fresh         bool   // without the good run before
	do            string // what happens; by default the unit is started
	want          series
	callers       string // who is called of "inside handler both"; others are called in any case
	skip          string // callers whose knowledge is less, and why
}

type series = map[string]float64

func runFailed(reason string) series {
	return series{
		"restic_run_status{status=success}": 0, "restic_run_status{status=partial}": 0, "restic_run_status{status=failed}": 1,
		"restic_run_failure_reason{reason=" + reason + "}": 1, "restic_backup_failure{}": 1, "restic_run_consecutive_failures{}": 1,
	}
}

func with(s series, name string, value float64) series {
	s = maps.Clone(s)
	s[name] = value
	return s
}

var runSucceeded = series{
	"restic_run_status{status=success}": 1, "restic_run_status{status=partial}": 0, "restic_run_status{status=failed}": 0,
	"restic_backup_failure{}": 0, "restic_run_consecutive_failures{}": 0, "restic_run_exit_code{}": 0,
}

// code is the series of an exit status.
const code = "restic_run_exit_code{}"

// begun waits until the unit has logged something.
const begun = `systemctl start --no-block NAME
until journalctl -q -u NAME -o cat --since "$SINCE" | grep -q BEGUN; do sleep 0.05; done; sleep 0.3
`

var situations = map[string]situation{
	"dependency": {unit: "Requires=dep.service\nAfter=dep.service",
		do:   "touch /run/dep-fails; systemctl start NAME; rm /run/dep-fails",
		want: runFailed("not_started"), callers: "handler both"},
	"dependency, loaded": {unit: "Requires=dep.service\nAfter=dep.service", timer: true,
		do: "touch /run/dep-fails; systemctl start NAME; rm /run/dep-fails", want: runFailed("not_started"), callers: "handler both"},
	"dependency, never ran": {unit: "Requires=dep.service\nAfter=dep.service", fresh: true,
		do: "touch /run/dep-fails; systemctl start NAME; rm /run/dep-fails", want: runFailed("not_started"), callers: "handler both"},
	"assertion": {unit: "AssertPathExists=!/run/nope",
		do:   "touch /run/nope; systemctl start NAME; rm /run/nope",
		want: runFailed("not_started")},
	"assertion, loaded": {unit: "AssertPathExists=!/run/nope", timer: true,
		do:   "touch /run/nope; systemctl start NAME; rm /run/nope",
		want: runFailed("not_started")},
	"condition": {unit: "ConditionPathExists=!/run/nope",
		do:   "touch /run/nope; systemctl start NAME; rm /run/nope",
		want: runSucceeded},
	"condition, loaded": {unit: "ConditionPathExists=!/run/nope", timer: true,
		do:   "touch /run/nope; systemctl start NAME; rm /run/nope",
		want: runSucceeded},
	"exec condition": {service: "ExecCondition=/bin/sh -c 'test ! -e /run/nope'",
		do:      "touch /run/nope; systemctl start NAME; rm /run/nope",
		want:    runSucceeded,
		callers: "inside both"},
	"start limit": {unit: "StartLimitBurst=1\nStartLimitIntervalSec=1h", timer: true,
		want:    runFailed("not_started"),
		callers: "handler both"},
	"restart limit": {unit: "StartLimitBurst=3\nStartLimitIntervalSec=1h", service: "Restart=on-failure\nRestartSec=100ms", timer: true,
		do: "touch /run/fail; " +
			"systemctl reset-failed NAME; " +
			"systemctl start NAME; until journalctl -q -u NAME -o cat | grep -q 'repeated too quickly'; do sleep 0.1; done; rm /run/fail",
		want: with(runFailed("password"), code, 1), callers: "inside handler both", skip: "consecutive"},
	"sandbox": {service: "ReadWritePaths=/run/writable",
		do:      "mv /run/writable /run/away; systemctl start NAME; mv /run/away /run/writable",
		want:    with(runFailed("not_started"), code, 226),
		callers: "handler both"},
	"program": {do: "mv /usr/local/sbin/NAME /usr/local/sbin/NAME.away; " +
		"systemctl start NAME; mv /usr/local/sbin/NAME.away /usr/local/sbin/NAME",
		want:    with(runFailed("not_started"), code, 203),
		callers: "inside handler both"},
	"credentials": {service: "LoadCredential=x:/run/credential",
		do:      "rm /run/credential; systemctl start NAME; touch /run/credential",
		want:    with(runFailed("not_started"), code, 243),
		callers: "handler both"},
	"resources": {service: "EnvironmentFile=/run/credential",
		do:      "rm /run/credential; systemctl start NAME; touch /run/credential",
		want:    runFailed("not_started"),
		callers: "handler both"},
	"a later program": {service: "ExecStart=/run/writable/program",
		do:      "rm /run/writable/program; systemctl start NAME; cp /bin/true /run/writable/program",
		want:    with(runFailed("other"), code, 203),
		callers: "inside handler both"},
	"stopped": {typ: "simple",
		do:      "touch /run/hang; " + begun + "systemctl stop NAME; rm /run/hang",
		want:    runFailed("killed"),
		callers: "inside both"},
	"stopped after a good backup": {typ: "simple", script: "restic backup /srv/data; test ! -e /run/hang || { echo BEGUN; " +
		"exec sleep 1000; }",
		do:      "touch /run/hang; " + begun + "systemctl stop NAME; rm /run/hang",
		want:    with(with(runFailed("killed"), "restic_exporter_backups{}", 1), "restic_snapshot_processed_files{backup=1}", 3),
		callers: "inside both"},
	"remains after exit": {service: "RemainAfterExit=yes",
		do:      "systemctl stop NAME; systemctl start NAME; sleep 2.5; systemctl stop NAME",
		want:    runSucceeded,
		callers: "inside both"},
	"quiet": {script: "restic backup --quiet /srv/data; sleep 1.5", want: runSucceeded, callers: "inside both"},
	"an ignored failure, at debug": {service: "ExecStart=-/bin/sh -c 'exit 9'\nExecStart=/bin/sh -c 'test ! -e /run/fail7 || exit 7'",
		do:      "touch /run/fail7; systemctl log-level debug; systemctl start NAME; systemctl log-level info; rm /run/fail7",
		want:    with(runFailed("other"), code, 7),
		callers: "inside handler both"},
	"a lying environment": {script: "restic backup /srv/data; test ! -e /run/fail || exit 7",
		service: "Environment=SERVICE_RESULT=success EXIT_CODE=exited EXIT_STATUS=0" +
			" MONITOR_UNIT=NAME.service MONITOR_SERVICE_RESULT=success MONITOR_INVOCATION_ID=00000000000000000000000000000001",
		do:      "touch /run/fail; systemctl start NAME; rm /run/fail",
		want:    with(runFailed("other"), code, 7),
		callers: "inside handler both"},
}

const aBackup = `test ! -e /run/fail || export RESTIC_PASSWORD=wrong
if test -e /run/hang; then echo BEGUN; restic backup --stdin < <(exec sleep 1000); fi
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
	m.Run(`mkdir -p /srv/out/{inside,handler,both,outside,static} /srv/data /run/writable; touch /run/credential
cp /bin/true /run/writable/program
for i in 1 2 3; do head -c $((i * 1000)) /dev/urandom > /srv/data/$i; done
RESTIC_REPOSITORY=/srv/repo RESTIC_PASSWORD=x restic init --quiet`)
	m.Write("/etc/systemd/system/dep.service", "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'test ! -e /run/dep-fails'\n", 0o644)
	for _, handler := range []string{"handler", "both"} {
		m.Write("/etc/systemd/system/"+handler+"@.service",
			"[Service]\nType=oneshot\nExecStart="+exporter+" --unit %i --output /srv/out/"+handler+"\n", 0o644)
	}
	for title, s := range situations {
		t.Run(title, func(t *testing.T) { m.Use(t); testStart(t, m, title, s) })
	}
}

func testStart(t *testing.T, m *machine.Machine, title string, s situation) {
	name := strings.NewReplacer(" ", "-", ",", "").Replace(title)
	typ, script, do := s.typ, s.script, s.do
	if typ == "" {
		typ = "oneshot"
	}
	if script == "" {
		script = aBackup
	}
	if do == "" {
		do = "systemctl start NAME"
	}
	m.Write("/usr/local/sbin/"+name+"/restic-backup.sh", "#!/bin/bash\nset -e\n"+script, 0o755)
	m.Write("/etc/systemd/system/"+name+".service", strings.ReplaceAll(fmt.Sprintf(`[Unit]
Description=Run backup job
OnFailure=handler@%%n.service both@%%n.service
OnSuccess=both@%%n.service
%s
[Service]
Type=%s
TimeoutStopSec=5s
Environment=RESTIC_REPOSITORY=/srv/repo RESTIC_PASSWORD=x XDG_CACHE_HOME=/srv/cache
ExecStart=/usr/local/sbin/NAME/restic-backup.sh
%s
ExecStopPost=%s --unit %%n --output /srv/out/inside
`, s.unit, typ, s.service, exporter), "NAME", name), 0o644)
	m.Run("systemctl daemon-reload")
	if s.timer {
		m.Write("/etc/systemd/system/"+name+".timer", "[Timer]\nOnCalendar=2099-01-01\n", 0o644)
		m.Run("systemctl daemon-reload; systemctl start " + name + ".timer")
	}
	callers := []string{"inside", "handler", "both", "outside", "static"}
	settle := func() {
		m.Eventually(10*time.Second, "! systemctl list-jobs | grep -qE '(handler|both)@' && "+
			"! systemctl list-units --no-legend --state=activating,active '*@"+name+".service.service' | grep -q loaded")
	}
	outside := func() {
		m.Run(strings.ReplaceAll(exporter+" --unit NAME --output /srv/out/outside; "+
			exporter+"-static --unit NAME --output /srv/out/static", "NAME", name))
	}
	read := func(caller string) series {
		text, _, status := m.Try("cat /srv/out/" + caller + "/" + name + ".prom")
		if status != 0 {
			return nil
		}
		return metrictest.Flat(t, text)
	}
	before := make(map[string]series)
	if !s.fresh {
		m.Run("systemctl start " + name)
		m.Eventually(10*time.Second, "systemctl show -P ActiveState,SubState "+name+" | grep -qE 'inactive|exited'")
		settle()
		outside()
		for _, caller := range callers {
			before[caller] = read(caller)
		}
		m.Run("sleep 1.1") // the next run ends in another second
	}

	m.Try(`SINCE=$(date '+%F %T')` + "\n" + strings.ReplaceAll(do, "NAME", name))
	settle()
	outside()
	outside() // counts once
	want := s.want
	kept := "restic_run_last_success_timestamp_seconds{}"
	for _, caller := range callers {
		called := caller == "outside" || caller == "static" || strings.Contains(s.callers, caller)
		got := read(caller)
		if !called || want["restic_run_status{status=failed}"] == 0 && got == nil {
			continue
		}
		wanted := maps.Clone(want)
		if s.skip == "consecutive" {
			delete(wanted, "restic_run_consecutive_failures{}")
		}
		_, known := wanted[code]
		if v, ok := before[caller][kept]; ok && wanted["restic_run_status{status=failed}"] == 1 {
			wanted[kept] = v
		}
		pick := metrictest.Pick(got, wanted)
		assert.Equal(t, wanted, pick, caller)
		if !known && want["restic_run_failure_reason{reason=not_started}"] == 1 {
			assert.NotContains(t, got, code, caller)
			assert.NotContains(t, got, "restic_exporter_log_entries{}", caller)
		}
	}
	for _, format := range []string{"export", "json --all", "short-iso"} {
		text, stderr, status := m.Try(strings.ReplaceAll("journalctl -q -u NAME -o "+format+" | "+exporter+" --unit NAME -", "NAME", name))
		require.Zero(t, status, "%s: %s", format, stderr)
		wanted := maps.Clone(want)
		if format == "short-iso" {
			delete(wanted, code) // statuses below 1 of a signal are told, more is not
		}
		delete(wanted, "restic_run_consecutive_failures{}")
		assert.Equal(t, wanted, metrictest.Pick(metrictest.Flat(t, text), wanted), format)
	}
	if t.Failed() {
		t.Log(m.Run("journalctl -q -u " + name + " -o short-precise | tail -30; " +
			"journalctl -q -u '*@" + name + ".service.service' -o cat | grep -i 'exporter\\|error' | tail -5; true"))
	}
}
