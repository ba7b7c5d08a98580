package deploy_test

import (
	"maps"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/restic-exporter/restic-exporter/internal/metrictest"
)

// TestEndToEndHandler: a unit of somebody who also writes its environment, with
// the drop-in as shipped, gets its metrics, and root runs nothing of theirs.
func TestEndToEndHandler(t *testing.T) {
	s := boot(t)
	s.Machine.Write("/etc/systemd/system/his.service.d/restic-exporter.conf", read(t, "systemd/restic-exporter.conf"), 0o644)
	s.Machine.Write("/etc/systemd/system/his.service", `[Service]
Type=oneshot
User=admin
EnvironmentFile=/home/admin/environment
ExecStart=restic --no-cache backup /srv/data
`, 0o644)
	environment := "RESTIC_REPOSITORY=/home/admin/repository\nRESTIC_PASSWORD=%s\nLD_PRELOAD=/home/admin/evil.so\n" +
		"PATH=/home/admin:/usr/bin\n"
	s.Run(`systemctl daemon-reload
cat > /tmp/evil.c <<'E'
#include <stdio.h>
#include <unistd.h>
__attribute__((constructor)) static void f(void) { if (getuid() == 0) { FILE *x = fopen("/root/owned", "w"); if (x) fclose(x); } }
E
gcc -shared -fPIC -o /home/admin/evil.so /tmp/evil.c
RESTIC_PASSWORD=right restic -r /home/admin/repository init; chown -R admin /home/admin/repository
printf ` + quote(environment) + ` right > /home/admin/environment`)
	s.Run("systemctl start his")
	s.Eventually(20*time.Second, "test -e "+textfiles+"/his.prom")
	want := maps.Clone(success)
	delete(want, "restic_run_max_age_seconds{}") // it gives none
	assert.Equal(t, want, metrictest.Pick(s.metrics("his"), success))
	s.Run("printf " + quote(environment) + " wrong > /home/admin/environment; ! systemctl start his")
	s.Eventually(20*time.Second, "grep -q 'reason=\"password\".* 1$' "+textfiles+"/his.prom")
	s.Run("test ! -e /root/owned")
}
