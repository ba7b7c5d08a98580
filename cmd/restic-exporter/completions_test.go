package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/template"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restic-exporter/restic-exporter/internal/golden"
	"github.com/restic-exporter/restic-exporter/internal/testenv"
)

const completions = "../../deploy/completions/"

// A flagUsage is a flag as --help describes it.
type flagUsage struct {
	Name, Argument, Description string
	Repeatable                  bool
}

// flagUsages reads the flags from the usage text.
func flagUsages(t *testing.T) []flagUsage {
	_, text, ok := strings.Cut(usage, "\n  --")
	require.True(t, ok)
	text, _, ok = strings.Cut("\n  --"+text, "\n\n")
	require.True(t, ok)
	text = regexp.MustCompile(`\n {20,}`).ReplaceAllString(text, " ")
	var fs []flagUsage
	for _, m := range regexp.MustCompile(`(?m)^  --(\S+)(?: (\S+))? {2,}(.*)$`).FindAllStringSubmatch(text, -1) {
		short := regexp.MustCompile(`; repeatable| \(default`).Split(m[3], 2)[0]
		fs = append(fs, flagUsage{m[1], m[2], short, strings.Contains(m[3], "repeatable")})
	}
	return fs
}

// TestUsage: --help describes the flags that there are.
func TestUsage(t *testing.T) {
	source, err := os.ReadFile("flags.go")
	require.NoError(t, err)
	want := map[string]bool{"help": true} // package flag has it
	for _, m := range regexp.MustCompile(`fs\.\w+\((?:&[\w.]+, )?"([a-z-]+)"`).FindAllStringSubmatch(string(source), -1) {
		want[m[1]] = true
	}
	got := make(map[string]bool)
	for _, f := range flagUsages(t) {
		got[f.Name] = true
	}
	assert.Equal(t, want, got)
}

var functions = template.FuncMap{
	// other returns the flags with an argument that cannot be completed.
	"other": func(fs []flagUsage) string {
		var names []string
		for _, f := range fs {
			if !slices.Contains([]string{"", "UNIT", "FILE", "PATH"}, f.Argument) {
				names = append(names, "--"+f.Name)
			}
		}
		return strings.Join(names, " | ")
	},
	// The text between single quotes of fish, and between those of zsh and the brackets of _arguments.
	"fish": strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace,
	"zsh":  strings.NewReplacer(`\`, `\\`, `'`, `'\''`, `[`, `\[`, `]`, `\]`, `:`, `\:`).Replace,
}

const generated = `# What the shell completes for restic-exporter(1). Generated from its usage text by
# go test ./cmd/restic-exporter -run TestCompletions -update
`

const services = "systemctl list-units --all --type=service --plain --no-legend --full 2>/dev/null | cut -d ' ' -f 1"

var shells = map[string]string{
	"restic-exporter": generated + `
_restic_exporter() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	compopt -o filenames
	case $prev in
	--unit)
		compopt +o filenames
		mapfile -t COMPREPLY < <(compgen -W "$(` + services + `)" -- "$cur")
		return ;;
	{{other .}})
		COMPREPLY=()
		return ;;
	esac
	if [[ $cur == -?* ]]; then
		compopt +o filenames
		mapfile -t COMPREPLY < <(compgen -W "{{range .}}--{{.Name}} {{end}}" -- "$cur")
	else
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
	fi
}
complete -F _restic_exporter restic-exporter
`,
	"_restic-exporter": "#compdef restic-exporter\n" + generated + `
_restic_exporter_units() {
	compadd -- ${(f)"$(` + services + `)"}
}

_arguments \
{{range .}}	'{{if .Repeatable}}*{{end}}--{{.Name}}[{{zsh .Description}}]
{{- with .Argument}}:{{.}}:
{{- if eq . "UNIT"}}_restic_exporter_units{{else if or (eq . "PATH") (eq . "FILE")}}_files{{else}} {{end}}{{end}}' \
{{end}}	':LOG:_files'
`,
	"restic-exporter.fish": generated + `
{{range . -}}
complete -c restic-exporter -l {{.Name}} -d '{{fish .Description}}'
{{- with .Argument}}{{if eq . "UNIT"}} -x -a "(` + services + `)"
{{- else if or (eq . "PATH") (eq . "FILE")}} -r -F{{else}} -x{{end}}{{end}}
{{end}}`,
}

// TestCompletions writes the completions, and has each shell complete with them.
func TestCompletions(t *testing.T) {
	fs := flagUsages(t)
	for name, text := range shells {
		var b strings.Builder
		require.NoError(t, template.Must(template.New(name).Funcs(functions).Parse(text)).Execute(&b, fs))
		golden.Equal(t, completions+name, b.String())
	}

	// In a directory of its own, with a program in the place of systemctl, for there
	// may be no systemd here.
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(dir+"/sub dir", 0o755))
	require.NoError(t, os.Mkdir(dir+"/bin", 0o755))
	require.NoError(t, os.WriteFile(dir+"/a log", nil, 0o644))
	require.NoError(t, os.WriteFile(dir+"/bin/systemctl",
		[]byte("#!/bin/sh\necho 'restic-backup.service loaded active running x'; echo 'ssh.service loaded active running x'\n"), 0o755))
	here, err := filepath.Abs(completions)
	require.NoError(t, err)
	env := append(os.Environ(), "PATH="+dir+"/bin:"+os.Getenv("PATH"), "HOME="+dir, "C="+here, "TERM=dumb")

	// What somebody types, and what the program then gets.
	typed := []string{
		`--invoc` + "\t" + `X`, `--unit re` + "\t", `--journal su` + "\t", `--output a` + "\t", `--label l` + "\t", `--user a` + "\t",
	}
	want := []string{
		"--invocation X", "--unit restic-backup.service", "--journal sub dir", "--output a log", "--label l", "--user a log",
	}
	for shell, setUp := range map[string]string{
		"bash --norc -i": "source $C/restic-exporter\n",
		"zsh -f -i":      "fpath=($C $fpath); autoload -U compinit; compinit -D -u\n",
	} {
		t.Run(shell, func(t *testing.T) {
			name, _, _ := strings.Cut(shell, " ")
			testenv.Tool(t, name)
			input := setUp + "restic-exporter() { echo \"$*\" >> $HOME/" + name + "; }\n"
			for _, line := range typed {
				input += "restic-exporter " + line + "\n"
			}
			cmd := exec.Command(testenv.Tool(t, "script"), "-qec", shell, "/dev/null")
			cmd.Dir, cmd.Env, cmd.Stdin = dir, env, strings.NewReader(input+"exit\n")
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s", out)
			got, err := os.ReadFile(dir + "/" + name)
			require.NoError(t, err, "%s", out)
			// zsh takes the slash away again.
			assert.Equal(t, strings.Join(want, "\n")+"\n", strings.ReplaceAll(string(got), "/\n", "\n"), "%s", out)
		})
	}
	t.Run("fish", func(t *testing.T) {
		var got []string
		for _, line := range typed {
			words, _, _ := strings.Cut(line, "\t")
			cmd := exec.Command(testenv.Tool(t, "fish"), "--no-config", "-c",
				`source $C/restic-exporter.fish; complete -C "restic-exporter `+words+`"`)
			cmd.Dir, cmd.Env = dir, env
			out, err := cmd.CombinedOutput()
			require.NoError(t, err, "%s", out)
			got = append(got, regexp.MustCompile(`(?m)\t.*$`).ReplaceAllString(string(out), ""))
		}
		assert.Equal(t, []string{"--invocation\n", "restic-backup.service\n", "sub dir/\n", "a log\n", "", "a log\n"}, got)
	})
}
