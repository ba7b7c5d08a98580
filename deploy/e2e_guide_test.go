package deploy_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restic-exporter/restic-exporter/internal/metrictest"
)

// TestEndToEndGuide follows docs/getting-started.md: its commands are run, and what it
// says to write is written, as they stand there.
func TestEndToEndGuide(t *testing.T) {
	s := bare(t)
	// What the reader has: the package, a disk in /etc/fstab, files, a database, and a
	// Prometheus. Not a machine full of the tests' own files.
	s.Run(`mv /root/exporter.deb /run/$(dpkg-deb --show --showformat='${Package}_${Version}_${Architecture}.deb' /root/exporter.deb)
for dir in /root /home /opt /usr/local; do mount -t tmpfs -o mode=0755 empty $dir; done
mv /run/*.deb /root; install -d -o admin /home/admin
mkdir -p /run/disk /mnt/backup; echo '/run/disk /mnt/backup none bind,nofail 0 0' >> /etc/fstab; systemctl daemon-reload; mount /mnt/backup
systemctl start postgresql@15-main; cd /; runuser -u postgres -- psql -qc 'CREATE TABLE visitors AS SELECT generate_series(1, 1000) AS n'`)
	s.source()
	s.Machine.Write("/usr/bin/editor", `#!/bin/sh
case $1 in */backup.conf) cat /run/answer >> $1 ;; *) cat /run/answer > $1 ;; esac
`, 0o755)
	s.steps([]step{
		{"a disk", s.guideDisk},
		{"the disk is unplugged", s.guideUnplugged},
		{"a server", s.guideServer},
		{"a laptop", s.guideLaptop},
		{"a server that deletes nothing", s.guideAppendOnly},
	})
}

var (
	guideHeading = regexp.MustCompile(`(?m)^##+ (.*)$`)
	guideBlock   = regexp.MustCompile("(?s)```(sh|ini|bash)\n(.*?)```\n")
)

// follow does what the section of the guide says, and returns what it printed.
func (s *system) follow(heading string) string {
	s.t.Helper()
	return s.followIn(read(s.t, "../docs/getting-started.md"), heading)
}

func (s *system) followIn(guide, heading string) string {
	s.t.Helper()
	var blocks [][]string
	for _, at := range guideHeading.FindAllStringSubmatchIndex(guide, -1) {
		text := guide[at[1]:]
		if next := guideHeading.FindStringIndex(text); next != nil {
			text = text[:next[0]]
		}
		if guide[at[2]:at[3]] == heading {
			blocks = guideBlock.FindAllStringSubmatch(text, -1)
		}
	}
	require.NotEmpty(s.t, blocks, heading)
	return s.write(blocks)
}

// write runs the blocks of commands. What comes after the one with an editor is what to
// write there.
func (s *system) write(blocks [][]string) (out string) {
	for i, block := range blocks {
		if block[1] != "sh" {
			continue
		}
		if i+1 < len(blocks) && blocks[i+1][1] != "sh" {
			s.answer(blocks[i+1][2])
		}
		// systemctl edit wants a terminal.
		s.Machine.Write("/etc/guide.sh", "set -e\nexport LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive\ncd /root\n"+block[2], 0o755)
		yes := ""
		if strings.Contains(block[2], "apt-get install") {
			yes = "echo y | "
		}
		out += s.Run(yes + "script --quiet --return --command 'bash /etc/guide.sh' /dev/null")
	}
	return out
}

func (s *system) answer(text string) {
	s.Run("cat > /run/answer <<'END'\n" + text + "END\n")
}

