package deploy_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestEndToEndCredentials(t *testing.T) {
	s := boot(t)
	for mode, want := range map[string]string{
		"0644": "exit-code", "0640": "exit-code", "0660": "exit-code", "0400": "success", "0600": "success",
	} {
		s.Run("chmod " + mode + " " + credentials)
		verdict, _ := s.start("restic-backup")
		assert.Equal(t, want, verdict, mode)
	}
	for _, file := range []string{credentials, "/etc/restic-exporter/backup.conf"} {
		s.Run("chown admin " + file)
		verdict, _ := s.start("restic-backup")
		assert.Equal(t, "exit-code", verdict, "of another user")
		s.Run("chown root " + file + "; mv " + file + " /root/file; ln -s /root/file " + file)
		verdict, _ = s.start("restic-backup")
		assert.Equal(t, "exit-code", verdict, "a link")
		s.Run("rm " + file + "; mv /root/file " + file)
	}
	// The environment file is the other way.
	s.Machine.Write("/etc/systemd/system/restic-backup.service.d/env.conf",
		"[Service]\nLoadCredential=\nEnvironmentFile="+credentials+"\n", 0o644)
	s.Run("chmod 0600 " + credentials + "; systemctl daemon-reload")
	verdict, _ := s.start("restic-backup")
	assert.Equal(t, "success", verdict)
	s.Run("chmod 0644 " + credentials)
	verdict, _ = s.start("restic-backup")
	assert.Equal(t, "exit-code", verdict, "refused there too")
	os.Remove(s.Root + "/etc/systemd/system/restic-backup.service.d/env.conf")
	s.Run("chmod 0600 " + credentials + "; systemctl daemon-reload")
	s.start("restic-backup")
}
