package metrics

import (
	"bytes"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	_ "github.com/restic-exporter/restic-exporter/internal/golden" // go test ./... -update
	"github.com/restic-exporter/restic-exporter/internal/metrictest"
	"github.com/restic-exporter/restic-exporter/invocation"
	"github.com/restic-exporter/restic-exporter/parser"
	"github.com/restic-exporter/restic-exporter/textfile"
)

const unit = "restic-backup.service"

// at is a time some seconds after the start of the first run.
func at(seconds int) time.Time { return time.Unix(1_700_000_000+int64(seconds), 0) }

// run is one that starts at so many seconds and takes a minute.
func run(start int, outcome invocation.Outcome, processes ...parser.Process) *invocation.Run {
	r := &invocation.Run{Unit: unit, Start: at(start), End: at(start + 60), Outcome: outcome, Processes: processes, Entries: 10}
	for _, p := range processes {
		r.Unparsed += uint64(p.SyntaxErrors)
	}
	return r
}

func exiting(code int, r *invocation.Run) *invocation.Run {
	r.ExitCode = &code
	return r
}

var builds = Options{Version: "1", Revision: "2", GoVersion: "3"}

// families are those of a run, which must be fit to be written.
func families(t testing.TB, r *invocation.Run, old []*dto.MetricFamily, o Options) []*dto.MetricFamily {
	t.Helper()
	mfs, err := Families(r, old, o)
	require.NoError(t, err)
	return mfs
}

func backupRun(start int, b parser.Backup) parser.Process {
	if b.Snapshot != "" {
		b.Saved = at(start + 30)
	}
	p := parser.Process{
		Source: "restic", PID: start, Command: parser.CommandBackup, Start: at(start), End: at(start + 30), Done: true, Backup: &b,
	}
	if b.Unreadable != nil {
		p.Unreadable = *b.Unreadable
	}
	return p
}

func fatalRun(start int, cause parser.Cause) parser.Process {
	return parser.Process{Source: "restic", PID: start, Start: at(start), End: at(start), Fatal: "Fatal: x", Cause: cause}
}

var (
	small = parser.Backup{
		Files: parser.Changes{New: 1, Changed: 2, Unmodified: 3}, Dirs: parser.Changes{New: 4, Changed: 5, Unmodified: 6},
		ProcessedFiles: 6, ProcessedBytes: 700, AddedBytes: 80, StoredBytes: new(uint64(9)),
		Duration: new(1500 * time.Millisecond), Snapshot: "abcd",
		Unreadable: new(uint64(0)),
	}
	pruneRun = parser.Process{
		Command: parser.CommandPrune, Start: at(40), End: at(50), Done: true,
		Forget: &parser.Forget{Kept: 3, Removed: 2, End: at(42)},
		Prune: &parser.Prune{
			Removed: parser.Blobs{Count: 10, Bytes: 100}, Repacked: &parser.Blobs{Count: 20, Bytes: 200},
			Remaining: parser.Blobs{Count: 30, Bytes: 300}, TotalBytes: 400, Unused: new(uint64(50)),
		},
	}
	checkRun = parser.Process{Command: parser.CommandCheck, Start: at(51), End: at(55), Done: true, Check: &parser.Check{}}
)

// flat is "name{labels but unit}" and value, without what all names begin with.
func flat(mfs []*dto.MetricFamily) map[string]float64 {
	got := make(map[string]float64)
	for name, v := range metrictest.Series(mfs, "unit") {
		got[strings.TrimPrefix(name, "restic_")] = v
	}
	return got
}

// verdictOf are the series of a run alone, from its start on.
func verdictOf(status, reason string) map[string]float64 {
	m := map[string]float64{
		"exporter_build_info{goversion=3,revision=2,version=1}": 1,
		"exporter_log_entries{}":                                10, "exporter_dropped_entries{}": 0,
		"exporter_unparsed_lines{}": 0, "exporter_backups{}": 0,
		"run_start_timestamp_seconds{}": 1_700_000_000, "run_end_timestamp_seconds{}": 1_700_000_060,
	}
	if status == "" {
		return m
	}
	for _, s := range []string{"success", "partial", "failed"} {
		m["run_status{status="+s+"}"] = truth(s == status)
	}
	for _, r := range invocation.Reasons() {
		m["run_failure_reason{reason="+string(r)+"}"] = truth(string(r) == reason)
	}
	m["lock_age_seconds{}"] = 0
	return m
}

