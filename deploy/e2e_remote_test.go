package deploy_test

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/restic-exporter/restic-exporter/internal/metrictest"
)

// The server is in a network namespace of its own inside the machine, at the
// other end of a cable.
const there = "192.0.2.2"

// network gives the machine a network card, and with it a route to the server's
// network but no other, so that a name server is not waited for. It starts two servers
// for repositories: rclone's for restic, and one for sftp.
func (s *system) network() {
	s.Machine.Write("/etc/systemd/system/rclone.service", `[Service]
NetworkNamespacePath=/run/netns/server
Environment=HOME=/root
ExecStart=/usr/bin/rclone serve restic --addr `+there+`:8080 --user backup --pass secret /var/lib/server/rest
Restart=always
`, 0o644)
	s.Machine.Write("/etc/systemd/system/sftp.service", `[Service]
NetworkNamespacePath=/run/netns/server
RuntimeDirectory=sshd
ExecStartPre=/usr/bin/ssh-keygen -A
ExecStart=/usr/sbin/sshd -D -o ListenAddress=`+there+`
`, 0o644)
	s.Run(`ip netns add server
ip link add cable type veth peer name there
ip link set there netns server
ip -n server link set lo up; ip -n server link set there up; ip -n server address add ` + there + `/24 dev there
ip link set cable up; ip address add 192.0.2.1/24 dev cable
mkdir -p /var/lib/server/rest /root/.ssh
ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519; cp /root/.ssh/id_ed25519.pub /root/.ssh/authorized_keys
systemctl daemon-reload; systemctl start rclone sftp`)
	s.Eventually(10*time.Second, "ssh -o StrictHostKeyChecking=accept-new "+there+" true")
}

func (s *system) remote(repository string) {
	s.Machine.Write(credentials, "RESTIC_REPOSITORY="+repository+"\nRESTIC_PASSWORD=right\n", 0o600)
}

// TestEndToEndRemote backs up to another host, with the unit as it is shipped.
func TestEndToEndRemote(t *testing.T) {
	s := boot(t)
	// The drop-in for a repository on this machine is not wanted.
	s.Run("rm -r /etc/systemd/system/restic-backup.service.d")
	s.network()
	s.steps([]step{
		{"rest", func(t *testing.T) { s.remoteRuns("rest:http://backup:secret@" + there + ":8080/") }},
		{"sftp", func(t *testing.T) { s.remoteRuns("sftp:root@" + there + ":/var/lib/server/sftp") }},
		{"the server refuses", s.refused},
		{"the server is down for a while", s.serverDown},
		{"the server is down for too long", s.serverGone},
		{"the network comes late", s.lateNetwork},
		{"the server goes away in mid-run", s.serverLeaves},
		{"this machine without any route", s.noRoute},
	})
}

const rest = "rest:http://backup:secret@" + there + ":8080/"

// remoteRuns is a first run, a second one and one that prunes.
func (s *system) remoteRuns(repository string) {
	s.remote(repository)
	s.Run("rm -f /var/lib/restic-exporter/*; echo 1 > /srv/data/changing")
	var got []map[string]float64
	for _, config := range []string{"PRUNE_WEEKDAY=0", "PRUNE_WEEKDAY=0", "PRUNE_WEEKDAY=$(date +%u)\nFORGET_OPTIONS=(--keep-last 1)"} {
		s.config(config)
		s.Run("date +%N >> /srv/data/changing")
		verdict, metrics := s.start("restic-backup")
		assert.Equal(s.t, "success", verdict)
		assert.Equal(s.t, success, metrictest.Pick(metrics, success))
		got = append(got, map[string]float64{
			"new":     metrics["restic_snapshot_files{backup=1,state=new}"],
			"changed": metrics["restic_snapshot_files{backup=1,state=changed}"],
			"init":    metrics["restic_step_success{step=init}"],
			"removed": metrics["restic_forget_snapshots{result=removed}"],
		})
	}
	// The metrics of a step stay until the next run that has it.
	assert.Equal(s.t, []map[string]float64{
		{"new": 22, "changed": 0, "init": 1, "removed": 0},
		{"new": 0, "changed": 1, "init": 1, "removed": 0},
		{"new": 0, "changed": 1, "init": 1, "removed": 2},
	}, got)
	s.Run("rm " + textfiles + "/restic-backup.prom")
}

// refused: what does not get better by waiting fails at once.
func (s *system) refused(t *testing.T) {
	s.config("RETRY_FOR=1h")
	s.remote("rest:http://backup:wrong@" + there + ":8080/")
	began := time.Now()
	verdict, got := s.start("restic-backup")
	assert.Equal(t, "exit-code", verdict)
	assert.Equal(t, 1.0, got["restic_run_status{status=failed}"])
	assert.Less(t, time.Since(began), 30*time.Second)
	assert.Contains(t, s.Run("journalctl -u restic-backup -o cat -n 12"), "401 Unauthorized")
	s.Eventually(20*time.Second, "grep -q '401 Unauthorized' /var/mail/admin")
}

// background starts the unit, and waits until the job waits.
func (s *system) background(waits string) {
	s.Run("systemctl reset-failed; journalctl --rotate; systemctl start --no-block restic-backup")
	s.Eventually(20*time.Second, "journalctl -u restic-backup -o cat -n 3 | grep -q "+quote(waits))
}

// ended waits until the unit has ended, and returns systemd's verdict and the metrics.
func (s *system) ended() (string, map[string]float64) {
	s.Eventually(60*time.Second, "systemctl show -P ActiveState restic-backup | grep -qE '^(inactive|failed)'")
	return s.verdict("restic-backup"), s.metrics("restic-backup")
}

