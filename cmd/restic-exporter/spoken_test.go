package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/restic-exporter/restic-exporter/internal/golden"
	"github.com/restic-exporter/restic-exporter/internal/metrictest"
	"github.com/restic-exporter/restic-exporter/invocation"
	"github.com/restic-exporter/restic-exporter/journal"
	"github.com/restic-exporter/restic-exporter/metrics"
)

// TestSpoken reads what testdata/spoken has of many runs, and what they give in short.
// Its README says how such a file is written.
func TestSpoken(t *testing.T) {
	files, err := filepath.Glob("../../testdata/spoken/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			head, runs, ok := strings.Cut(string(text), "=== ")
			require.True(t, ok)
			got := head
			for run := range strings.SplitSeq(runs, "\n=== ") {
				said, _, _ := strings.Cut(run, "\n---\n")
				said = strings.TrimRight(said, "\n")
				_, lines, _ := strings.Cut(said, "\n")
				got += "=== " + said + "\n---\n" + inShort(t, spoken(t, lines)) + "\n"
			}
			golden.Equal(t, file, got)
		})
	}
}

// A speaker is who prints the lines that follow.
type speaker struct{ pid, comm, exe, identifier string }

// speakers are those whose command name is not their program's.
var speakers = map[string]speaker{
	"bash":    {comm: "restic-backup.s", exe: "bash"},
	"cleanup": {comm: "cat", exe: "cat", identifier: "cleanup-backups.sh"},
	"nobody":  {},
}

// spoken makes a recording, in the export format, of a run in which these lines were
// printed.
func spoken(t *testing.T, lines string) []byte {
	const id = "0123456789abcdef0123456789abcdef"
	var b bytes.Buffer
	now := time.Unix(1764000000, 0)
	entry := func(message string, fields ...string) {
		now = now.Add(time.Millisecond)
		fmt.Fprintf(&b, "__REALTIME_TIMESTAMP=%d\n__MONOTONIC_TIMESTAMP=%[1]d\n_BOOT_ID=%s\n_HOSTNAME=host\n", now.UnixMicro(), id)
		for i := 0; i < len(fields); i += 2 {
			if fields[i+1] != "" {
				b.WriteString(fields[i] + "=" + fields[i+1] + "\n")
			}
		}
		b.WriteString("MESSAGE\n" + string(binary.LittleEndian.AppendUint64(nil, uint64(len(message)))) + message + "\n\n")
	}
	manager := func(message, messageID string, more ...string) {
		entry(message, append(more, "_PID", "1", "UNIT", "restic-backup.service", "INVOCATION_ID", id,
			"SYSLOG_IDENTIFIER", "systemd", "_SYSTEMD_UNIT", "init.scope", "MESSAGE_ID", messageID)...)
	}
	manager("Starting restic-backup.service - Backup...", "7d4958e842da4a758f6c1cdc7b36dcc5")
	who := speaker{"100", "restic", "restic", "restic-backup.sh"}
	pids := make(map[string]string)
	status := "0"
	for line := range strings.SplitSeq(lines, "\n") {
		command, isCommand := strings.CutPrefix(line, "@")
		words := strings.Fields(command)
		switch {
		case line == "":
		case !isCommand:
			exe := who.exe
			if exe != "" {
				exe = "/usr/bin/" + exe
			}
			entry(controls.Replace(line), "_PID", who.pid, "_COMM", who.comm, "_EXE", exe, "SYSLOG_IDENTIFIER", who.identifier,
				"_TRANSPORT", "stdout", "_SYSTEMD_UNIT", "restic-backup.service", "_SYSTEMD_INVOCATION_ID", id)
		case words[0] == "wait":
			d, err := time.ParseDuration(words[1])
			require.NoError(t, err)
			now = now.Add(d)
		case words[0] == "exit":
			status = words[1]
		default:
			who = speaker{comm: words[0][:min(15, len(words[0]))], exe: words[0]}
			if known, ok := speakers[words[0]]; ok {
				who = known
			}
			if pids[command] == "" {
				pids[command] = strconv.Itoa(100 + len(pids))
			}
			who.pid = pids[command]
			if who.identifier == "" {
				who.identifier = "restic-backup.sh"
			}
			for _, word := range words[1:] {
				field, value, _ := strings.Cut(word, "=")
				switch field {
				case "comm":
					who.comm = value
				case "exe":
					who.exe = value
				case "identifier":
					who.identifier = value
				}
			}
		}
	}
	if status == "0" {
		manager("restic-backup.service: Deactivated successfully.", "7ad2d189f7e94e70a38c781354912448")
		return b.Bytes()
	}
	manager("restic-backup.service: Main process exited, code=exited, status="+status+"/n/a", "98e322203f7a4ed290d09fe03c09fe15",
		"COMMAND", "ExecStart", "EXIT_CODE", "exited", "EXIT_STATUS", status)
	manager("restic-backup.service: Failed with result 'exit-code'.", "d9b373ed55a64feb8242e02dbe79a49c", "UNIT_RESULT", "exit-code")
	return b.Bytes()
}

