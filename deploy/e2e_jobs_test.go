package deploy_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/restic-exporter/restic-exporter/internal/metrictest"
)

// ownersCommands: what BEFORE_BACKUP and AFTER_BACKUP do, and what becomes of the run.
func (s *system) ownersCommands(t *testing.T) {
	s.config(`BEFORE_BACKUP='
echo "error: only a warning, $$ ${HOME:-} %n"
test -z "${RESTIC_PASSWORD:-}"
runuser -u admin -- id -un > /srv/data/dumped'`, `AFTER_BACKUP='rm /srv/data/dumped'`)
	verdict, got := s.start("restic-backup")
	assert.Equal(t, "success", verdict)
	assert.Equal(t, success, metrictest.Pick(got, success))
	s.Run(`test ! -e /srv/data/dumped; test "$(restic-job backup dump latest /srv/data/dumped)" = admin`)

	for _, r := range []struct {
		name, before, after string
		config              string
		log, reason         string
		ran, afterRan       bool
	}{
		{name: "before fails", before: `echo "no such database: shop" >&2; false; echo not reached`, after: "touch /srv/after",
			log: "no such database: shop", reason: "other"},
		{name: "after fails", after: "touch /srv/after; echo the volume is busy; exit 7",
			log: "the volume is busy", reason: "other", ran: true, afterRan: true},
		{name: "the backup fails", before: "true", after: "touch /srv/after", config: "BACKUP_PATHS=(/srv/nothing)",
			log: "do not exist", reason: "no_source", afterRan: true},
	} {
		s.config("BEFORE_BACKUP="+quote(r.before), "AFTER_BACKUP="+quote(r.after), r.config)
		s.Run("rm -f /srv/after; : > /var/mail/admin; journalctl --rotate; journalctl --vacuum-time=1s -q")
		verdict, got := s.start("restic-backup")
		assert.Equal(t, "exit-code", verdict, r.name)
		assert.Equal(t, 1.0, got["restic_run_failure_reason{reason="+r.reason+"}"], r.name)
		_, _, after := s.Try("test -e /srv/after")
		log := s.Run("journalctl -u restic-backup -o cat")
		assert.Equal(t, r.afterRan, after == 0, r.name)
		assert.Contains(t, log, r.log, r.name)
		assert.NotContains(t, log, "not reached", r.name)
		if r.ran {
			assert.Regexp(t, `snapshot [0-9a-f]{8} saved`, log, r.name)
		} else {
			assert.NotContains(t, log, "saved", r.name)
		}
		s.Eventually(20*time.Second, "grep -qF "+quote(r.log)+" /var/mail/admin && grep -q 'Triggering OnFailure' /var/mail/admin")
	}

	// Stopped in its middle, the run ends the owner's command, and cleans up.
	s.config("BEFORE_BACKUP='sleep 1234'", "AFTER_BACKUP='touch /srv/after'")
	s.Run("rm -f /srv/after; systemctl reset-failed; systemctl start --no-block restic-backup")
	s.Eventually(20*time.Second, "pgrep -fx 'sleep 1234'")
	s.Run("systemctl stop restic-backup; ! pgrep -fx 'sleep 1234'; test ! -e /srv/after")
	s.config("AFTER_BACKUP='touch /srv/after'")
	s.Machine.Write(credentials, "RESTIC_REPOSITORY="+repository+"\nRESTIC_PASSWORD_COMMAND=sleep 1234\n", 0o600)
	s.Run("systemctl reset-failed; systemctl start --no-block restic-backup")
	s.Eventually(20*time.Second, "pgrep -fx 'sleep 1234'")
	s.Run("systemctl stop restic-backup; test -e /srv/after")
	assert.Equal(t, 1.0, s.metrics("restic-backup")["restic_run_failure_reason{reason=killed}"])
	s.password("right")
	s.config()
}

// restoreTest: a restore that is tried, and what is seen of it.
func (s *system) restoreTest(t *testing.T) {
	const unit = "restic-restore-test@backup"
	s.start("restic-backup")
	verdict, _ := s.start(unit)
	assert.Equal(t, "exit-code", verdict, "nothing was planted yet")
	assert.Contains(t, s.Run("journalctl -u "+unit+" -o cat"), "run the job, and try again")
	s.start("restic-backup")
	verdict, got := s.start(unit)
	assert.Equal(t, "success", verdict, s.Run("journalctl -n 30 -o cat -u "+unit))
	want := map[string]float64{
		"restic_run_status{status=success}": 1, "restic_step_success{step=restore}": 1, "restic_step_errors{step=restore}": 0,
		"restic_run_max_age_seconds{}": 40 * 86400, "restic_exporter_backups{}": 0, "restic_exporter_unparsed_lines{}": 0,
	}
	assert.Equal(t, want, metrictest.Pick(got, want))
	assert.Contains(t, got, "restic_step_last_success_timestamp_seconds{step=restore}")
	assert.Contains(t, s.Run("journalctl -n 30 -o cat -u "+unit), "\nRestoring /srv/data/")

	// The owner of a file chooses its name, and what is there when it is compared.
	s.config("BACKUP_PATHS=(/srv/odd)")
	s.Run("mkdir /srv/odd; cd /srv/odd; touch --date=yesterday -- '--a $(b)  '")
	s.start("restic-backup")
	for _, script := range []string{"true", "rm -- --a*; mkfifo -- '--a $(b)  '; touch --date=yesterday -- *"} {
		s.Run("cd /srv/odd; " + script)
		verdict, _ = s.start(unit)
		assert.Equal(t, "success", verdict, s.Run("journalctl -n 30 -o cat -u "+unit))
	}
	s.config()

	// What was backed up is not what comes out: here it is the source that changed.
	s.Run("cd /var/lib/restic-exporter; cp -a backup.canary /root/canary; echo other > backup.canary; : > /var/mail/admin")
	verdict, got = s.start(unit)
	assert.Equal(t, "exit-code", verdict)
	assert.Equal(t, 1.0, got["restic_run_status{status=failed}"])
	s.Eventually(20*time.Second, "grep -q 'Subject: .machine. "+unit+": failed' /var/mail/admin && "+
		"grep -q 'what was restored is not what was backed up' /var/mail/admin")
	s.Run("cp -a /root/canary /var/lib/restic-exporter/backup.canary; systemctl start restic-exporter@" + unit + ".service")
	assert.Equal(t, 40*86400.0, s.metrics(unit)["restic_run_max_age_seconds{}"], "the handler keeps the limit")

	// A damaged repository: restic says so.
	s.Run(`cp -a ` + repository + ` /root/good
for pack in $(find ` + repository + `/data -type f); do
	chmod u+w $pack; printf XXXX | dd of=$pack bs=1 seek=8 conv=notrunc status=none
done
rm -rf /var/cache/restic-exporter/*`)
	verdict, got = s.start(unit)
	assert.Equal(t, "exit-code", verdict)
	assert.Equal(t, 0.0, got["restic_step_success{step=restore}"], s.Run("journalctl -n 30 -o cat -u "+unit))
	s.Run("rm -rf " + repository + "; mv /root/good " + repository + "; rm -rf /var/cache/restic-exporter/*")
	verdict, _ = s.start(unit)
	assert.Equal(t, "success", verdict)
}
