package invocation

import (
	"context"
	"os"
	"slices"
	"time"

	"github.com/coreos/go-systemd/v22/dbus"
)

// managerTimeout is how long the manager may take to say what a unit does.
const managerTimeout = 5 * time.Second

// beforePost are the states of a unit in which not all of its ExecStart= have ended.
var beforePost = []string{"condition", "start-pre", "start", "running"}

// atWork reports whether the manager says that the commands of unit which come before
// ExecStartPost= have not all ended. It returns false if the manager cannot be asked.
func atWork(ctx context.Context, unit string, user bool) bool {
	ctx, cancel := context.WithTimeout(ctx, managerTimeout)
	defer cancel()
	conn, err := manager(ctx, user)
	if err != nil {
		return false
	}
	defer conn.Close()
	property, err := conn.GetUnitPropertyContext(ctx, unit, "SubState")
	if err != nil {
		return false
	}
	state, _ := property.Value.Value().(string)
	return slices.Contains(beforePost, state)
}

// manager connects to the manager of the system, or of the user.
func manager(ctx context.Context, user bool) (*dbus.Conn, error) {
	if user {
		return dbus.NewUserConnectionContext(ctx)
	}
	if os.Geteuid() == 0 {
		// This way needs no message bus.
		if conn, err := dbus.NewSystemdConnectionContext(ctx); err == nil {
			return conn, nil
		}
	}
	return dbus.NewSystemConnectionContext(ctx)
}
