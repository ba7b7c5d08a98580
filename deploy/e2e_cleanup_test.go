package deploy_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestEndToEndCleanup(t *testing.T) {
	s := boot(t)
	s.config("CLEANUP_DIRECTORY=/srv/dumps")
	s.Run(`mkdir -p /srv/dumps/old /srv/elsewhere
touch /srv/dumps/new /srv/elsewhere/precious
for name in /srv/dumps/a "/srv/dumps/old/with space" $'/srv/dumps/with\nbreak' /srv/elsewhere/precious; do
  touch --date='31 days ago' "$name"
done
ln -s /srv/elsewhere /srv/dumps/link; ln -s /srv/elsewhere/precious /srv/dumps/filelink
touch --no-dereference --date='31 days ago' /srv/dumps/link /srv/dumps/filelink; touch --date='31 days ago' /srv/dumps/old /srv/dumps`)
	verdict, got := s.start("restic-backup")
	assert.Equal(t, "success", verdict)
	assert.Equal(t, "filelink\nlink\nnew\nold\n", s.Run("ls -A /srv/dumps"), "files only")
	assert.Equal(t, "", s.Run("ls -A /srv/dumps/old"))
	assert.Equal(t, "precious\n", s.Run("ls -A /srv/elsewhere"))
	assert.Contains(t, got, "restic_backup_duration_seconds{action=cleanup}")

	assert.Contains(t, s.Run("journalctl -u restic-backup -o cat"), "Finished cleanup: 3 files deleted, 0 bytes", "and no names")

	// A file that cannot be deleted is a warning; 100,000 files are two lines.
	s.Run(`cd /srv/dumps; seq 100000 | xargs touch --date='31 days ago'; touch --date='31 days ago' old/kept
mount --bind -o ro old old 2>/dev/null; mount -o remount,bind,ro old; journalctl --rotate; journalctl --vacuum-time=1s 2>/dev/null`)
	verdict, _ = s.start("restic-backup")
	assert.Equal(t, "success", verdict)
	assert.Equal(t, "filelink\nlink\nnew\nold\n", s.Run("ls -A /srv/dumps"))
	assert.Equal(t, "2\n", s.Run("journalctl -o cat SYSLOG_IDENTIFIER=cleanup-backups.sh | grep -c cleanup"))
	s.Run("umount /srv/dumps/old")

	// Somebody who owns the directory above swaps a link in, all the time.
	s.config("CLEANUP_DIRECTORY=/srv/his/dumps")
	s.Run(`mkdir -p /srv/his/real /srv/his/dumps
systemd-run --unit=swapper bash -c 'cd /srv/his
  while :; do mv -T dumps real2; ln -s /srv/elsewhere dumps; rm dumps; mv -T real2 dumps; done'
export STATE_DIRECTORY=/var/lib/restic-exporter RESTIC_REPOSITORY=/x
for i in $(seq 60); do
  /usr/libexec/restic-exporter/cleanup-backups.sh backup >/dev/null 2>&1 || true
done
systemctl stop swapper`)
	assert.Equal(t, "precious\n", s.Run("ls -A /srv/elsewhere"), "never across a link")

	s.Run("ln -s /srv/elsewhere /srv/alias")
	s.config("CLEANUP_DIRECTORY=/srv/alias")
	verdict, _ = s.start("restic-backup")
	assert.Equal(t, "exit-code", verdict)
	assert.Equal(t, "precious\n", s.Run("ls -A /srv/elsewhere"), "never across a link")
	s.config()
}
