package metrics

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restic-exporter/restic-exporter/invocation"
	"github.com/restic-exporter/restic-exporter/parser"
	"github.com/restic-exporter/restic-exporter/textfile"
)

// FuzzRoundTrip: what is written is read back equal, whatever the labels and
// figures are; and a second run without a word keeps it as it is.
func FuzzRoundTrip(f *testing.F) {
	f.Add("site", "berlin", "restic", uint64(1), uint64(2), int64(1500), int64(1_700_000_000_000_001))
	f.Add("a", "\n\"\\\t", "\x00", uint64(1)<<63, uint64(0), int64(-1), int64(0))
	f.Fuzz(func(t *testing.T, label, value, version string, n, bytesAdded uint64, duration, start int64) {
		if CheckLabel(label, value) != nil || !utf8.ValidString(version) {
			t.Skip("refused before")
		}
		r := run(0, invocation.Succeeded, backupRun(0, parser.Backup{
			Files: parser.Changes{New: n}, ProcessedBytes: bytesAdded, AddedBytes: bytesAdded, StoredBytes: &n,
			Duration: new(time.Duration(duration)), Snapshot: "x",
		}))
		r.Start = time.UnixMicro(start)
		o := Options{Labels: map[string]string{label: value}, Version: version}
		want := families(t, r, nil, o)
		var text bytes.Buffer
		require.NoError(t, textfile.Encode(&text, want))
		got, err := textfile.Decode(&text)
		require.NoError(t, err)
		require.Len(t, got, len(want))
		for i := range want {
			assert.Equal(t, want[i].String(), got[i].String())
		}

		again := *r
		again.Processes = nil
		kept := flat(families(t, &again, got, o))
		for name, v := range flat(want) {
			if strings.HasPrefix(name, "snapshot_") {
				assert.Equal(t, v, kept[name], name)
			}
		}
	})
}

// FuzzOld: a file with any content neither stops the metrics of a run nor gets
// into them with what is not ours.
func FuzzOld(f *testing.F) {
	f.Add("x{n=\"a\"} 1\n")
	f.Add("restic_repo_files{unit=\"restic-backup.service\",state=\"new\"} NaN\n")
	f.Add("restic_repo_files{unit=\"restic-backup.service\"} 1\nrestic_run_consecutive_failures{unit=\"restic-backup.service\"} +Inf\n")
	f.Add("# TYPE restic_repo_files histogram\nrestic_repo_files_bucket{unit=\"restic-backup.service\",le=\"1\"} 1\n")
	f.Add("restic_step_success{unit=\"restic-backup.service\",step=\"\"} 1\n" +
		"restic_step_success{unit=\"restic-backup.service\",step=\"\",x=\"y\"} 1\n")
	f.Fuzz(func(t *testing.T, old string) {
		mfs, err := textfile.Decode(strings.NewReader(old))
		if err != nil {
			t.Skip("not read")
		}
		var text bytes.Buffer
		mfs, err = Families(run(0, invocation.Failed), mfs, builds)
		if err != nil {
			return
		}
		require.NoError(t, textfile.Encode(&text, mfs), "%s", old)
		_, err = textfile.Decode(&text)
		require.NoError(t, err)
	})
}
