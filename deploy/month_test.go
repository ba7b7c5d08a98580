package deploy_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restic-exporter/restic-exporter/internal/testenv"
)

// This test takes a sample of fifteen units on ten machines at every tick of a
// month. The events of month say what goes wrong, and firings which alerts must
// fire for it. Times count from the beginning of the month.
const (
	days = 31
	tick = 15 * time.Minute
)

func at(day, hour, minute int) time.Duration {
	return time.Duration(day)*24*time.Hour + time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute
}

// values are by metric and labels, without those that tell the unit.
type values map[string]float64

// A job is a unit and what is known of it so far. It runs every day.
type job struct {
	instance, unit string
	hour, minute   int // when its runs end
	off            [][2]time.Duration
	now            values
	samples        map[string][]string // of each tick, as promtool wants them
	failures       float64
	success        func(j *job, day int, v values) // what differs in good runs
	events         map[int]func(j *job, day int) values
	first, last    int // days on which it runs
}

// hosts has, by machine, the host whose journals its store keeps.
var hosts = map[string]string{"store:9100": "vault"}

func daily(instance, unit string, hour, minute int) *job {
	return &job{
		instance: instance, unit: unit, hour: hour, minute: minute, now: values{}, samples: map[string][]string{},
		last: days, events: map[int]func(*job, int) values{},
	}
}

var allReasons = []string{
	"locked", "password", "no_repository", "no_access", "network", "no_space", "source_unreadable", "no_source",
	"check_errors", "not_started",
	"timeout", "killed", "oom", "other",
}

func (j *job) end(day int) float64 { return at(day, j.hour, j.minute).Seconds() }

// run are the metrics that each run sets.
func (j *job) run(day int, status, reason string) values {
	v := values{
		"restic_run_start_timestamp_seconds": j.end(day) - 600, "restic_run_end_timestamp_seconds": j.end(day),
		"restic_lock_age_seconds":        0,
		"restic_exporter_unparsed_lines": 0, "restic_exporter_dropped_entries": 0, "restic_exporter_backups": 0, "restic_run_exit_code": 1,
	}
	for _, s := range []string{"success", "partial", "failed"} {
		v[`restic_run_status|status="`+s+`"`] = 0
	}
	for _, r := range allReasons {
		v[`restic_run_failure_reason|reason="`+r+`"`] = 0
	}
	v[`restic_run_status|status="`+status+`"`] = 1
	if reason != "" {
		v[`restic_run_failure_reason|reason="`+reason+`"`] = 1
	}
	switch status {
	case "success":
		j.failures = 0
	case "failed":
		j.failures++
	}
	v["restic_run_consecutive_failures"] = j.failures
	maps.DeleteFunc(j.now, func(name string, _ float64) bool { return strings.HasPrefix(name, "restic_backup_failure") })
	v[fmt.Sprintf(`restic_backup_failure|timestamp="%.0f"`, j.end(day))] = map[bool]float64{true: 1}[status != "success"]
	delete(j.now, "restic_exporter_failed")
	return v
}

// saved are those of a run that saved a snapshot.
func (j *job) saved(day int, v values) values {
	v["restic_exporter_backups"] = 1
	v[`restic_snapshot_processed_bytes|backup="1"`] = 100e9 + float64(day)*1e8
	v[`restic_snapshot_processed_files|backup="1"`] = 10000
	v[`restic_snapshot_files|backup="1",state="changed"`] = 300
	v[`restic_step_success|step="backup"`] = 1
	v[`restic_step_last_success_timestamp_seconds|step="backup"`] = j.end(day)
	return v
}

func (j *job) good(day int) values {
	v := j.saved(day, j.run(day, "success", ""))
	v["restic_run_exit_code"] = 0
	v["restic_run_last_success_timestamp_seconds"] = j.end(day)
	v["restic_check_found_errors"] = 0
	for _, step := range []string{"check", "prune"} {
		if step == "check" || day%7 == 0 {
			v[`restic_step_success|step="`+step+`"`] = 1
			v[`restic_step_last_success_timestamp_seconds|step="`+step+`"`] = j.end(day)
		}
	}
	if j.success != nil {
		j.success(j, day, v)
	}
	return v
}

// fails has the runs of these days fail.
func (j *job) fails(reason string, more values, on ...int) *job {
	for _, day := range on {
		j.events[day] = func(j *job, day int) values {
			v := j.run(day, "failed", reason)
			maps.Copy(v, more)
			return v
		}
	}
	return j
}