var controls = strings.NewReplacer("␛", "\x1b", "␍", "\r")

// inShort returns what a recording gives, as a reader of testdata/spoken wants it.
func inShort(t *testing.T, recording []byte) string {
	from, err := journal.OpenRecording(bytes.NewReader(recording))
	require.NoError(t, err)
	options := invocation.Options{Ignore: []string{"cleanup-backups.sh"}}
	run, err := invocation.Read(t.Context(), from, "restic-backup.service", journal.ID{}, options)
	if errors.Is(err, invocation.ErrRunning) {
		return "still running\n"
	}
	require.NoError(t, err)
	mfs, err := metrics.Families(run, nil, metrics.Options{})
	require.NoError(t, err)
	series := metrictest.Series(mfs, "unit", "timestamp")
	value := func(name string) string {
		v, ok := series[name]
		if !ok {
			return "?"
		}
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }

	verdict := strings.TrimRight(string(run.Status())+" "+string(run.Reason()), " ")
	if age := value("restic_lock_age_seconds{}"); age != "0" {
		verdict += ", lock " + age
	}
	line("%s", verdict)
	for n := 1; ; n++ {
		of := fmt.Sprintf("{backup=%d}", n)
		if value("restic_snapshot_processed_bytes"+of) == "?" && n > len(run.Processes) {
			break
		}
		if value("restic_snapshot_processed_bytes"+of) == "?" {
			continue
		}
		files := func(state string) string {
			return value(fmt.Sprintf("restic_snapshot_files{backup=%d,state=%s}", n, state))
		}
		line("backup %d: files %s/%s/%s, %s bytes, unreadable %s", n, files("new"), files("changed"), files("unmodified"),
			value("restic_snapshot_processed_bytes"+of), value("restic_snapshot_unreadable_items"+of))
	}
	for _, name := range slices.Sorted(maps.Keys(series)) {
		if step, ok := strings.CutPrefix(name, "restic_step_success"); ok {
			line("%s: success %s, errors %s, retries %s", strings.Trim(strings.TrimPrefix(step, "{step="), "}"),
				value("restic_step_success"+step), value("restic_step_errors"+step), value("restic_step_retries"+step))
		}
	}
	figures := []struct{ label, name string }{
		{"kept", "restic_forget_snapshots{result=kept}"},
		{"removed", "restic_forget_snapshots{result=removed}"},
		{"pruned bytes", "restic_prune_removed_bytes{}"},
		{"repository bytes", "restic_repository_size_bytes{}"},
		{"errors found", "restic_check_found_errors{}"},
	}
	for _, f := range figures {
		if v := value(f.name); v != "?" {
			line("%s %s", f.label, v)
		}
	}
	line("backups %s, unparsed %s", value("restic_exporter_backups{}"), value("restic_exporter_unparsed_lines{}"))
	return b.String()
}
