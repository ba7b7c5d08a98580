// Package deploy_test tests what is deployed beside the program: scripts,
// units, rules and dashboard, with the programs that they are made for.
package deploy_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restic-exporter/restic-exporter/internal/golden"
	"github.com/restic-exporter/restic-exporter/internal/server"
)

// run runs a program of the host, which make setup installs.
func run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	require.NoError(t, err, "%s\n%s", strings.Join(args, " "), out)
	return string(out)
}

func glob(t *testing.T, pattern string) []string {
	names, err := filepath.Glob(pattern)
	require.NoError(t, err)
	require.NotEmpty(t, names)
	return names
}

func read(t *testing.T, name string) string {
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	return string(text)
}

func TestShellcheck(t *testing.T) {
	args := append([]string{"shellcheck", "--external-sources", "--source-path=..", "scripts/job.bash"}, glob(t, "scripts/*.sh")...)
	args = append(args, glob(t, "package/*.sh")...)

	assert.Empty(t, run(t, append(args, "../.ci/run", "../.ci/install")...))
	for _, name := range glob(t, "scripts/*.sh") {
		text := read(t, name)
		assert.True(t, strings.HasPrefix(text, "#!/bin/bash\n"), name)
		assert.Contains(t, text, "\nset -euo pipefail\n", name)
	}
}

// TestMixin: the plain rules and the dashboard are what the mixin gives.
func TestMixin(t *testing.T) {
	golden.Equal(t, "prometheus/restic.rules.yml", run(t, "jsonnet", "-S", "prometheus/mixin/rules.jsonnet"))
	golden.Equal(t, "grafana/restic.json", run(t, "jsonnet", "-e", `(import "prometheus/mixin/mixin.libsonnet").grafanaDashboards["restic.json"]`))
	for _, name := range append(glob(t, "prometheus/mixin/*.libsonnet"), "prometheus/mixin/rules.jsonnet") {
		run(t, "jsonnetfmt", "--test", name)
	}
}

// TestPackage: lintian finds no error in the package, which make e2e makes.
func TestPackage(t *testing.T) {
	if testing.Short() {
		t.Skip("LEFT OUT with -short")
	}
	run(t, "lintian", "--allow-root", "--fail-on=error", deb(t))
	for _, pattern := range []string{"*_amd64.deb", "*_arm64.deb", "*.x86_64.rpm", "*.aarch64.rpm"} {
		assert.Len(t, glob(t, "../dist/"+pattern), 1)
	}
}

// rules returns the names of the alerts.
func rules(t *testing.T) []string {
	var names []string
	for _, m := range regexp.MustCompile(`- alert: (\w+)`).FindAllStringSubmatch(read(t, "prometheus/restic.rules.yml"), -1) {
		names = append(names, m[1])
	}
	return names
}

func TestRules(t *testing.T) {
	run(t, "promtool", "check", "rules", "prometheus/restic.rules.yml")
	assert.Contains(t, run(t, "promtool", "test", "rules", "prometheus/restic.rules.test.yml"), "SUCCESS")
	tests := read(t, "prometheus/restic.rules.test.yml")
	for _, name := range rules(t) {
		_, test, ok := strings.Cut(tests, "  - name: "+name+"\n")
		require.True(t, ok, "%s has no test", name)
		test, _, _ = strings.Cut(test, "\n  - name: ")
		assert.Contains(t, test, "exp_labels:", "%s: what makes it fire", name)
		assert.Contains(t, test, "good", "%s: what does not", name)
	}
}

func TestRunbooks(t *testing.T) {
	names := rules(t)
	assert.Len(t, names, 17)
	for _, name := range names {
		text := read(t, "../docs/runbooks/"+name+".md")
		for _, part := range []string{"# " + name + "\n", "## What it means", "## How to look", "## What it usually is", "## How to mend it"} {
			assert.Contains(t, text, part, name)
		}
	}
	assert.Len(t, glob(t, "../docs/runbooks/*.md"), len(names), "and none of what is no alert")
}

func TestAlertmanager(t *testing.T) {
	run(t, "amtool", "check-config", "alertmanager/alertmanager.yml")
	config := read(t, "alertmanager/alertmanager.yml")
	known := strings.Join(rules(t), " ")
	for _, name := range regexp.MustCompile(`Restic\w+`).FindAllString(config, -1) {
		assert.Contains(t, known, name)
	}
}

// TestUnits lets systemd itself read the units, and judge their sandbox.
func TestUnits(t *testing.T) {
	root := t.TempDir()
	require.NoError(t, os.MkdirAll(root+"/etc/systemd/system", 0o755))
	for _, name := range append(glob(t, "systemd/*.service"), glob(t, "systemd/*.timer")...) {
		text := strings.NewReplacer("/usr/libexec/restic-exporter/", "/bin/true ", "/usr/bin/restic-exporter", "/bin/true").Replace(read(t, name))
		base := strings.Replace(filepath.Base(name), "@.", "@x.", 1)
		require.NoError(t, os.WriteFile(root+"/"+base, []byte(text), 0o644))
	}
	for _, name := range glob(t, root+"/*.*") {
		cmd := exec.Command("systemd-analyze", "verify", "--man=no", "--recursive-errors=no", name)
		cmd.Env = append(os.Environ(), "SYSTEMD_UNIT_PATH="+root+":")
		out, err := cmd.CombinedOutput()
		assert.NoError(t, err, "%s", out)
		assert.Empty(t, string(out), name)
	}
	for _, name := range []string{"restic-backup.service", "restic-backup@x.service"} {
		out := run(t, "systemd-analyze", "security", "--offline=yes", "--no-pager", "--threshold=19", root+"/"+name)
		t.Log(lastLine(out))
	}
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}

