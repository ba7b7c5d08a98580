package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restic-exporter/restic-exporter/internal/golden"
	"github.com/restic-exporter/restic-exporter/internal/journaltest"
	"github.com/restic-exporter/restic-exporter/internal/metrictest"
	"github.com/restic-exporter/restic-exporter/internal/testenv"
	"github.com/restic-exporter/restic-exporter/invocation"
	"github.com/restic-exporter/restic-exporter/journal"
	"github.com/restic-exporter/restic-exporter/metrics"
	"github.com/restic-exporter/restic-exporter/textfile"
)

// result is what a call of the program did.
type result struct {
	code           int
	stdout, stderr string
}

// call runs the program with nothing around it but what is given.
func call(t testing.TB, env map[string]string, stdin string, args ...string) result {
	var stdout, stderr bytes.Buffer
	p := program{
		getenv: func(name string) string { return env[name] },
		stdin:  strings.NewReader(stdin), stdout: &stdout, stderr: &stderr,
		build: build{"0.0.0", "0123456789ab", "go1.26"},
	}
	code := p.run(t.Context(), args)
	return result{code, stdout.String(), stderr.String()}
}

// metricsOf is call for what must succeed and print metrics only.
func metricsOf(t testing.TB, args ...string) string {
	t.Helper()
	got := call(t, nil, "", args...)
	require.Equal(t, result{stdout: got.stdout}, got)
	require.NotEmpty(t, got.stdout)
	return got.stdout
}

func TestGolden(t *testing.T) {
	for _, recording := range journaltest.Recordings(t) {
		t.Run(journaltest.Title(recording), func(t *testing.T) {
			got := metricsOf(t, recording)
			golden.Equal(t, strings.TrimSuffix(recording, ".export")+".prom", got)
			assert.Equal(t, got, byPackages(t, open(t, recording)), "another program")
		})
	}
}

// byPackages is what another program makes of a run, with our packages alone.
func byPackages(t testing.TB, from journal.Source) string {
	return unitByPackages(t, from, "restic-backup.service")
}

func unitByPackages(t testing.TB, from journal.Source, unit string) string {
	run, err := invocation.Read(t.Context(), from, unit, journal.ID{}, invocation.Options{})
	require.NoError(t, err)
	mfs, err := metrics.Families(run, nil, metrics.Options{
		Actions: map[string]string{"restic-backup.sh": "backup", "cleanup-backups.sh": "cleanup", "restic-prune.sh": "prune"},
		Version: "0.0.0", Revision: "0123456789ab", GoVersion: "go1.26",
	})
	require.NoError(t, err)
	var text strings.Builder
	require.NoError(t, textfile.Encode(&text, mfs))
	return text.String()
}

// open opens a recording.
func open(t testing.TB, name string) journal.Source {
	file, err := os.Open(name)
	require.NoError(t, err)
	t.Cleanup(func() { file.Close() })
	recording, err := journal.OpenRecording(file)
	require.NoError(t, err)
	return recording
}

// A twin is what restic said of the same backup with --json.
type twin struct {
	FilesNew       float64  `json:"files_new"`
	FilesChanged   float64  `json:"files_changed"`
	FilesSame      float64  `json:"files_unmodified"`
	DirsNew        float64  `json:"dirs_new"`
	DirsChanged    float64  `json:"dirs_changed"`
	DirsSame       float64  `json:"dirs_unmodified"`
	ProcessedFiles float64  `json:"total_files_processed"`
	ProcessedBytes float64  `json:"total_bytes_processed"`
	Added          float64  `json:"data_added"`
	Stored         *float64 `json:"data_added_packed"`
}

// TestTwins checks the golden files, not the program, against what is known of
// each recording: the exit status, and the exact figures of a twin.
func TestTwins(t *testing.T) {
	twins := 0
	for _, recording := range journaltest.Recordings(t) {
		t.Run(journaltest.Title(recording), func(t *testing.T) {
			var known struct {
				StartExit int     `json:"start_exit"`
				Backup    *twin   `json:"backup"`
				Backups   []*twin `json:"backups"`
			}
			text, err := os.ReadFile(strings.TrimSuffix(recording, ".export") + ".json")
			require.NoError(t, err)
			require.NoError(t, json.Unmarshal(text, &known))
			prom, err := os.ReadFile(strings.TrimSuffix(recording, ".export") + ".prom")
			require.NoError(t, err)
			got := metrictest.Flat(t, string(prom))

			assert.Equal(t, float64(min(known.StartExit, 1)), got["restic_backup_failure{}"])
			if known.Backup != nil {
				known.Backups = append(known.Backups, known.Backup)
			}
			known.Backups = slices.DeleteFunc(known.Backups, func(tw *twin) bool { return tw == nil })
			for i, tw := range known.Backups {
				twins++
				place := strconv.Itoa(i + 1)
				exact := map[string]float64{
					"restic_snapshot_files{backup=" + place + ",state=new}":        tw.FilesNew,
					"restic_snapshot_files{backup=" + place + ",state=changed}":    tw.FilesChanged,
					"restic_snapshot_files{backup=" + place + ",state=unmodified}": tw.FilesSame,
					"restic_snapshot_dirs{backup=" + place + ",state=new}":         tw.DirsNew,
					"restic_snapshot_dirs{backup=" + place + ",state=changed}":     tw.DirsChanged,
					"restic_snapshot_dirs{backup=" + place + ",state=unmodified}":  tw.DirsSame,
					"restic_snapshot_processed_files{backup=" + place + "}":        tw.ProcessedFiles,
				}
				assert.Equal(t, exact, metrictest.Pick(got, exact))
				rounded := map[string]float64{
					"restic_snapshot_processed_bytes{backup=" + place + "}": tw.ProcessedBytes,
					"restic_snapshot_added_bytes{backup=" + place + "}":     tw.Added,
				}
				if tw.Stored != nil {
					rounded["restic_snapshot_stored_bytes{backup="+place+"}"] = *tw.Stored
				}
				for name, want := range rounded {
					assert.InDelta(t, want, got[name], rounding(want), name)
				}
			}
			if len(known.Backups) > 0 {
				assert.EqualValues(t, len(known.Backups), got["restic_exporter_backups{}"])
			}
		})
	}
	assert.Equal(t, 56, twins, "twins compared")
}

