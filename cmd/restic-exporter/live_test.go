package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restic-exporter/restic-exporter/internal/machine"
	"github.com/restic-exporter/restic-exporter/internal/metrictest"
	"github.com/restic-exporter/restic-exporter/internal/testenv"
	"github.com/restic-exporter/restic-exporter/journal"
)

const (
	textfiles = "/var/lib/prometheus/node-exporter"
	exporter  = "/usr/local/bin/restic-exporter"
)

// TestLive runs real restics in real units of a real systemd.
func TestLive(t *testing.T) {
	testenv.Long(t)
	m := machine.Boot(t)
	install(t, m)
	t.Logf("%s", m.Run("restic version; systemctl --version | head -1"))
	m.Run(`mkdir -p ` + textfiles + ` /srv/data /srv/flood
for i in $(seq 18); do head -c $((i * 1000)) /dev/urandom > /srv/data/$i; done
useradd --system --no-create-home backup-test 2>/dev/null || true
export RESTIC_REPOSITORY=/srv/repo RESTIC_PASSWORD=x
restic init --quiet
restic backup --quiet /srv/data`)
	m.Write("/etc/systemd/system/restic-exporter@.service", `[Service]
Type=oneshot
ExecStart=`+exporter+` --unit %i
`, 0o644)

	for _, test := range []struct {
		name string
		run  func(*testing.T, *machine.Machine)
	}{
		{"calls", testCalls},
		{"two runs", testTwoRuns},
		{"flood", testFlood},
		{"rate limit", testRateLimit},
		{"from outside", testOutside},
		{"still running", testStillRunning},
		{"forgery", testForgery},
		{"late", testLate},
		{"rotation", testRotation},
		{"restart", testRestart},
		{"noise", testNoise},
		{"user unit", testUserUnit},
		{"many units", testManyUnits},
		{"many units, and a journald that hangs", testFrozen},
		{"namespaces", testNamespaces},
		{"wrappers", testWrappers},
		{"reboot in mid-run", testReboot},
	} {
		t.Run(test.name, func(t *testing.T) {
			m.Use(t)
			test.run(t, m)
		})
	}
}

// buildFlags are those that the program with cgo is built with.
var buildFlags []string

