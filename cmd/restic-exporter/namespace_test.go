package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restic-exporter/restic-exporter/internal/machine"
	"github.com/restic-exporter/restic-exporter/internal/metrictest"
)

// testNamespaces reads units that log into a journal of their own: what they print is
// there, what the manager says of them is in the default one.
func testNamespaces(t *testing.T, m *machine.Machine) {
	good := map[string]float64{
		"restic_run_status{status=success}": 1, "restic_exporter_backups{}": 1, "restic_snapshot_files{backup=1,state=unmodified}": 18,
		"restic_run_exit_code{}": 0, "restic_exporter_dropped_entries{}": 0,
	}
	failed := map[string]float64{
		"restic_run_status{status=failed}": 1, "restic_run_failure_reason{reason=password}": 1, "restic_exporter_backups{}": 0}
	const section = "\nLogNamespace=backup"
	// In systemd 262 each start depends on this service. So many starts in a row reach its limit.
	m.Write("/etc/systemd/system/systemd-journald-sync@.service.d/limit.conf", "[Unit]\nStartLimitIntervalSec=0\n", 0o644)
	m.Write("/etc/systemd/system/ns-handler@.service", "[Service]\nType=oneshot\nLogNamespace=handlers\n"+
		"ExecStart="+exporter+" --unit %i\n", 0o644)
	for call, lines := range map[string]string{
		"inside":                         "[Service]\nExecStopPost=" + exporter + " --unit %n",
		"inside, static":                 "[Service]\nExecStopPost=" + exporter + "-static --unit %n",
		"handler":                        "[Unit]\nOnFailure=restic-exporter@%n.service\nOnSuccess=restic-exporter@%n.service\n[Service]",
		"handler with another namespace": "[Unit]\nOnFailure=ns-handler@%n.service\nOnSuccess=ns-handler@%n.service\n[Service]",
		"outside":                        "[Service]",
	} {
		scripts := map[string]string{"good": "restic backup /srv/data\n", "bad": "RESTIC_PASSWORD=wrong restic backup /srv/data\n"}
		for situation, script := range scripts {
			t.Run(call+", "+situation, func(t *testing.T) {
				m.Use(t)
				name := strings.ReplaceAll(strings.ReplaceAll("ns "+call+" "+situation, ",", ""), " ", "-")
				file := unit(m, name, script, lines+section)
				m.Try("systemctl start " + name)
				if call == "outside" {
					m.Run(exporter + " --unit " + name)
				}
				m.Eventually(20*time.Second, "test -e "+file)
				want := good
				if situation == "bad" {
					want = failed
				}
				assert.Equal(t, want, metrictest.Pick(metrictest.Flat(t, m.Run("cat "+file)), want))
				m.Eventually(20*time.Second, "systemctl show -p ActiveState "+name+" | grep -qE '=(inactive|failed)'")
				m.Run(exporter + " --unit " + name)
				first := m.Run("cat " + file)
				assert.Equal(t, want, metrictest.Pick(metrictest.Flat(t, first), want))
				for _, program := range []string{exporter, exporter + "-static"} {
					for _, more := range []string{"", " --namespace backup", " --journal /var/log/journal",
						" --journal /var/log/journal --namespace backup"} {
						m.Run(program + " --unit " + name + more)
						assert.Equal(t, first, m.Run("cat "+file), program+more)
					}
				}
			})
		}
	}

	// The unit's first line starts the journald of its namespace. Until that is up there is no
	// journal, not even a folder.
	t.Run("first line of a namespace", func(t *testing.T) {
		m.Use(t)
		m.Write("/etc/systemd/system/systemd-journald@first.service.d/slow.conf", "[Service]\nExecStartPre=sleep 1\n", 0o644)
		file := unit(m, "first-line", "RESTIC_PASSWORD=wrong restic backup /srv/data\n", "[Service]\nLogNamespace=first")
		m.Try("systemctl start first-line")
		m.Run(exporter + " --unit first-line")
		assert.Equal(t, failed, metrictest.Pick(metrictest.Flat(t, m.Run("cat "+file)), failed))
	})

	t.Run("many units", func(t *testing.T) {
		m.Use(t)
		m.Run("rm -rf /run/ns; mkdir /run/ns; " + exporter + " --unit 'ns-*' --output /run/ns")
		assert.Equal(t, "10\n", m.Run("ls /run/ns | wc -l"))
	})

	t.Run("no such namespace", func(t *testing.T) {
		m.Use(t)
		_, stderr, status := m.Try(exporter + " --unit ns-outside-good --namespace other --output -")
		assert.Equal(t, 1, status)
		assert.Contains(t, stderr, `journal namespace "other": file does not exist`)
	})

	t.Run("a long run", func(t *testing.T) {
		m.Use(t)
		file := unit(m, "ns-flood", "seq -f 'unchanged /srv/flood/%06.0f' 20000\nexec restic backup -vv /srv/data\n",
			"[Service]\nTimeoutStopSec=90s\nExecStopPost="+exporter+" --unit %n"+section)
		m.Run("systemctl start ns-flood")
		first := m.Run("cat " + file)
		got := metrictest.Flat(t, first)
		assert.Equal(t, good, metrictest.Pick(got, good))
		assert.GreaterOrEqual(t, got["restic_exporter_log_entries{}"], 20_000.0)
		m.Run(exporter + " --unit ns-flood")
		second := m.Run("cat " + file)
		m.Run(exporter + "-static --unit ns-flood")
		assert.Equal(t, second, m.Run("cat "+file))
	})

	t.Run("dropped", func(t *testing.T) {
		m.Use(t)
		file := unit(m, "ns-limited", "seq -f 'unchanged /srv/%06.0f' 1000\nsleep 2.2\nrestic backup /srv/data\n",
			"[Service]\nExecStopPost="+exporter+" --unit %n"+section)
		m.Run("sed -i 's/^LogRateLimitIntervalSec=.*/LogRateLimitIntervalSec=2s/; s/^LogRateLimitBurst=.*/LogRateLimitBurst=100/' " +
			"/etc/systemd/system/ns-limited.service; systemctl daemon-reload; systemctl start ns-limited")
		got := metrictest.Flat(t, m.Run("cat "+file))
		assert.Equal(t, 1.0, got["restic_exporter_backups{}"])
		assert.Greater(t, got["restic_exporter_dropped_entries{}"], 0.0)
	})

	// A reader in the group of the journal waits until the unit has been quiet.
	t.Run("without root", func(t *testing.T) {
		m.Use(t)
		m.Run("id reader 2>/dev/null || useradd --system --no-create-home --groups systemd-journal reader; systemctl start ns-outside-good")
		got := metrictest.Flat(t, m.Run(fmt.Sprintf(
			"cd /; setpriv --reuid=reader --regid=reader --init-groups %s --unit ns-outside-good --output -", exporter)))
		assert.Equal(t, good, metrictest.Pick(got, good))
	})

	// The journald of a namespace ends when no unit uses it any more. Its sockets stay, and nobody listens to them.
	t.Run("its journald has ended", func(t *testing.T) {
		m.Use(t)
		m.Run("systemctl start ns-outside-good; " + exporter + " --unit ns-outside-good --output /run/ns-before.prom")
		m.Run("journalctl -q --namespace=backup --sync; systemctl stop 'systemd-journald@backup.*' 'systemd-journald-varlink@backup.*'")
		require.Equal(t, "socket\n", m.Run("stat -c %F /run/systemd/journal.backup/io.systemd.journal"))
		for _, program := range []string{exporter, exporter + "-static"} {
			assert.Equal(t, m.Run("cat /run/ns-before.prom"), m.Run(program+" --unit ns-outside-good --output -"), program)
		}
	})

	// The manager's words are still there when the lines are not.
	t.Run("the lines are gone", func(t *testing.T) {
		m.Use(t)
		file := unit(m, "ns-gone", "restic backup -vv /srv/data\nuntil test -e /run/ns-gone; do sleep 0.1; done\nrestic backup /srv/data\n",
			"[Service]"+section)
		m.Run("systemctl start --no-block ns-gone; " +
			"until journalctl -q --namespace=backup -u ns-gone -o cat | grep -q saved; do sleep 0.1; done")
		m.Run("journalctl -q --namespace=backup --rotate; touch /run/ns-gone; " +
			"until systemctl show -P ActiveState ns-gone | grep -q inactive; do sleep 0.1; done")
		m.Run(exporter + " --unit ns-gone")
		first := m.Run("cat " + file)
		m.Run("journalctl -q --namespace=backup --rotate; journalctl -q --namespace=backup --sync; " +
			"ls -t /var/log/journal/*.backup/system@*.journal | tail -n +2 | xargs rm")
		for _, program := range []string{exporter, exporter + "-static"} {
			_, stderr, status := m.Try(program + " --unit ns-gone")
			assert.Equal(t, 1, status)
			assert.Contains(t, stderr, "the beginning of the run is not in the journal")
		}
		assert.Equal(t, first, m.Run("cat "+file), "the file is untouched")
	})
}
