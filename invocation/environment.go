package invocation

import (
	"bytes"
	"os"
	"slices"
	"strings"

	"github.com/restic-exporter/restic-exporter/journal"
)

// told is what systemd tells a command about a run, in the environment
// (systemd.exec(5)).
type told struct {
	id journal.ID
	// inside reports that the command belongs to the unit itself (ExecStartPost=,
	// ExecStopPost=), not to a handler.
	inside bool
	// result is "" in ExecStartPost=, which has no result yet. For Type=oneshot,
	// systemd runs it only after every ExecStart= has succeeded.
	result journal.Result
	// running reports that there is no result yet and the main process still runs: in an
	// ExecStart= itself, or in an ExecStartPost=, which units of other types run as soon as
	// they have started.
	running bool
	exit    *journal.Exit // nil if unknown
	killed  bool          // a signal ended the main process, whatever result says
}

// none is what systemd tells every other process.
var none told

// environment returns what systemd tells the calling process about unit, if that
// process is a command of unit, or an OnFailure= or OnSuccess= handler of it. It
// returns none elsewhere, and in a handler that several units have in common, because
// systemd tells such a handler nothing. user reports that unit belongs to the user manager.
func environment(unit string, user bool, getenv func(string) string) told {
	cgroup, _ := os.ReadFile("/proc/self/cgroup") // without it, no process counts as inside
	return environmentIn(cgroup, unit, user, getenv)
}

func environmentIn(cgroup []byte, unit string, user bool, getenv func(string) string) told {
	var t told
	// A unit's Environment= could set $MONITOR_UNIT, so the control group decides.
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

// within reports whether a process in these control groups belongs to unit. In any
// other unit, $INVOCATION_ID is that unit's own.
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

// unescape returns the name of the unit of a control group. systemd puts an
// underscore before a name that begins with one, or that could clash with a file of
// the kernel's, such as io.service.
func unescape(group string) string { return strings.TrimPrefix(group, "_") }
