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
for name in /srv/dumps/a "/srv/dumps/old/with space" $'/srv/dumps/with\nbreak' /srv/elsewhere/precious; do touch --date='31 days ago' "$name"; done
ln -s /srv/elsewhere /srv/dumps/link; ln -s /srv/elsewhere/precious /srv/dumps/filelink
touch --no-dereference --date='31 days ago' /srv/dumps/link /srv/dumps/filelink; touch --date='31 days ago' /srv/dumps/old /srv/dumps`)
	verdict, got := s.start("restic-backup")
	assert.Equal(t, "success", verdict)
	assert.Equal(t, "filelink\nlink\nnew\nold\n", s.Run("ls -A /srv/dumps"), "files only")
	assert.Equal(t, "", s.Run("ls -A /srv/dumps/old"))
	assert.Equal(t, "precious\n", s.Run("ls -A /srv/elsewhere"))
	assert.Contains(t, got, "restic_backup_duration_seconds{action=cleanup}")

	s.Run("ln -s /srv/elsewhere /srv/alias")
	s.config("CLEANUP_DIRECTORY=/srv/alias")
	verdict, _ = s.start("restic-backup")
	assert.Equal(t, "exit-code", verdict)
	assert.Equal(t, "precious\n", s.Run("ls -A /srv/elsewhere"), "never across a link")
	s.config()
}