// TestTemplate: the template differs from the plain unit by the job alone.
func TestTemplate(t *testing.T) {
	for name, description := range map[string][2]string{
		"service": {"Description=Back up with restic", "Description=Back up with restic: %i"},
		"timer":   {"Description=Back up with restic every day", "Description=Back up with restic every day: %i"},
	} {
		_, plain, _ := strings.Cut(read(t, "systemd/restic-backup."+name), "[Unit]")
		_, template, _ := strings.Cut(read(t, "systemd/restic-backup@."+name), "[Unit]")
		plain = strings.Replace(plain, description[0], description[1], 1)
		plain = regexp.MustCompile(`(\.sh|--ready) backup\n`).ReplaceAllString(plain, "$1 %i\n")
		plain = strings.ReplaceAll(plain, "/backup.credentials", "/%i.credentials")
		assert.Equal(t, plain, template)
	}
}

// queries are all that the dashboard asks, with its variables filled in.
func queries(t *testing.T) []string {
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
		Annotations struct{ List []struct{ Expr string } }
	}
	require.NoError(t, json.Unmarshal([]byte(read(t, "grafana/restic.json")), &dashboard))
	fill := strings.NewReplacer("$instance", ".*", "$unit", ".*", "$__interval", "1m", "$__rate_interval", "5m")
	var all []string
	for _, p := range dashboard.Panels {
		for _, target := range p.Targets {
			all = append(all, fill.Replace(target.Expr))
		}
	}
	require.GreaterOrEqual(t, len(all), 30)
	return all
}

// ask returns how many series a query gives.
func ask(t *testing.T, prometheus, query string) int {
	t.Helper()
	text, err := server.Get("http://" + prometheus + "/api/v1/query?query=" + url.QueryEscape(query))
	require.NoError(t, err, query)
	var answer struct {
		Data struct{ Result []json.RawMessage }
	}
	require.NoError(t, json.Unmarshal([]byte(text), &answer))
	return len(answer.Data.Result)
}

// TestDashboard puts the metrics of real runs into a real Prometheus, and asks
// it everything that the dashboard asks.
func TestDashboard(t *testing.T) {
	dir := t.TempDir()
	for i, name := range []string{"0.19.1/second-run-prune", "0.16.5/unreadable", "0.19.1/locked", "0.9.6/no-scripts"} {
		text := strings.ReplaceAll(read(t, "../testdata/"+name+".prom"), "restic-backup.service", "unit-"+strconv.Itoa(i)+".service")
		require.NoError(t, os.WriteFile(fmt.Sprintf("%s/%d.prom", dir, i), []byte(text), 0o644))
	}
	node, prometheus := server.Address(t), server.Address(t)
	server.Start(t, "prometheus-node-exporter", "--collector.disable-defaults", "--collector.textfile",
		"--collector.textfile.directory="+dir, "--web.listen-address="+node)
	rulesFile, err := filepath.Abs("prometheus/restic.rules.yml")
	require.NoError(t, err)
	config := filepath.Join(t.TempDir(), "prometheus.yml")
	require.NoError(t, os.WriteFile(config, []byte(`
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [`+rulesFile+`]
scrape_configs: [{job_name: node, static_configs: [{targets: ["`+node+`"]}]}]
`), 0o644))
	server.Start(t, "prometheus", "--config.file="+config, "--storage.tsdb.path="+t.TempDir(), "--web.listen-address="+prometheus)

	require.Eventually(t, func() bool {
		text, err := server.Get("http://" + prometheus + "/api/v1/query?query=count(restic_run_status==1)")
		return err == nil && strings.Contains(text, `"4"`)
	}, 30*time.Second, 200*time.Millisecond)
	assert.Zero(t, ask(t, prometheus, "node_textfile_scrape_error == 1"))
	for _, query := range queries(t) {
		assert.NotZero(t, ask(t, prometheus, query), "no data: %s", query)
	}
	assert.Zero(t, ask(t, prometheus, "nonesuch"), "and no data is told from data")

	// What is wrong with these runs fires, with the labels that the rules say.
	for _, alert := range []string{"ResticBackupFailed", "ResticBackupNeverSucceeded", "ResticBackupPartial"} {
		require.Eventually(t, func() bool {
			return ask(t, prometheus, `ALERTS{alertname="`+alert+`"}`) > 0
		}, 15*time.Second, 200*time.Millisecond, alert)
	}
}
