package deploy_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restic-exporter/restic-exporter/internal/machine"
	"github.com/restic-exporter/restic-exporter/internal/metrictest"
	"github.com/restic-exporter/restic-exporter/internal/victorialogs"
	"github.com/restic-exporter/restic-exporter/textfile"
)

const (
	collected = "/var/lib/restic-exporter-collect"
	examples  = "/usr/share/doc/restic-exporter-journal/examples/store"
	door      = "127.0.0.1:443"
)

// A fleet is two machines. The first also keeps the journals of both.
type fleet struct {
	t     *testing.T
	alpha *machine.Machine
	beta  *machine.Machine
	cable *machine.Cable
}

// TestEndToEndStore sets up what docs/scaling.md says for a thousand machines, on two.
func TestEndToEndStore(t *testing.T) {
	alpha := boot(t).Machine
	beta := machine.Boot(t)
	f := &fleet{t: t, alpha: alpha, beta: beta}
	name(alpha, "alpha")
	name(beta, "beta")
	program, err := os.ReadFile(victorialogs.Binary(t))
	require.NoError(t, err)
	alpha.Write("/root/victoria-logs", string(program), 0o755)
	local, err := os.ReadFile(filepath.Join(alpha.Root, "/usr/bin/restic-exporter"))
	require.NoError(t, err)
	beta.Write("/root/restic-exporter", string(local), 0o755) // to compare with

	// The page, to the letter, but for names and what is installed already.
	do := func(m *machine.Machine, heading string) {
		commands := sh(t, "../docs/scaling.md", heading)
		commands = regexp.MustCompile(`(?m)^apt install .*`).ReplaceAllString(commands, "")
		m.Run("cd /root\n" + strings.NewReplacer("issue db1", "issue alpha", "issue db2", "issue beta").Replace(commands))
	}
	do(alpha, "### On the machine that collects")
	f.cable = beta.Connect(t, door, alpha)
	for host, m := range map[string]*machine.Machine{"alpha": alpha, "beta": beta} {
		for from, to := range map[string]string{
			"ca.pem": "ca.pem", host + ".key": "host.key", host + ".pem": "host.pem",
		} {
			m.Write("/etc/restic-store/"+to, read(t, alpha.Root+"/etc/restic-store/"+from), 0o644)
		}
		for _, file := range glob(t, alpha.Root+examples+"/journal-upload*") {
			m.Write("/root/"+filepath.Base(file), read(t, file), 0o644)
		}
		do(m, "### On each machine")
	}
	for _, m := range []*machine.Machine{alpha, beta} {
		m.Run("rm -rf /srv/data; mkdir /srv/data; yes text | head -c 100000 > /srv/data/file")
	}

	for _, step := range []struct {
		name string
		f    func(t *testing.T)
	}{
		{"runs, failures and starts that fail", f.runs},
		{"a connection cut in mid-run", f.cut},
		{"a reboot in mid-run", f.reboot},
		{"a sender that forges", f.forged},
		{"to Prometheus", f.served},
		{"one drop-in for all units", f.hundred},
		{"a host is deleted", f.deleted},
		{"the runbook of a silent host", f.runbook},
	} {
		if !t.Run(step.name, func(t *testing.T) {
			f.t = t
			alpha.Use(t)
			beta.Use(t)
			began := time.Now()
			step.f(t)
			t.Logf("%.1f s", time.Since(began).Seconds())
		}) {
			alpha.Use(f.t)
			for _, m := range []*machine.Machine{alpha, beta} {
				out, _, _ := m.Try("journalctl --no-pager -n 40 -o short-monotonic; " +
					"journalctl --no-pager -n 40 -u victorialogs -o cat; tail -n 20 /var/log/nginx/*.log")
				t.Log(out)
			}
			break
		}
	}
}

// name names a machine, now and when it is booted again.
func name(m *machine.Machine, host string) {
	m.Write("/etc/hostname", host+"\n", 0o644)
	m.Run("hostname " + host + "; echo 127.0.0.1 logs.example.com " + host + " >> /etc/hosts")
}

// sh returns the commands in a section of a document.
func sh(t *testing.T, document, heading string) string {
	_, section, ok := strings.Cut(read(t, document), heading+"\n")
	require.True(t, ok, heading)
	section = regexp.MustCompile(`\n##+ `).Split(section, 2)[0]
	var commands []string
	for _, m := range regexp.MustCompile("(?s)```sh\n(.*?)```\n").FindAllStringSubmatch(section, -1) {
		commands = append(commands, m[1])
	}
	require.NotEmpty(t, commands, heading)
	return strings.Join(commands, "\n")
}