// but has the good run of a day say something else, too.
func (j *job) but(day int, more values) *job {
	j.events[day] = func(j *job, day int) values {
		v := j.good(day)
		maps.Copy(v, more)
		return v
	}
	return j
}

func (j *job) maxAge(hours float64) *job {
	j.now["restic_run_max_age_seconds"] = hours * 3600
	return j
}

func (j *job) gone(from, to time.Duration) *job {
	j.off = append(j.off, [2]time.Duration{from, to})
	return j
}

func (j *job) isOff(now time.Duration) bool {
	return slices.ContainsFunc(j.off, func(off [2]time.Duration) bool { return off[0] <= now && now < off[1] })
}

// live runs the job through the month.
func (j *job) live() {
	began := false
	for n := range int(at(days, 0, 0) / tick) {
		now := time.Duration(n) * tick
		day := int(now / (24 * time.Hour))
		if now == at(day, j.hour, j.minute) && j.first <= day && day < j.last && !j.isOff(now) {
			began = true
			if event := j.events[day]; event != nil {
				maps.Copy(j.now, event(j, day))
			} else {
				maps.Copy(j.now, j.good(day))
			}
		}
		if !began || j.isOff(now) {
			continue
		}
		for name, value := range j.now {
			if j.samples[name] == nil {
				j.samples[name] = slices.Repeat([]string{"_"}, int(at(days, 0, 0)/tick))
			}
			j.samples[name][n] = fmt.Sprintf("%.0f", value)
		}
	}
}

func month() []*job {
	share := daily("share:9100", "restic-backup.service", 10, 15)
	share.success = func(j *job, day int, v values) {
		maps.DeleteFunc(v, func(name string, _ float64) bool { return strings.Contains(name, "check") }) // nobody does
		if day >= 11 {
			v[`restic_snapshot_processed_bytes|backup="1"`] = 50e9
		}
		v[`restic_snapshot_processed_bytes|backup="2"`] = 1e9
		v[`restic_snapshot_processed_files|backup="2"`] = 10
	}
	share.but(20, values{`restic_snapshot_processed_files|backup="2"`: 0, `restic_snapshot_processed_bytes|backup="2"`: 0})
	share.but(24, values{`restic_snapshot_files|backup="1",state="changed"`: 6000})

	nas := daily("nas:9100", "restic-backup.service", 1, 30).fails("network", nil, 7, 26)
	nas.events[21] = func(j *job, day int) values {
		v := j.saved(day, j.run(day, "partial", "source_unreadable"))
		v["restic_run_exit_code"] = 3
		return v
	}

	// db2 is pruned no more.
	db2 := daily("db2:9100", "restic-backup.service", 5, 15)
	db2.success = func(j *job, day int, v values) {
		v[`restic_step_last_success_timestamp_seconds|step="prune"`] = -at(9, 0, 0).Seconds()
	}
	db2.fails("check_errors", values{"restic_check_found_errors": 2, `restic_step_success|step="check"`: 0}, 10)
	db2.fails("locked", values{"restic_lock_age_seconds": 600}, 15)
	db2.fails("timeout", values{`restic_step_success|step="check"`: 0}, 19)
	db2.events[22] = func(j *job, day int) values {
		v := j.run(day, "failed", "not_started")
		delete(v, "restic_run_exit_code")
		delete(j.now, "restic_run_exit_code")
		return v
	}

	web := daily("web:9100", "restic-backup.service", 6, 15).maxAge(30).fails("password", nil, 20, 21, 22, 23)
	web.but(16, values{"restic_exporter_dropped_entries": 4711})
	web.events[14] = func(*job, int) values { return values{"restic_exporter_failed": 1} }

	// The unit of www checks on day 8 for the first time, and ignores that this fails.
	www := daily("web:9100", "restic-backup@www.service", 7, 15).gone(at(25, 0, 0), at(days, 0, 0))
	www.success = func(j *job, day int, v values) {
		if day < 8 {
			delete(v, `restic_step_success|step="check"`)
		}
		if day <= 8 {
			delete(v, `restic_step_last_success_timestamp_seconds|step="check"`)
		}
	}
	www.but(8, values{`restic_step_success|step="check"`: 0})

	mail := daily("mail:9100", "restic-backup.service", 8, 15).fails("password", nil, 5)
	mail.first = 5

	laptop := daily("laptop:9100", "restic-backup.service", 12, 45).maxAge(72).gone(at(17, 0, 0), at(19, 0, 0))
	laptop.last = 26 // its timer was disabled
	photos := daily("laptop:9100", "restic-backup@photos.service", 13, 45).maxAge(72).gone(at(17, 0, 0), at(19, 0, 0))

	// The shell exporter's metrics alone.
	shell := daily("shell:9100", "backup.service", 4, 15)
	shell.success = func(j *job, day int, v values) {
		maps.DeleteFunc(v, func(name string, _ float64) bool { return !strings.HasPrefix(name, "restic_backup_failure") })
	}
	shell.events[3] = func(j *job, day int) values {
		j.run(day, "failed", "other")
		return values{`restic_backup_failure|timestamp="274500"`: 1}
	}

	// Tries to restore on three days, and has done so for the last time long before.
	restore := daily("shell:9100", "restic-restore-test@backup.service", 12, 0).maxAge(40*24).fails("other", nil, 3)
	restore.first, restore.last = 2, 5
	restore.success = func(j *job, day int, v values) {
		v["restic_exporter_backups"] = 0
		v["restic_run_last_success_timestamp_seconds"] = -at(20, 0, 0).Seconds()
	}

	// The store gets no more from this one, and its metrics stay as they were.
	vault := daily("store:9100", "restic-backup.service", 11, 15)
	vault.last = 25
	// And it forgets, but nothing prunes.
	vault.success = func(j *job, day int, v values) {
		v[`restic_step_last_success_timestamp_seconds|step="forget"`] = j.end(day)
		delete(v, `restic_step_success|step="prune"`)
		delete(v, `restic_step_last_success_timestamp_seconds|step="prune"`)
	}

	return []*job{
		daily("db1:9100", "restic-backup.service", 2, 15).maxAge(50).fails("network", nil, 18),
		daily("db1:9100", "restic-backup@postgres.service", 3, 15).maxAge(50).fails("password", nil, 13, 14),
		laptop,
		photos.but(29, values{"restic_exporter_unparsed_lines": 3}).but(30, values{"restic_exporter_unparsed_lines": 3}),
		nas,
		daily("nas:9100", "restic-backup@media.service", 4, 45).fails("locked", values{"restic_lock_age_seconds": 9 * 3600}, 29, 30),
		db2, web, www, mail, share, shell, restore, vault,
		daily("attic:9100", "restic-backup.service", 9, 15).gone(at(20, 0, 0), at(days, 0, 0)),
	}
}

