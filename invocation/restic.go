package invocation

import (
	"context"

	"github.com/restic-exporter/restic-exporter/journal"
)

// programs are the names of restic's program in the journal.
var programs = []string{"restic", ".restic-wrapped"}

// RunsRestic reports whether the unit of r runs restic. It does if restic logged a line
// in r, or in any other run that from holds. So a run that failed before it reached
// restic is a failed backup, but a run of a unit that never calls restic is not one.
//
// If another program forwards restic's lines, such as docker, only r itself counts.
func RunsRestic(ctx context.Context, from journal.Source, r *Run) (bool, error) {
	if len(r.Processes) > 0 {
		return true, nil
	}
	for _, name := range programs {
		some, err := from.Spoke(ctx, r.Unit, name)
		if some || err != nil {
			return some, err
		}
	}
	return false, nil
}
