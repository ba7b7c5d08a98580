package metrics

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restic-exporter/restic-exporter/internal/metrictest"
	"github.com/restic-exporter/restic-exporter/invocation"
)

// TestSeveral: a unit without a new run keeps its series, and so does one whose run in the
// file is later.
func TestSeveral(t *testing.T) {
	runOf := func(unit string, start int, o invocation.Outcome) *invocation.Run {
		r := run(start, o)
		r.Unit = unit
		return r
	}
	old, err := Several([]*invocation.Run{
		runOf("a.service", 0, invocation.Failed), runOf("later.service", 500, invocation.Failed),
		runOf("quiet.service", 0, invocation.Failed),
	}, nil, builds)
	require.NoError(t, err)
	got, err := Several([]*invocation.Run{
		runOf("a.service", 100, invocation.Failed), runOf("later.service", 100, invocation.Succeeded),
		runOf("new.service", 100, invocation.Succeeded),
	}, old, builds)
	require.NoError(t, err)
	want := map[string]float64{
		"restic_run_consecutive_failures{unit=a.service}": 2, "restic_run_consecutive_failures{unit=later.service}": 1,
		"restic_run_consecutive_failures{unit=quiet.service}": 1, "restic_run_consecutive_failures{unit=new.service}": 0,
		"restic_run_start_timestamp_seconds{unit=later.service}": float64(at(500).Unix()),
	}
	assert.Equal(t, want, metrictest.Pick(metrictest.Series(got), want))
}
