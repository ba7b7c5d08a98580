package deploy_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestEndToEndPackage: what an upgrade, a removal and a purge leave and take.
func TestEndToEndPackage(t *testing.T) {
	s := boot(t)
	// A host that is a container may forbid packages to stop units.
	s.Run("rm -f /usr/sbin/policy-rc.d")
	s.Run("rm -f /var/lib/man-db/auto-update") // it takes a second for each package
	s.steps([]step{
		{"the program", s.program},
		{"upgrade", s.upgrade},
		{"remove", s.remove},
		{"the administrator's own units", s.ownUnits},
		{"purge", s.purge},
		{"the .rpm", s.rpm},
	})
}

// program is the fast one, and gives the same where libsystemd is missing.
func (s *system) program(t *testing.T) {
	s.start("restic-backup")
	s.Run("LD_DEBUG=files restic-exporter --output /root/fast.prom 2>&1 | grep -q 'calling init: .*/libsystemd.so.0'")
	s.Run(`library=$(ldconfig -p | sed -n 's/.*libsystemd.so.0 .* => //p'); mv $library /root/; status=0
restic-exporter --output /root/slow.prom || status=1; mv /root/libsystemd.so.0 $library; exit $status`)
	assert.Equal(t, s.Run("cat /root/fast.prom"), s.Run("cat /root/slow.prom"))
}

func (s *system) upgrade(t *testing.T) {
	config := s.Run("cat /etc/restic-exporter/backup.conf")
	s.Machine.Write(credentials, "RESTIC_REPOSITORY="+repository+
		"\nRESTIC_PASSWORD_COMMAND=sh -c 'until test -e /run/go; do sleep 0.1; done; echo right'\n", 0o600)
	s.Run("systemctl enable --now restic-backup.timer; systemctl start --no-block restic-backup; dpkg --install /root/exporter.deb")
	assert.Equal(t, "activating\n", s.Run("systemctl is-active restic-backup || true"), "a job goes on")
	s.Run("touch /run/go")
	verdict, _ := s.ended()
	assert.Equal(t, "success", verdict)
	assert.Equal(t, config, s.Run("cat /etc/restic-exporter/backup.conf"), "the configuration stays")
	assert.Equal(t, "enabled\nactive\n", s.Run("systemctl is-enabled restic-backup.timer; systemctl is-active restic-backup.timer"))
	s.password("right")

	// A version that wants the timer elsewhere, too, finds it enabled, and says so to systemd.
	s.Run(`dpkg-deb --raw-extract /root/exporter.deb /root/next
sed -i 's/^WantedBy=.*/& multi-user.target/' /root/next/lib/systemd/system/restic-backup.timer
dpkg-deb -Zgzip -z1 --build /root/next /root/next.deb; dpkg --install /root/next.deb
test -L /etc/systemd/system/multi-user.target.wants/restic-backup.timer
dpkg --install /root/exporter.deb`)
}

func (s *system) remove(t *testing.T) {
	s.Run("systemctl enable --now restic-backup@web.timer; " +
		"systemctl enable restic-backup@odd.name.timer restic-prune@x.timer restic-restore-test@x.timer")
	out := s.Run("dpkg --remove restic-exporter-journal")
	for _, timer := range []string{
		"restic-backup.timer", "restic-backup@web.timer", "restic-backup@odd.name.timer", "restic-prune@x.timer",
		"restic-restore-test@x.timer",
	} {
		assert.Contains(t, out, "Disabled "+timer+"\n")
	}
	s.Run("! find /etc/systemd/system -name '*.timer' | grep restic-backup && ! systemctl list-timers --all | grep restic-backup")
	for _, path := range []string{
		"/etc/restic-exporter", "/var/lib/restic-exporter", "/var/cache/restic-exporter", textfiles + "/restic-backup.prom",
	} {
		assert.Contains(t, out, "\n  "+path+"\n", "says what it leaves")
		s.Run("test -e " + path)
	}
	s.Run("test ! -e /usr/bin/restic-exporter; test -e /etc/restic-exporter/backup.conf")
}

