package deploy_test

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/restic-exporter/restic-exporter/internal/metrictest"
)

// goneRepository: nothing but a repository that was never there is initialised.
func (s *system) goneRepository(t *testing.T) {
	s.Run("mv " + repository + " " + repository + ".away && mkdir " + repository)
	verdict, got := s.start("restic-backup")
	assert.Equal(t, "exit-code", verdict)
	want := failure("no_repository", 1)
	assert.Equal(t, want, metrictest.Pick(got, want))
	assert.Empty(t, s.Run("ls "+repository), "a disk that is not mounted gets no second repository")
	s.Run("rmdir " + repository + " && mv " + repository + ".away " + repository)

	// A server that cannot be reached, for a job that has never had a repository.
	s.Machine.Write("/etc/restic-exporter/far.conf", "BACKUP_PATHS=(/srv/data)\n", 0o644)
	s.Machine.Write("/etc/restic-exporter/far.credentials", "RESTIC_REPOSITORY=rest:http://localhost:1/\nRESTIC_PASSWORD=x\n", 0o600)
	// restic 0.14 tries for a quarter of an hour.
	_, _, status := s.Try("timeout 5 systemctl start restic-backup@far; status=$?; systemctl stop restic-backup@far; exit $status")
	assert.NotZero(t, status)
	assert.NotContains(t, s.Run("journalctl -u restic-backup@far"), "created restic repository")
	s.Run("test ! -e /var/lib/restic-exporter/far.repository")
	s.start("restic-backup")
}

func (s *system) partial(t *testing.T) {
	s.Machine.Write("/etc/restic-exporter/part.conf", "BACKUP_PATHS=(/srv/data /srv/secret)\n"+
		"PRUNE_WEEKDAY=daily\nCHECK_WEEKDAY=daily\n", 0o644)
	s.Machine.Write("/etc/restic-exporter/part.credentials", "RESTIC_REPOSITORY="+repository+"\nRESTIC_PASSWORD=right\n", 0o600)
	s.Machine.Write("/etc/systemd/system/restic-backup@part.service.d/weak.conf", `[Service]
ReadWritePaths=`+repository+`
CapabilityBoundingSet=
ExecStopPost=
ExecStopPost=-+/usr/bin/restic-exporter --unit %n --max-age 50h
`, 0o644)
	s.Run("mkdir /srv/secret; echo 1 > /srv/secret/open; echo 2 > /srv/secret/closed; chown admin /srv/secret/closed; " +
		"chmod 0600 /srv/secret/closed; systemctl daemon-reload")
	verdict, got := s.start("restic-backup@part")
	assert.Equal(t, "success", verdict, "it goes on")
	want := map[string]float64{
		"restic_run_status{status=success}": 0, "restic_run_status{status=partial}": 1, "restic_run_status{status=failed}": 0,
		"restic_run_failure_reason{reason=source_unreadable}": 1, "restic_backup_failure{}": 0,
		"restic_snapshot_unreadable_items{backup=1}": 1, "restic_snapshot_processed_files{backup=1}": 22,
		"restic_run_consecutive_failures{}": 0,
	}
	assert.Equal(t, want, metrictest.Pick(got, want))
	assert.Contains(t, s.Run("journalctl -u restic-backup@part -o cat"), "Applying Policy", "and prunes")
	s.Run("! grep -q 'restic-backup@part' /var/mail/admin")
	s.Eventually(20*time.Second, `curl -sf localhost:9100/metrics | grep -q 'restic_run_status{status="partial",`+
		`unit="restic-backup@part.service"} 1'`)
	assert.Contains(t, s.Run("curl -sf localhost:9100/metrics"), "node_textfile_scrape_error 0\n", "two units side by side")
}

