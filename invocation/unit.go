package invocation

import (
	"os"
	"path/filepath"
	"strings"
)

// UnitName returns the name under which the local manager knows a service: that
// of the unit file if name is an alias of it. A unit that is started through an
// alias for the first time sees the alias in %n, but the manager and journald use
// the name of the file. user reports that the unit is one of the caller's service
// manager.
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
				return name // masked, for one
			}
			if prefix, ok := strings.CutSuffix(real, "@.service"); ok {
				return prefix + "@" + instance + ".service"
			}
			return real
		}
	}
	return name
}

// unitPath returns where the manager looks for unit files, the first file found
// counts (systemd.unit(5)).
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