// unit makes the same unit on both machines.
func (f *fleet) unit(name, script, section string) {
	for _, m := range []*machine.Machine{f.alpha, f.beta} {
		m.Write("/usr/local/sbin/"+name+"/restic-backup.sh", "#!/bin/bash\nset -e\n"+script, 0o755)
		m.Write("/etc/systemd/system/"+name+".service", `[Unit]
Description=Back up
`+section+`
[Service]
Type=oneshot
Environment=RESTIC_REPOSITORY=/var/lib/repository-`+name+` RESTIC_PASSWORD=x XDG_CACHE_HOME=/var/cache
TimeoutStopSec=5s
ExecStart=/usr/local/sbin/`+name+`/restic-backup.sh
`, 0o644)
		m.Run("systemctl daemon-reload")
	}
}

// own are the metrics of a unit as its machine exports them itself.
func own(t *testing.T, m *machine.Machine, unit string) map[string]float64 {
	return metrictest.Flat(t, m.Run("PATH=$PATH:/root; restic-exporter --max-age 50h --output - --unit "+unit))
}

// collect runs the collector, and returns the metrics of each unit of a host, and what
// the collector said.
func (f *fleet) collect(host string) (units map[string]map[string]float64, said string) {
	text, _, _ := f.alpha.Try("systemctl reset-failed; systemctl start restic-exporter-collect; cat " + collected + "/" + host + ".prom")
	said = f.alpha.Run("journalctl -q -o cat -t restic-exporter _SYSTEMD_INVOCATION_ID=$(" +
		"journalctl -q -o cat -n 1 --output-fields=INVOCATION_ID _PID=1 UNIT=restic-exporter-collect.service " +
		"MESSAGE_ID=7d4958e842da4a758f6c1cdc7b36dcc5)")
	mfs, err := textfile.Decode(strings.NewReader(text))
	require.NoError(f.t, err)
	byUnit := make(map[string][]*dto.MetricFamily)
	for _, mf := range mfs {
		for _, m := range mf.Metric {
			labels := make(map[string]string)
			for _, l := range m.Label {
				labels[l.GetName()] = l.GetValue()
			}
			require.Equal(f.t, host, labels["host"])
			byUnit[labels["unit"]] = append(byUnit[labels["unit"]], &dto.MetricFamily{Name: mf.Name, Metric: []*dto.Metric{m}})
		}
	}
	units = make(map[string]map[string]float64)
	for unit, mfs := range byUnit {
		units[strings.TrimSuffix(unit, ".service")] = metrictest.Series(mfs, "host", "unit", "timestamp")
	}
	return units, said
}

// equal waits until what is collected of some units is what each machine exports itself, and
// returns that of one.
func (f *fleet) equal(host string, units ...string) map[string]float64 {
	f.t.Helper()
	machines := map[string]*machine.Machine{"alpha": f.alpha, "beta": f.beta}
	want := make(map[string]map[string]float64)
	for _, unit := range units {
		want[unit] = own(f.t, machines[host], unit)
	}
	require.EventuallyWithT(f.t, func(t *assert.CollectT) {
		got, said := f.collect(host)
		assert.Empty(t, said)
		maps.DeleteFunc(got, func(unit string, _ map[string]float64) bool { return want[unit] == nil })
		assert.Equal(t, want, got)
	}, 30*time.Second, 500*time.Millisecond)
	return want[units[0]]
}