// firings are all that fires in that month: what, of which unit, from when, and
// until when.
var firings = []struct {
	alert, instance, unit string
	from, to              time.Duration
}{
	{"ResticBackupFailed", "db1", "restic-backup.service", at(18, 2, 15), at(19, 2, 15)},

	{"ResticBackupFailed", "db1", "restic-backup@postgres.service", at(13, 3, 15), at(15, 3, 15)},
	{"ResticBackupTooOld", "db1", "restic-backup@postgres.service", at(14, 5, 30), at(15, 3, 15)},

	{"ResticBackupTooOld", "laptop", "restic-backup.service", at(28, 13, 0), at(31, 0, 0)},
	{"ResticLogNotUnderstood", "laptop", "restic-backup@photos.service", at(29, 13, 45), at(31, 0, 0)},

	{"ResticBackupFailed", "nas", "restic-backup.service", at(7, 1, 30), at(8, 1, 30)},
	{"ResticBackupPartial", "nas", "restic-backup.service", at(21, 2, 30), at(22, 1, 30)},
	{"ResticBackupFailed", "nas", "restic-backup.service", at(26, 1, 30), at(27, 1, 30)},

	{"ResticBackupFailed", "nas", "restic-backup@media.service", at(29, 4, 45), at(31, 0, 0)},
	{"ResticLockedForHours", "nas", "restic-backup@media.service", at(29, 4, 45), at(31, 0, 0)},
	{"ResticBackupTooOldDefault", "nas", "restic-backup@media.service", at(30, 7, 0), at(31, 0, 0)},

	{"ResticBackupFailed", "db2", "restic-backup.service", at(10, 5, 15), at(11, 5, 15)},
	{"ResticCheckErrors", "db2", "restic-backup.service", at(10, 5, 15), at(11, 5, 15)},
	{"ResticBackupFailed", "db2", "restic-backup.service", at(15, 5, 15), at(16, 5, 15)},
	{"ResticBackupFailed", "db2", "restic-backup.service", at(19, 5, 15), at(20, 5, 15)},
	{"ResticBackupNotStarted", "db2", "restic-backup.service", at(22, 5, 15), at(23, 5, 15)},
	{"ResticStepTooOld", "db2", "restic-backup.service", at(26, 0, 15), at(31, 0, 0)},

	{"ResticExporterFailed", "web", "restic-backup.service", at(14, 6, 15), at(15, 6, 15)},
	{"ResticBackupTooOld", "web", "restic-backup.service", at(14, 12, 30), at(15, 6, 15)}, // as far as is known
	{"ResticLogIncomplete", "web", "restic-backup.service", at(16, 6, 15), at(17, 6, 15)},
	{"ResticBackupFailed", "web", "restic-backup.service", at(20, 6, 15), at(24, 6, 15)},
	{"ResticBackupTooOld", "web", "restic-backup.service", at(20, 12, 30), at(24, 6, 15)},
	{"ResticBackupFailedRepeatedly", "web", "restic-backup.service", at(22, 6, 15), at(24, 6, 15)},
	{"ResticTextfileUnreadable", "web", "", at(27, 10, 15), at(27, 12, 0)},

	{"ResticStepTooOld", "web", "restic-backup@www.service", at(8, 7, 15), at(9, 7, 15)},
	{"ResticMetricsGone", "web", "restic-backup@www.service", at(25, 0, 15), at(31, 0, 0)},

	{"ResticBackupFailed", "mail", "restic-backup.service", at(5, 8, 15), at(6, 8, 15)},
	{"ResticBackupNeverSucceeded", "mail", "restic-backup.service", at(5, 9, 15), at(6, 8, 15)},

	{"ResticSourceShrank", "share", "restic-backup.service", at(11, 10, 15), at(18, 10, 15)},
	{"ResticSourceEmpty", "share", "restic-backup.service", at(20, 10, 15), at(21, 10, 15)},
	{"ResticManyFilesChanged", "share", "restic-backup.service", at(24, 10, 15), at(25, 10, 15)},

	{"ResticNeverChecked", "share", "restic-backup.service", at(30, 10, 15), at(31, 0, 0)},

	{"ResticLegacyBackupFailed", "shell", "backup.service", at(3, 4, 15), at(4, 4, 15)},

	{"ResticBackupTooOldDefault", "store", "restic-backup.service", at(26, 13, 30), at(31, 0, 0)},
	{"ResticNeverPruned", "store", "restic-backup.service", at(30, 11, 15), at(31, 0, 0)},
	{"ResticHostSilent", "store", "", at(26, 13, 45), at(31, 0, 0)},

	{"ResticCollectorFailed", "store", everything, at(12, 10, 30), at(12, 14, 0)},
	{"ResticHostsNotCollected", "store", everything, at(14, 6, 15), at(14, 9, 0)},

	{"ResticRestoreTestFailed", "shell", "restic-restore-test@backup.service", at(3, 12, 0), at(4, 12, 0)},
	{"ResticRestoreTestTooOld", "shell", "restic-restore-test@backup.service", at(20, 0, 15), at(31, 0, 0)},

	{"ResticMachineGone", "attic", "restic-backup.service", at(21, 11, 45), at(31, 0, 0)},
}