func with(m map[string]float64, more map[string]float64) map[string]float64 {
	m = maps.Clone(m)
	maps.Copy(m, more)
	return m
}

// ofSmall is what the backup small gives, in a place.
func ofSmall(place string) map[string]float64 {
	p := "backup=" + place
	return map[string]float64{
		"snapshot_files{" + p + ",state=new}": 1, "snapshot_files{" + p + ",state=changed}": 2,
		"snapshot_files{" + p + ",state=unmodified}": 3,
		"snapshot_dirs{" + p + ",state=new}":         4, "snapshot_dirs{" + p + ",state=changed}": 5,
		"snapshot_dirs{" + p + ",state=unmodified}": 6,
		"snapshot_processed_files{" + p + "}":       6, "snapshot_processed_bytes{" + p + "}": 700, "snapshot_added_bytes{" + p + "}": 80,
		"snapshot_stored_bytes{" + p + "}": 9, "snapshot_unreadable_items{" + p + "}": 0, "snapshot_duration_seconds{" + p + "}": 1.5,
	}
}

func stepOf(name string, duration, end float64) map[string]float64 {
	s := "{step=" + name + "}"
	return map[string]float64{
		"step_duration_seconds" + s: duration, "step_success" + s: 1, "step_errors" + s: 0, "step_retries" + s: 0,
		"step_last_success_timestamp_seconds" + s: 1_700_000_000 + end,
	}
}

