package invocation

import (
	"strings"

	"github.com/restic-exporter/restic-exporter/journal"
)

// author returns the process that printed the line, or 0 if another passed it
// on, such as tee: then several restics share one process ID.
func author(e journal.Entry) int {
	if e.Comm != "" && !isRestic(e.Comm) {
		return 0
	}
	return e.PID
}

// isRestic reports whether a command name is that of restic's own program, also
// as its releases are named, such as "restic_0.19.1_l": it is cut to 15 bytes.
func isRestic(comm string) bool {
	rest, ok := strings.CutPrefix(comm, "restic")
	if !ok || rest == "" {
		return ok
	}
	if strings.ContainsRune("-_.", rune(rest[0])) {
		rest = rest[1:]
	}
	rest = strings.TrimPrefix(rest, "v")
	return rest != "" && rest[0] >= '0' && rest[0] <= '9'
}
