package main

import (
	"fmt"
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restic-exporter/restic-exporter/internal/machine"
	"github.com/restic-exporter/restic-exporter/internal/metrictest"
	"github.com/restic-exporter/restic-exporter/internal/testenv"
)

// testWrappers has real wrappers call restic.
func testWrappers(t *testing.T, m *machine.Machine) {
	program := testenv.GoTool(t, "github.com/creativeprojects/resticprofile", "v0.33.1")
	text, err := os.ReadFile(program)
	require.NoError(t, err)
	m.Write("/usr/local/bin/resticprofile", string(text), 0o755)
	m.Write("/etc/resticprofile/password", "x\n", 0o600)
	m.Write("/etc/resticprofile/profiles.yaml", `version: "1"
global:
  group-continue-on-error: true
groups:
  both: [default, second]
default:
  repository: local:/srv/repo-wrapped
  password-file: password
  initialize: true
  backup:
    source: /srv/wrapped
second:
  inherit: default
  backup:
    source: /srv/data
missing:
  inherit: default
  backup:
    source: [/srv/data, /srv/gone]
`, 0o644)
	// Root reads all, unless it lacks these capabilities.
	m.Write("/etc/systemd/system/wrapped@.service", `[Service]
Type=notify
TimeoutStopSec=5s
Environment=HOME=/root
CapabilityBoundingSet=~CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH
ExecStart=/usr/local/bin/resticprofile --no-ansi --config /etc/resticprofile/profiles.yaml --name %i backup
ExecStopPost=`+exporter+` --unit %n
`, 0o644)
	m.Run(`mkdir /srv/wrapped; echo 1 > /srv/wrapped/a; echo 2 > /srv/wrapped/b; chown nobody /srv/wrapped/b; chmod 0600 /srv/wrapped/b
systemctl daemon-reload`)
	run := func(instance string) series {
		m.Try("systemctl start --wait wrapped@" + instance)
		return metrictest.Flat(t, m.Run("cat "+textfiles+"/wrapped@"+instance+".prom"))
	}
	// Its exit status is 1, where restic's was 3, and none for a group that goes on.
	const files, unreadable = "restic_snapshot_processed_files{backup=%d}", "restic_snapshot_unreadable_items{backup=%d}"
	for instance, backups := range map[string][][2]float64{"default": {{1, 1}}, "both": {{1, 1}, {18, 0}}, "missing": {{18, 1}}} {
		want := series{
			"restic_run_status{status=partial}": 1, "restic_run_failure_reason{reason=source_unreadable}": 1,
			"restic_exporter_unparsed_lines{}": 0,
		}
		for i, b := range backups {
			want[fmt.Sprintf(files, i+1)], want[fmt.Sprintf(unreadable, i+1)] = b[0], b[1]
		}
		assert.Equal(t, want, metrictest.Pick(run(instance), want), instance)
	}
	good := with(runSucceeded, "restic_snapshot_processed_files{backup=1}", 18)
	assert.Equal(t, good, metrictest.Pick(run("second"), good))
	if os.Getenv("SYSTEMD_SUITE") == "" { // the roots of other suites have no ts
		testenv.Tool(t, "ts")
		testPrefixed(t, m)
	}
}

// testPrefixed: with a time before each line nothing is understood, and what is then
// recommended helps, as it stands, in a unit.
func testPrefixed(t *testing.T, m *machine.Machine) {
	stamped := func(args string) string {
		return unit(m, "stamped", "set -o pipefail\nrestic backup /srv/data 2>&1 | ts\n",
			"[Service]\nExecStopPost="+exporter+" --unit %n "+args)
	}
	file := stamped("")
	m.Run("systemctl start stamped; journalctl --sync")
	assert.Equal(t, 0.0, metrictest.Flat(t, m.Run("cat "+file))["restic_exporter_backups{}"])
	advice := regexp.MustCompile(`--strip '[^']+'`).FindString(m.Run("journalctl -q -o cat -u stamped"))
	require.NotEmpty(t, advice)
	stamped(advice)
	m.Run("systemctl start stamped")
	want := with(runSucceeded, "restic_snapshot_processed_files{backup=1}", 18)
	assert.Equal(t, want, metrictest.Pick(metrictest.Flat(t, m.Run("cat "+file)), want))
}
