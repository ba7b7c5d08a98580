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

	// Wherever the exporter is called, with a dash before it, it makes no good backup fail.
	for name, lines := range map[string]string{
		"handler":    "[Unit]\nOnSuccess=restic-exporter@%n.service\nOnFailure=restic-exporter@%n.service\n",
		"stop-post":  "[Service]\nExecStopPost=-/usr/bin/restic-exporter --unit %n\n",
		"start-post": "[Service]\nExecStartPost=-/usr/bin/restic-exporter --unit %n\n",
		"start":      "[Service]\nExecStart=-/usr/bin/restic-exporter --unit %n\nExecStart=restic --no-cache forget --keep-last 9\n",
	} {
		s.Machine.Write("/etc/systemd/system/"+name+".service", "[Service]\nType=oneshot\nEnvironment=RESTIC_PASSWORD=right "+
			"RESTIC_REPOSITORY=/home/admin/repository\nExecStart=restic --no-cache backup /srv/data\n"+lines, 0o644)
	}
	s.Run(`systemctl daemon-reload; mount --bind -o ro ` + textfiles + " " + textfiles + `
for name in handler stop-post start-post start; do
	systemctl start $name; test "$(systemctl show -P Result $name)" = success
	error="$name.prom.*read-only file system"
	test $name != start || error="the run is still going on.*start.service" # what it cannot know it does not write
	until journalctl -q -o cat -t restic-exporter -g "$error" | grep -q .; do sleep 0.1; done
done`)
}
