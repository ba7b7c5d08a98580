package deploy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestEndToEndSources: what is backed up, and what is not.
func TestEndToEndSources(t *testing.T) {
	s := boot(t)
	s.steps([]step{
		{"a repository below a source", s.repositoryBelow},
		{"what the configuration leaves out", s.leftOut},
		{"two jobs on one repository", s.twoJobs},
		{"the owner's commands", s.ownersCommands},
		{"a restore that is tried", s.restoreTest},
	})
}

// repositoryBelow: a repository in its own source would grow by itself each day.
func (s *system) repositoryBelow(t *testing.T) {
	s.Run("ln -s /srv /root/link")
	s.Machine.Write("/etc/systemd/system/restic-backup.service.d/here.conf", "[Service]\nReadWritePaths=/srv\n", 0o644)
	s.Run("systemctl daemon-reload")
	for _, r := range []struct{ sources, repository string }{
		{"/srv", "/srv/repository"},
		{"/srv/", "local:/srv/a [very] *odd* na\\me"},
		{"/root/link/data /srv/data", "/root/link/data/repository"},
		{"/srv/data /root/link/data/", "/srv/data/../data/repository"},
	} {
		s.Run("rm -rf /srv/* /var/lib/restic-exporter/*; mkdir -p /srv/data/more; echo 1 > /srv/data/1; echo 2 > /srv/data/more/2")
		s.config("BACKUP_PATHS=(" + r.sources + ")")
		s.Machine.Write(credentials, "RESTIC_REPOSITORY='"+r.repository+"'\nRESTIC_PASSWORD=right\n", 0o600)
		var files []float64
		for range 2 {
			verdict, got := s.start("restic-backup")
			require.Equal(t, "success", verdict, r)
			files = append(files, got["restic_snapshot_processed_files{backup=1}"])
		}
		want := 2.0 * float64(len(strings.Fields(r.sources)))
		assert.Equal(t, []float64{want, want}, files, r)
	}
	s.password("right")
	s.Machine.Write("/etc/systemd/system/restic-backup.service.d/here.conf", "[Service]\nReadWritePaths="+repository+"\n", 0o644)
	s.Run("rm -rf /srv/* /var/lib/restic-exporter/*; systemctl daemon-reload")
	s.source()
}

// leftOut: caches and layers of images are, volumes are not.
func (s *system) leftOut(t *testing.T) {
	s.Machine.Write("/root/backup.conf", read(t, "etc/backup.conf"), 0o644)
	got := s.Run(`export RESTIC_REPOSITORY=/root/try RESTIC_PASSWORD=x; restic init >/dev/null
source /root/backup.conf; [[ ${BACKUP_PATHS[*]} == '/etc /home /opt /root /srv /usr/local /var' ]]
for name in /var/cache/apt/a /var/tmp/b /home/admin/.cache/c /var/lib/docker/overlay2/l/d /var/lib/docker/volumes/v/_data/wanted1 \
	/var/lib/containerd/e /var/lib/containers/storage/overlay/f /var/lib/containers/storage/volumes/wanted2 \
	/home/admin/.local/share/containers/storage/overlay-images/g /home/admin/.local/share/containers/storage/volumes/wanted3 \
	/var/lib/postgresql/wanted4 /var/log/journal/h /var/log/wanted5 /home/admin/.config/wanted6; do
	mkdir -p "${name%/*}"; echo mine > "$name"
done
restic backup --dry-run --verbose=2 "${BACKUP_OPTIONS[@]}" -- /var/cache /var/tmp /home/admin /var/lib/docker /var/lib/containerd \
	/var/lib/containers /var/lib/postgresql /var/log | grep -oE '/(wanted[0-9]|[a-h]),' | sort | tr -d '\n'`)
	assert.Equal(t, "/wanted1,/wanted2,/wanted3,/wanted4,/wanted5,/wanted6,", got)
}

// twoJobs: one makes the repository while the others wait, one prunes while another backs
// up, and all are good runs.
func (s *system) twoJobs(t *testing.T) {
	for _, job := range []string{"one", "two", "three"} {
		s.Machine.Write("/etc/restic-exporter/"+job+".conf", "BACKUP_PATHS=(/srv/data)\nPRUNE_WEEKDAY=daily\nCHECK_WEEKDAY=daily\n"+
			"RETRY_FOR=1h\nRETRY_EVERY=1s\n", 0o644)
		s.Machine.Write("/etc/restic-exporter/"+job+".credentials", "RESTIC_REPOSITORY="+repository+
			"\nRESTIC_PASSWORD_COMMAND=sh -c 'sleep 0.3; echo right'\n", 0o600)
		s.Machine.Write("/etc/systemd/system/restic-backup@.service.d/here.conf", "[Service]\nReadWritePaths="+repository+"\n", 0o644)
	}
	s.Run("systemctl daemon-reload; rm -rf " + repository + "/*")
	s.Run("systemctl start --no-block restic-backup@one restic-backup@two restic-backup@three")
	s.Eventually(120*time.Second, "! systemctl list-jobs | grep -q restic-backup")
	assert.Equal(t, "success\n\nsuccess\n\nsuccess\n",
		s.Run("systemctl show -P Result restic-backup@one restic-backup@two restic-backup@three"))
	assert.Contains(t, s.Run("journalctl -o cat -u 'restic-backup@*'"), "another job of this machine is at work", "or nothing was shown")
	assert.Equal(t, "1\n", s.Run("ls "+repository+"/keys | wc -l"))
}
