package machine_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	_ "github.com/restic-exporter/restic-exporter/internal/golden" // go test ./... -update
	"github.com/restic-exporter/restic-exporter/internal/machine"
)

func TestBoot(t *testing.T) {
	m := machine.Boot(t)
	m.Write("/etc/systemd/system/hello.service", "[Service]\nType=oneshot\nExecStart=/bin/echo hello\n", 0o644)
	before := m.Run("systemctl daemon-reload; systemctl start hello; journalctl --sync; journalctl -o cat SYSLOG_IDENTIFIER=echo")
	m.Reboot()
	after := m.Run("journalctl -o cat SYSLOG_IDENTIFIER=echo")
	assert.Equal(t, []string{"hello\n", "hello\n"}, []string{before, after}, "the journal outlasts a reboot")
	assert.Equal(t, "cgroup2fs\n", m.Run("stat --file-system --format=%T /sys/fs/cgroup"), "control groups v2 alone")
}