// notation writes samples as promtool reads them: 7x3 is four times 7.
func notation(samples []string) string {
	var b strings.Builder
	for i := 0; i < len(samples); {
		n := i
		for n < len(samples) && samples[n] == samples[i] {
			n++
		}
		if samples[i] == "_" {
			fmt.Fprintf(&b, "_x%d ", n-i)
		} else {
			fmt.Fprintf(&b, "%sx%d ", samples[i], n-i-1)
		}
		i = n
	}
	return b.String()
}

// scrapes are what node_exporter says of its textfile directory: nothing while
// the machine is off.
func scrapes(instance string, jobs []*job) []string {
	samples := slices.Repeat([]string{"0"}, int(at(days, 0, 0)/tick))
	for n := range samples {
		now := time.Duration(n) * tick
		switch {
		case instance != "web:9100" && slices.ContainsFunc(jobs, func(j *job) bool { return j.isOff(now) }):
			samples[n] = "_"
		case instance == "web:9100" && at(27, 10, 0) <= now && now < at(27, 12, 0):
			samples[n] = "1"
		}
	}
	return samples
}

// everything is what the collector of the store is asked for.
const everything = "restic-*"

// passes are what the collector says of itself: for four hours nobody calls it, and for three
// it cannot collect a host.
func passes() (collected, failed []string) {
	for now := time.Duration(0); now < at(days, 0, 0); now += tick {
		last := now
		if at(12, 10, 0) <= now && now < at(12, 14, 0) {
			last = at(12, 9, 45)
		}
		n := "0"
		if at(14, 6, 0) <= now && now < at(14, 9, 0) {
			n = "1"
		}
		collected, failed = append(collected, fmt.Sprintf("%.0f", last.Seconds())), append(failed, n)
	}
	return collected, failed
}

