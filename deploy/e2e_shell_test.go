package deploy_test

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restic-exporter/restic-exporter/internal/metrictest"
)

// shellExporter: a unit that calls the script, with nothing but the path changed.
func (s *system) shellExporter(t *testing.T) {
	const old = `restic_repo_files{unit="legacy.service",state="new"} 1
restic_repo_files{unit="legacy.service",state="changed"} 2
restic_repo_files{unit="legacy.service",state="unmodified"} 3
restic_repo_dirs{unit="legacy.service",state="new"} 4
restic_repo_dirs{unit="legacy.service",state="changed"} 5
restic_repo_dirs{unit="legacy.service",state="unmodified"} 6
restic_repo_size_bytes{unit="legacy.service",state="new"} 7
restic_repo_size_bytes{unit="legacy.service",state="total"} 8
restic_backup_duration_seconds{unit="legacy.service",action="backup"} 9
restic_backup_duration_seconds{unit="legacy.service",action="prune"} 10
restic_backup_failure{unit="legacy.service",timestamp="1600000000"} 0
`
	s.Machine.Write(textfiles+"/legacy.prom", old, 0o644)
	script := "#!/bin/bash\nset -eu\nexport RESTIC_REPOSITORY=" + repository + " RESTIC_PASSWORD=right XDG_CACHE_HOME=/var/cache\n"
	s.Machine.Write("/usr/local/sbin/restic-backup.sh", script+"restic backup /srv/data\n", 0o755)
	s.Machine.Write("/usr/local/sbin/restic-prune.sh", script+"restic forget --keep-last 1 --prune\n", 0o755)
	s.Machine.Write("/etc/systemd/system/legacy.service", `[Unit]
Description=Backups as they were
[Service]
Type=oneshot
ExecStart=/usr/local/sbin/restic-backup.sh
ExecStart=/usr/local/sbin/restic-prune.sh
ExecStartPost=/usr/bin/restic-exporter --unit legacy.service
`, 0o644)
	s.Run("systemctl daemon-reload")
	verdict, got := s.start("legacy")
	assert.Equal(t, "success", verdict)
	names := func(m map[string]float64) []string {
		return slices.DeleteFunc(slices.Sorted(maps.Keys(m)), func(name string) bool {
			return !regexp.MustCompile(`^restic_(repo_|backup_)`).MatchString(name)
		})
	}
	assert.Equal(t, names(metrictest.Flat(t, old)), names(got), "the same eleven series")
	assert.Len(t, names(got), 11)
	assert.EqualValues(t, 21, got["restic_repo_files{state=unmodified}"])

	// The file of another unit's script lies beside ours: node_exporter serves
	// the families that only one of them has, and says no error.
	s.Machine.Write(textfiles+"/zzz.prom", strings.ReplaceAll(old, "legacy.service", "other.service"), 0o644)
	served := s.Run("curl -sf localhost:9100/metrics")
	assert.Contains(t, served, "node_textfile_scrape_error 0\n")
	for line := range strings.Lines(s.Run("cat " + textfiles + "/legacy.prom")) {
		assert.Contains(t, served, line, "ours are all served")
	}

	// docs/moving.md shows that as two numbers, which are one when the old file is gone.
	counts := regexp.MustCompile(`(?m)^    (.* grep -c .*)$`).FindAllStringSubmatch(read(t, "../docs/moving.md"), -1)
	require.Len(t, counts, 2)
	s.Run("mkdir /var/lib/node-exporter; mount --bind " + textfiles + " /var/lib/node-exporter")
	assert.NotEqual(t, s.Run(counts[0][1]), s.Run(counts[1][1]))
	s.Run("rm " + textfiles + "/zzz.prom")
	assert.Equal(t, s.Run(counts[0][1]), s.Run(counts[1][1]))
	s.Run("umount /var/lib/node-exporter; rmdir /var/lib/node-exporter")
}
