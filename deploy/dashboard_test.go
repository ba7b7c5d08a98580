package deploy_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/variants"
	sdk "github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/statetimeline"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restic-exporter/restic-exporter/internal/server"
)

// A panel is a panel of the dashboard, as far as the tests care.
type panel struct {
	ID          int
	Type, Title string
	Panels      []panel
	Targets     []struct{ Expr, RefID string }
	FieldConfig struct {
		Defaults  json.RawMessage
		Overrides json.RawMessage
	}
}

// A dashboard is Grafana's model of one.
type dashboard struct {
	SchemaVersion int
	Panels        []panel
	Templating    struct {
		List []struct{ Name, Definition string }
	}
	Annotations struct {
		List []struct {
			Expr   string
			Filter struct {
				Exclude bool
				IDs     []int
			}
		}
	}
}

func loadDashboard(t *testing.T) (d dashboard) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(read(t, "grafana/restic.json")), &d))
	return d
}

// TestDashboardSchema: all is there that Grafana's schema of a dashboard wants, and nothing else.
func TestDashboardSchema(t *testing.T) {
	schema := cog.NewRuntime()
	for _, panel := range []variants.PanelcfgConfig{
		stat.VariantConfig(), statetimeline.VariantConfig(), table.VariantConfig(), timeseries.VariantConfig(),
	} {
		schema.RegisterPanelcfgVariant(panel)
	}
	schema.RegisterDataqueryVariant(prometheus.VariantConfig())
	var d sdk.Dashboard //lint:ignore SA1019 What comes after it needs Grafana 12.
	err := d.UnmarshalJSONStrict([]byte(read(t, "grafana/restic.json")))
	assert.Nil(t, err, "%v", err) // if all is well, it is a nil of a type of its own
	assert.NoError(t, d.Validate())
}

// panels are those of all rows, collapsed ones included.
func (d dashboard) panels() []panel {
	var all []panel
	for _, p := range d.Panels {
		all = append(append(all, p), p.Panels...)
	}
	return slices.DeleteFunc(all, func(p panel) bool { return p.Type == "row" })
}

func (d dashboard) panel(t *testing.T, title string) panel {
	t.Helper()
	for _, p := range d.panels() {
		if p.Title == title {
			return p
		}
	}
	require.Fail(t, "no panel "+title)
	return panel{}
}

// A sample is one series of an answer of Prometheus.
type sample struct {
	Labels map[string]string
	Value  float64
}

// fill gives a query of the dashboard its variables.
func fill(query, units string) string {
	return strings.NewReplacer("$instance", ".*", "$host", ".*", "$unit", units, "$__interval", "1m", "$__range", "1m").Replace(query)
}

// A database is a Prometheus at this address.
type database string

// ask returns what a query of the dashboard gives now, for these units.
func (d database) ask(t *testing.T, query, units string) []sample {
	t.Helper()
	text, err := server.Get("http://" + string(d) + "/api/v1/query?query=" + url.QueryEscape(fill(query, units)))
	require.NoError(t, err, query)
	var answer struct {
		Data struct {
			Result []struct {
				Metric map[string]string
				Value  [2]any
			}
		}
	}
	require.NoError(t, json.Unmarshal([]byte(text), &answer))
	samples := []sample{}
	for _, r := range answer.Data.Result {
		value, err := strconv.ParseFloat(r.Value[1].(string), 64)
		require.NoError(t, err)
		samples = append(samples, sample{r.Metric, value})
	}
	return samples
}

var times = regexp.MustCompile(`(?m)^(restic_\w+_timestamp_seconds\{.*\}) (\S+)$`)

// example is a golden file as the metrics of a unit that ended a minute ago.
func example(t *testing.T, name, unit string) string {
	t.Helper()
	text := strings.ReplaceAll(read(t, "../testdata/"+name+".prom"), "restic-backup.service", unit+".service")
	end := 0.0
	for _, m := range times.FindAllStringSubmatch(text, -1) {
		if strings.HasPrefix(m[1], "restic_run_end_") {
			end, _ = strconv.ParseFloat(m[2], 64)
		}
	}
	require.NotZero(t, end, name)
	shift := float64(time.Now().Add(-time.Minute).Unix()) - end
	return times.ReplaceAllStringFunc(text, func(line string) string {
		series, value, _ := strings.Cut(line, " ")
		at, _ := strconv.ParseFloat(value, 64)
		return fmt.Sprintf("%s %f", series, at+shift)
	})
}

