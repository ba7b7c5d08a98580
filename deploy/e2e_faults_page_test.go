package deploy_test

import (
	"cmp"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restic-exporter/restic-exporter/internal/metrictest"
)

// A fault is how a row of docs/faults.md is brought about for the job $job, whose
// repository is $repository: lines of its configuration, its credentials and a drop-in,
// and what to run before.
type fault struct{ config, credentials, dropIn, script string }

// seen is once there: the job has had its repository.
const seen = "touch /var/lib/restic-exporter/$job.repository\n"

var faultsOf = map[string]fault{
	"The password is wrong": {credentials: "RESTIC_PASSWORD=wrong"},
	"The repository is gone: another disk, a mistyped address": {script: seen + "rm -rf $repository/*"},
	"The disk of the repository is unplugged":                  {dropIn: "ReadWritePaths=/srv/unplugged"},
	"The server does not answer for hours": {config: "RETRY_FOR=1s RETRY_EVERY=1s",
		credentials: "RESTIC_REPOSITORY=rest:http://" + there + ":9/"},
	"The server refuses the user": {credentials: "RESTIC_REPOSITORY=rest:http://backup:wrong@" + there + ":8080/"},
	"Another restic holds a lock for hours": {config: "CHECK_WEEKDAY=daily",
		script: `systemd-run --quiet --setenv=RESTIC_PASSWORD=right bash -c "sleep 600 | restic --no-cache -r $repository backup --stdin"
until ls $repository/locks | grep -q .; do sleep 0.1; done`},
	"The repository's disk is full": {config: "BACKUP_PATHS=(/srv/big)", script: `head -c 3M /dev/urandom > /srv/big
mount -t tmpfs -o size=1m full $repository; cp -a /var/lib/faults/made/. $repository`},
	"None of the sources exists": {config: "BACKUP_PATHS=(/srv/nothing)"},
	"A file cannot be read": {config: "BACKUP_PATHS=(/srv/data /srv/secret)",
		dropIn: "CapabilityBoundingSet=\nExecStopPost=\nExecStopPost=-+/usr/bin/restic-exporter --unit %n --max-age 50h",
		script: "mkdir /srv/secret; touch /srv/secret/closed; chown admin /srv/secret/closed; chmod 0600 /srv/secret/closed"},
	"A command of BEFORE_BACKUP fails": {config: "BEFORE_BACKUP='echo no such database; false'"},
	"The run takes too long":           {credentials: "RESTIC_PASSWORD_COMMAND=sleep 1000\nRESTIC_PASSWORD=", dropIn: "TimeoutStartSec=3"},
	"Others can read the credentials":  {script: "chmod 0644 /etc/restic-exporter/$job.credentials"},
	"The check finds damage": {config: "CHECK_WEEKDAY=daily CHECK_OPTIONS=(--read-data)",
		script: `pack=$(find $repository/data -type f -size +50k | head -n 1); chmod u+w "$pack"
printf XXXX | dd of="$pack" bs=1 seek=1000 conv=notrunc status=none`},
	"What was restored is not what was backed up": {script: `canary=/var/lib/restic-exporter/$job.canary; echo 1 > $canary
RESTIC_PASSWORD=right restic --no-cache -q -r $repository backup /srv/data $canary; echo 2 > $canary`},
}

// A row is one of docs/faults.md.
type row struct {
	fault, journal, mail, reason string
	alerts                       []string
}

func faultTable(t *testing.T) (rows []row) {
	cells := regexp.MustCompile("(?m)^\\| ([^|]+) \\| `([^|]+)` \\| (\\w+)(?: \\((\\S+)\\))? \\| ([^|]+) \\|$")
	for _, m := range cells.FindAllStringSubmatch(read(t, "../docs/faults.md"), -1) {
		rows = append(rows, row{m[1], m[2], cmp.Or(m[4], m[3]), m[3], strings.Split(m[5], ", ")})
	}
	require.Len(t, rows, len(faultsOf))
	return rows
}

