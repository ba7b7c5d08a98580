package deploy_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// prose is what in the runbooks stands as code, begins with the name of a program, and
// is not there to be run.
var prose = []string{"restic backup", "restic check", "restic forget", "restic forget --prune", "restic prune", "systemctl status"}

// commands returns what a runbook tells to run: the lines of its blocks, and what else
// is code and begins with the name of one of these programs.
func commands(text string, programs []string) []string {
	block := regexp.MustCompile(`(?m)^    (\S.*)\n`)
	var found []string
	for _, m := range block.FindAllStringSubmatch(text, -1) {
		found = append(found, m[1])
	}
	for _, m := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(block.ReplaceAllString(text, ""), -1) {
		words := strings.Fields(m[1])
		if command := strings.Join(words, " "); slices.Contains(programs, words[0]) && !slices.Contains(prose, command) {
			found = append(found, command)
		}
	}
	return found
}

// TestEndToEndRunbooks runs each command of the runbooks as it is written, on a machine
// on which all of it has gone wrong.
func TestEndToEndRunbooks(t *testing.T) {
	s := boot(t)
	s.monitoring()
	// Only what a runbook starts is to run.
	s.Run("rm /etc/systemd/system/restic-backup.timer.d/now.conf; systemctl daemon-reload")
	s.goneWrong()
	snapshots := strings.Fields(s.restic("snapshots --json | jq -r '.[].short_id'"))
	fill := strings.NewReplacer("UNIT.timer", "restic-backup.timer", "UNIT", "restic-backup.service", "JOB", "backup",
		"MACHINE", "machine", "SERVER", "localhost", "OLDER", snapshots[0], "NEWER", snapshots[1], "namespace=NAME", "namespace=elsewhere")

	// Those that do more, or something else, than to end with 0.
	special := map[string]struct {
		before, after string
		status        int
	}{
		// Inactive, as it is most of the time.
		"systemctl status UNIT": {status: 3},
		// A distribution has one of them.
		"ls -l /var/lib/node-exporter /var/lib/prometheus/node-exporter": {status: 2},
		"systemctl status srv-backup.mount": {
			before: "mkdir /srv/backup; mount -t tmpfs backup /srv/backup; sleep 0.5"},
		"systemctl start UNIT & journalctl -fu UNIT": {status: 124,
			after: "systemctl start restic-backup"}, // waits for that run
		"pgrep -a restic": {
			before: "cp /bin/sleep /run/restic; /run/restic 60 & until pgrep -x restic; do sleep 0.05; done", after: "kill %1"},
		"restic-job JOB init": {
			before: "mv " + repository + " /var/lib/away; mkdir " + repository,
			after:  "rm -r " + repository + "; mv /var/lib/away " + repository},
		// Of restic 0.16 and later; before, it has another name, and the second is not there.
		"restic-job JOB repair index":              {status: 1, after: "restic-job backup rebuild-index"},
		"restic-job JOB repair snapshots --forget": {status: 1},
	}
	var texts, words []string
	ofStore := regexp.MustCompile(`Restic(Host.*|Collector.*)\.md$`)
	for _, name := range glob(t, "../docs/runbooks/*.md") {
		// The store of many machines has a test of its own.
		if !ofStore.MatchString(name) {
			texts = append(texts, read(t, name))
		}
	}
	for _, m := range regexp.MustCompile("`(\\S+)[^`]*`").FindAllStringSubmatch(strings.Join(texts, "\n"), -1) {
		words = append(words, quote(m[1]))
	}
	programs := strings.Fields(s.Run("for word in " + strings.Join(words, " ") +
		"; do ! command -v -- $word >/dev/null || echo $word; done"))
	require.Contains(t, programs, "restic-job")

	done := make(map[string]bool)
	for _, text := range texts {
		for _, command := range commands(text, programs) {
			if done[command] {
				continue
			}
			done[command] = true
			how := special[command]
			script := "set -o pipefail; " + how.before + "\ntimeout 300 bash -o pipefail -c " + quote(fill.Replace(command))
			if how.status == 124 {
				script = strings.Replace(script, "timeout 300", "timeout 3", 1)
			}
			out, errOut, status := s.Try(script + "\nstatus=$?\n" + how.after + "\nexit $status")
			if !assert.Equal(t, how.status, status, "%s\n%s%s", command, out, errOut) {
				t.Log(s.Run("journalctl -u restic-backup -n 15 -o cat --no-pager"))
			}
		}
	}
	for command := range special {
		assert.True(t, done[command], "%s is in no runbook", command)
	}
}

// goneWrong has the unit succeed twice, and then meet most of what runbooks are about.
func (s *system) goneWrong() {
	s.start("restic-backup")
	s.Run("echo more > /srv/data/new")
	s.start("restic-backup")

	s.Run(`mkdir /srv/data/closed; echo 1 > /srv/data/closed/file; chown admin /srv/data/closed/file; chmod 0600 /srv/data/closed/file`)
	s.Machine.Write("/etc/systemd/system/restic-backup.service.d/weak.conf", "[Service]\nCapabilityBoundingSet=\n", 0o644)
	s.Run("systemctl daemon-reload")
	s.start("restic-backup")
	s.Run("rm /etc/systemd/system/restic-backup.service.d/weak.conf; systemctl daemon-reload")
	s.password("wrong")
	s.start("restic-backup")
	s.password("right")

	s.Run("systemd-run --unit=holder --setenv=RESTIC_REPOSITORY=" + repository +
		` --setenv=RESTIC_PASSWORD=right bash -c 'sleep 600 | restic --no-cache backup --stdin'`)
	s.Eventually(20*time.Second, "ls "+repository+"/locks | grep -q .")
	s.Run("rm /var/lib/restic-exporter/backup.checked")
	s.start("restic-backup")
	s.Run("systemctl kill --signal=KILL holder; systemctl reset-failed")

	s.Machine.Write("/etc/systemd/system/chatty.service", "[Service]\nType=oneshot\nLogRateLimitIntervalSec=1s\n"+
		"LogRateLimitBurst=1\nExecStart=seq 100\nExecStart=sleep 1.5\nExecStart=seq 2\n", 0o644)
	s.Machine.Write("/etc/systemd/system/elsewhere.service", "[Service]\nType=oneshot\nLogNamespace=elsewhere\nExecStart=echo\n", 0o644)
	s.Run("echo '{' > " + textfiles + "/bad.prom; curl -sf localhost:9100/metrics >/dev/null; systemctl daemon-reload")
	s.Run("systemctl start restic-backup.timer chatty elsewhere; systemctl stop systemd-journald@elsewhere.service; journalctl --sync")
	s.Run("mkdir -p /run/sshd /root/.ssh; ssh-keygen -A; ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519; " +
		"cp /root/.ssh/id_ed25519.pub /root/.ssh/authorized_keys; /usr/sbin/sshd; " +
		"until ssh -o StrictHostKeyChecking=accept-new machine true; do sleep 0.1; done")
}
