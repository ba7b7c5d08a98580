// Package deploy_test tests what is deployed beside the program: scripts,
// units, rules and dashboard, with the programs that they are made for.
package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restic-exporter/restic-exporter/internal/golden"
	"github.com/restic-exporter/restic-exporter/internal/testenv"
)

// command is a program of the host, which make setup installs.
func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	return exec.Command(testenv.Tool(t, args[0]), args[1:]...)
}

func run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := command(t, args...).CombinedOutput()
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
	args := []string{"shellcheck", "--external-sources", "--source-path=..", "scripts/job.bash", "scripts/restic-job"}
	args = append(append(args, glob(t, "scripts/*.sh")...), glob(t, "package/*.sh")...)

	assert.Empty(t, run(t, append(args, "package/build", "../.ci/run", "../.ci/install")...))
	for _, name := range append(glob(t, "scripts/*.sh"), "scripts/restic-job") {
		text := read(t, name)
		assert.True(t, strings.HasPrefix(text, "#!/bin/bash\n"), name)
		assert.Contains(t, text, "\nset -euo pipefail\n", name)
	}
}

// TestMixin: the plain rules and the dashboard are what the mixin gives.
func TestMixin(t *testing.T) {
	golden.Equal(t, "prometheus/restic.rules.yml", run(t, "jsonnet", "-S", "prometheus/mixin/rules.jsonnet"))
	golden.Equal(t, "grafana/restic.json",
		run(t, "jsonnet", "-e", `(import "prometheus/mixin/mixin.libsonnet").grafanaDashboards["restic.json"]`))
	for _, name := range append(glob(t, "prometheus/mixin/*.libsonnet"), "prometheus/mixin/rules.jsonnet") {
		run(t, "jsonnetfmt", "--test", name)
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
	tests := ""
	for _, name := range []string{"prometheus/restic.rules.test.yml", "prometheus/restic.rules.weeks.test.yml"} {
		assert.Contains(t, run(t, "promtool", "test", "rules", name), "SUCCESS")
		tests += read(t, name)
	}
	for _, name := range rules(t) {
		_, test, ok := strings.Cut(tests, "  - name: "+name+"\n")
		require.True(t, ok, "%s has no test", name)
		test, _, _ = strings.Cut(test, "\n  - name: ")
		assert.Contains(t, test, "exp_labels:", "%s: what makes it fire", name)
		assert.Contains(t, test, "good", "%s: what does not", name)
	}
}

// TestRunbooks: each alert has one, for somebody who knows nothing of it yet.
func TestRunbooks(t *testing.T) {
	names := rules(t)
	for _, name := range names {
		text := read(t, "../docs/runbooks/"+name+".md")
		headings := regexp.MustCompile(`(?m)^##? .*`).FindAllString(text, -1)
		assert.Equal(t, []string{
			"# " + name, "## What it means", "## What to run", "## What it usually is", "## How to fix it", "## When to stop worrying",
		}, headings, name)
		section := func(title string) string {
			_, text, _ := strings.Cut(text, "\n## "+title+"\n")
			text, _, _ = strings.Cut(text, "\n## ")
			return text
		}
		assert.Regexp(t, `^\n[^.?!]+\.\n$`, section("What it means"), "%s: one sentence", name)
		assert.Regexp(t, `(?m)^    \S`, section("What to run"), "%s: a command", name)
		assert.NotRegexp(t, `(?m)^    restic `, text, "%s: restic alone does not know the repository; restic-job does", name)
		for _, link := range regexp.MustCompile(`\]\(([^)#]+)`).FindAllStringSubmatch(text, -1) {
			assert.FileExists(t, "../docs/runbooks/"+link[1], name)
		}
	}
	assert.Len(t, glob(t, "../docs/runbooks/*.md"), len(names), "and none of what is no alert")

	// The dashboard and the alert link to the section of the reason.
	failed := read(t, "../docs/runbooks/ResticBackupFailed.md")
	for _, reason := range []string{
		"locked", "password", "no_repository", "no_access", "network", "no_space", "source_unreadable", "no_source", "check_errors",
		"not_started", "timeout", "killed", "oom", "other",
	} {
		assert.Contains(t, failed, "\n### "+reason+"\n")
	}
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
	for _, name := range slices.Concat(glob(t, "systemd/*.service"), glob(t, "systemd/*.timer"), glob(t, "store/*.service")) {
		text := strings.NewReplacer("/usr/libexec/restic-exporter/", "/bin/true ", "/usr/bin/restic-exporter",
			"/bin/true", "/usr/local/bin/victoria-logs", "/bin/true").Replace(read(t, name))
		base := strings.Replace(filepath.Base(name), "@.", "@x.", 1)
		require.NoError(t, os.WriteFile(root+"/"+base, []byte(text), 0o644))
	}
	for _, name := range glob(t, root+"/*.*") {
		cmd := exec.Command(testenv.Tool(t, "systemd-analyze"), "verify", "--man=no", "--recursive-errors=no", name)
		cmd.Env = append(os.Environ(), "SYSTEMD_UNIT_PATH="+root+":")
		out, err := cmd.CombinedOutput()
		assert.NoError(t, err, "%s", out)
		assert.Empty(t, string(out), name)
	}
	for _, name := range glob(t, root+"/*.service") {
		// No worse than 2.0.
		out := run(t, "systemd-analyze", "security", "--offline=yes", "--no-pager", "--threshold=20", name)
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
		plain = regexp.MustCompile(`(\.sh) backup\n`).ReplaceAllString(plain, "$1 %i\n")
		plain = strings.ReplaceAll(plain, "/backup.credentials", "/%i.credentials")
		assert.Equal(t, plain, template)
	}
}

// TestManual: the manual page of the configuration has what the package's file has.
func TestManual(t *testing.T) {
	escape := strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`).Replace
	var b strings.Builder
	setting := regexp.MustCompile(`(?m)^([A-Z_]+)=(\((?s:.*?)\n?\)$|.*$)`)
	_, text, ok := strings.Cut(read(t, "etc/backup.conf"), "\n\n") // what the file itself is
	require.True(t, ok)
	for _, block := range strings.Split(strings.TrimSpace(text), "\n\n") {
		names := setting.FindAllStringSubmatch(block, -1)
		require.NotEmpty(t, names, "each paragraph has a setting: %s", block)
		about, _, _ := strings.Cut(strings.TrimPrefix(block, "# "), "\n"+names[0][0])
		for i, m := range names {
			b.WriteString(map[bool]string{true: ".TP\n", false: ".TQ\n"}[i == 0])
			b.WriteString(".B " + m[1] + "\n")
		}
		b.WriteString(escape(strings.ReplaceAll(about, "\n# ", "\n")) + "\n")
		b.WriteString(".RS\n.PP\n.nf\n")
		for _, m := range names {
			b.WriteString(escape(m[0]) + "\n")
		}
		b.WriteString(".fi\n.RE\n")
	}
	page := read(t, "../docs/restic-job.conf.5")
	before, rest, ok := strings.Cut(page, ".SH SETTINGS\n")
	require.True(t, ok)
	_, after, ok := strings.Cut(rest, ".SH CREDENTIALS\n")
	require.True(t, ok)
	golden.Equal(t, "../docs/restic-job.conf.5", before+".SH SETTINGS\n"+b.String()+".SH CREDENTIALS\n"+after)
}