func TestFamilies(t *testing.T) {
	success := with(verdictOf("success", ""), map[string]float64{
		"backup_failure{timestamp=1700000060}": 0, "run_exit_code{}": 0, "run_consecutive_failures{}": 0,
		"run_last_success_timestamp_seconds{}": 1_700_000_060,
	})
	failure := func(reason string, more map[string]float64) map[string]float64 {
		return with(with(verdictOf("failed", reason), map[string]float64{
			"backup_failure{timestamp=1700000060}": 1, "run_consecutive_failures{}": 1,
		}), more)
	}
	oneBackup := with(with(ofSmall("1"), stepOf("backup", 30, 30)), map[string]float64{
		"repo_files{state=new}": 1, "repo_files{state=changed}": 2, "repo_files{state=unmodified}": 3,
		"repo_dirs{state=new}": 4, "repo_dirs{state=changed}": 5, "repo_dirs{state=unmodified}": 6,
		"repo_size_bytes{state=new}": 80, "snapshot_last_created_timestamp_seconds{}": 1_700_000_030,
		"exporter_backups{}": 1, "backup_duration_seconds{action=backup}": 30,
	})
	unread := small
	unread.Unreadable = new(uint64(2))
	partly := func(b parser.Backup) parser.Process {
		run := backupRun(0, b)
		run.Incomplete = true
		return run
	}
	partlyQuiet := parser.Process{Command: parser.CommandBackup, Start: at(0), End: at(30), Done: true, Incomplete: true, Errors: 2}
	skipped := small
	skipped.Snapshot = ""
	minimal := parser.Backup{ProcessedFiles: 1, Snapshot: "abcd"}
	dry := backupRun(0, small)
	dry.DryRun = true
	quiet := parser.Process{Command: parser.CommandBackup, Start: at(0), End: at(1)}
	locked := fatalRun(1, parser.CauseLocked)
	locked.Command, locked.Lock = parser.CommandBackup, &parser.Lock{Age: new(90 * time.Second)}
	damaged := parser.Process{
		Command: parser.CommandCheck, Start: at(1), End: at(5), Errors: 3, Retries: 4, SyntaxErrors: 5,
		Fatal: "Fatal: repository contains errors", Cause: parser.CauseCheckErrors, Check: &parser.Check{Errors: 3},
	}

	tests := map[string]struct {
		run  *invocation.Run
		want map[string]float64
	}{
		"success, nothing said": {run(0, invocation.Succeeded), success},
		"no verdict":            {run(0, ""), verdictOf("", "")},
		"backup":                {run(0, invocation.Succeeded, backupRun(0, small)), with(success, oneBackup)},
		"two backups": {
			run(0, invocation.Succeeded, backupRun(0, small), backupRun(20, small)),
			with(with(with(with(success, oneBackup), ofSmall("2")), stepOf("backup", 60, 50)), map[string]float64{
				"repo_files{state=new}": 2, "repo_files{state=changed}": 4, "repo_files{state=unmodified}": 6,
				"repo_dirs{state=new}": 8, "repo_dirs{state=changed}": 10, "repo_dirs{state=unmodified}": 12,
				"repo_size_bytes{state=new}": 160, "snapshot_last_created_timestamp_seconds{}": 1_700_000_050,
				"exporter_backups{}": 2, "backup_duration_seconds{action=backup}": 60,
			}),
		},
		"the first of two backups fails": {
			run(0, invocation.Succeeded, parser.Process{
				Command: parser.CommandBackup, Fatal: "Fatal: x", Cause: parser.CauseNoSource,
			}, backupRun(0, small)),
			func() map[string]float64 {
				m := with(with(success, oneBackup), ofSmall("2"))
				maps.DeleteFunc(m, func(name string, _ float64) bool {
					return strings.Contains(name, "backup=1") || strings.HasPrefix(name, "step_last")
				})
				m["step_success{step=backup}"] = 0
				return m
			}(),
		},
		"unknown is left out": {
			run(0, invocation.Succeeded, backupRun(0, minimal)),
			with(with(success, stepOf("backup", 30, 30)), map[string]float64{
				"snapshot_files{backup=1,state=new}": 0, "snapshot_files{backup=1,state=changed}": 0,
				"snapshot_files{backup=1,state=unmodified}": 0,
				"snapshot_dirs{backup=1,state=new}":         0, "snapshot_dirs{backup=1,state=changed}": 0,
				"snapshot_dirs{backup=1,state=unmodified}": 0,
				"snapshot_processed_files{backup=1}":       1, "snapshot_processed_bytes{backup=1}": 0, "snapshot_added_bytes{backup=1}": 0,
				"repo_files{state=new}": 0, "repo_files{state=changed}": 0, "repo_files{state=unmodified}": 0,
				"repo_dirs{state=new}": 0, "repo_dirs{state=changed}": 0, "repo_dirs{state=unmodified}": 0,
				"repo_size_bytes{state=new}": 0, "snapshot_last_created_timestamp_seconds{}": 1_700_000_030,
				"exporter_backups{}": 1, "backup_duration_seconds{action=backup}": 30,
			}),
		},
		"snapshot skipped": {run(0, invocation.Succeeded, backupRun(0, skipped)), func() map[string]float64 {
			m := with(success, oneBackup)
			delete(m, "snapshot_last_created_timestamp_seconds{}")
			return m
		}()},
		"dry run": {
			run(0, invocation.Succeeded, dry), with(with(success, stepOf("backup", 30, 30)),
				map[string]float64{"exporter_backups{}": 1, "backup_duration_seconds{action=backup}": 30}),
		},
		"quiet success": {
			run(0, invocation.Succeeded, quiet), with(success, map[string]float64{"backup_duration_seconds{action=backup}": 1}),
		},
		"quiet failure": {run(0, invocation.Failed, quiet), failure("other", map[string]float64{
			"backup_duration_seconds{action=backup}": 1, "step_duration_seconds{step=backup}": 1, "step_success{step=backup}": 0,
			"step_errors{step=backup}": 0, "step_retries{step=backup}": 0,
		})},
		"partial, restic exits 3": {
			exiting(3, run(0, invocation.Failed, partly(unread))),
			with(with(verdictOf("partial", "source_unreadable"), oneBackup), map[string]float64{
				"backup_failure{timestamp=1700000060}": 1, "run_consecutive_failures{}": 0, "run_exit_code{}": 3,
				"snapshot_unreadable_items{backup=1}": 2,
			}),
		},
		"partial, quiet": {
			exiting(3, run(0, invocation.Failed, partlyQuiet)),
			with(with(verdictOf("partial", "source_unreadable"), stepOf("backup", 30, 30)), map[string]float64{
				"backup_failure{timestamp=1700000060}": 1, "run_consecutive_failures{}": 0, "run_exit_code{}": 3,
				"step_errors{step=backup}":                  2,
				"snapshot_last_created_timestamp_seconds{}": 1_700_000_030, "backup_duration_seconds{action=backup}": 30,
			}),
		},
		"partial, old restic exits 0": {
			run(0, invocation.Succeeded, backupRun(0, unread)),
			with(with(with(verdictOf("partial", "source_unreadable"), oneBackup), success), map[string]float64{
				"run_status{status=success}": 0, "run_status{status=partial}": 1, "run_failure_reason{reason=source_unreadable}": 1,
				"snapshot_unreadable_items{backup=1}": 2, "exporter_backups{}": 1,
			}),
		},
		"partial, then another command fails": {
			exiting(1, run(0, invocation.Failed, backupRun(0, unread), fatalRun(40, parser.CauseNetwork))),
			with(failure("network", oneBackup), map[string]float64{"run_exit_code{}": 1, "snapshot_unreadable_items{backup=1}": 2}),
		},
		"locked": {
			exiting(11, run(0, invocation.Failed, locked)),
			failure("locked", map[string]float64{
				"run_exit_code{}": 11, "lock_age_seconds{}": 90, "backup_duration_seconds{action=backup}": 0,
				"step_duration_seconds{step=backup}": 0, "step_success{step=backup}": 0, "step_errors{step=backup}": 0,
				"step_retries{step=backup}": 0,
			}),
		},
		"the last fatal line": {
			run(0, invocation.Failed, fatalRun(1, parser.CauseNetwork), fatalRun(2, parser.CausePassword)), failure("password", nil),
		},
		"a probe before init": {
			run(0, invocation.Failed, fatalRun(1, parser.CauseNoRepository),
				parser.Process{Command: parser.CommandInit, Start: at(2), End: at(2), Done: true}),
			failure("other", stepOf("init", 0, 2)),
		},
		"timeout":               {run(0, invocation.TimedOut, fatalRun(1, parser.CauseKilled)), failure("timeout", nil)},
		"killed":                {run(0, invocation.Killed), failure("killed", nil)},
		"out of memory":         {run(0, invocation.OutOfMemory), failure("oom", nil)},
		"a script's child died": {exiting(137, run(0, invocation.Failed)), failure("killed", map[string]float64{"run_exit_code{}": 137})},
		"check finds errors": {
			run(0, invocation.Failed, damaged),
			failure("check_errors", map[string]float64{
				"backup_duration_seconds{action=check}": 4, "step_duration_seconds{step=check}": 4, "step_success{step=check}": 0,
				"step_retries{step=check}": 4, "check_found_errors{}": 3, "exporter_unparsed_lines{}": 5,
			}),
		},
		"forget --prune, check": {
			run(0, invocation.Succeeded, pruneRun, checkRun),
			with(with(with(with(success, stepOf("prune", 10, 50)), stepOf("forget", 2, 42)), stepOf("check", 4, 55)), map[string]float64{
				"backup_duration_seconds{action=prune}": 10, "backup_duration_seconds{action=check}": 4,
				"forget_snapshots{result=kept}": 3, "forget_snapshots{result=removed}": 2, "check_found_errors{}": 0,
				"prune_removed_bytes{}": 100, "prune_removed_blobs{}": 10, "prune_repacked_bytes{}": 200, "prune_repacked_blobs{}": 20,
				"repository_size_bytes{}": 300, "repository_blobs{}": 30, "repository_unused_bytes{}": 50,
				"repo_size_bytes{state=total}": 400,
			}),
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, tt.want, flat(families(t, tt.run, nil, builds)))
		})
	}
}