// set gives the series of a family another value.
func set(text, family string, value int) string {
	return regexp.MustCompile(`(?m)^(`+family+`(?:\{.*\})?) \S+$`).ReplaceAllString(text, "$1 "+strconv.Itoa(value))
}

// TestDashboard puts the metrics of real runs into a real Prometheus, and asks
// it everything that the dashboard asks.
func TestDashboard(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name+".prom"), []byte(text), 0o644))
	}
	write("old", strings.ReplaceAll(read(t, "../testdata/0.16.5/first-run.prom"), "restic-backup.service", "old.service"))
	const success = "restic_run_last_success_timestamp_seconds"
	hours := func(n int) int { return int(time.Now().Unix()) - n*3600 }
	write("weekly", set(example(t, "0.19.1/second-run-prune", "weekly"), success, hours(96))+
		"# TYPE restic_run_max_age_seconds gauge\nrestic_run_max_age_seconds{unit=\"weekly.service\"} 691200\n")
	help := regexp.MustCompile("(?m)^# (HELP|TYPE) "+success+" .*\n").FindAllString(read(t, "../testdata/0.19.1/second-run-prune.prom"), -1)
	write("partial", example(t, "0.16.5/unreadable", "partial")+strings.Join(help, "")+
		fmt.Sprintf("%s{unit=\"partial.service\"} %d\n", success, hours(1)))
	write("locked", example(t, "0.19.1/locked", "locked"))
	lossy := example(t, "0.19.1/second-run-prune", "lossy")
	for family, value := range map[string]int{
		"restic_exporter_dropped_entries": 3, "restic_exporter_unparsed_lines": 2,
		"restic_check_found_errors": 1, "restic_step_errors": 1, "restic_step_retries": 2,
	} {
		lossy = set(lossy, family, value)
	}
	write("lossy", lossy)
	steps := ""
	for _, step := range []string{"copy", "restore"} {
		steps += fmt.Sprintf("restic_step_duration_seconds{step=%q,unit=\"good.service\"} 3\n", step) +
			fmt.Sprintf("restic_step_last_success_timestamp_seconds{step=%q,unit=\"good.service\"} %d\n", step, hours(1))
	}
	write("good", example(t, "0.19.1/second-run-prune", "good")+steps)
	write("silent", example(t, "0.19.1/quiet-run", "silent"))
	write("removed", example(t, "0.19.1/first-run", "removed"))
	write("unreported.exporter", "# TYPE restic_exporter_failed gauge\nrestic_exporter_failed{unit=\"unreported.service\"} 1\n")

	prometheus := watch(t, dir)
	require.Eventually(t, func() bool {
		return len(prometheus.ask(t, "restic_run_end_timestamp_seconds", ".*")) == 8
	}, 30*time.Second, 200*time.Millisecond)
	assert.Empty(t, prometheus.ask(t, "node_textfile_scrape_error == 1", ".*"))
	require.NoError(t, os.Remove(filepath.Join(dir, "removed.prom")))
	require.Eventually(t, func() bool {
		return len(prometheus.ask(t, "restic_run_end_timestamp_seconds", ".*")) == 7
	}, 30*time.Second, 200*time.Millisecond)

	d := loadDashboard(t)
	expressions := []string{d.Annotations.List[0].Expr}
	for _, p := range d.panels() {
		for _, target := range p.Targets {
			expressions = append(expressions, target.Expr)
		}
	}
	assert.Greater(t, len(expressions), 40)
	for _, expr := range expressions {
		assert.NotEmpty(t, prometheus.ask(t, expr, ".*"), "no data: %s", expr)
	}
	for _, p := range []string{"To look at", "Good", "Failed", "Gone"} {
		for _, target := range d.panel(t, p).Targets {
			assert.Empty(t, prometheus.ask(t, target.Expr, "nonesuch"), "no metrics are nothing, not 0 and well: %s", target.Expr)
		}
	}

	// Grafana's merge makes one row of all answers if the labels that they have
	// in common tell the units apart, and no other label is in two of them.
	columns := map[string]map[string]float64{}
	for _, target := range d.panel(t, "Units").Targets {
		column := map[string]float64{}
		for _, s := range prometheus.ask(t, target.Expr, ".*") {
			want := []string{"instance", "unit"}
			switch target.RefID {
			case "A":
				want = []string{"instance", "machine", "name", "unit"}
			case "B":
				want = []string{"instance", "reason", "unit"}
			}
			assert.Equal(t, want, slices.Sorted(maps.Keys(s.Labels)), target.Expr)
			unit := strings.TrimSuffix(s.Labels["unit"], ".service")
			assert.NotContains(t, column, unit, "two rows for a unit: %s", target.Expr)
			column[unit] = s.Value
		}
		columns[target.RefID] = column
	}
	assert.Equal(t, map[string]float64{
		"removed": 5, "locked": 4, "old": 3, "partial": 2, "lossy": 1, "silent": 1, "unreported": 1, "good": 0, "weekly": 0,
	}, columns["A"], "state")
	rank := columns["L"]
	worst := slices.SortedFunc(maps.Keys(rank), func(a, b string) int { return int(rank[b] - rank[a]) })
	assert.Equal(t, []string{"removed", "locked", "old", "partial"}, worst[:4])
	assert.Len(t, rank, len(columns["A"]), "each row has its place")
	assert.Equal(t, map[string]float64{"locked": 1, "partial": 1}, columns["B"], "have a reason")
	assert.InDelta(t, 0.5, columns["E"]["weekly"], 0.01, "share of its own limit")
	assert.Equal(t, 1000.0, columns["E"]["locked"], "never succeeded")

	counts := map[string]float64{}
	for _, name := range []string{"Good", "Unclear", "Partial", "Too old", "Failed", "Gone"} {
		counts[name] = prometheus.ask(t, d.panel(t, name).Targets[0].Expr, ".*")[0].Value
	}
	assert.Equal(t, map[string]float64{"Good": 2, "Unclear": 3, "Partial": 1, "Too old": 2, "Failed": 1, "Gone": 1}, counts)
	assert.Equal(t, 7.0, prometheus.ask(t, d.panel(t, "To look at").Targets[0].Expr, ".*")[0].Value)

	// A failed run is marked at its end, wherever one zooms to.
	marks := prometheus.ask(t, d.Annotations.List[0].Expr, ".*")
	require.Len(t, marks, 1)
	assert.Equal(t, "locked", marks[0].Labels["reason"])
	assert.Equal(t, "127.0.0.1 locked", marks[0].Labels["machine"]+" "+marks[0].Labels["name"])
	assert.InDelta(t, time.Now().UnixMilli(), marks[0].Value, 300_000)
	// With more units than a graph shows there are no marks.
	assert.Empty(t, prometheus.ask(t, strings.Replace(d.Annotations.List[0].Expr, "<= 20", "<= 3", 1), ".*"))

	// What is wrong with these runs fires, with the labels that the rules say.
	for _, alert := range []string{"ResticBackupFailed", "ResticBackupNeverSucceeded", "ResticBackupPartial"} {
		require.Eventually(t, func() bool {
			return len(prometheus.ask(t, `ALERTS{alertname="`+alert+`"}`, ".*")) > 0
		}, 15*time.Second, 200*time.Millisecond, alert)
	}
}

