package invocation

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestUnitName(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	dir := filepath.Join(os.Getenv("XDG_CONFIG_HOME"), "systemd/user")
	elsewhere := filepath.Join(t.TempDir(), "linked.service")
	require.NoError(t, os.MkdirAll(dir, 0o755))
	for _, name := range []string{elsewhere, filepath.Join(dir, "real.service"), filepath.Join(dir, "job@.service")} {
		require.NoError(t, os.WriteFile(name, nil, 0o644))
	}
	for alias, target := range map[string]string{
		"nick.service": "real.service", "task@.service": dir + "/job@.service", "task@odd.service": "real.service",
		"linked.service": elsewhere, "masked.service": "/dev/null", "gone.service": "nothing.service",
	} {
		require.NoError(t, os.Symlink(target, filepath.Join(dir, alias)))
	}
	for name, want := range map[string]string{
		"real.service": "real.service", "nick.service": "real.service", "other.service": "other.service",
		"linked.service": "linked.service", "masked.service": "masked.service", "gone.service": "gone.service",
		"job@a.service": "job@a.service", "task@a.service": "job@a.service", "task@odd.service": "real.service",
	} {
		assert.Equal(t, want, UnitName(name, true), name)
	}
}
