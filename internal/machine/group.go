package machine

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// A group is the directory of a control group for one machine alone. Without it, two
// machines of a test would share all control groups, and what one does to its
// restic-backup.service would happen to the other's. It is "" where there are no control
// groups v2.
type group string

func newGroup(name string) group {
	text, _ := os.ReadFile("/proc/self/cgroup")
	for line := range strings.Lines(string(text)) {
		own, ok := strings.CutPrefix(strings.TrimSpace(line), "0::")
		for _, mount := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
			dir := filepath.Join(mount, own)
			if _, err := os.Stat(filepath.Join(dir, "cgroup.procs")); !ok || err != nil {
				continue
			}
			dir = filepath.Join(dir, name)
			if os.Mkdir(dir, 0o755) == nil {
				return group(dir)
			}
		}
	}
	return ""
}

// enter returns what starts a process in the group, and a function to call after that.
func (g group) enter() (*syscall.SysProcAttr, func()) {
	dir, err := os.Open(string(g))
	if err != nil {
		return nil, func() {}
	}
	return &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(dir.Fd())}, func() { dir.Close() }
}

// remove removes the group and those below it, which are empty by now.
func (g group) remove() {
	if g == "" {
		return
	}
	var dirs []string
	filepath.WalkDir(string(g), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			dirs = append(dirs, path)
		}
		return nil
	})
	for _, dir := range slices.Backward(dirs) {
		syscall.Rmdir(dir)
	}
}
