package golden_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	_ "github.com/restic-exporter/restic-exporter/internal/golden"
)

// TestEveryPackageKnowsTheFlag: go test ./... -update fails in a package whose
// tests do not import this one.
func TestEveryPackageKnowsTheFlag(t *testing.T) {
	cmd := exec.Command("go", "list", "-test", "-f", "{{.ImportPath}} {{join .Deps \" \"}}", "./...")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	require.NoError(t, err)
	tests := 0
	for line := range strings.Lines(string(out)) {
		deps := strings.Fields(line)
		if program := deps[0]; strings.HasSuffix(program, ".test") {
			tests++
			assert.True(t, slices.Contains(deps, "github.com/restic-exporter/restic-exporter/internal/golden"),
				"%s does not import it", program)
		}
	}
	assert.Greater(t, tests, 5)
}