// TestMonth asks promtool at every tick of the month what fires. Each machine
// is a test of its own: promtool loads no more than 10,000 samples a query, and
// evaluates the rules of one file on one core.
func TestMonth(t *testing.T) {
	testenv.Long(t)
	machines := map[string][]*job{}
	for _, j := range month() {
		machines[j.instance] = append(machines[j.instance], j)
	}
	seen := map[string]bool{}
	for _, f := range firings {
		require.Contains(t, machines, f.instance+":9100")
		seen[f.alert] = true
	}
	assert.ElementsMatch(t, rules(t), slices.Collect(maps.Keys(seen)), "each alert fires in that month")
	for _, instance := range slices.Sorted(maps.Keys(machines)) {
		t.Run(instance, func(t *testing.T) {
			t.Parallel()
			tests := filepath.Join(t.TempDir(), "month.test.yml")
			require.NoError(t, os.WriteFile(tests, []byte(monthOf(t, instance, machines[instance])), 0o644))
			run(t, "promtool", "test", "rules", tests)
		})
	}
}

// label writes a label, unless it is empty: promtool tells that from none.
func label(name, value string) string {
	if value == "" {
		return ""
	}
	return fmt.Sprintf("%s=%q,", name, value)
}

// monthOf returns the month of a machine as promtool reads it.
func monthOf(t *testing.T, instance string, jobs []*job) string {
	file, err := filepath.Abs("prometheus/restic.rules.yml")
	require.NoError(t, err)
	var b strings.Builder
	fmt.Fprintf(&b, "rule_files: [%s]\nevaluation_interval: 15m\ntests:\n", file)
	b.WriteString("  - interval: 15m\n    input_series:\n")
	fmt.Fprintf(&b, "      - series: 'node_textfile_scrape_error{instance=%q,job=\"node\"}'\n        values: '%s'\n",
		instance, notation(scrapes(instance, jobs)))
	if hosts[instance] != "" {
		collected, failed := passes()
		for name, samples := range map[string][]string{"collected_timestamp_seconds": collected, "failed_hosts": failed} {
			fmt.Fprintf(&b, "      - series: 'restic_exporter_%s{instance=%q,job=\"restic\",unit=%q}'\n        values: '%s'\n",
				name, instance, everything, notation(samples))
		}
	}
	for _, j := range jobs {
		j.live()
		for _, name := range slices.Sorted(maps.Keys(j.samples)) {
			metric, labels, _ := strings.Cut(name, "|")
			fmt.Fprintf(&b, "      - series: '%s{instance=%q,job=\"node\",unit=%q,%s%s}'\n        values: '%s'\n",
				metric, instance, j.unit, label("host", hosts[instance]), labels, notation(j.samples[name]))
		}
	}
	b.WriteString("    promql_expr_test:\n")
	for now := time.Duration(0); now < at(days, 0, 0); now += tick {
		b.WriteString("      - expr: group by (alertname, instance, host, unit) (ALERTS{alertstate=\"firing\"})\n")
		fmt.Fprintf(&b, "        eval_time: %dm\n        exp_samples:\n", int(now.Minutes()))
		for _, f := range firings {
			if f.instance+":9100" != instance || now < f.from || f.to <= now {
				continue
			}
			labels := label("alertname", f.alert)
			if f.unit != everything {
				labels += label("host", hosts[instance])
			}
			if f.alert != "ResticHostSilent" { // whoever asks the store
				labels += label("instance", instance) + label("unit", f.unit)
			}
			fmt.Fprintf(&b, "          - {labels: '{%s}', value: 1}\n", labels)
		}
	}
	return b.String()
}
