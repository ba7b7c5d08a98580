package invocation

import (
	"context"

	"github.com/restic-exporter/restic-exporter/journal"
)

// programs are the names under which the journal has restic's own lines.
var programs = []string{"restic", ".restic-wrapped"}

// RunsRestic reports whether the unit of r, which was read from a source, is one that
// runs restic: restic has spoken in r or in another run of it. A run that failed before
// it came to restic is a failed backup, one of a unit in which restic never spoke is none.
// A restic whose lines came to the journal through another program, such as docker,
// shows in r alone.
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