func TestOptions(t *testing.T) {
	r := run(0, invocation.Succeeded, parser.Process{
		Source: "restic-backup.sh", Command: parser.CommandCheck, Start: at(1), End: at(2), Done: true,
	})
	r.Spans = []parser.Span{
		{Source: "restic-backup.sh", Start: at(1), End: at(3)}, {Source: "cleanup.sh", Start: at(4), End: at(4)},
		{Source: "other", Start: at(5), End: at(50)},
	}
	o := builds
	o.MaxAge = 26 * time.Hour
	o.Actions = map[string]string{"restic-backup.sh": "backup", "cleanup.sh": "cleanup"}
	want := flat(families(t, run(0, invocation.Succeeded), nil, builds))
	want = with(with(want, stepOf("check", 1, 2)), map[string]float64{
		"backup_duration_seconds{action=backup}": 2, "backup_duration_seconds{action=cleanup}": 0, "run_max_age_seconds{}": 93600,
	})
	first := families(t, r, nil, o)
	assert.Equal(t, want, flat(first))

	// A handler has no limit of its own, and keeps the unit's.
	o.MaxAge = 0
	failed := families(t, run(1, invocation.NotStarted), first, o)
	assert.EqualValues(t, 93600, flat(failed)["run_max_age_seconds{}"])
	o.MaxAge = 48 * time.Hour
	assert.EqualValues(t, 172800, flat(families(t, run(2, invocation.Succeeded), failed, o))["run_max_age_seconds{}"])
}

