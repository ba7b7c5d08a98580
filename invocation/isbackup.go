package invocation

import (
	"context"

	"github.com/restic-exporter/restic-exporter/journal"
)

// IsBackup reports whether r is a run of a backup: restic logged a line in r, or in any
// other run of the unit that from holds. So a run that failed before it reached restic is
// a failed backup, but a run of a unit that never calls restic is not one. A start that the
// manager refused counts as a backup, because nothing shows whether it would have called
// restic.
//
// If another program forwards restic's lines, such as docker, only r itself counts.
func IsBackup(ctx context.Context, from journal.Source, r *Run) (bool, error) {
	if len(r.Processes) > 0 || r.Outcome == NotStarted {
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
