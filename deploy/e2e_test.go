package deploy_test

import (
	"encoding/json"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restic-exporter/restic-exporter/internal/machine"
	"github.com/restic-exporter/restic-exporter/internal/metrictest"
	"github.com/restic-exporter/restic-exporter/internal/testenv"
)

const (
	textfiles   = "/var/lib/prometheus/node-exporter"
	credentials = "/etc/restic-exporter/backup.credentials"
	// The repository outlasts a reboot of the machine; the source does not, for
	// --one-file-system wants it on a file system of its own.
	repository = "/var/lib/repository"
)

// a system is a machine with the package and everything around it installed.
type system struct {
	*machine.Machine
	t *testing.T
}

// TestEndToEnd proves the chain: from the timer to the mail, with every real
// part. make e2e makes the package first.
func TestEndToEnd(t *testing.T) {
	s := boot(t)
	s.monitoring()
	s.steps([]step{
		{"the timer fires", s.firstRun},
		{"changed files and the weekly prune", s.secondRun},
		{"a wrong password", s.wrongPassword},
		{"the mail of what journald took late", s.lateMail},
		{"a repository that has gone", s.goneRepository},
		{"partial", s.partial},
		{"a held lock", s.lock},
		{"a full disk under the metrics", s.fullDisk},
		{"killed and timed out", s.killed},
		{"journald restarted in mid-run", s.journald},
		{"prune on its day", s.pruneDay},
		{"a unit of the shell exporter", s.shellExporter},
		{"a reboot between runs", s.reboot},
	})
}

// A step is a part of a test that builds on those before it.
type step struct {
	name string
	f    func(t *testing.T)
}

// steps runs them until one fails.
func (s *system) steps(steps []step) {
	t := s.t
	for _, step := range steps {
		ok := t.Run(step.name, func(t *testing.T) {
			s.use(t)
			began := time.Now()
			step.f(t)
			t.Logf("%.1f s", time.Since(began).Seconds())
		})
		s.use(t)
		if !ok {
			t.Log(s.Run("journalctl --no-pager -n 60 -o short-monotonic; tail -n 30 /var/log/exim4/mainlog || true; ls -l /var/mail"))
			break
		}
	}
}

func (s *system) use(t *testing.T) {
	s.t = t
	s.Use(t)
}

// boot boots a machine and configures the job of the page for beginners, with a
// repository on the same machine.
func boot(t *testing.T) *system {
	s := bare(t)
	s.Run("dpkg --install /root/exporter.deb")
	s.config("PRUNE_WEEKDAY=$(date +%u)", "CHECK_WEEKDAY=daily")
	s.password("right")
	s.Machine.Write("/etc/systemd/system/restic-backup.service.d/here.conf",
		"[Service]\nReadWritePaths="+repository+" -/srv/dumps\n", 0o644)
	s.Run("mkdir -p " + repository + " && systemctl daemon-reload")
	s.source()
	return s
}

// bare boots a machine with a mail server, and the package in /root.
func bare(t *testing.T) *system {
	testenv.Long(t)
	s := &system{machine.Boot(t), t}
	text, err := os.ReadFile(deb(t))
	require.NoError(t, err)
	s.Machine.Write("/root/exporter.deb", string(text), 0o644)
	s.Machine.Write("/etc/aliases", "root: admin\n", 0o644)
	s.Run("useradd --create-home admin && newaliases 2>/dev/null || true")
	// As Debian does; without it exim4 asks a name server.
	s.Run("echo 127.0.1.1 machine >> /etc/hosts")
	s.Machine.Write("/etc/mailname", "machine\n", 0o644)
	s.Run("install --owner=admin --group=mail --mode=0660 /dev/null /var/mail/admin; systemctl start exim4")
	return s
}

// monitoring starts node_exporter, Prometheus and Alertmanager.
func (s *system) monitoring() {
	t := s.t
	// Now, not at night.
	s.Machine.Write("/etc/systemd/system/restic-backup.timer.d/now.conf",
		"[Timer]\nOnCalendar=\nOnActiveSec=1s\nRandomizedDelaySec=0\nAccuracySec=100ms\n", 0o644)
	s.Run("systemctl daemon-reload")
	alertmanager := strings.NewReplacer("group_wait: 30s", "group_wait: 1s", "group_interval: 5m", "group_interval: 2s").
		Replace(read(t, "alertmanager/alertmanager.yml"))
	s.Machine.Write("/etc/prometheus/alertmanager.yml", alertmanager, 0o644)
	// The machine has no network for a cluster.
	s.Machine.Write("/etc/default/prometheus-alertmanager", "ARGS=--cluster.listen-address=\n", 0o644)
	s.Machine.Write("/etc/prometheus/restic.rules.yml", read(t, "prometheus/restic.rules.yml"), 0o644)
	s.Machine.Write("/etc/prometheus/prometheus.yml", `
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [restic.rules.yml]
alerting: {alertmanagers: [{static_configs: [{targets: ['localhost:9093']}]}]}
scrape_configs: [{job_name: node, static_configs: [{targets: ['localhost:9100']}]}]
`, 0o644)
	s.servers()
}