func TestLabels(t *testing.T) {
	labels := map[string]string{"site": "berlin \"a\"\n", "unit": "never"}
	for _, mf := range families(t, run(0, invocation.Succeeded), nil, Options{Labels: labels}) {
		for _, m := range mf.Metric {
			labels := make(map[string]string)
			for _, l := range m.Label {
				labels[l.GetName()] = l.GetValue()
			}
			assert.Equal(t, unit, labels["unit"], mf.GetName())
			assert.Equal(t, "berlin \"a\"\n", labels["site"], mf.GetName())
		}
	}
}

func TestCheckLabel(t *testing.T) {
	assert.NoError(t, CheckLabel("site", "berlin"))
	assert.NoError(t, CheckLabel("site", ""))
	assert.NoError(t, CheckLabel("site", strings.Repeat("x", 1024)))
	for _, bad := range [][2]string{
		{"", "x"}, {"1a", "x"}, {"a-b", "x"}, {"__name__", "x"}, {"ä", "x"}, {"unit", "x"}, {"state", "x"}, {"a", "\xff"},
		{"a", strings.Repeat("x", 1025)},
	} {
		assert.Error(t, CheckLabel(bad[0], bad[1]), "%q", bad)
	}
}

// TestKept follows one file over several runs.
func TestKept(t *testing.T) {
	var file []*dto.MetricFamily
	put := func(r *invocation.Run) map[string]float64 {
		t.Helper()
		var text bytes.Buffer
		require.NoError(t, textfile.Encode(&text, families(t, r, file, builds)))
		var err error
		file, err = textfile.Decode(&text)
		require.NoError(t, err)
		return flat(file)
	}
	// outlasting are the series that a run which says nothing leaves alone.
	outlasting := func(m map[string]float64) map[string]float64 {
		m = maps.Clone(m)
		maps.DeleteFunc(m, func(name string, _ float64) bool {
			for _, kept := range []string{
				"snapshot_", "repo_", "repository_", "prune_", "forget_", "check_", "step_", "run_last_success",
			} {
				if strings.HasPrefix(name, kept) {
					return false
				}
			}
			return true
		})
		return m
	}

	first := put(run(0, invocation.Succeeded, backupRun(0, small), pruneRun, checkRun))
	second := put(run(1000, invocation.Failed, fatalRun(1000, parser.CausePassword)))
	assert.Equal(t, outlasting(first), outlasting(second), "a failed run wipes nothing")
	assert.Equal(t, 1.0, second["run_consecutive_failures{}"])
	assert.Equal(t, second, put(run(1000, invocation.Failed, fatalRun(1000, parser.CausePassword))), "once per invocation")

	third := put(run(2000, invocation.Killed))
	assert.Equal(t, 2.0, third["run_consecutive_failures{}"])
	assert.Equal(t, outlasting(first), outlasting(third))

	minimal := parser.Backup{ProcessedFiles: 7, Snapshot: "abcd"}
	fourth := put(run(3000, invocation.Succeeded, backupRun(3000, minimal)))
	assert.Equal(t, 0.0, fourth["run_consecutive_failures{}"])
	assert.Equal(t, 1_700_003_060.0, fourth["run_last_success_timestamp_seconds{}"])
	assert.NotContains(t, fourth, "snapshot_stored_bytes{backup=1}", "figures of two runs are not mixed")
	assert.Equal(t, first["prune_removed_bytes{}"], fourth["prune_removed_bytes{}"])
	assert.Equal(t, first["step_last_success_timestamp_seconds{step=check}"], fourth["step_last_success_timestamp_seconds{step=check}"])

	failedCheck := checkRun
	failedCheck.Done, failedCheck.Fatal, failedCheck.Start, failedCheck.End = false, "Fatal: x", at(4000), at(4001)
	fifth := put(run(4000, invocation.Failed, failedCheck))
	assert.Equal(t, 0.0, fifth["step_success{step=check}"])
	assert.Equal(t, first["step_last_success_timestamp_seconds{step=check}"], fifth["step_last_success_timestamp_seconds{step=check}"])

	_, err := Families(run(3000, invocation.Succeeded), file, builds)
	assert.ErrorIs(t, err, ErrNewer)
	assert.EqualError(t, err, "the file is about a later run, which ended at 2023-11-14T23:21:00Z")

	// A check that a lock kept out says nothing about the repository.
	fifth = put(run(5000, invocation.Succeeded, checkRun))
	lockedCheck := failedCheck
	lockedCheck.Cause, lockedCheck.Start, lockedCheck.End = parser.CauseLocked, at(6000), at(6001)
	sixth := put(run(6000, invocation.Failed, lockedCheck))
	for _, name := range []string{"step_success", "step_errors", "step_duration_seconds", "step_last_success_timestamp_seconds"} {
		assert.Equal(t, fifth[name+"{step=check}"], sixth[name+"{step=check}"], name)
	}
	assert.Equal(t, 1.0, sixth["step_success{step=check}"])

	other := run(5000, invocation.Succeeded)
	other.Unit = "other.service"
	_, err = Families(other, file, builds)
	assert.ErrorIs(t, err, ErrOtherUnit)
	assert.EqualError(t, err, "the file is about another unit, restic-backup.service")
}

