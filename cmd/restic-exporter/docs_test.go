package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restic-exporter/restic-exporter/internal/golden"
	"github.com/restic-exporter/restic-exporter/internal/testenv"
)

func documents(t *testing.T) []string {
	names, err := filepath.Glob("../../docs/*.md")
	require.NoError(t, err)
	return append(names, "../../README.md", "../../CONTRIBUTING.md", "../../SECURITY.md", "../../deploy/README.md",
		"../../testdata/README.md")
}

// buildHere builds the program as a user does, and returns a PATH with it.
func buildHere(t *testing.T) string {
	dir := t.TempDir()
	out, err := exec.Command("go", "build", "-o", dir+"/restic-exporter", ".").CombinedOutput()
	require.NoError(t, err, "%s", out)
	return dir + ":" + os.Getenv("PATH")
}

var console = regexp.MustCompile("(?s)```console\n(.*?)```\n")

// TestTranscripts runs what the documents show, and compares.
func TestTranscripts(t *testing.T) {
	for _, tool := range []string{"bash", "grep", "cut"} {
		testenv.Tool(t, tool)
	}
	path := buildHere(t)
	n := 0
	for _, name := range documents(t) {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		got := console.ReplaceAllStringFunc(string(text), func(block string) string {
			var b strings.Builder
			for line := range strings.Lines(block) {
				command, ok := strings.CutPrefix(line, "$ ")
				if !ok {
					continue
				}
				n++
				cmd := exec.Command("bash", "-c", command)
				cmd.Dir = "../.."
				cmd.Env = append(os.Environ(), "PATH="+path)
				out, _ := cmd.CombinedOutput()
				b.WriteString(line + string(out))
			}
			return "```console\n" + b.String() + "```\n"
		})
		golden.Equal(t, name, got)
	}
	assert.GreaterOrEqual(t, n, 2, "commands run")
}

// TestDocumentsAreComplete: every flag and directory is in the manual page, and the
// sandboxes let the program write there.
func TestDocumentsAreComplete(t *testing.T) {
	manual, err := os.ReadFile("../../docs/restic-exporter.1")
	require.NoError(t, err)
	plain := strings.ReplaceAll(string(manual), `\-`, "-")
	for _, flag := range regexp.MustCompile(`--[a-z-]+`).FindAllString(usage, -1) {
		assert.Contains(t, plain, flag)
	}
	units, err := filepath.Glob("../../deploy/systemd/*.service")
	require.NoError(t, err)
	for _, name := range units {
		unit, err := os.ReadFile(name)
		require.NoError(t, err)
		for _, dir := range directories {
			assert.Contains(t, plain, "\n"+dir+"\n")
			if !strings.Contains(string(unit), "/usr/bin/restic-exporter --unit") {
				continue
			}
			assert.Regexp(t, `(?m)^ReadWritePaths=.*-(`+dir+`|`+filepath.Dir(dir)+`)( |$)`, string(unit), name)
		}
	}
	changes, err := os.ReadFile("../../CHANGELOG.md")
	require.NoError(t, err)
	assert.Contains(t, string(changes), "\n## "+version+" - ")
}

var usageInDoc = regexp.MustCompile(`(?s)(// # Usage\n//\n).*(//\n// restic-exporter\(1\))`)

// TestDoc: go doc shows what --help prints.
func TestDoc(t *testing.T) {
	text, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	require.Regexp(t, usageInDoc, string(text))
	var help strings.Builder
	for line := range strings.Lines(call(t, nil, "", "--help").stdout) {
		help.WriteString(strings.Replace("//\t"+line, "//\t\n", "//\n", 1))
	}
	golden.Equal(t, "doc.go", usageInDoc.ReplaceAllString(string(text), "${1}"+strings.ReplaceAll(help.String(), "$", "$$")+"${2}"))
}

// TestManualPage: groff has nothing to say about the pages.
func TestManualPage(t *testing.T) {
	out, err := exec.Command(testenv.Tool(t, "groff"), "-man", "-Tutf8", "-ww", "-z",
		"../../docs/restic-exporter.1", "../../docs/restic-job.conf.5", "../../docs/restic-job.8").CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.Empty(t, string(out))
}

var links = regexp.MustCompile(`(?:\]\(|\bsrc(?:set)?=")([^)#"]+)`)

// TestLinks: what the documents point to in the project is there, and pictures
// are small.
func TestLinks(t *testing.T) {
	for _, name := range documents(t) {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		for _, link := range links.FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(link[1], "://") {
				continue
			}
			file, err := os.Stat(filepath.Join(filepath.Dir(name), link[1]))
			if assert.NoError(t, err, "%s links to %s", name, link[1]) && filepath.Ext(link[1]) == ".png" {
				assert.Less(t, file.Size(), int64(150<<10), link[1])
			}
		}
	}
}

// TestIndex: docs/README.md leads to every page.
func TestIndex(t *testing.T) {
	index, err := os.ReadFile("../../docs/README.md")
	require.NoError(t, err)
	for _, pattern := range []string{"*.md", "*.[1-8]"} {
		pages, err := filepath.Glob("../../docs/" + pattern)
		require.NoError(t, err)
		require.NotEmpty(t, pages)
		for _, page := range pages {
			if name := filepath.Base(page); name != "README.md" {
				assert.Contains(t, string(index), "]("+name+")", "docs/README.md does not name this page")
			}
		}
	}
}
