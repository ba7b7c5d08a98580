package deploy_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

// TestEndToEndCredentials: only root's credentials count, and they mean the same to
// the backup and to whoever restores.
func TestEndToEndCredentials(t *testing.T) {
	s := boot(t)
	s.steps([]step{
		{"who may write and read them", s.owners},
		{"they choose no program", s.loader},
		{"a job of another user", s.otherUser},
		{"odd passwords", s.passwords},
		{"restic-job", s.resticJob},
		{"what shells complete for it", s.completions},
	})
}

func (s *system) owners(t *testing.T) {
	for mode, want := range map[string]string{
		"0644": "exit-code", "0640": "exit-code", "0660": "exit-code", "0400": "success", "0600": "success",
	} {
		s.Run("chmod " + mode + " " + credentials)
		verdict, _ := s.start("restic-backup")
		assert.Equal(t, want, verdict, mode)
	}
	s.Run("chmod 0600 " + credentials)
	for _, file := range []string{credentials, "/etc/restic-exporter/backup.conf"} {
		s.Run("chown admin " + file)
		verdict, _ := s.start("restic-backup")
		assert.Equal(t, "exit-code", verdict, "of another user")
		s.Run("chown root " + file + "; mv " + file + " /root/file; ln -s /root/file " + file)
		verdict, _ = s.start("restic-backup")
		assert.Equal(t, "exit-code", verdict, "a link")
		s.Run("rm " + file + "; mv /root/file " + file)
	}
}

// loader: systemd has read a file before the script can refuse it.
func (s *system) loader(t *testing.T) {
	s.Run(`cat > /root/evil.c <<'E'
#include <stdio.h>
__attribute__((constructor)) static void f(void) { FILE *x = fopen("/var/lib/restic-exporter/owned", "w"); if (x) fclose(x); }
E
mkdir /home/admin/bin; gcc -shared -fPIC -o /home/admin/evil.so /root/evil.c
printf '#!/bin/sh\ntouch /var/lib/restic-exporter/owned\n' > /home/admin/evil; chmod +x /home/admin/evil
for name in dirname readlink restic stat journalctl; do cp /home/admin/evil /home/admin/bin/$name; done
cat > ` + credentials + ` <<'E'
RESTIC_REPOSITORY=/nowhere
LD_PRELOAD=/home/admin/evil.so
LD_AUDIT=/home/admin/evil.so
BASH_ENV=/home/admin/evil
ENV=/home/admin/evil
SHELLOPTS=xtrace
PS4='$(/home/admin/evil)'
PATH=/home/admin/bin:/usr/bin
E
chown admin ` + credentials)
	verdict, _ := s.start("restic-backup")
	assert.Equal(t, "exit-code", verdict)
	assert.Contains(t, s.Run("journalctl -u restic-backup -o cat -n 20"), "belongs to another user")
	s.Run("test ! -e /var/lib/restic-exporter/owned; chown root " + credentials + "; restic-job backup version; " +
		"test ! -e /var/lib/restic-exporter/owned")
	s.password("right")
}

// otherUser: root's jobs trust what lies in their directory, so it stays root's. With what
// docs/security.md says a job of another user is as good.
func (s *system) otherUser(t *testing.T) {
	const dropIn = "/etc/systemd/system/restic-backup@his.service.d/"
	s.Machine.Write("/etc/restic-exporter/his.conf", "BACKUP_PATHS=(/srv/data)\nCHECK_WEEKDAY=daily\n", 0o644)
	s.Machine.Write("/etc/restic-exporter/his.credentials", "RESTIC_REPOSITORY=/var/lib/his\nRESTIC_PASSWORD=x\n", 0o600)
	s.Machine.Write(dropIn+"1.conf", "[Service]\nUser=admin\nReadWritePaths=/var/lib/his\n", 0o644)
	s.Run("install -d -o admin /var/lib/his; systemctl daemon-reload")
	const start = "systemctl reset-failed; systemctl start restic-backup@his || true" // its metrics come later
	s.Run(start)
	assert.Equal(t, "exit-code", s.verdict("restic-backup@his"))
	assert.Contains(t, s.Run("journalctl -o cat -u restic-backup@his"), "/var/lib/restic-exporter is for jobs of root")

	s.Run("su admin -c 'ln -s " + repository + "/config /var/lib/restic-exporter/x.lock'")
	verdict, _ := s.start("restic-backup")
	assert.Equal(t, "exit-code", verdict, "a link that root's job could follow")
	assert.Contains(t, s.Run("journalctl -n 20 -o cat -u restic-backup"), "/var/lib/restic-exporter/x.lock is not ours")
	s.Run("rm /var/lib/restic-exporter/x.lock")

	page := read(t, "../docs/security.md")
	_, page, ok := strings.Cut(page, "as another user needs this in a drop-in")
	assert.True(t, ok)
	s.Machine.Write(dropIn+"2.conf", strings.ReplaceAll(guideBlock.FindStringSubmatch(page)[2], "bob", "admin"), 0o644)
	s.Run("systemctl daemon-reload; " + start)
	assert.Equal(t, "success", s.verdict("restic-backup@his"), s.Run("journalctl -o cat -n 30 -u restic-backup@his"))
	s.Eventually(20*time.Second, "grep -q 'restic_run_status{status=\"success\".* 1$' "+textfiles+"/restic-backup@his.prom")
	s.Run("ls -d /var/cache/jobs-of-admin/*")
	verdict, _ = s.start("restic-backup")
	assert.Equal(t, "success", verdict, "the directory is root's again")
}

