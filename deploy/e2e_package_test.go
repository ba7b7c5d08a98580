package deploy_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestEndToEndPackage(t *testing.T) {
	s := boot(t)
	s.start("restic-backup")
	config := s.Run("cat /etc/restic-exporter/backup.conf")
	s.Run("systemctl enable restic-backup.timer; dpkg --install /root/exporter.deb")
	assert.Equal(t, config, s.Run("cat /etc/restic-exporter/backup.conf"), "an upgrade leaves the configuration")
	assert.Equal(t, "enabled\n", s.Run("systemctl is-enabled restic-backup.timer"), "and the timer")
	s.Run("dpkg --remove restic-exporter-journal")
	s.Run("test ! -e /usr/bin/restic-exporter && test -e /etc/restic-exporter/backup.conf && test -e /var/lib/restic-exporter")
	s.Run("! systemctl list-timers --all | grep restic-backup")
	s.Run("dpkg --purge restic-exporter-journal")
	left := s.Run("find /etc /usr/bin /usr/libexec /usr/share /lib/systemd /var/lib /var/cache -xdev -path '*restic-exporter*' | sort")
	assert.Equal(t, []string{
		"/etc/restic-exporter", "/etc/restic-exporter/backup.credentials",
	}, strings.Fields(left), "what the user wrote stays: without it nobody reads the backups")
	s.Run("test ! -e /var/lib/restic-exporter && test ! -e /var/cache/restic-exporter")
	s.Run("! systemctl list-unit-files | grep '^restic-backup.*enabled'")
}
