package invocation

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestIsRestic(t *testing.T) {
	for comm, want := range map[string]bool{
		"restic": true, "restic_0.19.1_l": true, "restic-v0.14": true, "restic0.9": true, "restic.v0": true,
		"": false, "rest": false, "restic-backup.s": false, "restic-": false, "resticprofile": false, "tee": false, "restic_v": false,
	} {
		assert.Equal(t, want, isRestic(comm), comm)
	}
}
