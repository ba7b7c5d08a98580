package deploy_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// pruneDay: the day of the week is that of the configuration in every locale.
func (s *system) pruneDay(t *testing.T) {
	prune := func(day, stamp string) bool {
		s.config("PRUNE_WEEKDAY=" + day)
		s.Run("rm -f /var/lib/restic-exporter/backup.pruned; " + stamp)
		return strings.Contains(s.Run("LC_ALL=de_DE.UTF-8 LANG=fr_FR /usr/libexec/restic-exporter/restic-prune.sh backup 2>&1"), "Applying Policy")
	}
	const (
		never   = ""
		justNow = "touch /var/lib/restic-exporter/backup.pruned"
		longAgo = "touch --date='9 days ago' /var/lib/restic-exporter/backup.pruned"
	)
	got := map[string]bool{
		"today":                prune("$(date +%u)", never),
		"today, done":          prune("$(date +%u)", justNow),
		"tomorrow":             prune("$(date --date=tomorrow +%u)", never),
		"tomorrow, was missed": prune("$(date --date=tomorrow +%u)", longAgo),
		"no day":               prune("0", longAgo),
	}
	assert.Equal(t, map[string]bool{"today": true, "today, done": false, "tomorrow": false, "tomorrow, was missed": true, "no day": false}, got)
	s.config()
}