// ownUnits: what the administrator wrote under our names is not ours to stop.
func (s *system) ownUnits(t *testing.T) {
	s.Run("dpkg --install /root/exporter.deb; systemctl enable --now restic-backup@ours.timer")
	for _, name := range []string{"restic-backup.timer", "restic-backup@mine.timer"} {
		s.Machine.Write("/etc/systemd/system/"+name, "[Timer]\nOnCalendar=daily\nUnit=mine.service\n[Install]\n"+
			"WantedBy=timers.target\n", 0o644)
	}
	service := "[Service]\nType=oneshot\nExecStart=sleep 1000\n"
	s.Machine.Write("/etc/systemd/system/mine.service", service, 0o644)
	s.Machine.Write("/etc/systemd/system/restic-backup.service", service, 0o644)
	state := `systemctl is-enabled restic-backup.timer restic-backup@mine.timer
systemctl is-active restic-backup.timer restic-backup@mine.timer restic-backup.service || true`
	s.Run("systemctl daemon-reload; systemctl enable --now restic-backup.timer restic-backup@mine.timer")
	s.Run("systemctl start --no-block restic-backup")
	before := s.Run(state)
	assert.Equal(t, "enabled\nenabled\nactive\nactive\nactivating\n", before)
	s.Run("dpkg --remove restic-exporter-journal")
	assert.Equal(t, before, s.Run(state))
	s.Run("! systemctl list-timers --all | grep restic-backup@ours")
	s.Run("dpkg --purge restic-exporter-journal")
	assert.Equal(t, before, s.Run(state))
	s.Run("systemctl stop restic-backup; systemctl disable --now restic-backup.timer restic-backup@mine.timer")
	s.Run("rm /etc/systemd/system/{restic-backup.timer,restic-backup@mine.timer,restic-backup.service}; systemctl daemon-reload")
}

func (s *system) purge(t *testing.T) {
	s.Run("dpkg --install /root/exporter.deb")
	_, list, ok := strings.Cut(s.Run("restic-exporter --help"), "Textfile directory:")
	require.True(t, ok)
	directories := regexp.MustCompile(`(?m)^  (/.*)`).FindAllStringSubmatch(list, -1)
	require.Greater(t, len(directories), 5)
	var kept []string
	for _, m := range directories {
		dir := m[1]
		s.Run("mkdir -p " + dir + "; cd " + dir + `
restic-exporter --output $PWD/ours.prom --unit restic-backup.service
printf 'restic_exporter_failed{unit="x.service"} 1\n' > x.exporter.prom
printf 'other 1\n' > other.prom; cp ours.prom ours.txt; ln -sf ours.txt link.prom
cp ours.prom $'a\nvictim\nb.prom'; touch /victim`)
		for _, name := range []string{"link.prom", "other.prom", "ours.txt"} {
			kept = append(kept, dir+"/"+name)
		}
	}
	s.Machine.Write("/etc/restic-exporter/web.conf", "BACKUP_PATHS=(/srv/data)\n", 0o644)
	out := s.Run("dpkg --purge restic-exporter-journal")
	for _, name := range []string{"backup.credentials", "web.conf"} {
		assert.Contains(t, out, "\n  /etc/restic-exporter/"+name+"\n", "says what it leaves")
	}
	left := s.Run("find /etc /usr/bin /usr/libexec /usr/share /lib/systemd /var/lib /var/cache -xdev -path '*restic-exporter*' | sort")
	assert.Equal(t, []string{
		"/etc/restic-exporter", "/etc/restic-exporter/backup.credentials", "/etc/restic-exporter/web.conf",
	}, strings.Fields(left), "what the user wrote stays: without it nobody reads the backups")
	for _, m := range directories {
		s.Run("! ls " + m[1] + " | grep -E '^(ours|x.exporter|restic-backup|b).prom'")
	}
	s.Run("ls /victim " + strings.Join(kept, " "))
}

// rpm installs the other package, as far as a Debian goes: it knows none of its dependencies.
func (s *system) rpm(t *testing.T) {
	arch := strings.TrimSpace(run(t, "uname", "-m"))
	s.Machine.Write("/root/exporter.rpm", read(t, one(t, "*."+arch+".rpm")), 0o644)
	s.Run("rpm --install --nodeps /root/exporter.rpm; restic-exporter --version; systemctl enable --now restic-backup@web.timer")
	s.Run("echo '# mine' >> /etc/restic-exporter/backup.conf")
	s.Run("rpm --upgrade --replacepkgs --nodeps /root/exporter.rpm; systemctl is-active restic-backup@web.timer; " +
		"grep -x '# mine' /etc/restic-exporter/backup.conf")
	out := s.Run("rpm --erase restic-exporter-journal 2>&1")
	assert.Contains(t, out, "Disabled restic-backup@web.timer\n")
	assert.Contains(t, out, "\n  /etc/restic-exporter\n", "says what it leaves")
	s.Run("! systemctl list-timers --all | grep restic-backup; test ! -e /usr/bin/restic-exporter; " +
		"grep -rx '# mine' /etc/restic-exporter; test -e /etc/restic-exporter/backup.credentials")
}
