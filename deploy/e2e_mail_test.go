package deploy_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// TestEndToEndMail: what is in the mail when a unit has failed.
func TestEndToEndMail(t *testing.T) {
	s := boot(t)
	s.steps([]step{
		{"units that fail at once", s.failAtOnce},
		{"starts that the manager refuses", s.refusedStarts},
		{"passwords in addresses", s.maskedPasswords},
		{"names", s.names},
		{"to try it", s.tryMail},
		{"msmtp", s.msmtp},
	})
}

// mailed waits for so many mails, returns them, and empties the mailbox.
func (s *system) mailed(n int) string {
	s.t.Helper()
	s.Eventually(60*time.Second, fmt.Sprintf("test $(grep -c '^From ' /var/mail/admin) -ge %d", n))
	s.Run("sleep 0.5")
	text := s.Run("cat /var/mail/admin; : > /var/mail/admin")
	assert.Equal(s.t, n, strings.Count("\n"+text, "\nFrom "))
	return text
}

// failAtOnce: journald may look at a line when its process has gone, and the
// manager may say that it starts a unit when the unit has said all.
func (s *system) failAtOnce(t *testing.T) {
	s.Machine.Write("/etc/systemd/system/fast@.service", `[Unit]
OnFailure=unit-failure@%n.service
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'echo "the last word of %i."; exit 1'
`, 0o644)
	s.Run("systemctl daemon-reload; for i in $(seq 40); do systemctl start --no-block fast@$i; done")
	mails := s.mailed(40)
	for i := range 40 {
		if word := fmt.Sprintf("]: the last word of %d.\n", i+1); !strings.Contains(mails, word) {
			assert.Fail(t, "not mailed", word)
		}
	}
}

// refusedStarts have the invocation ID of the run before, or none, and nobody but the
// manager says anything.
func (s *system) refusedStarts(t *testing.T) {
	s.Machine.Write("/etc/systemd/system/needed.service", "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'exec /run/needed'\n", 0o644)
	s.Machine.Write("/etc/systemd/system/needing.service", `[Unit]
Requires=needed.service
After=needed.service
StartLimitIntervalSec=1h
StartLimitBurst=2
OnFailure=unit-failure@%n.service
[Service]
Type=oneshot
ExecStart=/bin/sh -c 'echo a good run; exec /run/needing'
[Install]
WantedBy=timers.target
`, 0o644)
	s.Run(`ln -sf /bin/false /run/needed; ln -sf /bin/true /run/needing; systemctl daemon-reload; ! systemctl start needing`)
	mail := s.mailed(1)
	assert.Contains(t, mail, "\nSubject: [machine] needing: failed, not_started\n")
	assert.Contains(t, mail, "]: Dependency failed for needing.service.\n", "never run")

	// Enabled, a unit stays loaded, and with it the ID of its last run.
	s.Run("systemctl enable needing; ln -sf /bin/true /run/needed; systemctl reset-failed; systemctl start needing; sleep 1")
	for _, r := range []struct{ fault, undo, words string }{
		{"ln -sf /bin/false /run/needed", "ln -sf /bin/true /run/needed", "]: Dependency failed for needing.service.\n"},
		{"systemctl start needing; systemctl start needing; sleep 1", "true", "Start request repeated too quickly"},
	} {
		s.Run("systemctl reset-failed; " + r.fault + "; ! systemctl start needing")
		mail = s.mailed(1)
		assert.Contains(t, mail, "\nSubject: [machine] needing: failed, not_started\n", r.words)
		assert.Contains(t, mail, r.words)
		assert.NotContains(t, mail, "a good run", "not the log of the run before")
		s.Run(r.undo)
	}
}

func (s *system) maskedPasswords(t *testing.T) {
	s.Machine.Write("/root/words", `open rest:https://me:secret1@host:8000/path, me@example.org
Fatal: parse "http://me:secret/2@host/": invalid port
url "s3:http://:sec@ret3@host/" at https://host:8080/a
`, 0o644)
	s.Machine.Write("/etc/systemd/system/words.service", `[Unit]
OnFailure=unit-failure@%n.service
[Service]
ExecStart=/bin/sh -c 'cat /root/words; exit 1'
`, 0o644)
	s.Run("systemctl daemon-reload; systemctl start words")
	mail := s.mailed(1)
	assert.NotRegexp(t, "secret|ret3", mail)
	for _, words := range []string{
		"]: open rest:https://me:***@host:8000/path, me@example.org\n",
		`"http://me:***@host/"`, `"s3:http://:***@host/" at https://host:8080/a`,
	} {
		assert.Contains(t, mail, words)
	}
}

// names: %N has no ".service"; an instance may have a dot; there may be no hostname.
func (s *system) names(t *testing.T) {
	s.Machine.Write("/etc/systemd/system/dotted@.service", `[Unit]
OnFailure=unit-failure@%N.service
[Service]
ExecStart=/bin/sh -c 'echo my last word; exit 1'
`, 0o644)
	s.Run("mv $(command -v hostname) /root/; systemctl daemon-reload; systemctl start dotted@a.name")
	mail := s.mailed(1)
	s.Run("mv /root/hostname /bin/")
	assert.Contains(t, mail, "\nSubject: [machine] dotted@a.name: failed, exit-code\n")
	assert.Contains(t, mail, "]: my last word\n")
}

// tryMail sends a mail as the service does, to whom the service does.
func (s *system) tryMail(t *testing.T) {
	s.Machine.Write("/etc/default/restic-exporter", "MAIL_TO=admin@localhost\n", 0o644)
	s.Run("INVOCATION_ID=x /usr/libexec/restic-exporter/unit-failure.sh --test")
	mail := s.mailed(1)
	assert.Contains(t, mail, "\nSubject: [machine] test: mail about failed backups arrives\n")
	assert.Contains(t, mail, "\nTo: admin@localhost\n")
}

// msmtp hands the mail to a server, which is exim here.
func (s *system) msmtp(t *testing.T) {
	s.Machine.Write("/etc/msmtprc", "account default\nhost 127.0.0.1\nfrom root@machine\naliases /etc/aliases\n", 0o600)
	s.Machine.Write("/etc/aliases", "root: admin@localhost\n", 0o644)
	s.Machine.Write("/etc/default/restic-exporter", "MAIL_TO=root\n", 0o644)
	s.Run("ln -s /usr/bin/msmtp /usr/local/sbin/sendmail; " +
		"/usr/libexec/restic-exporter/unit-failure.sh --test; systemctl start fast@1 || true")
	mail := s.mailed(2)
	assert.Contains(t, mail, "\nSubject: [machine] test: mail about failed backups arrives\n")
	assert.Contains(t, mail, "]: the last word of 1.\n")

	// It has no queue, and its server may be down for the same reason as the backup's.
	s.Run("systemctl stop exim4; ! /usr/libexec/restic-exporter/unit-failure.sh --test; systemctl start fast@2 || true")
	s.Eventually(20*time.Second, "journalctl -q -o cat -u unit-failure@fast@2.service.service | "+
		"grep 'could not be sent; trying again in 30 seconds'")
	s.Run("systemctl start exim4; pkill -fx 'sleep 30'")
	assert.Contains(t, s.mailed(1), "]: the last word of 2.\n")
}