// watch starts a Prometheus with our rules, and a node_exporter that it scrapes
// for the files in dir.
func watch(t *testing.T, dir string) database {
	node, prometheus := server.Address(t), server.Address(t)
	server.Start(t, "prometheus-node-exporter", "--collector.disable-defaults", "--collector.textfile",
		"--collector.textfile.directory="+dir, "--web.listen-address="+node)
	rules, err := filepath.Abs("prometheus/restic.rules.yml")
	require.NoError(t, err)
	config := filepath.Join(t.TempDir(), "prometheus.yml")
	require.NoError(t, os.WriteFile(config, []byte(`
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [`+rules+`]
scrape_configs: [{job_name: node, static_configs: [{targets: ["`+node+`"]}]}]
`), 0o644))
	server.Start(t, "prometheus", "--config.file="+config, "--storage.tsdb.path="+t.TempDir(), "--web.listen-address="+prometheus)
	require.Eventually(t, func() bool {
		_, err := server.Get("http://" + prometheus + "/-/ready")
		return err == nil
	}, 30*time.Second, 100*time.Millisecond)
	return database(prometheus)
}

// TestDashboardModel checks what no query shows.
func TestDashboardModel(t *testing.T) {
	d := loadDashboard(t)
	assert.Equal(t, 39, d.SchemaVersion, "of Grafana 11.0, which later ones read too")
	ids := map[int]bool{}
	base := regexp.MustCompile(`"color":\s*"([^"]*)",\s*"value":\s*null`)
	for _, p := range d.panels() {
		assert.False(t, ids[p.ID], "%s: the ID is another panel's", p.Title)
		ids[p.ID] = true
		for _, m := range base.FindAllStringSubmatch(string(p.FieldConfig.Defaults)+string(p.FieldConfig.Overrides), -1) {
			assert.NotContains(t, m[1], "green", "%s: no value is not good", p.Title)
		}
		if p.Type == "stat" {
			assert.Regexp(t, base, string(p.FieldConfig.Defaults), "%s: Grafana's own base colour is green", p.Title)
		}
	}
	assert.True(t, d.Annotations.List[0].Filter.Exclude)
	assert.Equal(t, []int{d.panel(t, "Status").ID}, d.Annotations.List[0].Filter.IDs)
	// Grafana puts the text of a column into a link, so a column that a link names must not be mapped to another text.
	var overrides []struct {
		Matcher    struct{ Options string }
		Properties []struct {
			ID    string
			Value any
		}
	}
	require.NoError(t, json.Unmarshal(d.panel(t, "Units").FieldConfig.Overrides, &overrides))
	properties := map[string][]string{}
	var link string
	for _, o := range overrides {
		for _, p := range o.Properties {
			properties[o.Matcher.Options] = append(properties[o.Matcher.Options], p.ID)
			if o.Matcher.Options == "Unit" && p.ID == "links" {
				link = p.Value.([]any)[0].(map[string]any)["url"].(string)
			}
		}
	}
	assert.Equal(t, "/d/restic-exporter?var-instance=${__data.fields.instance}&var-host=${__data.fields.host}"+
		"&var-unit=${__value.raw}&${datasource:queryparam}&${__url_time_range}", link)
	for _, column := range []string{"instance", "host"} {
		assert.Equal(t, []string{"custom.hidden", "custom.hideFrom"}, properties[column], column)
	}

	for _, row := range d.Panels {
		if slices.Contains([]string{"Files", "Time", "Health"}, row.Title) {
			assert.NotEmpty(t, row.Panels, "%s is collapsed: it holds its panels", row.Title)
		}
	}
}