func (s *system) servers() {
	s.Run("systemctl start exim4 prometheus-node-exporter prometheus-alertmanager prometheus")
	s.Eventually(30*time.Second, "curl -sf localhost:9100/metrics >/dev/null && curl -sf localhost:9090/-/ready && "+
		"curl -sf localhost:9093/-/ready")
}

// source makes the files that are backed up.
func (s *system) source() {
	s.Run(`mkdir -p /srv/data/sub
for i in $(seq 20); do yes "line $i" | head -c $((i * 1000)) > /srv/data/sub/$i; done; touch /srv/data/empty`)
}

func (s *system) config(more ...string) {
	s.Machine.Write("/etc/restic-exporter/backup.conf", "BACKUP_PATHS=(/srv/data)\nPRUNE_WEEKDAY=0\nCHECK_WEEKDAY=0\nRETRY_FOR=0\n"+
		strings.Join(more, "\n")+"\n", 0o644)
}

func (s *system) password(password string) {
	s.Machine.Write(credentials, "# the repository\nRESTIC_REPOSITORY="+repository+"\nRESTIC_PASSWORD=\""+password+"\"\n", 0o600)
}

// start runs the unit and returns systemd's verdict and the metrics.
func (s *system) start(unit string) (string, map[string]float64) {
	s.t.Helper()
	// A machine that is as fast as this one would meet the limit for starts.
	s.Run("systemctl reset-failed; systemctl start " + unit + " || true")
	return s.verdict(unit), s.metrics(unit)
}

func (s *system) verdict(unit string) string {
	return strings.TrimSpace(s.Run("systemctl show -P Result " + unit))
}

// metrics are those of a unit, by "name{labels but unit and timestamp}".
func (s *system) metrics(unit string) map[string]float64 {
	s.t.Helper()
	return metrictest.Flat(s.t, s.Run("cat "+textfiles+"/"+unit+".prom"))
}

// query returns how many series Prometheus has for an expression.
func (s *system) query(expr string) int {
	s.t.Helper()
	text := s.Run("curl -sf --get localhost:9090/api/v1/query --data-urlencode " + quote("query="+expr))
	var answer struct {
		Data struct{ Result []json.RawMessage }
	}
	require.NoError(s.t, json.Unmarshal([]byte(text), &answer))
	return len(answer.Data.Result)
}

func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// restic runs restic in the machine on the repository.
func (s *system) restic(command string) string {
	return s.Run("export RESTIC_REPOSITORY=" + repository + " RESTIC_PASSWORD=right; restic --no-cache " + command)
}

var success = map[string]float64{
	"restic_run_status{status=success}": 1, "restic_run_status{status=partial}": 0, "restic_run_status{status=failed}": 0,
	"restic_backup_failure{}": 0, "restic_run_consecutive_failures{}": 0, "restic_run_exit_code{}": 0, "restic_exporter_backups{}": 1,
	"restic_exporter_unparsed_lines{}": 0, "restic_exporter_dropped_entries{}": 0, "restic_step_success{step=backup}": 1,
	"restic_run_max_age_seconds{}": 180000,
}

func failure(reason string, code float64) map[string]float64 {
	return map[string]float64{
		"restic_run_status{status=success}": 0, "restic_run_status{status=partial}": 0, "restic_run_status{status=failed}": 1,
		"restic_run_failure_reason{reason=" + reason + "}": 1, "restic_run_exit_code{}": code, "restic_backup_failure{}": 1,
	}
}

