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

	// Another machine has the same control groups, but not these.
	for _, m := range []*machine.Machine{machine.Boot(t), m} {
		m.Write("/etc/systemd/system/long.service", "[Service]\nExecStart=/bin/sleep 1000\n", 0o644)
		m.Run("systemctl daemon-reload; systemctl start long; test $(wc -l < /sys/fs/cgroup/system.slice/long.service/cgroup.procs) = 1")
	}
}