// TestSelector: what the mixin's selector says is in every query, variables and
// annotations included.
func TestSelector(t *testing.T) {
	var d dashboard
	const mixin = `(import "prometheus/mixin/mixin.libsonnet") + { _config+:: { selector: 'job="here"' } }`
	text := run(t, "jsonnet", "-e", "("+mixin+`).grafanaDashboards["restic.json"]`)
	require.NoError(t, json.Unmarshal([]byte(text), &d))
	queries := []string{d.Annotations.List[0].Expr}
	for _, v := range d.Templating.List[1:] {
		queries = append(queries, v.Definition)
	}
	for _, p := range d.panels() {
		for _, target := range p.Targets {
			queries = append(queries, target.Expr)
		}
	}
	metric := regexp.MustCompile(`\brestic_\w+(\{[^}]*\})?`)
	for _, query := range queries {
		for _, m := range metric.FindAllStringSubmatch(query, -1) {
			assert.Contains(t, m[1], `job="here"`, query)
		}
	}
}

// TestLabels: the labels of the mixin tell units apart that are the same in all others, in
// the table, the variables and links of the dashboard, and in the texts of the alerts.
func TestLabels(t *testing.T) {
	const mixin = `((import "prometheus/mixin/mixin.libsonnet") + { _config+:: { labels: ["cluster", "host", "unit"] } })`
	text := run(t, "jsonnet", "-e", mixin+`.grafanaDashboards["restic.json"]`)
	var d dashboard
	require.NoError(t, json.Unmarshal([]byte(text), &d))
	var variables []string
	for _, v := range d.Templating.List[1:] {
		variables = append(variables, v.Name)
	}
	assert.Equal(t, []string{"cluster", "host", "unit"}, variables)
	assert.NotContains(t, text, "$instance")
	assert.Contains(t, text, "var-cluster=${__data.fields.cluster}&var-host=${__data.fields.host}&var-unit=${__value.raw}")

	dir := t.TempDir()
	rules := run(t, "jsonnet", "-e", `{ groups: `+mixin+`.prometheusAlerts.groups }`)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "rules.yml"), []byte(rules), 0o644))
	var b strings.Builder
	b.WriteString("rule_files: [rules.yml]\nevaluation_interval: 1m\ntests:\n  - interval: 1m\n    input_series:\n")
	for cluster, status := range map[string]int{"one": 3, "two": 7} {
		for series, value := range map[string]int{
			"restic_run_end_timestamp_seconds": 60, "restic_run_start_timestamp_seconds": 0, "restic_run_exit_code": status,
			"restic_run_status|failed": 1, "restic_run_failure_reason|other": 1, "restic_run_consecutive_failures": 4,
			"restic_snapshot_processed_bytes": 1, "restic_snapshot_added_bytes": 1, "restic_repository_size_bytes": 1,
		} {
			name, label, _ := strings.Cut(series, "|")
			fmt.Fprintf(&b, "      - series: '%s{cluster=%q,status=%q,reason=%q,instance=\"db1:9100\",unit=\"a.service\"}'\n"+
				"        values: %dx9\n", name, cluster, label, label, value)
		}
	}
	b.WriteString("    promql_expr_test:\n")
	for _, target := range d.panel(t, "Units").Targets {
		expr := strings.ReplaceAll(fill(target.Expr, ".*"), "$cluster", ".*")
		fmt.Fprintf(&b, "      - expr: count by (cluster) (%s)\n", strings.ReplaceAll(expr, "\n", " "))
		b.WriteString("        eval_time: 5m\n        exp_samples: [")
		if target.RefID != "D" { // D is the time since the last success, and the unit has had none
			b.WriteString(`{labels: '{cluster="one"}', value: 1}, {labels: '{cluster="two"}', value: 1}`)
		}
		b.WriteString("]\n")
	}
	b.WriteString("    alert_rule_test:\n      - alertname: ResticBackupFailedRepeatedly\n        eval_time: 5m\n        exp_alerts:\n")
	for cluster, status := range map[string]int{"one": 3, "two": 7} {
		fmt.Fprintf(&b, `          - exp_labels: {cluster: %s, instance: "db1:9100", unit: a.service, severity: critical}
            exp_annotations:
              summary: A backup fails again and again.
              description: "a.service on db1:9100 has failed 4 times in a row, the last time: other, exit status %d."
              runbook_url: %s
`, cluster, status, runbook("ResticBackupFailedRepeatedly"))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "test.yml"), []byte(b.String()), 0o644))
	assert.Contains(t, run(t, "promtool", "test", "rules", filepath.Join(dir, "test.yml")), "SUCCESS")
}

func runbook(alert string) string {
	return "https://github.com/restic-exporter/restic-exporter/blob/main/docs/runbooks/" + alert + ".md"
}