func (s *system) firstRun(t *testing.T) {
	s.Run("systemctl start restic-backup.timer")
	s.Eventually(60*time.Second, "test -e "+textfiles+"/restic-backup.prom")
	s.Eventually(20*time.Second, "systemctl show -P ActiveState restic-backup | grep -q inactive")
	s.Run("systemctl stop restic-backup.timer")
	assert.Equal(t, "success", s.verdict("restic-backup"))
	got := s.metrics("restic-backup")
	want := maps.Clone(success)
	maps.Copy(want, map[string]float64{
		"restic_step_success{step=init}": 1, "restic_step_success{step=check}": 1, "restic_step_success{step=forget}": 1,
		"restic_snapshot_files{backup=1,state=new}": 21, "restic_snapshot_processed_files{backup=1}": 21,
		"restic_forget_snapshots{result=kept}": 1, "restic_forget_snapshots{result=removed}": 0, "restic_check_found_errors{}": 0,
	})
	assert.Equal(t, want, metrictest.Pick(got, want))
	assert.Contains(t, got, "restic_backup_duration_seconds{action=backup}")
	assert.Contains(t, got, "restic_backup_duration_seconds{action=prune}")

	// node_exporter serves what the file has, and Prometheus has it.
	served := s.Run("curl -sf localhost:9100/metrics")
	for line := range strings.Lines(s.Run("cat " + textfiles + "/restic-backup.prom")) {
		assert.Contains(t, served, line)
	}
	assert.Contains(t, served, "node_textfile_scrape_error 0\n")
	s.Eventually(20*time.Second, `curl -sf --get localhost:9090/api/v1/query --data-urlencode `+
		`'query=restic_run_status{status="success"} == 1' | grep -q restic-backup.service`)
}

func (s *system) secondRun(t *testing.T) {
	s.config("PRUNE_WEEKDAY=$(date +%u)", "FORGET_OPTIONS=(--keep-last 1)")
	s.Run(`touch --date='8 days ago' /var/lib/restic-exporter/backup.pruned
rm /srv/data/sub/1; for i in 2 3; do echo more >> /srv/data/sub/$i; done; head -c 5000 /dev/urandom > /srv/data/new`)
	verdict, got := s.start("restic-backup")
	assert.Equal(t, "success", verdict)
	want := maps.Clone(success)
	maps.Copy(want, map[string]float64{
		"restic_snapshot_files{backup=1,state=new}": 1, "restic_snapshot_files{backup=1,state=changed}": 2,
		"restic_snapshot_files{backup=1,state=unmodified}": 18,
		"restic_forget_snapshots{result=kept}":             1, "restic_forget_snapshots{result=removed}": 1,
	})
	assert.Equal(t, want, metrictest.Pick(got, want))

	var snapshots []struct{ Time time.Time }
	require.NoError(t, json.Unmarshal([]byte(s.restic("snapshots --json")), &snapshots))
	assert.EqualValues(t, len(snapshots), got["restic_forget_snapshots{result=kept}"])
	assert.InDelta(t, float64(snapshots[0].Time.UnixMilli())/1e3, got["restic_snapshot_last_created_timestamp_seconds{}"], 30)
	type stats struct {
		Bytes float64 `json:"total_size"`
		Blobs float64 `json:"total_blob_count"`
	}
	var source, raw stats
	require.NoError(t, json.Unmarshal([]byte(s.restic("stats --json --mode restore-size latest")), &source))
	require.NoError(t, json.Unmarshal([]byte(s.restic("stats --json --mode raw-data")), &raw))
	assert.InEpsilon(t, source.Bytes, got["restic_snapshot_processed_bytes{backup=1}"], 0.001)
	assert.Equal(t, raw.Blobs, got["restic_repository_blobs{}"])
	assert.InEpsilon(t, raw.Bytes, got["restic_repository_size_bytes{}"], 0.001)
	assert.Positive(t, got["restic_prune_removed_blobs{}"])
	s.config()

	// Now that there are data of a prune, the dashboard has something to draw.
	s.Eventually(20*time.Second, `curl -sf --get localhost:9090/api/v1/query --data-urlencode 'query=restic_prune_removed_blobs' | `+
		`grep -q restic-backup.service`)
	for _, title := range []string{
		"To look at", "Good", "Failed", "Status", "Source", "Added by run", "Repository", "Removed by prune", "Snapshots by forget",
	} {
		for _, target := range loadDashboard(t).panel(t, title).Targets {
			assert.NotZero(t, s.query(fill(target.Expr, ".*")), "no data: %s", target.Expr)
		}
	}
}

