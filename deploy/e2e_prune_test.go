package deploy_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// pruneDay: the day of the week is that of the configuration in every locale,
// and a machine that is off on its day does it when it is on.
func (s *system) pruneDay(t *testing.T) {
	const (
		today, tomorrow, yesterday = "$(date +%u)", "$(date --date=tomorrow +%u)", "$(date --date=yesterday +%u)"
		repositoryStamp            = "/var/lib/restic-exporter/backup.repository"
		stamp                      = "/var/lib/restic-exporter/backup.pruned"
	)
	got := map[string]bool{}
	for _, r := range []struct{ name, day, made, pruned string }{
		{"today, never done", today, "now", ""},
		{"today, done", today, "9 days ago", "now"},
		{"today, done last week", today, "9 days ago", "7 days ago"},
		{"tomorrow, never done", tomorrow, "now", ""},
		{"tomorrow, done in time", tomorrow, "20 days ago", "6 days ago"},
		{"tomorrow, was missed", tomorrow, "20 days ago", "9 days ago"},
		{"yesterday, in the first week", yesterday, "3 days ago", ""},
		{"yesterday, before the first run", yesterday, "now", ""},
		{"daily, done yesterday", "daily", "9 days ago", "yesterday"},
		{"daily, done", "daily", "9 days ago", "now"},
		{"tomorrow, done by a clock that was ahead", tomorrow, "20 days ago", "next year"},
		{"no day", "0", "20 days ago", ""},
	} {
		s.config("PRUNE_WEEKDAY=" + r.day)
		s.Run("rm -f " + stamp + "; touch --date='" + r.made + "' " + repositoryStamp)
		if r.pruned != "" {
			s.Run("touch --date='" + r.pruned + "' " + stamp)
		}
		got[r.name] = strings.Contains(s.Run("set -a; source "+credentials+"; LC_ALL=de_DE.UTF-8 LANG=fr_FR "+
			"/usr/libexec/restic-exporter/restic-prune.sh backup 2>&1"), "Applying Policy")
	}
	assert.Equal(t, map[string]bool{
		"today, never done": true, "today, done": false, "today, done last week": true,
		"tomorrow, never done": false, "tomorrow, done in time": false, "tomorrow, was missed": true,
		"yesterday, in the first week": true, "yesterday, before the first run": false,
		"daily, done yesterday": true, "daily, done": false, "tomorrow, done by a clock that was ahead": true,
		"no day": false,
	}, got)
	s.config()
}
