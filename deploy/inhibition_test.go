package deploy_test

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restic-exporter/restic-exporter/internal/server"
)

// TestInhibition: of what is wrong with a unit only the worst is sent, and all
// of what is wrong with others.
func TestInhibition(t *testing.T) {
	config, err := filepath.Abs("alertmanager/alertmanager.yml")
	require.NoError(t, err)
	address := server.Address(t)
	server.Start(t, "prometheus-alertmanager", "--config.file="+config, "--storage.path="+t.TempDir(),
		"--web.listen-address="+address, "--cluster.listen-address=")
	require.Eventually(t, func() bool {
		_, err := server.Get("http://" + address + "/-/ready")
		return err == nil
	}, 30*time.Second, 100*time.Millisecond)
	amtool := func(args ...string) string {
		return run(t, slices.Concat([]string{"amtool", "--alertmanager.url=http://" + address}, args)...)
	}

	sent := func() map[string][]string {
		var alerts []struct{ Labels map[string]string }
		require.NoError(t, json.Unmarshal([]byte(amtool("alert", "query", "--output=json")), &alerts))
		sent := map[string][]string{}
		for _, a := range alerts {
			unit := a.Labels["unit"]
			sent[unit] = append(sent[unit], a.Labels["alertname"])
			slices.Sort(sent[unit])
		}
		return sent
	}
	for unit, alerts := range map[string][]string{
		"again.service": {"ResticBackupFailedRepeatedly", "ResticBackupFailed", "ResticLegacyBackupFailed", "ResticBackupTooOld"},
		"never.service": {"ResticBackupNeverSucceeded", "ResticBackupFailed"},
		"once.service":  {"ResticBackupFailed", "ResticLockedForHours"},
		"part.service":  {"ResticBackupPartial"},
		"lossy.service": {"ResticLogIncomplete", "ResticLogNotUnderstood"},
		"try.service":   {"ResticRestoreTestFailed", "ResticRestoreTestTooOld"},
	} {
		for _, name := range alerts {
			amtool("alert", "add", name, "instance=host:9100", "unit="+unit)
		}
	}
	// Two hosts of a store are told apart, though the same machine asks it.
	for _, labels := range [][]string{
		{"ResticHostSilent", "host=a"},
		{"ResticBackupTooOld", "host=a", "instance=host:9100", "unit=silent.service"},
		{"ResticBackupTooOldDefault", "host=a", "instance=host:9100", "unit=silent.service"},
		{"ResticBackupTooOld", "host=b", "instance=host:9100", "unit=silent.service"},
		{"ResticBackupFailed", "host=b", "instance=host:9100", "unit=again.service"},
	} {
		amtool(slices.Concat([]string{"alert", "add"}, labels)...)
	}
	// What inhibits what it learns a moment after it has the alerts.
	want := map[string][]string{
		"":               {"ResticHostSilent"},
		"silent.service": {"ResticBackupTooOld"},
		"again.service":  {"ResticBackupFailed", "ResticBackupFailedRepeatedly", "ResticBackupTooOld"},
		"never.service":  {"ResticBackupNeverSucceeded"},
		"once.service":   {"ResticBackupFailed", "ResticLockedForHours"},
		"part.service":   {"ResticBackupPartial"},
		"lossy.service":  {"ResticLogIncomplete"},
		"try.service":    {"ResticRestoreTestFailed"},
	}
	learned := func(t *assert.CollectT) { assert.Equal(t, want, sent()) }
	assert.EventuallyWithT(t, learned, 10*time.Second, 200*time.Millisecond)

	// Of a host that only seems silent all backups only seem old.
	amtool("alert", "add", "ResticCollectorFailed", "instance=_collector", "unit=restic-*")
	delete(want, "")
	want["restic-*"] = []string{"ResticCollectorFailed"}
	assert.EventuallyWithT(t, learned, 10*time.Second, 200*time.Millisecond)
}