func (s *system) wrongPassword(t *testing.T) {
	before := s.metrics("restic-backup")
	keys := s.Run("ls " + repository + "/keys " + repository + "/snapshots")
	s.password("wrong")
	verdict, got := s.start("restic-backup")
	assert.Equal(t, "exit-code", verdict)
	want := failure("password", 1)
	want["restic_run_consecutive_failures{}"] = 1
	for _, kept := range []string{
		"restic_run_last_success_timestamp_seconds{}", "restic_snapshot_last_created_timestamp_seconds{}", "restic_repository_blobs{}",
		"restic_repo_files{state=new}",
	} {
		want[kept] = before[kept]
	}
	assert.Equal(t, want, metrictest.Pick(got, want))
	assert.Equal(t, keys, s.Run("ls "+repository+"/keys "+repository+"/snapshots"), "init was not run")

	s.Eventually(30*time.Second, `curl -sf --get localhost:9090/api/v1/query --data-urlencode `+
		`'query=ALERTS{alertname="ResticBackupFailed",alertstate="firing",unit="restic-backup.service"}' | grep -q restic-backup`)
	s.Eventually(30*time.Second, `curl -sf localhost:9093/api/v2/alerts | grep -q ResticBackupFailed`)
	// Both mails are in a real mailbox: Alertmanager's, and the handler's with
	// the log of the unit that failed.
	s.Eventually(30*time.Second, `grep -q 'Subject: .FIRING. restic-backup.service on localhost:9100: A backup failed: password' `+
		`/var/mail/admin && `+
		`grep -q '^restic-backup.service on localhost:9100 failed in its last run: password' /var/mail/admin && `+
		`grep -q 'Subject: .machine. restic-backup: failed, password' /var/mail/admin && `+
		`grep -q 'restic-backup.service: Triggering OnFailure' /var/mail/admin`)
	mail := s.Run("cat /var/mail/admin")
	assert.Contains(t, mail, "wrong password or no key found")
	assert.Contains(t, mail, "restic-backup.service: Main process exited, code=exited, status=1/FAILURE")
	assert.NotContains(t, mail, "Mail that", "not the log of the handler")
	assert.NotContains(t, mail, "snapshot", "not the log of an earlier run")

	s.password("right")
	verdict, got = s.start("restic-backup")
	assert.Equal(t, "success", verdict)
	assert.Equal(t, success, metrictest.Pick(got, success))
	s.Eventually(30*time.Second, `! curl -sf --get localhost:9090/api/v1/query --data-urlencode `+
		`'query=ALERTS{alertname="ResticBackupFailed"}' | grep -q restic-backup`)
	s.Eventually(60*time.Second, `grep -q '\[RESOLVED\]' /var/mail/admin`)
}

// lateMail holds journald up until a unit has failed: its line has no invocation
// ID then. It is mailed when it has failed, and once more when it has run again.
func (s *system) lateMail(t *testing.T) {
	s.Machine.Write("/etc/systemd/system/late.service", `[Unit]
OnFailure=unit-failure@%n.service
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'until test -e /run/late; do sleep 0.05; done; cat /run/late; exit 1'
`, 0o644)
	s.Run(`systemctl daemon-reload; echo an earlier run > /run/late; systemctl start late || true
until grep -q 'an earlier run' /var/mail/admin; do sleep 0.1; done; rm /run/late; : > /var/mail/admin
journald=$(systemctl show -P MainPID systemd-journald)
systemctl start --no-block late; until systemctl show -P ActiveState late | grep -q activating; do sleep 0.05; done; journalctl --sync
kill -STOP $journald; echo the late line > /run/late
until systemctl show -P ActiveState late | grep -q failed; do sleep 0.05; done; kill -CONT $journald`)
	s.Eventually(30*time.Second, "grep -q 'late.service: Triggering OnFailure' /var/mail/admin") // its end
	mail := s.Run("cat /var/mail/admin; : > /var/mail/admin")
	s.Run(`id=$(journalctl -q -o cat --output-fields=INVOCATION_ID -n 1 _PID=1 UNIT=late.service)
rm /run/late; systemctl start --no-block late; until systemctl show -P ActiveState late | grep -q activating; do sleep 0.05; done
journalctl --sync; echo a later run > /run/late # behind the manager's word that it starts
until grep -q 'a later run' /var/mail/admin; do sleep 0.1; done; : > /var/mail/admin
MONITOR_UNIT=late.service MONITOR_INVOCATION_ID=$id /usr/libexec/restic-exporter/unit-failure.sh late.service`)
	s.Eventually(30*time.Second, "grep -q 'late.service: Triggering OnFailure' /var/mail/admin") // its end
	for _, mail := range []string{mail, s.Run("cat /var/mail/admin")} {
		assert.Contains(t, mail, "]: the late line")
		assert.Contains(t, mail, "late.service: Failed with result 'exit-code'")
		assert.Equal(t, 1, strings.Count(mail, "]: Starting"), "%s", mail)
		assert.NotContains(t, mail, "an earlier run")
		assert.NotContains(t, mail, "a later run")
	}
	s.Run("systemctl reset-failed late; rm /etc/systemd/system/late.service; systemctl daemon-reload")
}

func (s *system) reboot(t *testing.T) {
	before := s.metrics("restic-backup")
	s.Reboot()
	s.source()
	s.servers()
	assert.Equal(t, before, s.metrics("restic-backup"), "the file outlasts it")
	verdict, got := s.start("restic-backup")
	assert.Equal(t, "success", verdict)
	assert.Equal(t, success, metrictest.Pick(got, success))
	assert.Greater(t, got["restic_run_last_success_timestamp_seconds{}"], before["restic_run_last_success_timestamp_seconds{}"])
}