// passwords that systemd.exec(5) and a shell read differently.
func (s *system) passwords(t *testing.T) {
	for _, r := range []struct{ line, want string }{
		{`'C:\new "one" '`, `C:\new "one" `},
		{`"it's $HOME \"x\""`, `it's $HOME "x"`},
		{`a\\b\c  d   `, `a\bc  d`},
		{"$HOME%h#%%n with CRLF\r", "$HOME%h#%%n with CRLF"},
	} {
		s.Machine.Write(credentials, "RESTIC_REPOSITORY="+repository+"\nRESTIC_PASSWORD="+r.line+"\n", 0o600)
		s.Run("rm -rf " + repository + "/* /var/lib/restic-exporter/* /root/restored")
		verdict, _ := s.start("restic-backup")
		assert.Equal(t, "success", verdict, r.line)
		s.Run("restic-job backup restore latest --target /root/restored; diff -r /srv/data /root/restored/srv/data")
		s.Run("RESTIC_PASSWORD=" + quote(r.want) + " restic --no-cache -r " + repository + " snapshots")
	}
	s.Run("rm -rf " + repository + "/* /var/lib/restic-exporter/*")
	s.password("right")
	s.start("restic-backup")
}

func (s *system) resticJob(t *testing.T) {
	s.Run("rm -rf /var/cache/restic-exporter; restic-job backup snapshots --json | jq -e 'length == 1'; ls -d /var/cache/restic-exporter/*")
	for script, want := range map[string]string{
		"restic-job backup restore nosuch --target /root/x":    "invalid id",
		"restic-job nosuch snapshots":                          "/etc/restic-exporter/nosuch.credentials is missing",
		"restic-job snapshots":                                 "usage: restic-job JOB COMMAND",
		"restic-job":                                           "job: backup",
		"restic-job ../x snapshots":                            "cannot be the name of a job",
		"chmod 0644 " + credentials + "; restic-job backup ls": "is readable by others",
		"su admin -c 'restic-job backup snapshots'":            "only root can read",
	} {
		out, errOut, status := s.Try("export PATH=/usr/sbin:/usr/bin:/bin; " + script)
		assert.NotZero(t, status, script)
		assert.Contains(t, out+errOut, want, script)
		s.Run("chmod 0600 " + credentials)
	}
	s.Run("restic-job --help")
	_, _, status := s.Try("restic-job backup check --nosuch")
	assert.Equal(t, 1, status)
	_, errOut, status := s.Try("mv /usr/bin/restic /root/; restic-job backup snapshots; status=$?; mv /root/restic /usr/bin/; exit $status")
	assert.Equal(t, 127, status, errOut)

	// Input, output, where we are, and what looks like a variable to systemd.
	s.Run(`cd /root; mkdir -p 'a $HOME ${x} $$ %n'; echo one > 'a $HOME ${x} $$ %n/1'
restic-job backup backup './a $HOME ${x} $$ %n'; restic-job backup ls latest | grep -F '/a $HOME ${x} $$ %n/1'
echo from a pipe | restic-job backup backup --stdin --stdin-filename piped
test "$(restic-job backup dump latest /piped)" = 'from a pipe'`)

	// A terminal: restic asks for the new password twice. What is typed before it asks may be lost.
	s.Run(`coproc terminal { script -qec 'restic-job backup key add' /dev/null; }
for prompt in 'new password' 'password again'; do
	until [[ $said == *"enter $prompt" ]]; do read -r -t 60 -d : said <&${terminal[0]}; done
	echo new >&${terminal[1]}
done
wait $terminal_PID
RESTIC_PASSWORD=new restic --no-cache -r ` + repository + ` snapshots`)

	// A signal gets to restic, which leaves no lock.
	s.Run(`mkfifo /root/pipe; exec 7<> /root/pipe
restic-job backup backup --stdin < /root/pipe > /root/out 2>&1 & job=$!
until ls ` + repository + `/locks | grep -q .; do sleep 0.1; done; sleep 1; kill -TERM $job
! wait $job && ! ls ` + repository + `/locks | grep . && ! systemctl list-units --all | grep restic-job`)
	s.Eventually(5*time.Second, "! pgrep -x restic")
}

// completions are a job, and what restic itself completes after that.
func (s *system) completions(t *testing.T) {
	s.Run("mkdir '/root/zz directory'; touch /etc/restic-exporter/web.credentials")
	lines := []string{"b", "web sna", "backup restore --tar", "backup backup zz", "backup snapshots --host x --lat"}
	want := "backup\nweb snapshots\nbackup restore --target\nbackup backup zz directory\nbackup snapshots --host x --latest\n"
	var typed, asked string
	for _, line := range lines {
		typed += "restic-job " + line + "\t\n"
		asked += "complete -C \"restic-job " + line + "\"\n"
	}
	for shell, setUp := range map[string]string{
		"bash --norc -i": "source /usr/share/bash-completion/completions/restic-job\n",
		"zsh -f -i":      "autoload -U compinit; compinit -D -u\n",
	} {
		s.Machine.Write("/root/typed", setUp+"restic-job() { echo \"$*\" >> /root/got; }\n"+typed+"exit\n", 0o644)
		out := s.Run("cd /root; rm -f got; TERM=dumb timeout 60 script -qec " + quote(shell) +
			" /dev/null < typed >out 2>&1; cat out >&2; cat got")
		// The slash may be taken away again, and what is completed may be followed by a blank.
		assert.Equal(t, want, strings.NewReplacer("/\n", "\n", " \n", "\n").Replace(out), shell)
	}
	s.Machine.Write("/root/asked.fish", asked, 0o644)
	assert.Equal(t, "backup\nsnapshots\n--target\nzz directory/\n--latest\n", s.Run("cd /root; fish asked.fish | sed 's/\\t.*//'"))
	s.Run("rm /etc/restic-exporter/web.credentials")
}