// TestEndToEndFaults: what docs/faults.md says of each fault is what can be seen. The
// faults are those of jobs that run side by side.
func TestEndToEndFaults(t *testing.T) {
	s := boot(t)
	s.network()
	rows := faultTable(t)
	s.Machine.Write("/etc/systemd/system/restic-backup@.service.d/here.conf", "[Service]\nReadWritePaths=/var/lib/faults\n", 0o644)
	s.Run(`head -c 200k /dev/urandom > /srv/data/random; mkdir -p /var/lib/faults /var/lib/restic-exporter
export RESTIC_REPOSITORY=/var/lib/faults/made RESTIC_PASSWORD=right; restic init -q; restic --no-cache backup -q /srv/data`)
	var units []string
	for i, r := range rows {
		f, ok := faultsOf[r.fault]
		require.True(t, ok, r.fault)
		job := fmt.Sprint("fault", i)
		unit := "restic-backup@" + job
		if slices.Contains(r.alerts, "ResticRestoreTestFailed") {
			unit = "restic-restore-test@" + job
		}
		units = append(units, unit)
		repository := "/var/lib/faults/" + job
		s.Machine.Write("/etc/restic-exporter/"+job+".conf",
			"BACKUP_PATHS=(/srv/data)\nPRUNE_WEEKDAY=0\nCHECK_WEEKDAY=0\nRETRY_FOR=0\n"+f.config+"\n", 0o644)
		// Of two lines for one variable systemd takes the last.
		s.Machine.Write("/etc/restic-exporter/"+job+".credentials",
			"RESTIC_REPOSITORY="+repository+"\nRESTIC_PASSWORD=right\n"+f.credentials+"\n", 0o600)
		s.Machine.Write("/etc/systemd/system/"+unit+".service.d/fault.conf", "[Service]\n"+f.dropIn+"\n", 0o644)
		// It was good before.
		s.Run("job=" + job + " repository=" + repository + "; cp -a /var/lib/faults/made $repository\n" +
			`echo "restic_run_last_success_timestamp_seconds{unit=\"` + unit + `.service\"} $(date +%s)" > ` + textfiles + "/" + unit +
			".prom\n" + f.script)
	}
	s.Run("systemctl daemon-reload; systemctl start --no-block " + strings.Join(units, " "))
	s.Eventually(120*time.Second, "! systemctl list-jobs | grep -E 'restic-|unit-failure'")
	mails := 0
	for _, r := range rows {
		if r.mail != "none" {
			mails++
		}
	}
	s.Eventually(60*time.Second, fmt.Sprintf("test $(grep -c '^Subject: ' /var/mail/admin) = %d", mails))

	// Two hours later, for Prometheus.
	var series, samples strings.Builder
	now := float64(time.Now().Unix())
	for i, r := range rows {
		unit := units[i]
		log := s.Run("journalctl -o cat -u " + unit)
		assert.Contains(t, log, r.journal, r.fault)
		subject := "none"
		if m := regexp.MustCompile(`Subject: .machine. ` + unit + `: (.*)`).FindStringSubmatch(s.Run("cat /var/mail/admin")); m != nil {
			subject = strings.TrimPrefix(m[1], "failed, ")
		}
		text := s.Run("cat " + textfiles + "/" + unit + ".prom")
		got := row{r.fault, r.journal, subject, "", r.alerts}
		for name, value := range metrictest.Flat(t, text) {
			if reason, ok := strings.CutPrefix(name, "restic_run_failure_reason{reason="); ok && value == 1 {
				got.reason = strings.TrimSuffix(reason, "}")
			}
		}
		assert.Equal(t, r, got, log)
		for _, m := range regexp.MustCompile(`(?m)^(restic_\w+)\{(.*)\} (\S+)$`).FindAllStringSubmatch(text, -1) {
			value, err := strconv.ParseFloat(m[3], 64)
			require.NoError(t, err)
			if strings.HasSuffix(m[1], "_timestamp_seconds") {
				value -= now
			}
			fmt.Fprintf(&series, "      - series: '%s{instance=\"%s\",%s}'\n        values: '%sx10'\n", m[1], unit, m[2],
				strconv.FormatFloat(value, 'f', -1, 64))
		}
		for _, alert := range r.alerts {
			fmt.Fprintf(&samples, "          - labels: '{alertname=\"%s\", instance=\"%s\"}'\n            value: 1\n", alert, unit)
		}
	}
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(dir+"/rules.yml", []byte(read(t, "prometheus/restic.rules.yml")), 0o644))
	require.NoError(t, os.WriteFile(dir+"/test.yml", []byte(`rule_files: [rules.yml]
evaluation_interval: 15m
tests:
  - interval: 15m
    input_series:
`+series.String()+`    promql_expr_test:
      - expr: count by (instance, alertname) (ALERTS{alertstate="firing"})
        eval_time: 2h
        exp_samples:
`+samples.String()), 0o644))
	assert.Contains(t, run(t, "promtool", "test", "rules", dir+"/test.yml"), "SUCCESS")
}
