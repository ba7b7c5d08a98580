package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restic-exporter/restic-exporter/internal/golden"
	"github.com/restic-exporter/restic-exporter/internal/metrictest"
)

// logRow is a row of the table in docs/logs.md: what it is, the recording with its
// arguments, what 0.1.0 gave, and what the program gives.
var logRow = regexp.MustCompile("(?m)^(\\| [0-9]+ \\| .* \\| `(.*)` \\| .* \\| ).* \\|$")

// TestLogsPage: docs/logs.md says what the program gives for each recording.
func TestLogsPage(t *testing.T) {
	const name = "../../docs/logs.md"
	page, err := os.ReadFile(name)
	require.NoError(t, err)
	kinds := make(map[string]bool)
	got := logRow.ReplaceAllStringFunc(string(page), func(row string) string {
		cells := logRow.FindStringSubmatch(row)
		kinds[strings.Fields(row)[1]] = true
		recording, args := logOf(t, strings.ReplaceAll(cells[2], `\|`, "|"))
		return cells[1] + logInWords(t, call(t, nil, "", append([]string{recording}, args...)...)) + " |"
	})
	golden.Equal(t, name, got)
	for kind := 1; kind <= 23; kind++ {
		assert.True(t, kinds[strconv.Itoa(kind)], "kind %d has no row", kind)
	}
}

// logOf returns the file and the arguments of a row: a recording in testdata, or a
// situation in a file of testdata/spoken.
func logOf(t *testing.T, row string) (string, []string) {
	if file, title, ok := strings.Cut(row, ": "); ok && strings.HasPrefix(row, "spoken/") {
		text, err := os.ReadFile("../../testdata/" + file)
		require.NoError(t, err)
		_, lines, ok := strings.Cut(string(text), "=== "+title+"\n")
		require.True(t, ok, row)
		lines, _, _ = strings.Cut(lines, "\n---\n")
		recording := filepath.Join(t.TempDir(), "run.export")
		require.NoError(t, os.WriteFile(recording, spoken(t, lines), 0o644))
		return recording, nil
	}
	row, strip, ok := strings.Cut(row, " --strip ")
	words := strings.Fields(row)
	if ok {
		words = append(words, "--strip", strings.Trim(strip, "'"))
	}
	return "../../testdata/" + words[0], words[1:]
}

// logInWords returns what docs/logs.md says of a run.
func logInWords(t *testing.T, r result) string {
	if r.code != 0 {
		return "an error"
	}
	series := metrictest.Flat(t, r.stdout)
	number := func(name string) string {
		v, ok := series[name]
		if !ok {
			return "?"
		}
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	var words []string
	for name, v := range series {
		if of, ok := strings.CutPrefix(name, "restic_run_status{status="); ok && v == 1 {
			words = append(words, strings.TrimSuffix(of, "}"))
		}
	}
	for name, v := range series {
		if of, ok := strings.CutPrefix(name, "restic_run_failure_reason{reason="); ok && v == 1 {
			words = append(words, strings.TrimSuffix(of, "}"))
		}
	}
	backups := 0
	for n := 1; n < 9; n++ {
		of := fmt.Sprintf("restic_snapshot_files{backup=%d,state=", n)
		if number(of+"new}") == "?" {
			continue
		}
		backups++
		unread := number(fmt.Sprintf("restic_snapshot_unreadable_items{backup=%d}", n))
		words = append(words, fmt.Sprintf("backup %d: %s/%s/%s, %s unread", n, number(of+"new}"), number(of+"changed}"),
			number(of+"unmodified}"), unread))
	}
	if backups == 0 {
		words = append(words, "no backup")
	}
	for _, step := range []string{"backup", "forget", "prune"} {
		if v := number("restic_step_success{step=" + step + "}"); v == "0" {
			words = append(words, step+" failed")
		} else if v == "1" && step != "backup" {
			words = append(words, step+" done")
		}
	}
	for _, figure := range [][2]string{
		{"kept", "restic_forget_snapshots{result=kept}"}, {"removed", "restic_forget_snapshots{result=removed}"},
		{"repository", "restic_repository_size_bytes{}"},
	} {
		if v := number(figure[1]); v != "?" {
			words = append(words, figure[0]+" "+v)
		}
	}
	if v := number("restic_lock_age_seconds{}"); v != "0" && v != "?" {
		words = append(words, "lock "+v+" s")
	}
	if v := number("restic_exporter_unparsed_lines{}"); v != "0" && v != "?" {
		words = append(words, "unparsed "+v)
	}
	if strings.Contains(r.stderr, "--strip") {
		words = append(words, "names `--strip`")
	}
	return strings.Join(words, ", ")
}