// runs has units that run on both machines at the same time, as the same process.
func (f *fleet) runs(t *testing.T) {
	const samePID = "echo $(</run/last-pid) > /proc/sys/kernel/ns_last_pid\n"
	f.unit("restic-good", samePID+"restic backup /srv/data\n", "")
	f.unit("restic-bad", "RESTIC_PASSWORD=wrong restic backup /srv/data\n", "")
	f.unit("restic-refused", "restic backup /srv/data\n", "Requires=broken.service\nAfter=broken.service")
	f.unit("restic-notes", "echo nothing to do with it\n", "")
	machines := []*machine.Machine{f.alpha, f.beta}
	for _, m := range machines {
		m.Write("/etc/systemd/system/broken.service", "[Service]\nType=oneshot\nExecStart=/bin/false\n", 0o644)
		m.Run(`mount -o remount,rw /proc/sys
RESTIC_REPOSITORY=/var/lib/repository-restic-good RESTIC_PASSWORD=x restic init
RESTIC_REPOSITORY=/var/lib/repository-restic-bad RESTIC_PASSWORD=x restic init
for unit in bad refused notes; do systemctl start restic-$unit || true; done`)
	}
	// Each try has another number: for a second journald takes a process for the one that had
	// its number before, and the line for one of that run.
	pid := 20_000
	same := func() bool {
		pid += 100
		var ended sync.WaitGroup
		var when [2]string
		for i, m := range machines {
			ended.Go(func() {
				// It fails if the number is taken.
				when[i], _, _ = m.Try(fmt.Sprintf("echo %d > /run/last-pid; ", pid) +
					"sleep 0.$(printf %09d $((1000000000 - 10#$(date +%N)))); systemctl reset-failed; systemctl start restic-good && " +
					"journalctl --sync && journalctl -q -n 1 -o short-unix --output-fields=_PID,MESSAGE -t restic-backup.sh " +
					"-g 'snapshot .* saved' | sed 's/[.][0-9]* [^ ]* / /; s/: .*//'")
			})
		}
		ended.Wait()
		t.Log(when)
		return when[0] != "" && when[0] == when[1] && strings.Contains(when[0], fmt.Sprintf("[%d]", pid+1))
	}
	require.Eventually(t, same, 2*time.Minute, time.Millisecond, "the same process in the same second")

	for _, host := range []string{"alpha", "beta"} {
		good := f.equal(host, "restic-good", "restic-bad", "restic-refused")
		assert.Equal(t, 1.0, good["restic_run_status{status=success}"])
		assert.Equal(t, 1.0, good["restic_snapshot_processed_files{backup=1}"])
		units, _ := f.collect(host)
		assert.Equal(t, 1.0, units["restic-bad"]["restic_run_failure_reason{reason=password}"])
		assert.Equal(t, 1.0, units["restic-refused"]["restic_run_failure_reason{reason=not_started}"])
		assert.NotContains(t, units, "restic-notes")
	}
}

// cut has the network fail while a unit runs. What was sent before is sent again.
func (f *fleet) cut(t *testing.T) {
	f.unit("restic-long", "restic backup /srv/data\necho half\nuntil [[ -e /run/go-on ]]; do sleep 0.1; done\nrestic check\n", "")
	f.beta.Run(`RESTIC_REPOSITORY=/var/lib/repository-restic-long RESTIC_PASSWORD=x restic init
systemctl start --no-block restic-long`)
	arrived := func(text string) string {
		return "curl -sf 127.0.0.1:9428/select/logsql/query -d 'query=_time:1h _HOSTNAME:=beta " +
			"_SYSTEMD_UNIT:=restic-long.service _msg:=\"" + text + "\" | stats count() n' | grep -v '\"n\":\"0\"'"
	}
	f.alpha.Eventually(30*time.Second, arrived("half"))
	before, said := f.collect("beta")
	assert.Empty(t, said, "a run that goes on is no error")
	assert.NotContains(t, before, "restic-long")

	f.cable.Cut()
	f.beta.Run("systemctl restart --no-block systemd-journal-upload; touch /run/go-on; " +
		"until journalctl -q -o cat _PID=1 UNIT=restic-long.service | grep Deactivated; do sleep 0.1; done")
	after, _ := f.collect("beta")
	assert.Equal(t, before, after)
	f.beta.Eventually(30*time.Second, "journalctl -q -o cat -u systemd-journal-upload | grep -q 'Failed to connect\\|Upload to .* failed'")

	f.cable.Join(t)
	got := f.equal("beta", "restic-long", "restic-good")
	assert.Equal(t, 1.0, got["restic_step_success{step=check}"])

	// Once more from the beginning: everything is there twice.
	f.beta.Run("systemctl stop systemd-journal-upload; rm -r /var/lib/private/systemd/journal-upload/*; " +
		"systemctl start systemd-journal-upload")
	f.alpha.Eventually(30*time.Second, "curl -sf 127.0.0.1:9428/select/logsql/query -d 'query=_time:1h _HOSTNAME:=beta "+
		"_SYSTEMD_UNIT:=restic-long.service _msg:=half | stats count() n' | grep '\"n\":\"[23456789]\"'")
	assert.Equal(t, got, f.equal("beta", "restic-long", "restic-good", "restic-bad", "restic-refused"))
}