// TestOutcomeChanges: ExecStartPost= has called a run a success so far, and then it
// failed after all.
func TestOutcomeChanges(t *testing.T) {
	var mfs []*dto.MetricFamily
	for _, outcome := range []invocation.Outcome{invocation.Succeeded, invocation.Failed, invocation.Failed} {
		mfs = families(t, run(0, outcome), mfs, builds)
	}
	want := map[string]float64{"run_consecutive_failures{}": 1}
	assert.Equal(t, want, metrictest.Pick(flat(mfs), want, "run_last_success_timestamp_seconds{}"))

	// The success before that one is kept.
	mfs = families(t, run(-1000, invocation.Succeeded), nil, builds)
	mfs = families(t, run(0, invocation.Failed), mfs, builds)
	want["run_last_success_timestamp_seconds{}"] = 1_699_999_060
	assert.Equal(t, want, metrictest.Pick(flat(mfs), want))
}

// TestStaysKilled: what only a command within the unit knows of a run is not forgotten
// by a call from outside.
func TestStaysKilled(t *testing.T) {
	inside := families(t, exiting(143, run(0, invocation.Killed)), families(t, run(-1000, invocation.Succeeded), nil, builds), builds)
	want := flat(inside)
	for _, outcome := range []invocation.Outcome{invocation.Succeeded, invocation.Killed} {
		inside = families(t, run(0, outcome), inside, builds)
		assert.Equal(t, want, flat(inside), outcome)
	}
	next := flat(families(t, run(1000, invocation.Succeeded), inside, builds))
	assert.Equal(t, 1.0, next["run_status{status=success}"])
}

// TestRefused: a start that the manager refused is a failed run, counted once
// however often it is asked about, and wipes nothing.
func TestRefused(t *testing.T) {
	refused := func(start int) *invocation.Run {
		return &invocation.Run{Unit: unit, Start: at(start), End: at(start), Outcome: invocation.NotStarted}
	}
	good := families(t, run(0, invocation.Succeeded, backupRun(0, small), pruneRun, checkRun), nil, builds)
	want := flat(good)
	maps.DeleteFunc(want, func(name string, _ float64) bool {
		return strings.HasPrefix(name, "backup_") || name == "run_exit_code{}" || name == "exporter_log_entries{}"
	})
	want = with(want, map[string]float64{
		"run_start_timestamp_seconds{}": 1_700_001_000, "run_end_timestamp_seconds{}": 1_700_001_000,
		"run_status{status=success}": 0, "run_status{status=failed}": 1, "run_failure_reason{reason=not_started}": 1,
		"run_consecutive_failures{}": 1, "backup_failure{timestamp=1700001000}": 1, "exporter_backups{}": 0,
	})
	first := families(t, refused(1000), good, builds)
	assert.Equal(t, want, flat(first))
	again := families(t, refused(1000), first, builds)
	assert.Equal(t, want, flat(again))
	next := flat(families(t, refused(2000), again, builds))
	assert.Equal(t, 2.0, next["run_consecutive_failures{}"])
	assert.Equal(t, 1_700_000_060.0, next["run_last_success_timestamp_seconds{}"])
}