func (s *system) lock(t *testing.T) {
	// A backup that waits for its input holds a lock.
	s.Run("systemd-run --unit=holder --setenv=RESTIC_REPOSITORY=" + repository +
		` --setenv=RESTIC_PASSWORD=right bash -c 'sleep 600 | restic --no-cache backup --stdin'`)
	s.Eventually(20*time.Second, "ls "+repository+"/locks | grep -q .")
	s.Run("sleep 1")
	s.Run("rm -f /var/lib/restic-exporter/backup.checked")
	s.config("CHECK_WEEKDAY=daily") // a check wants the repository for itself
	verdict, got := s.start("restic-backup")
	assert.Equal(t, "exit-code", verdict)
	want := failure("locked", 1)
	assert.Equal(t, want, metrictest.Pick(got, want))
	assert.Greater(t, got["restic_lock_age_seconds{}"], 0.5)

	// A lock that goes is waited for.
	s.config("CHECK_WEEKDAY=daily", "RETRY_FOR=1h", "RETRY_EVERY=1s")
	s.Run("rm -f /var/lib/restic-exporter/backup.checked")
	s.background("the repository is locked; trying again in 1 seconds")
	s.Run("systemctl stop holder")
	s.restic("unlock") // as the runbook says: the process is gone
	s.Eventually(20*time.Second, "! ls "+repository+"/locks | grep -q .")
	_, got = s.ended()
	s.config()
	want = map[string]float64{"restic_lock_age_seconds{}": 0, "restic_run_consecutive_failures{}": 0}
	assert.Equal(t, want, metrictest.Pick(got, want))
}

func (s *system) fullDisk(t *testing.T) {
	before := s.Run("cat " + textfiles + "/restic-backup.prom")
	s.Run(`mount -t tmpfs -o size=64k tmpfs ` + textfiles + `
printf '%s' ` + quote(before) + ` > ` + textfiles + `/restic-backup.prom
cat /dev/zero > ` + textfiles + `/filling 2>/dev/null || true`)
	verdict, _ := s.start("restic-backup")
	assert.Equal(t, "success", verdict, "metrics never fail a backup")
	assert.Equal(t, before, s.Run("cat "+textfiles+"/restic-backup.prom"))
	assert.Equal(t, "filling\nrestic-backup.prom\n", s.Run("ls -A "+textfiles), "nothing is left behind")
	assert.Contains(t, s.Run("journalctl -u restic-backup -o cat -n 20"), "no space left on device")
	s.Run("umount " + textfiles + " && restic-exporter --max-age 50h")
	got := s.metrics("restic-backup")
	assert.Equal(t, success, metrictest.Pick(got, success), "and it can be done later")
}

func (s *system) killed(t *testing.T) {
	s.Machine.Write(credentials, "RESTIC_REPOSITORY="+repository+"\nRESTIC_PASSWORD_COMMAND=sleep 1000\n", 0o600)
	s.Run(`systemctl reset-failed; systemctl start --no-block restic-backup
for i in $(seq 100); do pgrep -x sleep >/dev/null && break; sleep 0.1; done; sleep 0.5
systemctl kill --signal=KILL restic-backup
for i in $(seq 200); do systemctl show -P ActiveState restic-backup | grep -q failed && break; sleep 0.1; done`)
	got := s.metrics("restic-backup")
	want := failure("killed", 137)
	assert.Equal(t, want, metrictest.Pick(got, want))

	s.Machine.Write("/etc/systemd/system/restic-backup.service.d/timeout.conf", "[Service]\nTimeoutStartSec=3\n", 0o644)
	s.Run("systemctl daemon-reload")
	verdict, got := s.start("restic-backup")
	assert.Equal(t, "timeout", verdict)
	want = failure("timeout", 143)
	want["restic_run_consecutive_failures{}"] = 2
	assert.Equal(t, want, metrictest.Pick(got, want))
	os.Remove(s.Root + "/etc/systemd/system/restic-backup.service.d/timeout.conf")
	s.password("right")
	s.Run("systemctl daemon-reload")
	s.start("restic-backup")
}

func (s *system) journald(t *testing.T) {
	s.Machine.Write(credentials, "RESTIC_REPOSITORY="+repository+"\nRESTIC_PASSWORD_COMMAND=sh -c 'sleep 1; echo right'\n", 0o600)
	s.Run(`systemctl reset-failed; systemctl start --no-block restic-backup; sleep 2.5; systemctl restart systemd-journald
for i in $(seq 300); do systemctl show -P ActiveState restic-backup | grep -qE 'inactive|failed' && break; sleep 0.1; done`)
	got := s.metrics("restic-backup")
	assert.Equal(t, success, metrictest.Pick(got, success))
	s.password("right")
}
