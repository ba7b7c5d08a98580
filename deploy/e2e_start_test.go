package deploy_test

import (
	"cmp"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// TestEndToEndNotStarted: what keeps a run from starting is a failed unit and a
// mail that says why, never a run that looks skipped.
func TestEndToEndNotStarted(t *testing.T) {
	s := boot(t)
	s.start("restic-backup")
	type row struct{ name, dropIn, script, undo, verdict, words, reason string }
	for _, r := range []row{
		{name: "a directory that may be written is missing",
			dropIn: "ReadWritePaths=/srv/unplugged", verdict: "exit-code", words: "status=226/NAMESPACE"},
		{name: "a path of the sandbox is missing",
			dropIn: "BindReadOnlyPaths=/srv/unplugged", verdict: "exit-code", words: "status=226/NAMESPACE"},
		{name: "the root directory is missing", dropIn: "RootDirectory=/srv/unplugged", verdict: "exit-code", words: "Failed with result"},
		{
			name: "the working directory is missing", dropIn: "WorkingDirectory=/srv/unplugged", verdict: "exit-code",
			words: "status=200/CHDIR",
		},
		{name: "the program is missing", script: "mv /usr/libexec/restic-exporter/restic-backup.sh /root/",
			undo: "mv /root/restic-backup.sh /usr/libexec/restic-exporter/", verdict: "exit-code", words: "status=203/EXEC"},
		{name: "the program cannot be executed", script: "chmod -x /usr/libexec/restic-exporter/restic-backup.sh",
			undo: "chmod +x /usr/libexec/restic-exporter/restic-backup.sh", verdict: "exit-code", words: "status=203/EXEC"},
		{name: "the cache cannot be made",
			script: "mv /var/cache/restic-exporter /root/cache; touch /var/cache/restic-exporter",
			undo:   "rm /var/cache/restic-exporter; mv /root/cache /var/cache/restic-exporter", verdict: "exit-code",
			words: "status=239/CACHE_DIRECTORY"},
		{name: "the state cannot be kept",
			script: "mv /var/lib/restic-exporter /root/state; touch /var/lib/restic-exporter",
			undo:   "rm /var/lib/restic-exporter; mv /root/state /var/lib/restic-exporter", verdict: "exit-code",
			words: "status=238/STATE_DIRECTORY"},
		{name: "the credentials are missing", script: "mv " + credentials + " /root/credentials",
			undo: "mv /root/credentials " + credentials, verdict: "resources", words: "Failed to load environment files"},
		{name: "credentials of the owner's are missing",
			dropIn: "LoadCredential=more:/srv/unplugged", verdict: "exit-code", words: "status=243/CREDENTIALS"},
		{name: "no such user", dropIn: "User=nobody-knows", verdict: "exit-code", words: "status=217/USER"},
		{name: "restic is missing", script: "mv /usr/bin/restic /root/restic", undo: "mv /root/restic /usr/bin/restic",
			verdict: "exit-code", words: "restic-backup.sh: there is no restic", reason: "exit-code"},
		{name: "the repository is not in ReadWritePaths=", dropIn: "ReadOnlyPaths=" + repository, verdict: "exit-code",
			words: repository + " cannot be written", reason: "exit-code"},
		{name: "a configuration from Windows", script: `sed -i 's/$/\r/' /etc/restic-exporter/backup.conf`,
			undo: `sed -i 's/\r$//' /etc/restic-exporter/backup.conf`, verdict: "exit-code", words: "Windows line endings",
			reason: "exit-code"},
	} {
		ok := t.Run(r.name, func(t *testing.T) {
			s.use(t)
			s.Run("mkdir -p /etc/systemd/system/restic-backup.service.d; : > /var/mail/admin; " + r.script)
			s.Machine.Write("/etc/systemd/system/restic-backup.service.d/fault.conf", "[Service]\n"+r.dropIn+"\n", 0o644)
			_, _, status := s.Try("systemctl daemon-reload; systemctl reset-failed; systemctl start restic-backup")
			assert.NotZero(t, status, "systemctl start says so")
			assert.Equal(t, r.verdict, s.verdict("restic-backup"))
			s.Run("systemctl is-failed restic-backup")
			s.Eventually(20*time.Second, "grep -q 'Subject: .machine. restic-backup: failed, "+
				cmp.Or(r.reason, "not_started")+"' /var/mail/admin && "+
				"grep -qF "+quote(r.words)+" /var/mail/admin")
			s.Run("rm /etc/systemd/system/restic-backup.service.d/fault.conf; systemctl daemon-reload; " + r.undo)
		})
		if !ok {
			s.use(t)
			t.Log(s.Run("journalctl --no-pager -n 40; tail -n 30 /var/log/exim4/mainlog; cat /var/mail/admin"))
			break
		}
	}
	s.use(t)
	verdict, _ := s.start("restic-backup")
	assert.Equal(t, "success", verdict, "it is what was wrong that counted")
}