// reboot has a machine lose its power while a unit runs.
func (f *fleet) reboot(t *testing.T) {
	f.unit("restic-cut-off", "restic init\nrestic backup /srv/data\necho begun\nsleep 1000\n", "")
	f.beta.Run("systemctl start --no-block restic-cut-off; " +
		"until journalctl -q -u restic-cut-off -o cat | grep -q begun; do sleep 0.05; done; journalctl --sync")
	f.beta.Reboot()
	f.cable.Join(t)
	f.beta.Run("mkdir -p /srv/data; echo text > /srv/data/other; touch /run/go-on; systemctl start restic-long systemd-journal-upload")
	got := f.equal("beta", "restic-long", "restic-good", "restic-cut-off")
	assert.Equal(t, 1.0, got["restic_run_status{status=success}"])
	units, _ := f.collect("beta")
	assert.Equal(t, 1.0, units["restic-cut-off"]["restic_run_failure_reason{reason=killed}"])
}

// hundred has one drop-in for all units: each calls the exporter, which does not call itself.
func (f *fleet) hundred(t *testing.T) {
	f.alpha.Run(sh(t, "../docs/scaling.md", "## A hundred machines") +
		"mkdir -p " + textfiles + "; systemctl start restic-good restic-notes")
	f.alpha.Eventually(20*time.Second, "ls "+textfiles+"/restic-good.prom")
	assert.Equal(t, metrictest.Flat(t, f.alpha.Run("restic-exporter --output - --unit restic-good")),
		metrictest.Flat(t, f.alpha.Run("cat "+textfiles+"/restic-good.prom")))
	f.alpha.Run("! journalctl -q -o cat _PID=1 | grep restic-exporter@restic-exporter")
	f.alpha.Run("systemctl start restic-exporter-collect || true; ! systemctl show -P OnSuccess restic-exporter-collect | grep .")
}

// forged has beta send a good run in the name of alpha, with its own certificate, and by
// every way to say who the sender is.
func (f *fleet) forged(t *testing.T) {
	before, said := f.collect("alpha")
	require.Empty(t, said)
	run := read(t, "../testdata/0.19.1/second-run-prune.export")
	run = regexp.MustCompile(`(?m)^_HOSTNAME=.*$`).ReplaceAllString(run, "_HOSTNAME=alpha\nsender=alpha")
	run = regexp.MustCompile(`(?m)^_MACHINE_ID=.*$`).ReplaceAllString(run, "_MACHINE_ID="+
		strings.TrimSpace(f.alpha.Run("cat /etc/machine-id")))
	run = strings.ReplaceAll(run, "restic-backup.service", "restic-bad.service")
	first := regexp.MustCompile(`(?m)^__REALTIME_TIMESTAMP=(\d+)`).FindStringSubmatch(run)[1]
	now := fmt.Sprint("__REALTIME_TIMESTAMP=", time.Now().Unix())
	run = regexp.MustCompile(`(?m)^__REALTIME_TIMESTAMP=\d{10}`).ReplaceAllString(run, now)
	require.NotContains(t, run, first)
	f.beta.Write("/root/forged", run, 0o644)
	send := func(more string) string {
		return f.beta.Run("curl -s -o /dev/null -w '%{http_code}' --cacert /etc/restic-store/ca.pem " +
			"--data-binary @/root/forged -H 'Content-Type: application/vnd.fdo.journal' " + more)
	}
	const certificate = "--cert /etc/restic-store/host.pem --key /etc/restic-store/host.key "
	assert.Equal(t, "400", send("https://logs.example.com/upload"), "no certificate")
	for _, more := range []string{
		"https://logs.example.com/upload", "'https://logs.example.com/upload?extra_fields=sender=alpha'",
		"-H 'VL-Extra-Fields: sender=alpha' -H 'X-Forwarded-For: 127.0.0.1' https://logs.example.com/upload",
		"-H 'AccountID: 7' https://logs.example.com/upload", "-H 'VL-Ignore-Fields: sender' https://logs.example.com/upload",
	} {
		assert.Equal(t, "200", send(certificate+more), more)
	}
	for _, path := range []string{"", "insert/journald/upload", "select/logsql/query", "upload/../select/logsql/query"} {
		assert.Equal(t, "403", send(certificate+"--path-as-is https://logs.example.com/"+path), path)
	}

	// It is there, and it is named and not believed.
	f.alpha.Eventually(20*time.Second, "curl -sf 127.0.0.1:9428/select/logsql/query "+
		"-d 'query=_time:1h _HOSTNAME:=alpha sender:=beta | stats count() n' | grep -v '\"n\":\"0\"'")
	after, said := f.collect("alpha")
	assert.Equal(t, before, after)
	assert.Contains(t, said, `host "alpha": "beta" sent entries in the name of this host; they are not believed`)
	assert.Equal(t, "failed\n", f.alpha.Run("systemctl is-failed restic-exporter-collect"))
}

