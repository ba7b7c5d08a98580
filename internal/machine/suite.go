package machine

import (
	"fmt"
	"hash/fnv"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// packages are the packages that a machine of another suite needs besides the minimum.
// dbus is among them because debootstrap cannot choose between alternatives, and
// libpam-systemd has some.
const packages = "systemd,systemd-sysv,dbus,dbus-user-session,libpam-systemd,libsystemd0,passwd,procps,restic"

const mirror = "http://deb.debian.org/debian"

// Suite returns the root directory of a Debian suite, such as "trixie". debootstrap
// makes it once, and it stays in the user's cache directory. If debootstrap fails, the test
// fails and is not skipped, because somebody asked for this suite by name.
func Suite(t testing.TB, suite string) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	require.NoError(t, err, "no place for the root of %s", suite)
	cache = filepath.Join(cache, "restic-exporter")
	require.NoError(t, os.MkdirAll(cache, 0o755))

	hash := fnv.New32a()
	hash.Write([]byte(packages))
	root := filepath.Join(cache, fmt.Sprintf("%s-%08x", suite, hash.Sum32()))

	// The tests of several packages run at once.
	lock, err := os.Create(root + ".lock")
	require.NoError(t, err)
	defer lock.Close()
	require.NoError(t, syscall.Flock(int(lock.Fd()), syscall.LOCK_EX))
	if _, err := os.Stat(root); err == nil {
		return root
	}

	unfinished := root + ".unfinished"
	require.NoError(t, os.RemoveAll(unfinished))
	args := []string{"--variant=minbase", "--include=" + packages, suite, unfinished, mirror}
	if _, err := os.Stat("/usr/share/debootstrap/scripts/" + suite); err != nil {
		args = append(args, "/usr/share/debootstrap/scripts/sid") // a suite newer than debootstrap
	}
	t.Logf("debootstrap %s", strings.Join(args, " "))
	cmd := exec.Command("debootstrap", args...)
	cmd.Env = append(os.Environ(), "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "no root of Debian %s (make setup installs debootstrap):\n%s", suite, out)
	require.NoError(t, os.Rename(unfinished, root))
	return root
}
