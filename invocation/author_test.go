package invocation

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/restic-exporter/restic-exporter/journal"
)

func TestSpeakerOf(t *testing.T) {
	for _, tt := range []struct {
		exe, comm string
		want      speaker
	}{
		{"/usr/bin/restic", "restic", restic},
		{"/usr/bin/restic (deleted)", "restic", restic},
		{"/opt/restic_0.19.1_linux_amd64", "restic_0.19.1_l", restic},
		{"/opt/lab/bin/restic-master", "restic-master", restic},
		{"/nix/store/x-restic-0.18.1/bin/.restic-wrapped", ".restic-wrapped", restic},
		{"", ".restic-wrapped", restic},
		{"", "restic", restic},
		{"", "restic_0.19.1_l", restic},
		{"", "restic-v0.14", restic},
		{"", "restic.v0", restic},

		{"/usr/bin/bash", "restic-backup.s", passer},
		{"/usr/bin/bash", "restic", passer}, // a script of that name
		{"", "restic-backup.s", passer},
		{"", "restic-master", passer},
		{"", "restic-", passer},
		{"", "resticprofile", passer},
		{"/usr/bin/restic-exporter", "restic-exporter", passer},
		{"/usr/bin/rustic", "rustic", passer},
		{"/usr/local/bin/resticprofile", "resticprofile", passer},
		{"/usr/bin/tee", "tee", passer},
		{"", "tee", passer},
		{"/usr/bin/conmon", "conmon", passer},

		{"/usr/bin/find", "find", namer},
		{"", "find", namer},
		{"/usr/bin/busybox", "find", namer},
		{"/usr/bin/busybox", "tee", passer},
		{"/usr/bin/busybox", "restic", passer}, // a script, too
		{"/usr/bin/busybox", "restic_0.19.1_l", passer},
		{"/usr/bin/rsync", "rsync", namer},
		{"", "", nobody},
	} {
		assert.Equal(t, tt.want, speakerOf(journal.Entry{Exe: tt.exe, Comm: tt.comm}), "%s, %s", tt.exe, tt.comm)
	}
}
