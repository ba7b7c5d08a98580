package deploy_test

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restic-exporter/restic-exporter/internal/machine"
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

	// As the runbook says: Debian 12 has none that can repair, and Debian 13 has.
	program, err := os.ReadFile(machine.Suite(t, "trixie") + "/usr/bin/restic")
	require.NoError(t, err)
	s.Machine.Write("/root/restic", string(program), 0o755)
	require.Greater(t, len(snapshots), 2)
	blob := strings.Fields(s.restic("list blobs --no-lock | grep -m 1 ^data"))[1]
	fill := strings.NewReplacer("UNIT.timer", "restic-backup.timer", "UNIT", "restic-backup.service", "JOB", "backup",
		"MACHINE", "machine", "SERVER", "localhost", "OLDER", snapshots[0], "NEWER", snapshots[1], "namespace=NAME", "namespace=elsewhere",
		"BLOB", blob, "SNAPSHOT", snapshots[2])
	newer := how{before: "mv /root/restic /usr/local/bin/", after: "mv /usr/local/bin/restic /root/"}
	special := map[string]how{
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
		"restic-job JOB repair index":              newer,
		"restic-job JOB repair snapshots --forget": newer,
	}
	var texts []string
	for _, name := range glob(t, "../docs/runbooks/*.md") {
		// TestEndToEndStore has a store of many machines.
		if !ofStore.MatchString(name) {
			texts = append(texts, read(t, name))
		}
	}
	s.runbooks(texts, fill, special)
	s.repair()
}

// repair damages the repository, and does what the runbook says: with a newer restic, and
// with Debian's alone.
func (s *system) repair() {
	t := s.t
	text := read(t, "../docs/runbooks/ResticCheckErrors.md")
	_, text, _ = strings.Cut(text, "\n## How to fix it\n")
	steps := commands(text, []string{"restic-job", "systemctl"})
	require.Len(t, steps, 8, "the last is about when to stop worrying")
	step := func(i int) string {
		return strings.NewReplacer("JOB", "backup", "UNIT", "restic-backup").Replace(steps[i])
	}
	snapshots := "restic-job backup snapshots --json | jq length"
	before := strings.TrimSpace(s.Run("restic-job backup unlock >&2; cp -a " + repository + " /var/lib/good; " + snapshots))
	for _, restic := range []string{"newer", "Debian's"} {
		// What only the source of one snapshot had is lost.
		s.Run(`touch /run/before; head -c 50k /dev/urandom > /srv/data/lost; systemctl start restic-backup; rm /srv/data/lost
find ` + repository + `/data -newer /run/before -size +40k -type f -delete`)
		if restic == "newer" {
			s.Run("mv /root/restic /usr/local/bin/; " + strings.Join([]string{step(0), step(1), step(2)}, "; ") +
				"; mv /usr/local/bin/restic /root/; " + step(7))
		} else {
			out, errOut, status := s.Try(strings.Join([]string{step(3), step(1), step(4)}, "; "))
			assert.NotZero(t, status)
			missing := regexp.MustCompile(`file "lost" blob (\w{64}) not found in index`).FindStringSubmatch(out + errOut)
			require.NotNil(t, missing, out+errOut)
			found := s.Run(strings.Replace(step(5), "BLOB", missing[1], 1))
			of := regexp.MustCompile(`in snapshot (\w+) `).FindStringSubmatch(found)
			require.NotNil(t, of, found)
			s.Run(strings.Replace(step(6), "SNAPSHOT", of[1], 1) + "; " + step(7))
		}
		s.Run("rm -rf " + repository + "; mv /var/lib/good " + repository + "; cp -a " + repository + " /var/lib/good")
	}
	assert.Equal(t, before, strings.TrimSpace(s.Run(snapshots)))
}

// ofStore are the runbooks about a store of many machines.
var ofStore = regexp.MustCompile(`Restic(Host|Collector)\w*\.md$`)

// how a command is run that does more, or something else, than to end with 0.
type how struct {
	before, after string
	status        int
	prints        string // a regular expression that its output matches; "" for any
}

// runbooks runs each command of the texts once.
func (s *system) runbooks(texts []string, fill *strings.Replacer, special map[string]how) {
	t := s.t
	var words []string
	for _, m := range regexp.MustCompile("`(\\S+)[^`]*`").FindAllStringSubmatch(strings.Join(texts, "\n"), -1) {
		words = append(words, quote(m[1]))
	}
	programs := strings.Fields(s.Run("for word in " + strings.Join(words, " ") +
		"; do ! command -v -- $word >/dev/null || echo $word; done"))
	require.Contains(t, programs, "systemctl")

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
			assert.Regexp(t, how.prints, out, command)
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

	s.Machine.Write("/etc/systemd/system/chatty.service", "[Unit]\nStartLimitIntervalSec=0\n[Service]\nType=oneshot\n"+
		"LogRateLimitIntervalSec=1s\nLogRateLimitBurst=1\nExecStart=seq 100\nExecStart=sleep 1.5\nExecStart=seq 2\n", 0o644)
	s.Machine.Write("/etc/systemd/system/elsewhere.service", "[Service]\nType=oneshot\nLogNamespace=elsewhere\nExecStart=echo\n", 0o644)
	s.Run("echo '{' > " + textfiles + "/bad.prom; curl -sf localhost:9100/metrics >/dev/null; systemctl daemon-reload")
	s.Run("systemctl start restic-backup.timer elsewhere; systemctl stop systemd-journald@elsewhere.service")
	// A busy journald may take all lines at once. It reports what it dropped only with a
	// line of a later interval.
	s.Eventually(30*time.Second, "systemctl start chatty; journalctl --sync; journalctl -u systemd-journald | grep -q 'Suppressed.*chatty'")
	s.sshd("machine")
}

// sshd lets root of the machine, whose name is host, log in to it.
func (s *system) sshd(host string) {
	s.Run("mkdir -p /run/sshd /root/.ssh; ssh-keygen -A; ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519; " +
		"cp /root/.ssh/id_ed25519.pub /root/.ssh/authorized_keys; /usr/sbin/sshd; " +
		"until ssh -o StrictHostKeyChecking=accept-new " + host + " true; do sleep 0.1; done")
}
