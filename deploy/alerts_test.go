package deploy_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const alertsPage = "../docs/alerts.md"

// TestAlertsPage: the page has each alert with its severity, and each setting
// with its default.
func TestAlertsPage(t *testing.T) {
	page := read(t, alertsPage)
	var want, got [][]string
	for _, m := range regexp.MustCompile(`- alert: (\w+)\n(?s:.*?)severity: (\w+)`).FindAllStringSubmatch(
		read(t, "prometheus/restic.rules.yml"), -1) {
		want = append(want, []string{m[1], m[1], m[2]})
	}
	for _, m := range regexp.MustCompile(`(?m)^\| \[(\w+)\]\(runbooks/(\w+)\.md\) \| (\w+) \|`).FindAllStringSubmatch(page, -1) {
		got = append(got, m[1:])
	}
	assert.Equal(t, want, got)

	var config map[string]any
	text := run(t, "jsonnet", "-e", `(import "prometheus/mixin/mixin.libsonnet")._config`)
	require.NoError(t, json.Unmarshal([]byte(text), &config))
	defaults, documented := map[string]string{}, map[string]string{}
	for name, value := range config {
		text := fmt.Sprint(value)
		if list, ok := value.([]any); ok {
			text = strings.Join(strings.Fields(strings.Trim(fmt.Sprint(list), "[]")), ", ")
		}
		if text == "" {
			text = "''"
		}
		defaults[name] = strings.ReplaceAll(text, "|", `\|`)
	}
	_, settings, _ := strings.Cut(page, "\n## Settings\n")
	for _, m := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\| `(.*?)` \\|").FindAllStringSubmatch(settings, -1) {
		documented[m[1]] = m[2]
	}
	assert.Equal(t, slices.Sorted(maps.Keys(defaults)), slices.Sorted(maps.Keys(documented)))
	assert.Equal(t, defaults, documented)
}

// TestExpected: the rules that the page shows fire for what has never been
// there, and for nothing else.
func TestExpected(t *testing.T) {
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```\n").FindAllStringSubmatch(read(t, alertsPage), -1)
	require.Len(t, blocks, 2)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "rules.yml"), []byte(blocks[1][1]), 0o644))
	test := func(series string, alerts ...string) string {
		expected := ""
		for _, alert := range alerts {
			expected += "{labels: '" + alert + "', value: 1},"
		}
		return `
  - interval: 1h
    input_series: [` + series + `]
    promql_expr_test:
      - expr: group by (alertname, instance, unit, step) (ALERTS{alertstate="firing"})
        eval_time: 9d
        exp_samples: [` + expected + `]`
	}
	series := func(series string) string { return "{series: '" + series + "', values: '1x240'}," }
	up := series(`up{job="node",instance="db1:9100"}`)
	run1 := series(`restic_run_end_timestamp_seconds{instance="db1:9100",unit="restic-backup.service"}`)
	pruned := series(`restic_step_last_success_timestamp_seconds{instance="db1:9100",unit="restic-backup.service",step="prune"}`)
	const (
		missing = `{alertname="ResticUnitMissing",instance="db1:9100",unit="restic-backup.service"}`
		step    = `{alertname="ResticStepMissing",instance="db1:9100",step="prune",unit="restic-backup.service"}`
		without = `{alertname="ResticMachineWithoutBackup",instance="db1:9100"}`
	)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "test.yml"), []byte("rule_files: [rules.yml]\nevaluation_interval: 1h\ntests:"+
		test(up+run1+pruned)+
		test(up+run1, step)+
		test(up, missing, step, without)+
		test(series(`up{job="node",instance="db2:9100"}`)+run1+pruned, strings.ReplaceAll(without, "db1", "db2"))+
		"\n"), 0o644))
	assert.Contains(t, run(t, "promtool", "test", "rules", filepath.Join(dir, "test.yml")), "SUCCESS")
}
