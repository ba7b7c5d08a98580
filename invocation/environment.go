package invocation

import (
	"bytes"
	"os"
	"slices"
	"strings"

	"github.com/restic-exporter/restic-exporter/journal"
)

// told is what systemd tells a command that it runs for a unit, in the
// environment (systemd.exec(5)).
type told struct {
	id journal.ID
	// inside reports that the command is one of the unit itself, as
	// ExecStartPost= or ExecStopPost=, not of a handler.
	inside bool
	// result is "" in ExecStartPost=: there is none yet, but systemd gets there
	// only when every ExecStart= of a Type=oneshot has succeeded.
	result journal.Result
	// running reports that there is no result yet and the main process runs: units
	// of other types come to ExecStartPost= as soon as they have started.
	running bool
	exit    *journal.Exit // nil if unknown
	killed  bool          // a signal ended the main process, whatever result says
}

// none is what systemd tells everyone else.
var none told

// environment returns what systemd tells the calling process about unit: in an
// OnFailure= or OnSuccess= handler of unit, and in a command of unit itself. It
// returns none elsewhere, and in a handler that several units share: systemd
// tells such a one nothing. user reports that unit is one of the user manager's.
func environment(unit string, user bool, getenv func(string) string) told {
	cgroup, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		cgroup = nil // then what is inside the unit does not show
	}
	return environmentIn(cgroup, unit, user, getenv)
}

func environmentIn(cgroup []byte, unit string, user bool, getenv func(string) string) told {
	var t told
	// A unit's Environment= can set $MONITOR_UNIT, too.
	inside := within(unit, user, cgroup)
	if !inside && getenv("MONITOR_UNIT") == unit && t.id.UnmarshalText([]byte(getenv("MONITOR_INVOCATION_ID"))) == nil {
		t.result = journal.Result(getenv("MONITOR_SERVICE_RESULT"))
		t.readExit(getenv("MONITOR_EXIT_CODE"), getenv("MONITOR_EXIT_STATUS"))
		return t
	}
	if !inside || t.id.UnmarshalText([]byte(getenv("INVOCATION_ID"))) != nil {
		return none
	}
	t.inside = true
	t.result = journal.Result(getenv("SERVICE_RESULT"))
	t.running = t.result == "" && getenv("MAINPID") != ""
	t.readExit(getenv("EXIT_CODE"), getenv("EXIT_STATUS"))
	return t
}

func (t *told) readExit(code, status string) {
	t.exit = journal.ParseExit(code, status)
	t.killed = code == "killed" || code == "dumped"
}

// within reports whether a process with these control groups is one of unit: in
// any other unit $INVOCATION_ID is that unit's own.
func within(unit string, user bool, cgroup []byte) bool {
	for line := range bytes.Lines(cgroup) {
		hierarchy, path, ok := strings.Cut(strings.TrimSpace(string(line)), ":")
		controllers, path, ok2 := strings.Cut(path, ":")
		if !ok || !ok2 || hierarchy != "0" && controllers != "name=systemd" {
			continue
		}
		groups := strings.Split(path, "/")
		manager := slices.IndexFunc(groups, func(g string) bool {
			return strings.HasPrefix(g, "user@") && strings.HasSuffix(g, ".service")
		})
		if user != (manager >= 0) {
			continue
		}
		if slices.ContainsFunc(groups[manager+1:], func(g string) bool { return unescape(g) == unit }) {
			return true
		}
	}
	return false
}

// unescape returns the name of the unit that a control group is of. systemd puts
// an underscore before names that the kernel could take for a file of its own,
// such as io.service, and before those that begin with one.
func unescape(group string) string { return strings.TrimPrefix(group, "_") }
