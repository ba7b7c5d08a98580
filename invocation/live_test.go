package invocation_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restic-exporter/restic-exporter/internal/machine"
	"github.com/restic-exporter/restic-exporter/internal/testenv"
)

// TestRefusedLive asks a real systemd for starts that it refuses. Nothing keeps these
// units loaded, but that one has failed: what it says of the others names no invocation.
func TestRefusedLive(t *testing.T) {
	testenv.Long(t)
	m := machine.Boot(t)
	const exporter = "/usr/local/bin/restic-exporter"
	programs := map[string]string{exporter: "1", exporter + "-static": "0"}
	for path, cgo := range programs {
		cmd := exec.Command("go", "build", "-o", filepath.Join(m.Root, path), "../cmd/restic-exporter")
		cmd.Env = append(os.Environ(), "CGO_ENABLED="+cgo)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	m.Write("/etc/systemd/system/failing.service", "[Service]\nType=oneshot\nExecStart=/bin/false\n", 0o644)
	const run = "[Service]\nType=oneshot\nExecStart=/bin/echo hello\n"
	for name, section := range map[string]string{
		"dependency": "[Unit]\nRequires=failing.service\nAfter=failing.service\n",
		"assert":     "[Unit]\nAssertPathExists=/run/ready\n",
		"condition":  "[Unit]\nConditionPathExists=/run/ready\n",
		"limit":      "[Unit]\nStartLimitBurst=1\nStartLimitIntervalSec=1h\n",
		"plain":      "",
	} {
		m.Write("/etc/systemd/system/"+name+".service", section+run, 0o644)
	}
	m.Run("sed -i s,/bin/echo,/bin/false, /etc/systemd/system/limit.service")
	m.Run("systemctl daemon-reload; touch /run/ready; systemctl start assert condition plain; rm /run/ready")
	m.Try("systemctl start dependency; systemctl start assert; systemctl start condition; systemctl start limit; systemctl start limit")
	m.Run("systemctl reset-failed")

	check := func(t *testing.T) {
		for unit, want := range map[string]string{
			"dependency": `{reason="not_started"} 1`, "assert": `{reason="not_started"} 1`, "limit": `{reason="not_started"} 1`,
			"condition": `{status="success"} 1`, "plain": `{status="success"} 1`,
		} {
			for program := range programs {
				out := m.Run(program + " --output - --unit " + unit + " | grep -E 'reason=|status='")
				out = strings.ReplaceAll(out, `,unit="`+unit+`.service"`, "")
				assert.Contains(t, out, want, "%s, %s", program, unit)
			}
		}
	}
	t.Run("at once", check)
	m.Reboot()
	t.Run("after a reboot", check)
}