func (s *system) serverDown(t *testing.T) {
	s.config("RETRY_FOR=1h", "RETRY_EVERY=1s")
	s.remote(rest)
	s.Run("systemctl stop rclone; : > /var/mail/admin; rm -f " + textfiles + "/restic-backup.prom")
	s.background("the repository cannot be reached; trying again in 1 seconds")
	s.Run("sleep 3; test ! -e " + textfiles + "/restic-backup.prom; test ! -s /var/mail/admin; systemctl start rclone")
	verdict, got := s.ended()
	assert.Equal(t, "success", verdict)
	assert.Equal(t, success, metrictest.Pick(got, success), "and nobody is alarmed")
}

func (s *system) serverGone(t *testing.T) {
	s.config("RETRY_FOR=3s", "RETRY_EVERY=1s")
	s.Run("systemctl stop rclone; : > /var/mail/admin")
	verdict, got := s.start("restic-backup")
	s.Run("systemctl start rclone")
	assert.Equal(t, "exit-code", verdict)
	want := failure("network", 1)
	assert.Equal(t, want, metrictest.Pick(got, want))
	s.Eventually(20*time.Second, "grep -q 'Triggering OnFailure' /var/mail/admin")
	mail := s.Run("cat /var/mail/admin")
	assert.Contains(t, mail, "the repository cannot be reached; giving up after 3 seconds of waiting")
	assert.Contains(t, mail, "connection refused")
}

// lateNetwork: a laptop that has woken, and has no network yet.
func (s *system) lateNetwork(t *testing.T) {
	s.config("RETRY_FOR=1h", "RETRY_EVERY=1s")
	for _, repository := range []string{rest, "sftp:root@" + there + ":/var/lib/server/sftp"} {
		s.remote(repository)
		s.Run("ip link set cable down")
		s.background("the repository cannot be reached; trying again in 1 seconds")
		s.Run("sleep 2; ip link set cable up")
		verdict, got := s.ended()
		assert.Equal(t, "success", verdict, repository)
		assert.Equal(t, success, metrictest.Pick(got, success))
	}
}

// serverLeaves: restic itself tries for a while, and the run goes on.
func (s *system) serverLeaves(t *testing.T) {
	s.remote(rest)
	s.Run(`rm -rf /srv/data; mkdir /srv/data; head -c 300M /dev/urandom > /srv/data/much
systemctl reset-failed; systemctl start --no-block restic-backup`)
	s.Eventually(30*time.Second, "test $(find /var/lib/server/rest/data -type f -newer /srv/data/much | wc -l) -gt 1")
	s.Run("systemctl stop rclone; sleep 3; systemctl start rclone")
	verdict, got := s.ended()
	assert.Equal(t, "success", verdict)
	assert.Equal(t, success, metrictest.Pick(got, success))
	s.Run("rm -rf /srv/data")
	s.source()
}

// noRoute: a server on this machine needs no network.
func (s *system) noRoute(t *testing.T) {
	s.Run("ip link set cable down; ip route | (! grep .)")
	s.Run("cd /etc/systemd/system; sed 's/" + there + "/127.0.0.1/; /Namespace/d' rclone.service > here.service; " +
		"systemctl daemon-reload; systemctl start here")
	s.Eventually(10*time.Second, "curl -s 127.0.0.1:8080")
	s.config("RETRY_FOR=0")
	s.remote("rest:http://backup:secret@127.0.0.1:8080/")
	verdict, got := s.start("restic-backup")
	assert.Equal(t, "success", verdict)
	assert.Equal(t, success, metrictest.Pick(got, success))
}

// TestEndToEndDisk: a repository on a disk of its own.
func TestEndToEndDisk(t *testing.T) {
	s := boot(t)
	os.Remove(s.Root + "/etc/systemd/system/restic-backup.service.d/here.conf")
	s.Run("mkdir -p /srv/disk; mount -t tmpfs disk /srv/disk; mkdir /srv/disk/repository")
	s.Machine.Write("/etc/systemd/system/restic-backup.service.d/disk.conf", "[Service]\nReadWritePaths=/srv/disk/repository\n", 0o644)
	s.Run("systemctl daemon-reload")
	s.remote("/srv/disk/repository")
	verdict, got := s.start("restic-backup")
	assert.Equal(t, "success", verdict)
	assert.Equal(t, success, metrictest.Pick(got, success))

	// Unplugged: the mount point is empty.
	s.Run("mount --bind /srv/disk /mnt; umount /srv/disk; : > /var/mail/admin")
	verdict, _ = s.start("restic-backup")
	assert.Equal(t, "exit-code", verdict, "no skip")
	s.Eventually(20*time.Second, "grep -q 'status=226/NAMESPACE' /var/mail/admin && "+
		"grep -q '/srv/disk/repository: No such file or directory' /var/mail/admin")

	// Another disk, which is empty.
	s.Run("mount -t tmpfs empty /srv/disk; mkdir /srv/disk/repository")
	verdict, got = s.start("restic-backup")
	assert.Equal(t, "exit-code", verdict)
	want := failure("no_repository", 1)
	assert.Equal(t, want, metrictest.Pick(got, want))
	s.Run("test -z \"$(ls /srv/disk/repository)\"; umount /srv/disk")

	s.Run("mount --bind /mnt /srv/disk")
	verdict, got = s.start("restic-backup")
	assert.Equal(t, "success", verdict, "plugged in again")
	assert.Equal(t, success, metrictest.Pick(got, success))
}