func (s *system) guideDisk(t *testing.T) {
	guide := read(t, "../docs/getting-started.md")
	disk := guideBlock.FindAllStringSubmatch(guide[strings.Index(guide, "### A disk of"):], 1)
	s.follow("1. Install")
	// Thousands of small files of no interest, on a file system of their own.
	s.Run("mount -t tmpfs empty /var/lib/dpkg")
	s.answer(disk[0][2])
	s.follow("2. Choose where to back up")
	s.write(guideBlock.FindAllStringSubmatch(guide[strings.Index(guide, "### A disk of"):], 3)[1:])
	s.follow("3. Choose what to back up")
	out := s.follow("4. Try it")
	assert.Contains(t, out, `restic_run_status{status="success",unit="restic-backup.service"} 1`)
	got := s.metrics("restic-backup")
	assert.Equal(t, success, metrictest.Pick(got, success))
	s.Run("ls /run/disk/restic/snapshots | grep . && systemctl show -P Requires restic-backup | grep mnt-backup.mount")

	s.follow("5. Every day")
	s.Run("systemctl is-enabled restic-backup.timer && systemctl list-timers | grep restic-backup.timer")
	s.follow("6. Get mail")
	s.Eventually(20*time.Second, "grep -q 'Subject: .machine. test: mail about failed backups arrives' /var/mail/admin")

	s.Run("runuser -u postgres -- psql -qc 'DROP TABLE visitors' 2>/dev/null")
	s.follow("7. Restore something")
	assert.Equal(t, "1000\n", s.Run("cd /; runuser -u postgres -- psql -qtAc 'SELECT count(*) FROM visitors'"))
	s.Run("systemctl is-enabled restic-restore-test@backup.timer")
	assert.Equal(t, 1.0, s.metrics("restic-restore-test@backup")["restic_step_success{step=restore}"])

	assert.Contains(t, s.follow("8. Watch it"), "SUCCESS")
}

func (s *system) guideUnplugged(t *testing.T) {
	// systemd makes the source of a bind mount: it is as if the disk were another, empty one.
	s.Run("umount /mnt/backup; mv /run/disk /run/elsewhere; : > /var/mail/admin")
	_, _, status := s.Try("systemctl start restic-backup")
	assert.NotZero(t, status)
	s.Eventually(20*time.Second, "grep -q 'Subject: .machine. restic-backup: failed, not_started' /var/mail/admin")
	s.Eventually(20*time.Second, "grep -q 'reason=\"not_started\".* 1$' "+textfiles+"/restic-backup.prom")
	s.Run("test -z \"$(ls /mnt/backup/restic 2>/dev/null)\"; umount /mnt/backup; rmdir /run/disk; mv /run/elsewhere /run/disk")
	verdict, got := s.start("restic-backup")
	assert.Equal(t, "success", verdict, "plugged in again, it is mounted")
	assert.Equal(t, success, metrictest.Pick(got, success))
}

// guideServer begins anew, as one who has a server.
func (s *system) guideServer(t *testing.T) {
	s.network()
	s.Run(`systemctl disable --now restic-backup.timer
rm -r /etc/restic-exporter/backup.credentials /etc/systemd/system/restic-backup.service.d /var/lib/restic-exporter/* ` + textfiles + `/*
cd /run; openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out cert.pem -subj /CN=backup.example.org \
	-addext subjectAltName=DNS:backup.example.org 2>/dev/null
cat cert.pem >> /etc/ssl/certs/ca-certificates.crt; echo ` + there + ` backup.example.org >> /etc/hosts
cd /etc/systemd/system; sed 's|:8080|:8000 --cert /run/cert.pem --key /run/key.pem|' rclone.service > tls.service; systemctl daemon-reload
systemctl start tls`)
	guide := read(t, "../docs/getting-started.md")
	s.answer(guideBlock.FindStringSubmatch(guide[strings.Index(guide, "### A server"):])[2])
	s.follow("2. Choose where to back up")
	out := s.follow("4. Try it")
	assert.Contains(t, out, `restic_run_status{status="success",unit="restic-backup.service"} 1`)
	s.Run("ls /var/lib/server/rest/snapshots | grep .")

	// "What next" has a second job.
	enable := regexp.MustCompile("`(systemctl enable [^`]*@)NAME([^`]*)`").FindStringSubmatch(guide)
	require.NotNil(t, enable)
	s.Run("cd /etc/restic-exporter; cp -a backup.conf second.conf; cp -a backup.credentials second.credentials; " + enable[1] + "second" +
		enable[2] + "; systemctl is-active restic-backup@second.timer; systemctl start restic-backup@second")
	assert.Equal(t, "2\n", s.Run("restic-job second snapshots --json | jq length"))
	s.Run("systemctl disable --now restic-backup@second.timer")
}

