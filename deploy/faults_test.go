package deploy_test

import (
	"cmp"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A course is what becomes of a series with this name and these labels: it goes on, with
// a good run each hour; it stays, or goes; or after an hour it has another value.
type course func(name, labels string) string

const (
	stays  = "stays"
	goesOn = "goes on"
	goes   = "goes"
)

// unseen has how each row of the second table of docs/faults.md comes about.
var unseen = map[string]course{
	"The timer is disabled, or the machine is off whenever it is due": func(string, string) string { return stays },
	"The machine is gone": func(string, string) string { return goes },
	"Nothing prunes or checks any more": func(name, labels string) string {
		if name == "restic_step_last_success_timestamp_seconds" && regexp.MustCompile(`step="(prune|check)"`).MatchString(labels) {
			return stays
		}
		return goesOn
	},
	"Nothing tests a restore any more": func(string, string) string { return stays },
	"The source has shrunk by a third": func(name, _ string) string {
		return map[string]string{"restic_snapshot_processed_bytes": "6000000"}[name]
	},
	"The source is empty": func(name, _ string) string {
		return map[string]string{"restic_snapshot_processed_bytes": "0", "restic_snapshot_processed_files": "0"}[name]
	},
	"Somebody encrypts the source": func(name, labels string) string {
		if name == "restic_snapshot_files" && strings.Contains(labels, "changed") {
			return "225"
		}
		return goesOn
	},
}

// TestFaultsUnseen: of each fault that no log shows these alerts fire and no others, and
// those that wait do so for so long.
func TestFaultsUnseen(t *testing.T) {
	_, table, ok := strings.Cut(read(t, "../docs/faults.md"), "\n| fault | alerts |\n|---|---|\n")
	require.True(t, ok)
	good := read(t, "../testdata/0.19.1/second-run-prune.prom") + "restic_run_max_age_seconds{unit=\"restic-backup.service\"} 180000\n"
	end, err := strconv.ParseFloat(regexp.MustCompile(`(?m)^restic_run_end_timestamp_seconds\S* (.*)$`).FindStringSubmatch(good)[1], 64)
	require.NoError(t, err)

	var tests strings.Builder
	rows := regexp.MustCompile(`(?m)^\| (.+) \| (.+) \|$`).FindAllStringSubmatch(table, -1)
	assert.Len(t, rows, len(unseen))
	for _, row := range rows {
		course, ok := unseen[row[1]]
		require.True(t, ok, row[1])
		alerts, after, _ := strings.Cut(row[2], " after ")
		age := time.Hour
		if number, unit, ok := strings.Cut(after, " "); ok {
			n, err := strconv.Atoi(number)
			require.NoError(t, err)
			age = time.Duration(n) * map[string]time.Duration{"hours": time.Hour, "days": 24 * time.Hour}[unit]
		}
		// When the test begins, what does not go on has done so for all but two hours of that time.
		const rest = 2 * time.Hour
		metrics := good
		if strings.Contains(alerts, "RestoreTest") {
			// It has nothing to prune or to check.
			metrics = regexp.MustCompile(`(?m)^.*step="(prune|check)".*\n`).ReplaceAllString(metrics, "")
			metrics = strings.NewReplacer("restic-backup.", "restic-restore-test@backup.", "180000", "3456000").Replace(metrics)
		}
		var series strings.Builder
		for _, m := range regexp.MustCompile(`(?m)^(restic_\w+)\{(.*)\} (\S+)$`).FindAllStringSubmatch(metrics, -1) {
			value, err := strconv.ParseFloat(m[3], 64)
			require.NoError(t, err)
			becomes := cmp.Or(course(m[1], m[2]), goesOn)
			step := 0
			if strings.HasSuffix(m[1], "_timestamp_seconds") {
				value -= end
				step = 3600
				if becomes != goesOn {
					value -= (age - rest).Seconds()
				}
			}
			samples := map[string]string{goes: "%[1]f", stays: "%[1]fx5", goesOn: "%[1]f+%[2]dx5"}[becomes]
			samples = fmt.Sprintf(cmp.Or(samples, "%[1]f "+becomes+"x5"), value, step)
			fmt.Fprintf(&series, "      - {series: '%s{instance=\"host\",%s}', values: '%s'}\n", m[1], m[2], samples)
		}
		fmt.Fprintf(&tests, "  - name: %q\n    interval: 1h\n    input_series:\n%s    promql_expr_test:\n", row[1], &series)
		expect := func(at time.Duration, alerts string) {
			fmt.Fprintf(&tests, "      - expr: count by (alertname) (ALERTS{alertstate=\"firing\"})\n"+
				"        eval_time: %s\n        exp_samples: [", at)
			for _, alert := range strings.FieldsFunc(alerts, func(r rune) bool { return r == ',' || r == ' ' }) {
				count := 1
				if alert == "ResticStepTooOld" {
					count = 2
				}
				fmt.Fprintf(&tests, "{labels: '{alertname=%q}', value: %d}, ", alert, count)
			}
			tests.WriteString("]\n")
		}
		if after != "" {
			expect(rest-time.Hour, "")
		}
		expect(rest+time.Hour, alerts)
	}
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(dir+"/rules.yml", []byte(read(t, "prometheus/restic.rules.yml")), 0o644))
	require.NoError(t, os.WriteFile(dir+"/test.yml",
		[]byte("rule_files: [rules.yml]\nevaluation_interval: 15m\ntests:\n"+tests.String()), 0o644))
	assert.Contains(t, run(t, "promtool", "test", "rules", dir+"/test.yml"), "SUCCESS")
}