// twinSlack is how many bytes a twin's own trees may differ by: the twin is
// another run over the same source, and the times in a tree are written without
// their last zeros.
const twinSlack = 4

// rounding is how far restic's text may be off: half of the third decimal of
// the unit that it prints.
func rounding(bytes float64) float64 {
	unit := 1.0
	for bytes/unit >= 1024 {
		unit *= 1024
	}
	if unit == 1 {
		return twinSlack
	}
	return unit/2000 + twinSlack
}

// timeless are the series but for times, which some formats have in whole seconds,
// or without the year.
func timeless(t *testing.T, text string) map[string]float64 {
	series := metrictest.Flat(t, text)
	maps.DeleteFunc(series, func(name string, _ float64) bool {
		return strings.Contains(name, "timestamp") || strings.Contains(name, "duration")
	})
	return series
}

// TestFormats reads each recording as each of the formats, which it has from
// journalctl and a real journal file.
func TestFormats(t *testing.T) {
	for _, recording := range journaltest.Recordings(t) {
		t.Run(journaltest.Title(recording), func(t *testing.T) {
			t.Parallel()
			dir := journalOf(t, recording)
			journalctl := testenv.Tool(t, "journalctl")
			format := func(name string, args ...string) string {
				file, err := os.Create(filepath.Join(t.TempDir(), name))
				require.NoError(t, err)
				defer file.Close()
				cmd := exec.Command(journalctl, append([]string{"--directory=" + dir, "--quiet", "--output=" + name}, args...)...)
				cmd.Stdout = file
				cmd.Env = []string{"LC_ALL=C.UTF-8", "TZ=Europe/Berlin"}
				require.NoError(t, cmd.Run())
				return file.Name()
			}

			want := metricsOf(t, recording)
			assert.Equal(t, want, metricsOf(t, "--journal", dir, "--output", "-"), "journal files")
			assert.Equal(t, want, byPackages(t, journal.Reader{Dir: dir}), "another program, journal files")
			for name, args := range map[string][]string{"export": nil, "json": {"--all"}, "json-pretty": {"--all"}, "json-seq": {"--all"}} {
				file := format(name, args...)
				assert.Equal(t, want, metricsOf(t, file), name)
				assert.Equal(t, want, byPackages(t, open(t, file)), "another program, %s", name)
			}

			iso := format("short-iso")
			text, err := os.ReadFile(iso)
			require.NoError(t, err)
			later := filepath.Join(t.TempDir(), "later")
			require.NoError(t, os.WriteFile(later, bytes.ReplaceAll(text, []byte("+0100 "), []byte("+01:00 ")), 0o644))
			shortISO := call(t, nil, "", iso)
			assert.Equal(t, shortISO, result{
				shortISO.code, shortISO.stdout, strings.ReplaceAll(call(t, nil, "", later).stderr, later, iso),
			}, "systemd 255")
			assert.Equal(t, shortISO.stdout, byPackages(t, open(t, iso)), "another program, short-iso")
			compareShortISO(t, metrictest.Flat(t, want), metrictest.Flat(t, shortISO.stdout))
			for _, name := range []string{"short-iso-precise", "short", "short-precise", "short-full", "short-unix", "with-unit"} {
				file := format(name)
				got := call(t, nil, "", file)
				assert.Equal(t, got.stdout, byPackages(t, open(t, file)), "another program, %s", name)
				assert.Equal(t, shortISO.code, got.code, name)
				assert.Equal(t, timeless(t, shortISO.stdout), timeless(t, got.stdout), name)
			}
		})
	}
}

// compareShortISO compares with a format that has whole seconds.
func compareShortISO(t *testing.T, want, got map[string]float64) {
	names := func(m map[string]float64) []string { return slices.Sorted(maps.Keys(m)) }
	assert.Equal(t, names(want), names(got))
	for name, w := range want {
		switch {
		case strings.Contains(name, "timestamp"):
			assert.InDelta(t, w, got[name], 1, name)
		case strings.Contains(name, "duration"):
			assert.InDelta(t, w, got[name], 2, name) // of two processes, as a rule
		default:
			assert.Equal(t, w, got[name], name)
		}
	}
}
