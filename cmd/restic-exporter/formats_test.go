package main

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/restic-exporter/restic-exporter/internal/metrictest"
)

// TestOtherFormats reads what people have who did not ask journalctl for an export.
func TestOtherFormats(t *testing.T) {
	figures := map[string]float64{
		"restic_exporter_backups{}": 1, "restic_exporter_unparsed_lines{}": 0,
		"restic_repo_files{state=new}": 29, "restic_repo_files{state=changed}": 150, "restic_repo_files{state=unmodified}": 583372,
	}
	for name, unreadable := range map[string]float64{"docker-logs-t": 0, "short": 1} {
		figures["restic_snapshot_unreadable_items{backup=1}"] = unreadable
		got := metrictest.Flat(t, metricsOf(t, "../../testdata/formats/"+name+".txt"))
		assert.Equal(t, figures, metrictest.Pick(got, figures), name)
	}
}