// install builds the program both ways and puts it into the machine.
func install(t *testing.T, m *machine.Machine) {
	for _, build := range []struct {
		name, cgo string
		flags     []string
	}{{exporter, "1", buildFlags}, {exporter + "-static", "0", nil}} {
		cmd := exec.Command("go", slices.Concat([]string{"build", "-o", filepath.Join(m.Root, build.name)}, build.flags, []string{"."})...)
		cmd.Env = append(os.Environ(), "CGO_ENABLED="+build.cgo)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
}

// unit writes a backup unit that runs a script, and returns its .prom file. The
// unit stops fast, unless the section says how fast.
func unit(m *machine.Machine, name, script, section string) string {
	if !strings.Contains(section, "TimeoutStopSec=") {
		section += "\nTimeoutStopSec=5s"
	}
	m.Write("/usr/local/sbin/"+name+"/restic-backup.sh", "#!/bin/bash\nset -e\n"+script, 0o755)
	m.Write("/etc/systemd/system/"+name+".service", `[Unit]
Description=Run backup job
`+strings.TrimPrefix(section, "[Unit]")+`
Type=oneshot
Environment=RESTIC_REPOSITORY=/srv/repo RESTIC_PASSWORD=x XDG_CACHE_HOME=/srv/cache
LogRateLimitIntervalSec=1s
LogRateLimitBurst=100000000
ExecStart=/usr/local/sbin/`+name+`/restic-backup.sh
`, 0o644)
	m.Run("systemctl daemon-reload")
	return textfiles + "/" + name + ".prom"
}

// latestID is the shell command for the invocation that was started last.
func latestID(unit string) string {
	return "journalctl -q -o cat --output-fields=INVOCATION_ID -n 1 _PID=1 UNIT=" + unit +
		".service MESSAGE_ID=7d4958e842da4a758f6c1cdc7b36dcc5"
}

func testCalls(t *testing.T, m *machine.Machine) {
	calls := map[string]string{
		"ExecStartPost": "[Service]\nExecStartPost=" + exporter + " --unit %n",
		"ExecStopPost":  "[Service]\nExecStopPost=+" + exporter + " --unit %n",
		"static":        "[Service]\nExecStopPost=+" + exporter + "-static --unit %n",
		"OnFailure":     "[Unit]\nOnFailure=restic-exporter@%n.service\n[Service]",
	}
	good := map[string]float64{
		"restic_run_status{status=success}": 1, "restic_run_status{status=partial}": 0, "restic_run_status{status=failed}": 0,
		"restic_run_exit_code{}": 0, "restic_run_consecutive_failures{}": 0, "restic_backup_failure{}": 0,
		"restic_snapshot_files{backup=1,state=unmodified}": 18, "restic_repo_files{state=new}": 0,
		"restic_snapshot_processed_bytes{backup=1}": 171000, "restic_exporter_backups{}": 1, "restic_step_success{step=backup}": 1,
		"restic_exporter_unparsed_lines{}": 0, "restic_exporter_dropped_entries{}": 0,
	}
	failed := func(reason string, code float64) map[string]float64 {
		return map[string]float64{
			"restic_run_status{status=success}": 0, "restic_run_status{status=partial}": 0, "restic_run_status{status=failed}": 1,
			"restic_run_failure_reason{reason=" + reason + "}": 1, "restic_run_exit_code{}": code,
			"restic_run_consecutive_failures{}": 1, "restic_backup_failure{}": 1, "restic_exporter_backups{}": 0,
		}
	}
	// 1, and from restic 0.17 on 12.
	status := m.Run("RESTIC_REPOSITORY=/srv/repo RESTIC_PASSWORD=wrong restic snapshots 2>/dev/null || echo -n $?")
	wrongPassword, err := strconv.ParseFloat(status, 64)
	require.NoError(t, err)
	// restic waits for what never comes: it holds the other end itself, so nobody can close that.
	const hang = "mkfifo /srv/never 2>/dev/null || true\nrestic backup --stdin <>/srv/never\n"
	situations := map[string]struct {
		script, section string
		do              string // instead of starting the unit
		want            map[string]float64
		absent          string
	}{
		"success": {script: "restic backup /srv/data\n", want: good},
		"password": {
			script: "RESTIC_PASSWORD=wrong restic backup /srv/data\n", want: failed("password", wrongPassword),
			absent: "restic_repo_files{state=new}",
		},
		"partial": {
			script: "export RESTIC_REPOSITORY=/srv/repo-partial\nrestic backup --no-cache /srv/partial\n", section: "\nUser=backup-test",
			want: map[string]float64{
				"restic_run_status{status=success}": 0, "restic_run_status{status=partial}": 1, "restic_run_status{status=failed}": 0,
				"restic_run_failure_reason{reason=source_unreadable}": 1, "restic_run_exit_code{}": 3, "restic_backup_failure{}": 1,
				"restic_snapshot_unreadable_items{backup=1}": 1, "restic_snapshot_processed_files{backup=1}": 1,
				"restic_exporter_backups{}": 1,
			},
			absent: "restic_run_last_success_timestamp_seconds{}",
		},
		"timeout": {script: hang, section: "\nTimeoutStartSec=2", want: failed("timeout", 143)},
		// The main process alone: systemd 257 kills a whole group by writing to
		// its cgroup.kill, and Linux 6.18 then kills what systemd starts in the
		// group afterwards, ExecStopPost= too.
		"kill": {script: hang, do: `systemctl start --no-block NAME
until journalctl -q -u NAME -o cat | grep -q .; do sleep 0.05; done; sleep 0.5
systemctl kill --kill-whom=main --signal=KILL NAME`, want: failed("killed", 137)},
	}
	m.Run(`mkdir /srv/partial /srv/repo-partial; echo 1 > /srv/partial/a; echo 2 > /srv/partial/b; chmod 0600 /srv/partial/b
chown backup-test /srv/repo-partial; mkdir -m 1777 /srv/cache
setpriv --reuid=backup-test --clear-groups env RESTIC_REPOSITORY=/srv/repo-partial RESTIC_PASSWORD=x restic init --quiet --no-cache`)

	for call, line := range calls {
		for situation, s := range situations {
			if call == "ExecStartPost" && situation != "success" || call == "OnFailure" && situation == "success" {
				continue // systemd does not call it then
			}
			t.Run(call+", "+situation, func(t *testing.T) {
				m.Use(t)
				name := strings.ToLower(call) + "-" + situation
				file := unit(m, name, s.script, line+s.section)
				do := s.do
				if do == "" {
					do = "systemctl start NAME || true"
				}
				m.Run(strings.ReplaceAll(do, "NAME", name+".service"))
				m.Eventually(20*time.Second, "test -e "+file)

				first := m.Run("cat " + file)
				got := metrictest.Flat(t, first)
				assert.Equal(t, s.want, metrictest.Pick(got, s.want, s.absent))

				// From outside, when the manager has given its verdict, nothing
				// changes but when the run was last heard of; and then nothing.
				m.Eventually(20*time.Second, "systemctl show -p ActiveState "+name+" | grep -qE '=(inactive|failed)'")
				m.Run(exporter + " --unit " + name)
				second := m.Run("cat " + file)
				assert.Equal(t, s.want, metrictest.Pick(metrictest.Flat(t, second), s.want, s.absent))
				m.Run(exporter + "-static --unit " + name)
				assert.Equal(t, second, m.Run("cat "+file))
			})
		}
	}
}

// Numbers agree with what restic says of the repository, and what outlasts a
// run outlasts it.
func testTwoRuns(t *testing.T, m *machine.Machine) {
	file := unit(m, "two-runs", `restic snapshots >/dev/null || restic init
restic check
restic backup /srv/two
restic forget --keep-last 1 --prune
if test -e /srv/two/fail; then RESTIC_PASSWORD=wrong restic check; fi
`, "[Service]\nEnvironment=RESTIC_REPOSITORY=/srv/repo-two\nExecStopPost="+exporter+" --unit %n --max-age 26h --label site=berlin")
	// The later setting counts.
	m.Run(`sed -i 's|RESTIC_REPOSITORY=/srv/repo |RESTIC_REPOSITORY=/srv/repo-two |' /etc/systemd/system/two-runs.service
systemctl daemon-reload
mkdir /srv/two; seq 100000 > /srv/two/a; seq 100 > /srv/two/b`)
	m.Run("systemctl start two-runs")
	first := metrictest.Flat(t, m.Run("cat "+file))
	want := map[string]float64{
		"restic_snapshot_files{backup=1,site=berlin,state=new}": 2, "restic_run_status{site=berlin,status=success}": 1,
		"restic_step_success{site=berlin,step=init}": 1, "restic_step_success{site=berlin,step=check}": 1,
		"restic_check_found_errors{site=berlin}":           0,
		"restic_forget_snapshots{result=kept,site=berlin}": 1, "restic_forget_snapshots{result=removed,site=berlin}": 0,
		"restic_run_max_age_seconds{site=berlin}": 26 * 3600, "restic_run_failure_reason{reason=no_repository,site=berlin}": 0,
	}
	assert.Equal(t, want, metrictest.Pick(first, want, "restic_prune_removed_blobs{site=berlin}"))

	m.Run("seq 200000 > /srv/two/a; echo new > /srv/two/c; systemctl start two-runs")
	second := metrictest.Flat(t, m.Run("cat "+file))
	stats := m.Run("RESTIC_REPOSITORY=/srv/repo-two RESTIC_PASSWORD=x restic stats --mode raw-data --json | tr -d '\n'")
	var size, blobs float64
	for _, field := range strings.FieldsFunc(stats, func(r rune) bool { return strings.ContainsRune("{},", r) }) {
		name, v, _ := strings.Cut(field, ":")
		switch n, _ := strconv.ParseFloat(v, 64); name {
		case `"total_size"`:
			size = n
		case `"total_blob_count"`:
			blobs = n
		}
	}
	want = map[string]float64{
		"restic_snapshot_files{backup=1,site=berlin,state=new}": 1, "restic_snapshot_files{backup=1,site=berlin,state=changed}": 1,
		"restic_snapshot_files{backup=1,site=berlin,state=unmodified}": 1,
		"restic_forget_snapshots{result=kept,site=berlin}":             1, "restic_forget_snapshots{result=removed,site=berlin}": 1,
		"restic_step_success{site=berlin,step=prune}": 1, "restic_step_success{site=berlin,step=forget}": 1,
		"restic_repository_blobs{site=berlin}":       blobs,
		"restic_step_success{site=berlin,step=init}": 1, // kept
	}
	assert.Equal(t, want, metrictest.Pick(second, want))
	// Text is rounded to three decimals of its unit.
	assert.InDelta(t, size, second["restic_repository_size_bytes{site=berlin}"], 1024)

	_, _, status := m.Try("touch /srv/two/fail; systemctl start two-runs")
	require.NotZero(t, status)
	third := metrictest.Flat(t, m.Run("cat "+file))
	want = map[string]float64{
		"restic_run_status{site=berlin,status=failed}": 1, "restic_run_failure_reason{reason=password,site=berlin}": 1,
		"restic_run_consecutive_failures{site=berlin}":           1,
		"restic_run_last_success_timestamp_seconds{site=berlin}": second["restic_run_last_success_timestamp_seconds{site=berlin}"],
		"restic_snapshot_files{backup=1,site=berlin,state=new}":  1, // the file "fail"
	}
	assert.Equal(t, want, metrictest.Pick(third, want))
}

// A reader that starts at once must not read too early: the summary comes
// behind 200,000 lines.
func testFlood(t *testing.T, m *machine.Machine) {
	const lines = 200000
	const runs = 6 // without the synchronization 8 of 8 are wrong
	m.Run(fmt.Sprintf(`seq -f 'unchanged /srv/flood/directory/file-%%06.0f' %d > /srv/flood/lines; seq 7 > /srv/flood/data`, lines))
	for i, call := range []string{"ExecStartPost", "ExecStopPost"} {
		name := strings.ToLower(call) + "-flood"
		file := unit(m, name, "cat /srv/flood/lines\nexec restic backup -vv /srv/flood/data\n",
			// journald needs its time for the lines, and that is the exporter's.
			"[Service]\nTimeoutStopSec=90s\n"+call+"="+exporter+" --unit %n")
		right := 0
		start := time.Now()
		for range runs / 2 {
			m.Run("rm -f " + file + "; systemctl start " + name)
			got := metrictest.Flat(t, m.Run("cat "+file))
			if got["restic_exporter_backups{}"] == 1 && got["restic_snapshot_processed_files{backup=1}"] == 1 &&
				got["restic_exporter_log_entries{}"] >= lines && got["restic_run_status{status=success}"] == 1 {
				right++
			}
			// Or the journal outgrows its limit.
			m.Run("journalctl -q --rotate --vacuum-size=200M 2>/dev/null")
		}
		t.Logf("%s: right %d of %d, %v each", call, right, runs/2, time.Since(start)/time.Duration(runs/2))
		assert.Equal(t, runs/2, right, "half %d", i+1)
	}
}

// journald drops what comes too fast, and says so when the unit logs again.
func testRateLimit(t *testing.T, m *machine.Machine) {
	file := unit(m, "limited", `seq -f 'unchanged /srv/%06.0f' 1000
sleep 2.2
restic backup /srv/data
`, "[Service]\nExecStopPost="+exporter+" --unit %n")
	m.Run("sed -i 's/^LogRateLimitIntervalSec=.*/LogRateLimitIntervalSec=2s/; " +
		"s/^LogRateLimitBurst=.*/LogRateLimitBurst=100/' /etc/systemd/system/limited.service; systemctl daemon-reload; " +
		"systemctl start limited")
	got := metrictest.Flat(t, m.Run("cat "+file))
	assert.Equal(t, 1.0, got["restic_exporter_backups{}"])
	// journald scales the limit with the free space: what is dropped and what is
	// read make the whole.
	whole := got["restic_exporter_dropped_entries{}"] + got["restic_exporter_log_entries{}"]
	assert.Greater(t, got["restic_exporter_dropped_entries{}"], 0.0)
	assert.GreaterOrEqual(t, whole, 1000.0)
	assert.Contains(t, m.Run("journalctl -o cat -u limited SYSLOG_IDENTIFIER=restic-exporter"), "LogRateLimitBurst=")
}

// testStillRunning: but for Type=oneshot, ExecStartPost= is called as soon as the unit
// has started, and nothing has been saved then.
func testStillRunning(t *testing.T, m *machine.Machine) {
	for typ, script := range map[string]string{
		"simple":  "sleep 1; exit 7\n",
		"exec":    "sleep 1; exit 7\n",
		"notify":  "systemd-notify --ready; sleep 1; exit 7\n",
		"forking": "(sleep 1; exit 7) &\n",
	} {
		name := "running-" + typ
		file := unit(m, name, script, "[Service]\nNotifyAccess=all\nExecStartPost=-"+exporter+" --unit %n")
		m.Run("sed -i 's/^Type=.*/Type=" + typ + "/' /etc/systemd/system/" + name + ".service; systemctl daemon-reload\n" +
			"systemctl start " + name)
		_, _, status := m.Try("test -e " + file)
		assert.NotZero(t, status, "%s: nothing has succeeded", typ)
		m.Eventually(10*time.Second, "systemctl is-failed "+name)
		assert.Contains(t, m.Run("journalctl -q -o cat -u "+name), "still going on", typ)
		want := map[string]float64{"restic_run_status{status=failed}": 1, "restic_run_exit_code{}": 7}
		got := metrictest.Flat(t, m.Run(exporter+" --unit "+name+" --output -"))
		assert.Equal(t, want, metrictest.Pick(got, want), typ)
	}
	// The environment of a oneshot's ExecStart= is that of its ExecStartPost=.
	for _, user := range []string{"root", "backup-test"} {
		file := unit(m, "running-"+user, exporter+" --unit running-"+user+" || exit 9\n", "[Service]\nUser="+user+
			"\nSupplementaryGroups=systemd-journal\nExecStart=-"+exporter+" --unit %n")
		m.Run("! systemctl start running-" + user + "; test ! -e " + file)
		assert.Equal(t, "2\n", m.Run("journalctl -q -o cat -u running-"+user+" | grep -c 'still going on'"), user)
	}
}

func testOutside(t *testing.T, m *machine.Machine) {
	unit(m, "outside", "restic backup /srv/data\n", "[Service]")
	m.Run("systemctl start outside; id reader 2>/dev/null || useradd --system --no-create-home --groups systemd-journal reader; " +
		"id nosy 2>/dev/null || useradd --system --no-create-home nosy")

	as := func(user, args string) string {
		return fmt.Sprintf("cd /; setpriv --reuid=%s --regid=%s --init-groups %s %s --output -", user, user, exporter, args)
	}
	got := metrictest.Flat(t, m.Run(as("reader", "--unit outside")))
	want := map[string]float64{"restic_run_status{status=success}": 1, "restic_exporter_backups{}": 1}
	assert.Equal(t, want, metrictest.Pick(got, want))

	self, err := os.ReadFile("/proc/self/exe")
	require.NoError(t, err)
	m.Write("/usr/local/bin/another-program", string(self), 0o755)
	other := m.Run("ANOTHER_PROGRAM=outside.service another-program -test.run='^TestAnotherProgram$'")
	assert.Equal(t, withoutBuild(t, m.Run(exporter+" --unit outside --output -")), withoutBuild(t, strings.TrimSuffix(other, "PASS\n")))

	// Who cannot ask journald waits until the unit has been quiet for a while. From systemd 261 on, everybody can ask.
	took := m.Run("systemctl start outside; begun=$(date +%s%N); (" + as("reader", "--unit outside") +
		") >/dev/null; echo $((($(date +%s%N) - begun) / 1000000))")
	ms, err := strconv.Atoi(strings.TrimSpace(took))
	require.NoError(t, err)
	if m.Run("stat -c %a /run/systemd/journal/io.systemd.journal") != "666\n" {
		assert.Greater(t, ms, 1500)
	}

	_, stderr, status := m.Try(as("nosy", "--unit outside"))
	assert.Equal(t, 1, status)
	assert.Contains(t, stderr, "systemd-journal")

	unit(m, "running", "echo begun; sleep 1000\n", "[Service]")
	m.Run("systemctl start --no-block running; until journalctl -q -u running -o cat | grep -q begun; do sleep 0.05; done")
	_, stderr, status = m.Try(exporter + " --unit running --output -")
	assert.Equal(t, 1, status)
	assert.Contains(t, stderr, "still going on")
	// To other users the manager's process can be hidden.
	_, stderr, status = m.Try("mount -o remount,hidepid=invisible /proc; " + as("reader", "--unit running") +
		"; status=$?; mount -o remount,hidepid=off /proc; exit $status")
	assert.Equal(t, 1, status)
	assert.Contains(t, stderr, "still going on")
	m.Try("systemctl stop running")

	_, stderr, status = m.Try(exporter + " --unit never-ran --output -")
	assert.Equal(t, 1, status)
	assert.Contains(t, stderr, "no invocation of never-ran.service in the journal")

	// libsystemd is loaded when it is needed: without it journalctl serves.
	got = metrictest.Flat(t, m.Run("LIB=$(ldconfig -p | awk '/libsystemd.so.0/ { print $NF; exit }'); mv $LIB $LIB.away; "+exporter+
		" --unit outside --output - || true; mv $LIB.away $LIB"))
	assert.Equal(t, want, metrictest.Pick(got, want))
}

// TestAnotherProgram is what testOutside runs in the machine: a program that reads the
// local journal with our packages alone.
func TestAnotherProgram(t *testing.T) {
	unit := os.Getenv("ANOTHER_PROGRAM")
	if unit == "" {
		t.Skip("TestLive runs it")
	}
	fmt.Print(unitByPackages(t, journal.Reader{}, unit))
}

// withoutBuild returns the series of a file but for the one that says who wrote it.
func withoutBuild(t *testing.T, text string) map[string]float64 {
	series := metrictest.Flat(t, text)
	maps.DeleteFunc(series, func(name string, _ float64) bool { return strings.HasPrefix(name, "restic_exporter_build_info") })
	return series
}

// A unit that has been started again meanwhile, and one that is no oneshot.
func testRestart(t *testing.T, m *machine.Machine) {
	unit(m, "restart", "restic backup /srv/data\ntest ! -e /run/restart-wait || sleep 1000\n", "[Service]")
	m.Run("systemctl start restart")
	id := strings.TrimSpace(m.Run(latestID("restart")))
	m.Run("touch /run/restart-wait; systemctl start --no-block restart; " +
		"until test $(journalctl -q -u restart -o cat | grep -c 'snapshot .* saved') = 2; do sleep 0.1; done")
	require.NotEqual(t, id, strings.TrimSpace(m.Run("systemctl show -P InvocationID restart")))
	want := map[string]float64{"restic_run_status{status=success}": 1, "restic_exporter_backups{}": 1, "restic_run_exit_code{}": 0}
	for _, program := range []string{exporter, exporter + "-static"} {
		assert.Equal(t, want, metrictest.Pick(metrictest.Flat(t, m.Run(program+" --unit restart --output - --invocation "+id)), want))
		_, stderr, status := m.Try(program + " --unit restart --output -")
		assert.Equal(t, 1, status)
		assert.Contains(t, stderr, "still going on")
	}
	m.Run("systemctl stop restart; rm /run/restart-wait")

	file := unit(m, "simple", "restic backup /srv/data\n", "[Service]\nExecStopPost="+exporter+" --unit %n")
	m.Run("sed -i 's/^Type=.*/Type=simple/' /etc/systemd/system/simple.service; systemctl daemon-reload; systemctl start --wait simple")
	assert.Equal(t, want, metrictest.Pick(metrictest.Flat(t, m.Run("cat "+file)), want))
	m.Run(exporter + " --unit simple")
	assert.Equal(t, want, metrictest.Pick(metrictest.Flat(t, m.Run("cat "+file)), want))
}

// testNoise lets another user fill the log. As long as the run is in it all is
// read; when journald has deleted the run's beginning, the file is left alone.
func testNoise(t *testing.T, m *machine.Machine) {
	file := unit(m, "noise", "restic backup -vv /srv/data\ntouch /run/noise-ready\n"+
		"while test ! -e /run/noise-done; do echo waiting; sleep 0.1; done\nrestic backup -vv /srv/data\n",
		"[Service]\nTimeoutStopSec=90s\nExecStopPost="+exporter+" --unit %n")
	noise := func(lines int) string {
		return fmt.Sprintf("base64 -w 40000 /dev/urandom 2>/dev/null | head -n %d | "+
			"setpriv --reuid=65534 --regid=65534 --clear-groups systemd-cat --identifier=restic-backup.sh", lines)
	}
	begun := time.Now()
	m.Run("touch /run/noise-done; (" + noise(500) + ") & systemctl start noise; wait")
	first := m.Run("cat " + file)
	want := map[string]float64{
		"restic_run_status{status=success}": 1, "restic_exporter_backups{}": 2, "restic_snapshot_files{backup=1,state=unmodified}": 18,
	}
	assert.Equal(t, want, metrictest.Pick(metrictest.Flat(t, first), want))

	m.Write("/etc/systemd/journald.conf.d/small.conf", "[Journal]\nSystemMaxUse=32M\nSystemMaxFileSize=8M\n", 0o644)
	m.Run("systemctl restart systemd-journald; rm -f /run/noise-ready /run/noise-done; systemctl start --no-block noise; " +
		"until test -e /run/noise-ready; do sleep 0.1; done")
	id := strings.TrimSpace(m.Run("systemctl show -P InvocationID noise"))
	m.Run(noise(3000) + "; journalctl --sync")
	require.NotContains(t, m.Run("journalctl -q -o cat INVOCATION_ID="+id), "Starting", "the noise was too little")
	m.Try("touch /run/noise-done; until systemctl show -P ActiveState noise | grep -qE 'inactive|failed'; do sleep 0.1; done")
	assert.Equal(t, first, m.Run("cat "+file), "the file is untouched")
	for _, program := range []string{exporter, exporter + "-static"} {
		_, stderr, status := m.Try(program + " --unit noise --invocation " + id)
		assert.Equal(t, 1, status)
		assert.Contains(t, stderr, "the beginning of the run is not in the journal")
	}
	assert.Equal(t, first, m.Run("cat "+file), "the file is untouched")
	m.Run("rm /etc/systemd/journald.conf.d/small.conf; systemctl restart systemd-journald")
	t.Logf("with the noise it took %v", time.Since(begun))
}

func testUserUnit(t *testing.T, m *machine.Machine) {
	m.Write("/etc/systemd/user/user-backup.service", `[Service]
Type=oneshot
Environment=RESTIC_REPOSITORY=/srv/user/repo RESTIC_PASSWORD=x
ExecStart=/usr/bin/restic init
ExecStart=/usr/bin/restic backup --no-cache /etc/hostname
ExecStopPost=`+exporter+` --user --unit %n --output /srv/user/user-backup.prom
`, 0o644)
	m.Run(`useradd --create-home --home-dir /srv/user plain
uid=$(id -u plain)
systemctl start user@$uid.service
cd /; setpriv --reuid=plain --regid=plain --init-groups env HOME=/srv/user XDG_RUNTIME_DIR=/run/user/$uid \
  systemctl --user start user-backup`)
	want := map[string]float64{
		"restic_run_status{status=success}": 1, "restic_exporter_backups{}": 1, "restic_step_success{step=init}": 1,
		"restic_snapshot_processed_files{backup=1}": 1,
	}
	assert.Equal(t, want, metrictest.Pick(metrictest.Flat(t, m.Run("cat /srv/user/user-backup.prom")), want))

	m.Run(`uid=$(id -u plain); cd /; sleep 2; setpriv --reuid=plain --regid=plain --init-groups ` + exporter +
		` --user --unit user-backup --output /srv/user/outside.prom`)
	assert.Equal(t, want, metrictest.Pick(metrictest.Flat(t, m.Run("cat /srv/user/outside.prom")), want))

	// A manager that was killed has not said how the run ended.
	m.Write("/etc/systemd/user/orphan.service", "[Service]\nType=oneshot\nExecStart=/bin/sh -c 'echo begun; exec sleep 1000'\n", 0o644)
	const plain = "setpriv --reuid=plain --regid=plain --init-groups env HOME=/srv/user XDG_RUNTIME_DIR=/run/user/$(id -u plain) "
	m.Run("cd /; " + plain + "systemctl --user daemon-reload; " + plain + "systemctl --user start --no-block orphan\n" +
		"until journalctl -q _SYSTEMD_USER_UNIT=orphan.service | grep -q begun; do sleep 0.05; done\n" +
		"kill -KILL $(systemctl show -P MainPID user@$(id -u plain)); sleep 1; systemctl start user@$(id -u plain)")
	killed := runFailed("killed")
	for _, program := range []string{exporter, exporter + "-static"} {
		got := metrictest.Flat(t, m.Run("cd /; "+plain+program+" --user --unit orphan --output -"))
		assert.Equal(t, killed, metrictest.Pick(got, killed, code), program)
	}
}

// testManyUnits: one call for all units writes what a call for each writes.
func testManyUnits(t *testing.T, m *machine.Machine) {
	unit(m, "many-good", "restic backup /srv/data\n", "[Service]")
	unit(m, "many-bad", "RESTIC_PASSWORD=wrong restic backup /srv/data\n", "[Service]")
	unit(m, "many-early", "test ! -e /run/many-early\nrestic backup /srv/data\n", "[Service]")
	unit(m, "many-notes", "echo nothing to do with it\n", "[Service]")
	unit(m, "many-never", "restic backup /srv/data\n", "[Unit]\nRequires=broken.service\nAfter=broken.service\n[Service]")
	m.Write("/etc/systemd/system/broken.service", "[Service]\nType=oneshot\nExecStart=/bin/false\n", 0o644)
	unit(m, "many-running", "restic backup /srv/data\nsleep 1000\n", "[Service]")
	m.Run(`systemctl start many-early; touch /run/many-early
for name in good bad early notes never; do systemctl start many-$name || true; done
systemctl start --no-block many-running; until journalctl -q -u many-running -o cat | grep -q saved; do sleep 0.1; done`)
	for _, program := range []string{exporter, exporter + "-static"} {
		m.Run("rm -rf /run/many; mkdir /run/many; " + program + " --unit 'many-*' --output /run/many")
		assert.Equal(t, "many-bad.prom\nmany-early.prom\nmany-good.prom\nmany-never.prom\n", m.Run("ls -A /run/many"))
		for _, name := range []string{"bad", "early", "good", "never"} {
			assert.Equal(t, m.Run(program+" --unit many-"+name+" --output -"), m.Run("cat /run/many/many-"+name+".prom"), name)
		}
		status := `restic_run_failure_reason{reason=`
		assert.Equal(t, 1.0, metrictest.Flat(t, m.Run("cat /run/many/many-never.prom"))[status+"not_started}"])
		assert.Equal(t, 1.0, metrictest.Flat(t, m.Run("cat /run/many/many-early.prom"))[status+"other}"])
	}
	m.Run("systemctl stop many-running")
}

// testFrozen has a journald that does not answer. One call has one deadline, however many
// units it is for, and marks those without an answer. A namespace takes no other unit's time.
func testFrozen(t *testing.T, m *machine.Machine) {
	const unitsOf = "$(seq -f 'frozen-%g' 10)"
	unit(m, "frozen-1", "echo 1\n", "[Service]\nLogNamespace=frozen")
	for i := 2; i <= 10; i++ {
		unit(m, fmt.Sprint("frozen-", i), "echo 1\n", "[Service]")
	}
	m.Run("systemctl start " + unitsOf + "; journalctl --sync; rm -rf /run/frozen; mkdir /run/frozen")
	files := func(format string, from, to int) (all string) {
		for i := from; i <= to; i++ {
			all += fmt.Sprintf(format+"\n", i)
		}
		return all
	}
	for _, tt := range []struct{ journald, want string }{
		{"systemd-journald@frozen", files("frozen-%d.prom", 2, 10) + "frozen-1.exporter.prom\n"},
		{"systemd-journald", files("frozen-%d.exporter.prom", 1, 10)},
	} {
		m.Run("rm -f /run/frozen/*; systemctl start frozen-1 --no-block; kill -STOP $(systemctl show -P MainPID " + tt.journald + ")")
		began := time.Now()
		_, _, status := m.Try("systemd-run --wait --quiet " + exporter + " --output /run/frozen $(seq -f '--unit frozen-%g' 10)")
		took := time.Since(began)
		m.Run("kill -CONT $(systemctl show -P MainPID " + tt.journald + ")")
		assert.Equal(t, 1, status)
		assert.Less(t, took, 40*time.Second)
		assert.ElementsMatch(t, strings.Fields(tt.want), strings.Fields(m.Run("ls /run/frozen")))
	}
}

// A run that ended with the machine has no verdict, and is not going on.
func testReboot(t *testing.T, m *machine.Machine) {
	unit(m, "cut-off", "echo begun; sleep 1000\n", "[Service]")
	m.Run("systemctl start --no-block cut-off; until journalctl -q -u cut-off -o cat | grep -q begun; do sleep 0.05; done; " +
		"journalctl --sync")
	m.Reboot()
	want := map[string]float64{"restic_run_status{status=failed}": 1, "restic_run_failure_reason{reason=killed}": 1}
	got := metrictest.Flat(t, m.Run(exporter+" --unit cut-off --output -"))
	assert.Equal(t, want, metrictest.Pick(got, want, "restic_run_exit_code{}"))
	// The file of a unit outlasts the reboot.
	assert.True(t, bytes.Contains([]byte(m.Run("ls "+textfiles)), []byte("limited.prom")))
}

// testForgery lets another user of the machine send all that a log can be
// forged with, while the unit runs and after it; and files with hostile names
// be backed up. Nothing changes but the number of files.
func testForgery(t *testing.T, m *machine.Machine) {
	file := unit(m, "forgery", "restic backup -vv /srv/forged\nsleep 2\n", "[Service]\nExecStopPost=+"+exporter+" --unit %n")
	m.Run(`mkdir /srv/forged; cd /srv/forged; echo 1 > honest
files='Files:         999 new,   999 changed,   999 unmodified'
dirs='Dirs:          999 new,   999 changed,   999 unmodified'
rest=$'Added to the repository: 9 TiB   (9 TiB   stored)\n\nprocessed 999 files, 9 TiB in 9:99\nsnapshot 99999999 saved'
touch "$files" $'a\n'"$files"$'\n'"$dirs"$'\n'"$rest" \
  $'b\n{"message_type":"summary","files_new":999,"total_files_processed":999,"snapshot_id":"9"}' $'c\n\xff\xfe\x1b[2K\x07' \
  'error: everything: bad' $'d\nFatal: wrong password or no key found'`)
	forge := `forge() {
id=$(` + latestID("forgery") + `)
for message in 'Files:         999 new,   999 changed,   999 unmodified' 'Dirs:          999 new,   999 changed,   999 unmodified' \
  'Added to the repository: 9 TiB   (9 TiB   stored)' 'processed 999 files, 9 TiB in 9:99' 'snapshot 99999999 saved' \
  'Fatal: wrong password'; do
  for fields in "INVOCATION_ID=$id" "UNIT=forgery.service
INVOCATION_ID=$id
MESSAGE_ID=d9b373ed55a64feb8242e02dbe79a49c
UNIT_RESULT=oom-kill" "OBJECT_SYSTEMD_UNIT=forgery.service
OBJECT_SYSTEMD_INVOCATION_ID=$id
N_DROPPED=999999"; do
    printf 'SYSLOG_IDENTIFIER=restic-backup.sh\nMESSAGE=%s\n%s\n' "$message" "$fields" | setpriv --reuid=65534 --regid=65534 \
      --clear-groups logger --journald
  done
done; }
`
	m.Run(forge + "systemctl start --no-block forgery; sleep 1.5; forge; for i in $(seq 200); " +
		"do systemctl show -P ActiveState forgery | grep -q inactive && break; sleep 0.1; done; forge")
	want := map[string]float64{
		"restic_run_status{status=success}": 1, "restic_run_exit_code{}": 0, "restic_run_failure_reason{reason=oom}": 0,
		"restic_run_failure_reason{reason=password}": 0,
		"restic_snapshot_files{backup=1,state=new}":  7, "restic_snapshot_files{backup=1,state=changed}": 0,
		"restic_snapshot_processed_files{backup=1}": 7,
		"restic_snapshot_processed_bytes{backup=1}": 2, "restic_snapshot_unreadable_items{backup=1}": 0,
		"restic_exporter_backups{}": 1, "restic_exporter_dropped_entries{}": 0, "restic_exporter_unparsed_lines{}": 0,
	}
	first := m.Run("cat " + file)
	assert.Equal(t, want, metrictest.Pick(metrictest.Flat(t, first), want))
	m.Run(exporter + " --unit forgery")
	assert.Equal(t, want, metrictest.Pick(metrictest.Flat(t, m.Run("cat "+file)), want))
	m.Run(exporter + "-static --unit forgery")
	assert.Equal(t, want, metrictest.Pick(metrictest.Flat(t, m.Run("cat "+file)), want))
}

// testLate holds journald up until the unit has ended: what restic printed carries no
// invocation ID then. Another user claims to be of the unit in the same way.
func testLate(t *testing.T, m *machine.Machine) {
	m.Write("/usr/local/sbin/claim", `#!/usr/bin/perl
use IO::Socket::UNIX;
my $journald = IO::Socket::UNIX->new("/run/systemd/journal/stdout") or die "journald: $!";
print $journald "restic-backup.sh\nlate.service\n6\n0\n0\n0\n0\nFatal: create repository at /srv/repo failed: no space left on device\n";
`, 0o755)
	m.Run("cp -r /srv/repo /srv/repo-late; chown -R backup-test /srv/repo-late; mkdir -p -m 1777 /srv/cache")
	failed := map[string]float64{
		"restic_run_status{status=failed}": 1, "restic_run_failure_reason{reason=password}": 1,
		"restic_run_failure_reason{reason=no_space}": 0,
	}
	tests := map[string]struct {
		restic, section string
		want            map[string]float64
	}{
		"failure":              {"RESTIC_PASSWORD=wrong restic backup /srv/data", "", failed},
		"failure, all at once": {"RESTIC_PASSWORD=wrong restic backup /srv/data", "", failed},
		"failure of another user": {
			"RESTIC_REPOSITORY=/srv/repo-late RESTIC_PASSWORD=wrong restic backup /srv/data", "\nUser=backup-test", failed,
		},
		"success": {"restic backup /srv/data", "", map[string]float64{
			"restic_run_status{status=success}": 1, "restic_exporter_backups{}": 1, "restic_snapshot_files{backup=1,state=unmodified}": 18,
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			m.Use(t)
			file := unit(m, "late", "until test -e /run/late; do sleep 0.05; done\n"+tt.restic+"\n",
				"[Unit]\nOnFailure=restic-exporter@%n.service\nOnSuccess=restic-exporter@%n.service\n[Service]"+tt.section)
			const stop = "journalctl --sync; kill -STOP $journald"
			begin := "systemctl start --no-block late; until systemctl show -P ActiveState late | grep -q ^activating; do sleep 0.05; done"
			if name == "failure, all at once" { // the manager's words about the beginning, too
				begin = stop + "; " + begin
			} else {
				begin += "; " + stop
			}
			m.Run(`rm -f /run/late ` + file + `; journald=$(systemctl show -P MainPID systemd-journald)
` + begin + `; touch /run/late
until systemctl show -P ActiveState late | grep -qE 'inactive|failed'; do sleep 0.1; done
setpriv --reuid=65534 --regid=65534 --clear-groups claim; kill -CONT $journald`)
			m.Eventually(20*time.Second, "test -e "+file)
			require.NotContains(t, m.Run("journalctl -q -o cat _SYSTEMD_INVOCATION_ID=$("+latestID("late")+")"), "a", "all of it is late")
			m.Run("journalctl -q -o cat | grep -q 'Fatal: create repository'")
			first := m.Run("cat " + file)
			assert.Equal(t, tt.want, metrictest.Pick(metrictest.Flat(t, first), tt.want))
			for _, program := range []string{exporter, exporter + "-static"} {
				m.Run(program + " --unit late")
				assert.Equal(t, first, m.Run("cat "+file))
			}
		})
	}
}

// testRotation reads a run while journald begins new files and drops old ones,
// which are not the run's.
func testRotation(t *testing.T, m *machine.Machine) {
	unit(m, "rotation", "seq --format='unchanged /srv/data/%.0f' 20000\nrestic backup -vv /srv/data\n", "[Service]")
	m.Run("systemctl start rotation; journalctl --sync")
	stdout := m.Run(`(for i in $(seq 40); do journalctl --rotate; sleep 0.05; done) >/dev/null 2>&1 &
for i in $(seq 8); do ` + exporter + ` --unit rotation --output - | sha256sum; ` + exporter +
		`-static --unit rotation --output - | sha256sum; done; wait`)
	sums := strings.Fields(strings.ReplaceAll(stdout, "-", ""))
	require.Len(t, sums, 16)
	assert.Len(t, slices.Compact(slices.Sorted(slices.Values(sums))), 1, "each reads the same")
	want := map[string]float64{
		"restic_run_status{status=success}": 1, "restic_exporter_backups{}": 1, "restic_snapshot_files{backup=1,state=unmodified}": 18,
	}
	got := metrictest.Flat(t, m.Run(exporter+" --unit rotation --output -"))
	assert.Equal(t, want, metrictest.Pick(got, want))
	assert.Greater(t, got["restic_exporter_log_entries{}"], 20_000.0)
}
