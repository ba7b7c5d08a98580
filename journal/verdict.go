package journal

import (
	"bytes"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A Verdict is what the manager has said of an invocation so far. The zero
// Verdict is ready to use.
type Verdict struct {
	Result  Result // "" as long as there is none
	Exit    *Exit  // how the process ended that failed the invocation; nil if none did, or it is unknown
	Boot    ID     // in which boot of the machine; zero if unknown
	Entries int    // of the manager about the invocation
}

// Add takes in e, if it is the manager's.
func (v *Verdict) Add(e Entry) {
	if e.Boot != (ID{}) && v.Boot == (ID{}) {
		v.Boot = e.Boot
	}
	if e.Kind != Manager {
		return
	}
	v.Entries++
	if e.Result != "" && !v.Result.Failed() {
		v.Result = e.Result
	}
	if e.Exit != nil && e.Exit.Status != 0 && v.Exit == nil {
		v.Exit = e.Exit
	}
}

// A Handover is what systemd tells a command that it runs for a unit, in the
// environment (systemd.exec(5)).
type Handover struct {
	ID ID
	// Inside reports that the command is one of the unit itself, as
	// ExecStartPost= or ExecStopPost=, not of a handler.
	Inside bool
	// Result is "" in ExecStartPost=: there is none yet, but systemd gets there
	// only when every ExecStart= has succeeded.
	Result Result
	Exit   *Exit // nil if unknown
}

// Environment returns what systemd tells the calling process about unit: in an
// OnFailure= or OnSuccess= handler of unit, and in a command of unit itself. It
// returns false elsewhere, and in a handler that several units share: systemd
// tells such a one nothing. user says that unit is one of the user manager's.
func Environment(unit string, user bool, getenv func(string) string) (Handover, bool) {
	cgroup, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		cgroup = nil // then what is inside the unit does not show
	}
	return environment(unit, user, getenv, cgroup)
}

func environment(unit string, user bool, getenv func(string) string, cgroup []byte) (Handover, bool) {
	var h Handover
	if getenv("MONITOR_UNIT") == unit && h.ID.UnmarshalText([]byte(getenv("MONITOR_INVOCATION_ID"))) == nil {
		h.Result = Result(getenv("MONITOR_SERVICE_RESULT"))
		h.Exit = exit(getenv("MONITOR_EXIT_CODE"), getenv("MONITOR_EXIT_STATUS"))
		return h, true
	}
	if !within(unit, user, cgroup) || h.ID.UnmarshalText([]byte(getenv("INVOCATION_ID"))) != nil {
		return Handover{}, false
	}
	h.Inside = true
	h.Result = Result(getenv("SERVICE_RESULT"))
	h.Exit = exit(getenv("EXIT_CODE"), getenv("EXIT_STATUS"))
	return h, true
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
		if slices.Contains(groups[manager+1:], unit) {
			return true
		}
	}
	return false
}

// exit reads $EXIT_CODE and $EXIT_STATUS: the status is a number, or the name of
// a signal if the code is killed or dumped.
func exit(code, status string) *Exit {
	n, err := strconv.Atoi(status)
	if err != nil {
		signal := unix.SignalNum("SIG" + status)
		if signal == 0 {
			return nil
		}
		n = int(signal)
	}
	if n < 0 || n > 255 {
		return nil
	}
	if code == "killed" || code == "dumped" {
		n += 128
	}
	return &Exit{Status: n}
}

// Boot returns the ID of the running boot of this machine.
func Boot() (ID, error) {
	var id ID
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return id, err
	}
	return id, id.UnmarshalText(bytes.TrimSpace(text))
}