// TestClocks: a machine without a clock of its own has the right time only when
// the network is there.
func TestClocks(t *testing.T) {
	yesterday := families(t, run(0, invocation.Succeeded), nil, builds)
	r := run(1000, invocation.Succeeded)
	r.Start = at(-1_000_000)
	today := families(t, r, yesterday, builds)
	assert.Equal(t, 1_700_001_060.0, flat(today)["run_last_success_timestamp_seconds{}"], "set forward in mid-run")
	_, err := Families(run(0, invocation.Succeeded), today, builds)
	assert.ErrorIs(t, err, ErrNewer, "an earlier run")

	future := run(0, invocation.Succeeded, backupRun(0, small), pruneRun, checkRun)
	ahead := time.Since(future.Start) + time.Hour
	future.Start, future.End = future.Start.Add(ahead), future.End.Add(ahead)
	for i := range future.Processes {
		p := &future.Processes[i]
		p.Start, p.End = p.Start.Add(ahead), p.End.Add(ahead)
	}
	future.Processes[0].Backup.Saved = future.End
	got := flat(families(t, run(1000, invocation.Failed), families(t, future, nil, builds), builds))
	assert.NotContains(t, got, "run_last_success_timestamp_seconds{}")
	assert.NotContains(t, got, "snapshot_last_created_timestamp_seconds{}")
	assert.NotContains(t, got, "step_last_success_timestamp_seconds{step=backup}")
	assert.Contains(t, got, "step_success{step=backup}", "what is not a time is kept")
}

// TestFromShellExporter: its files have neither HELP nor TYPE.
func TestFromShellExporter(t *testing.T) {
	const old = `restic_repo_files{unit="restic-backup.service",state="new"} 11
restic_repo_files{unit="restic-backup.service",state="changed"} 12
restic_repo_files{unit="restic-backup.service",state="unmodified"} 13
restic_repo_size_bytes{unit="restic-backup.service",state="new"} 14
restic_repo_size_bytes{unit="restic-backup.service",state="total"} 15
restic_backup_failure{unit="restic-backup.service",timestamp="1600000000"} 0
restic_repo_files{unit="other.service",state="new"} 99
restic_repo_dirs{unit="restic-backup.service",state="new"} NaN
node_load1 1
`
	mfs, err := textfile.Decode(strings.NewReader(old))
	require.NoError(t, err)
	got := flat(families(t, run(0, invocation.Failed, fatalRun(0, parser.CausePassword)), mfs, builds))
	want := map[string]float64{
		"repo_files{state=new}": 11, "repo_files{state=changed}": 12, "repo_files{state=unmodified}": 13,
		"repo_size_bytes{state=new}": 14, "repo_size_bytes{state=total}": 15,
		"backup_failure{timestamp=1700000060}": 1,
	}
	maps.DeleteFunc(got, func(name string, _ float64) bool {
		return !strings.HasPrefix(name, "repo_") && !strings.HasPrefix(name, "backup_")
	})
	assert.Equal(t, want, got)
}

// TestHelpIsFrozen fails when a help text changes: node_exporter drops a family
// whose help differs between two files, and files of two versions lie side by
// side. New families may be added here, none may be changed.
func TestHelpIsFrozen(t *testing.T) {
	var b strings.Builder
	for _, f := range declared {
		b.WriteString(f.name + "{" + strings.Join(f.labels, ",") + "} " + f.help + "\n")
	}
	want, err := os.ReadFile("testdata/families-0.1.0.txt")
	require.NoError(t, err)
	for line := range strings.Lines(string(want)) {
		assert.Contains(t, b.String(), line)
	}
}
