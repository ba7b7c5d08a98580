package invocation

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/restic-exporter/restic-exporter/journal"
)

// UnitName returns the name that the local manager uses for a service. If name is an
// alias, that is the name of the unit file. A unit that is first started through an
// alias sees the alias in %n, but the manager and journald use the name of the file.
// user reports that the unit belongs to the user's manager.
func UnitName(name string, user bool) string {
	file, instance := name, ""
	if prefix, rest, ok := strings.Cut(name, "@"); ok {
		file, instance = prefix+"@.service", strings.TrimSuffix(rest, ".service")
	}
	for _, dir := range unitPath(user) {
		for _, try := range []string{name, file} {
			info, err := os.Lstat(filepath.Join(dir, try))
			if err != nil {
				continue
			}
			if info.Mode()&os.ModeSymlink == 0 {
				return name
			}
			target, err := filepath.EvalSymlinks(filepath.Join(dir, try))
			real := filepath.Base(target)
			if err != nil || !strings.HasSuffix(real, ".service") {
				return name // such as a masked unit
			}
			if prefix, ok := strings.CutSuffix(real, "@.service"); ok {
				return prefix + "@" + instance + ".service"
			}
			return real
		}
	}
	return name
}

// unitPath returns the directories in which the manager looks for unit files. The
// first file found counts (systemd.unit(5)).
func unitPath(user bool) []string {
	if !user {
		return []string{"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"}
	}
	dirs := []string{"/etc/systemd/user", "/run/systemd/user", "/usr/local/lib/systemd/user", "/usr/lib/systemd/user", "/lib/systemd/user"}
	if config, err := os.UserConfigDir(); err == nil {
		dirs = append([]string{filepath.Join(config, "systemd/user")}, dirs...)
	}
	return dirs
}

// presentRun returns the run that is going on of a unit of the calling user's manager; zero
// if none is. known is false if that cannot be found out. The manager keeps a link for each
// unit that is not inactive.
func presentRun(unit string) (id journal.ID, known bool) {
	dir := fmt.Sprintf("/run/user/%d/systemd/units", os.Getuid())
	if _, err := os.Stat(dir); err != nil {
		return id, false
	}
	target, err := os.Readlink(filepath.Join(dir, "invocation:"+unit))
	if errors.Is(err, fs.ErrNotExist) {
		return id, true
	}
	return id, err == nil && id.UnmarshalText([]byte(target)) == nil
}