// served has Prometheus fetch the metrics as the page says, by both ways to name the targets.
func (f *fleet) served(t *testing.T) {
	byHTTP := block(t, "../docs/scaling.md", "yaml")
	jobs := regexp.MustCompile(`(?s)http_sd_configs:\n.*?targets\.json\n`).ReplaceAllString(byHTTP,
		regexp.MustCompile("`(file_sd_configs: .*)`").FindStringSubmatch(read(t, "../docs/scaling.md"))[1]+"\n")
	_, byFile, _ := strings.Cut(strings.ReplaceAll(jobs, "job_name: restic", "job_name: file"), "scrape_configs:\n")
	require.NotEqual(t, byHTTP, jobs)
	f.alpha.Write("/etc/prometheus/prometheus.yml", "global: {scrape_interval: 1s}\n"+byHTTP+byFile, 0o644)
	f.alpha.Run("systemctl restart prometheus")
	for _, job := range []string{"restic", "file"} {
		for _, query := range []string{
			`restic_run_status{job="` + job + `",instance="alpha",host="alpha",unit="restic-good.service",status="success"} == 1`,
			`restic_run_status{job="` + job + `",instance="beta",host="beta",unit="restic-good.service",status="success"} == 1`,
			`time() - restic_exporter_collected_timestamp_seconds{job="` + job + `",instance="_collector",unit="restic-*"} < 1000`,
		} {
			f.alpha.Eventually(30*time.Second, "curl -sf --get localhost:9090/api/v1/query --data-urlencode 'query="+query+"' "+
				"| jq -e '.data.result | length == 1'")
		}
	}
}

// deleted has beta deleted from the store as the page says. It does not come back, but for
// what it sends from then on.
func (f *fleet) deleted(t *testing.T) {
	f.alpha.Run(strings.ReplaceAll(sh(t, "../docs/scaling.md", "### Delete a host"), "db2", "beta"))
	f.alpha.Run("until curl -sf 127.0.0.1:9428/health; do sleep 0.1; done; systemctl start restic-exporter-collect || true; " +
		"cd " + collected + "; test ! -e beta.prom; test -e alpha.prom; if grep beta targets.json; then exit 1; fi; " +
		"curl -s 127.0.0.1:9428/delete/run_task -d 'filter=*' | grep delete.enable")
	f.beta.Run("systemctl start restic-long")
	require.Eventually(t, func() bool {
		got, _ := f.collect("beta") // alpha's entries are still forged
		return len(got) == 1 && got["restic-long"]["restic_run_status{status=success}"] == 1
	}, 30*time.Second, 500*time.Millisecond)
	for _, m := range []*machine.Machine{f.alpha, f.beta} {
		m.Eventually(time.Minute, "systemctl is-active systemd-journal-upload") // systemd starts it again
	}
}

// runbook runs what the runbooks about a store say.
func (f *fleet) runbook(t *testing.T) {
	s := &system{f.alpha, t}
	s.sshd("alpha")
	s.Machine.Write("/etc/default/prometheus-alertmanager", "ARGS=--cluster.listen-address=\n", 0o644)
	s.Run("systemctl start prometheus-alertmanager; systemctl reset-failed")
	s.Eventually(30*time.Second, "curl -sf localhost:9093/-/ready")
	var texts []string
	for _, name := range glob(t, "../docs/runbooks/*.md") {
		if ofStore.MatchString(name) {
			texts = append(texts, read(t, name))
		}
	}
	const status = "systemctl status restic-exporter-collect.timer restic-exporter-collect.service victorialogs.service"
	// _HOSTNAME has HOST in it, and stays.
	fill := strings.NewReplacer("_HOSTNAME", "_HOSTNAME", "HOST", "alpha", "STORE", "http://127.0.0.1:9428")
	const count = "curl -s STORE/select/logsql/query -d 'query=_time:2d _HOSTNAME:=\"HOST\" | stats count() entries, max(_time) last'"
	s.runbooks(texts, fill, map[string]how{
		count: {prints: `"entries":"[1-9]`},
		// It runs now and then, and fails since somebody has forged.
		status: {status: 3}, status + " nginx.service": {status: 3}, "systemctl start restic-exporter-collect": {status: 1},
	})
}