// guideLaptop: the timer has missed a night, and the network comes after it.
func (s *system) guideLaptop(t *testing.T) {
	s.Machine.Write("/etc/systemd/system/restic-backup.timer.d/now.conf", "[Timer]\nRandomizedDelaySec=0\n", 0o644)
	s.Run("systemctl daemon-reload; touch --date='3 days ago' /var/lib/systemd/timers/stamp-restic-backup.timer; ip link set cable down; " +
		"rm " + textfiles + "/restic-backup.prom")
	s.follow("5. Every day")
	s.Eventually(20*time.Second, "journalctl -u restic-backup -o cat -n 3 | grep -q 'cannot be reached; trying again in 30 seconds'")
	s.Run("test ! -e " + textfiles + "/restic-backup.prom; ip link set cable up; pkill -fx 'sleep 30'")
	verdict, got := s.ended()
	assert.Equal(t, "success", verdict)
	assert.Equal(t, success, metrictest.Pick(got, success))
}

// guideAppendOnly follows docs/append-only.md: one machine adds, and another job, at the
// server's, prunes.
func (s *system) guideAppendOnly(t *testing.T) {
	page := strings.ReplaceAll(read(t, "../docs/append-only.md"), "NAME", "server")
	serve := guideBlock.FindStringSubmatch(page)[2]
	s.Run("systemctl stop rclone restic-backup.timer; rm -f /var/lib/restic-exporter/*; mkdir /srv/backups\n" +
		"systemd-run --quiet --unit=append-only -p NetworkNamespacePath=/run/netns/server --setenv=HOME=/root " + serve)
	s.Eventually(10*time.Second, "curl -s "+there+":8080")
	s.remote(rest)
	s.Run("sed -i \"s/^RESTIC_PASSWORD=.*/RESTIC_PASSWORD='a long password'/\" " + credentials)
	s.config("CHECK_WEEKDAY=daily")
	s.start("restic-backup")

	s.followIn(page, "The machine that is backed up")
	got := s.metrics("restic-backup")
	assert.Equal(t, success, metrictest.Pick(got, success))
	assert.NotContains(t, got, "restic_step_success{step=prune}", "which alerts are about")
	s.Run("for year in 2021 2022; do restic-job backup backup --time \"$year-01-01 00:00:00\" /srv/data; done; restic-job backup check")
	// restic tries for a minute.
	s.Run(`restic-job backup forget --keep-last 1 >/run/refused 2>&1 & job=$!
until grep -q '403 Forbidden' /run/refused; do sleep 0.1; done; kill -TERM $job; ! wait $job`)
	s.Run("test $(ls /srv/backups/snapshots | wc -l) = 4")

	s.followIn(page, "The machine that prunes")
	want := map[string]float64{
		"restic_run_status{status=success}": 1, "restic_step_success{step=prune}": 1, "restic_step_success{step=check}": 1,
		"restic_forget_snapshots{result=kept}": 2, "restic_forget_snapshots{result=removed}": 2, "restic_exporter_unparsed_lines{}": 0,
	}
	assert.Equal(t, want, metrictest.Pick(s.metrics("restic-prune@server"), want))
	s.Run("systemctl is-active restic-prune@server.timer; systemctl stop append-only; ls /srv/backups/locks | (! grep .)")
	verdict, got := s.start("restic-prune@server")
	assert.Equal(t, "success", verdict)
	assert.Equal(t, 1.0, got["restic_step_success{step=prune}"], "it is not due twice")
}
