package parser_test

import (
	"bytes"
	"errors"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	_ "github.com/restic-exporter/restic-exporter/internal/golden" // go test ./... -update
	"github.com/restic-exporter/restic-exporter/parser"
)

// collect reads lines of one process with a process ID, where names in the
// log cannot begin another command.
func collect(t *testing.T, log string) []parser.Process {
	t.Helper()
	var c parser.Collector
	for line := range bytes.Lines([]byte(log)) {
		require.NoError(t, c.Add(parser.Line{PID: 7, Text: line}))
	}
	return c.Processes()
}

// one is a run of a single process that is about c.
func one(r parser.Process) []parser.Process {
	r.PID = 7
	return []parser.Process{r}
}

func seconds(n float64) *time.Duration { return new(time.Duration(n * float64(time.Second))) }

var small = parser.Backup{
	Files: parser.Changes{New: 18}, Dirs: parser.Changes{New: 4},
	AddedBytes: 1035, StoredBytes: new(uint64(856)),
	ProcessedFiles: 18, ProcessedBytes: 941249, Duration: seconds(0), Snapshot: "298b4840", Unreadable: new(uint64(0)),
}

const smallText = `
Files:          18 new,     0 changed,     0 unmodified
Dirs:            4 new,     0 changed,     0 unmodified
Added to the repository: 1.011 KiB (856 B   stored)

processed 18 files, 919.188 KiB in 0:00
snapshot 298b4840 saved
`

func with(b parser.Backup, change func(*parser.Backup)) *parser.Backup {
	change(&b)
	return &b
}

// missing is the log of a backup some of whose sources do not exist.
func missing(names ...string) string {
	return strings.Join(names, " does not exist, skipping\n") +
		" does not exist, skipping\nno parent snapshot found, will read all files\n" + smallText
}

// A backupTest is the output of a backup, and what it gives.
type backupTest struct {
	log  string
	want parser.Process // without what Backup shows, too: Command and Unreadable
}

func testBackups(t *testing.T, tests map[string]backupTest) {
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.want.Command = parser.CommandBackup
			if b := test.want.Backup; b != nil && b.Unreadable != nil {
				test.want.Unreadable = *b.Unreadable
			}
			assert.Equal(t, one(test.want), collect(t, test.log))
		})
	}
}

func TestBackup(t *testing.T) {
	tests := map[string]backupTest{
		"0.9.0": {`
open repository
lock repository
Files:          18 new,     0 changed,     0 unmodified
Dirs:            4 new,     0 changed,     0 unmodified
Added:      1.011 KiB
processed 18 files, 919.188 KiB in 0:00
snapshot 298b4840 saved
`, parser.Process{Done: true, Backup: with(small, func(b *parser.Backup) { b.StoredBytes = nil })}},
		"0.9.2 to 0.13, padded": {`
Files:           0 new,     0 changed, 235933 unmodified
Dirs:            0 new,     0 changed,     1 unmodified
Data Blobs:      0 new
Tree Blobs:      0 new
Added to the repo: 0 B  
processed 235933 files, 1.500 TiB in 25:11:12
snapshot 298b4840 saved
`, parser.Process{Done: true, Backup: &parser.Backup{
			Files: parser.Changes{Unmodified: 235933}, Dirs: parser.Changes{Unmodified: 1},
			ProcessedFiles: 235933, ProcessedBytes: 3 << 39, Duration: seconds(25*3600 + 11*60 + 12), Snapshot: "298b4840",
			Unreadable: new(uint64(0)),
		}}},
		"0.14": {smallText, parser.Process{Done: true, Backup: &small}},
		"sizes above TiB": {`
Files:           1 new,     0 changed,     0 unmodified
Dirs:            0 new,     0 changed,     0 unmodified
Added to the repository: 1.000 PiB (2.000 EiB stored)
processed 1 files, 1024.000 TiB in 1:00
snapshot 298b4840 saved
`, parser.Process{Done: true, Backup: &parser.Backup{
			Files: parser.Changes{New: 1}, AddedBytes: 1 << 50, StoredBytes: new(uint64(2 << 60)),
			ProcessedFiles: 1, ProcessedBytes: 1 << 50, Duration: seconds(60), Snapshot: "298b4840", Unreadable: new(uint64(0)),
		}}},
		"skipped snapshot, nonsense for a duration (0.18)": {`
using parent snapshot 298b4840
Files:           0 new,     0 changed,    12 unmodified
Dirs:            0 new,     0 changed,     4 unmodified
Added to the repository: 0 B   (0 B   stored)
processed 12 files, 6.778 MiB in 5124095573468383:13:00
skipped creating snapshot
`, parser.Process{Done: true, Backup: &parser.Backup{
			Files: parser.Changes{Unmodified: 12}, Dirs: parser.Changes{Unmodified: 4}, StoredBytes: new(uint64(0)),
			ProcessedFiles: 12, ProcessedBytes: 7107248, Unreadable: new(uint64(0)),
		}}},
		"dry run": {`
Files:           7 new,     5 changed,   246 unmodified
Dirs:            0 new,     9 changed,    17 unmodified
Would add to the repository: 798.392 KiB (768.004 KiB stored)
processed 258 files, 13.192 MiB in 0:00
`, parser.Process{Done: true, DryRun: true}},
		"partial": {`
no parent snapshot found, will read all files
error: open /srv/secret: permission denied` + smallText + `Warning: at least one source file could not be read
`, parser.Process{Done: true, Incomplete: true, Errors: 1, Backup: with(small, func(b *parser.Backup) { b.Unreadable = new(uint64(1)) })}},
		"partial, before 0.10 warned": {`
error: open /srv/secret: permission denied
Files:          18 new,     0 changed,     0 unmodified
Dirs:            4 new,     0 changed,     0 unmodified
Added to the repo: 1.011 KiB
processed 18 files, 919.188 KiB in 0:00
snapshot 298b4840 saved
`, parser.Process{
			Done: true, Errors: 1, Backup: with(small, func(b *parser.Backup) { b.Unreadable, b.StoredBytes = new(uint64(1)), nil }),
		}},
		"a source is missing": {"/srv/none does not exist, skipping\nopen repository\n" + smallText,
			parser.Process{
				Done: true, Missing: 1, Errors: 1, Backup: with(small, func(b *parser.Backup) { b.Unreadable = new(uint64(1)) }),
			}},
		"sources are missing whose names begin as lines of restic's do": {
			missing("photos", "work", "www", "files", "Files", "repo", "keys", "Archive", "snapshots", "done", "7 snapshots",
				"[x]", "{}", "read all data"),
			parser.Process{
				Done: true, Missing: 14, Errors: 14, Backup: with(small, func(b *parser.Backup) { b.Unreadable = new(uint64(14)) }),
			}},
		"an error in the middle of the summary": {`
Files:          18 new,     0 changed,     0 unmodified
error: lstat /srv/x: no such file or directory
Dirs:            4 new,     0 changed,     0 unmodified
Added to the repository: 1.011 KiB (856 B   stored)
processed 18 files, 919.188 KiB in 0:00
snapshot 298b4840 saved
Warning: at least one source file could not be read
`, parser.Process{Done: true, Incomplete: true, Errors: 1, Backup: with(small, func(b *parser.Backup) { b.Unreadable = new(uint64(1)) })}},
		"without its last line, partial": {`
no parent snapshot found, will read all files
error: open /srv/secret: permission denied
Files:          18 new,     0 changed,     0 unmodified
Dirs:            4 new,     0 changed,     0 unmodified
Added to the repo: 926.784 KiB
processed 18 files, 919.188 KiB in 0:00
Warning: failed to read all source data during backup
`, parser.Process{Done: true, Incomplete: true, Errors: 1, Backup: with(small, func(b *parser.Backup) {
			b.Unreadable, b.Snapshot, b.StoredBytes = new(uint64(1)), "", nil
			b.Files, b.Dirs, b.AddedBytes = parser.Changes{New: 18}, parser.Changes{New: 4}, 949027
			b.ProcessedFiles, b.ProcessedBytes = 18, 941249
		})}},
		"a damaged repository": {"no parent snapshot found, will read all files\n" +
			"error: /srv/fd/sub: tree a0231bfc000000000000000000000000000000000000000000000000000081e4 is not known; the repository " +
			"could be damaged, run `repair index` to try to repair it\n" + smallText +
			"Warning: at least one source file could not be read\n",
			parser.Process{Done: true, Incomplete: true, Errors: 1, Backup: &small}},
		"cut off before the snapshot": {`
no parent snapshot found, will read all files
Files:          18 new,     0 changed,     0 unmodified
Dirs:            4 new,     0 changed,     0 unmodified
Added to the repository: 1.011 KiB (856 B   stored)
processed 18 files, 919.188 KiB in 0:00
`, parser.Process{SyntaxErrors: 1}},
		"interrupted": {"no parent snapshot found, will read all files\n\x1b[2Ksignal terminated received, cleaning up\n" +
			"Fatal: unable to save snapshot: context canceled\n",
			parser.Process{Fatal: "Fatal: unable to save snapshot: context canceled", Cause: parser.CauseKilled}},
		"JSON": {
			`{"message_type":"status","percent_done":1,"total_files":240}
{"message_type":"summary","files_new":7,"files_changed":5,"files_unmodified":228,"dirs_new":0,"dirs_changed":9,` +
				`"dirs_unmodified":18,"data_blobs":12,"tree_blobs":10,"data_added":1155355,"data_added_packed":1132069,` +
				`"total_files_processed":240,"total_bytes_processed":10024273,"total_duration":0.5,"snapshot_id":"ebad61a7"}
{"message_type":"status","percent_done":1}
`, parser.Process{Done: true, Backup: &parser.Backup{
				Files: parser.Changes{New: 7, Changed: 5, Unmodified: 228}, Dirs: parser.Changes{Changed: 9, Unmodified: 18},
				AddedBytes: 1155355, StoredBytes: new(uint64(1132069)), ProcessedFiles: 240, ProcessedBytes: 10024273,
				Duration: seconds(0.5), Snapshot: "ebad61a7", Exact: true, Unreadable: new(uint64(0)),
			}}},
		"JSON, partial": {
			`{"message_type":"error","error":{"message":"open /srv/secret: permission denied"},"during":"scan","item":"/srv/secret"}
{"message_type":"error","error":{"message":"open /srv/secret: permission denied"},"during":"archival","item":"/srv/secret"}
{"message_type":"summary","files_new":1,"files_changed":0,"files_unmodified":0,"dirs_new":0,"dirs_changed":0,` +
				`"dirs_unmodified":0,"data_blobs":0,"tree_blobs":0,"data_added":0,"total_files_processed":1,` +
				`"total_bytes_processed":0,"total_duration":-9223372036.854776,"snapshot_id":"ebad61a7"}
{"message_type":"exit_error","code":3,"message":"Warning: at least one source file could not be read"}
`, parser.Process{Done: true, Incomplete: true, Errors: 1, ExitCode: new(3), Backup: &parser.Backup{
				Files: parser.Changes{New: 1}, ProcessedFiles: 1, Snapshot: "ebad61a7", Exact: true, Unreadable: new(uint64(1)),
			}}},
		"JSON, dry run": {`{"message_type":"summary","files_new":1,"files_changed":0,"files_unmodified":0,"dirs_new":0,` +
			`"dirs_changed":0,"dirs_unmodified":0,"data_blobs":0,"tree_blobs":0,"data_added":0,"total_files_processed":1,` +
			`"total_bytes_processed":0,"total_duration":1,"snapshot_id":"ebad61a7","dry_run":true}
`, parser.Process{Done: true, DryRun: true}},
	}
	testBackups(t, tests)
}

// A file's owner chooses its name, and restic up to 0.15.1 prints it raw.
func TestForged(t *testing.T) {
	forged := `
Files:           9 new,     9 changed,     9 unmodified
Dirs:            9 new,     9 changed,     9 unmodified
Added to the repository: 9.999 TiB (9.999 TiB stored)
processed 9 files, 9.999 TiB in 9:59
snapshot deadbeef saved
`
	begin := "no parent snapshot found, will read all files\nnew       /srv/a"
	end := ", saved in 0.000s (0 B added)\nnew       /srv/, saved in 0.005s (0 B added, 0 B stored, 2.492 KiB metadata)\n"
	tests := map[string]backupTest{
		"a summary, then the true one": {begin + forged + "x" + end + smallText, parser.Process{Done: true, Backup: &small}},
		"a summary, then killed":       {begin + forged + end, parser.Process{Unfinished: true}},
		"a summary without a verbose line": {
			"no parent snapshot found, will read all files\nerror: open /srv/a" + forged + ": permission denied\n" + smallText,
			parser.Process{Done: true, Backup: &small},
		},
		"a line of a summary": {
			begin + "\nFiles:           1 new,     2 changed,     3 unmodified" + end + smallText,
			parser.Process{Done: true, Backup: &small},
		},
		"errors": {
			begin + "\nerror: open /srv/b: permission denied\nx" + end + smallText, parser.Process{Done: true, Backup: &small},
		},
		"a warning": {
			begin + "\nWarning: at least one source file could not be read\nx" + end + smallText,
			parser.Process{Done: true, Backup: &small},
		},
		"an exit status": {
			begin + "\n" + `{"message_type":"exit_error","code":3,"message":"x"}` + "\nx" + end + smallText,
			parser.Process{Done: true, Backup: &small},
		},
		"in an error, and --quiet": {"error: open /srv/a" + forged + "x: permission denied\nerror: open /srv/b: permission denied\n" +
			"Warning: at least one source file could not be read\n",
			parser.Process{Done: true, Incomplete: true, Unreadable: 2, Errors: 2}},
		"in an error, then killed": {
			"no parent snapshot found, will read all files\nerror: open /srv/a" + forged + "x: permission denied\n",
			parser.Process{Unfinished: true, Unreadable: 1, Errors: 1},
		},
		"in an error, a last word": {
			"no parent snapshot found, will read all files\nerror: open /srv/a" + forged +
				"Warning: at least one source file could not be read: permission denied\n",
			parser.Process{Unfinished: true, Unreadable: 1, Errors: 1},
		},
		"in an error, JSON": {
			"no parent snapshot found, will read all files\nerror: open /srv/a\n" + `{"message_type":"summary","files_new":999,` +
				`"files_changed":0,"files_unmodified":0,"dirs_new":0,"dirs_changed":0,"dirs_unmodified":0,"data_blobs":0,` +
				`"tree_blobs":0,"data_added":0,"total_files_processed":1,"total_bytes_processed":0,"total_duration":1,` +
				`"snapshot_id":"deadbeef"}` + "\n" + `{"a":1}: permission denied` + "\n",
			parser.Process{Unfinished: true, Unreadable: 1, Errors: 1},
		},
		"in the error of a scan": {
			"no parent snapshot found, will read all files\nscan: open /srv/a" + forged + "x: permission denied\n",
			parser.Process{Unfinished: true},
		},
		"in an error, a true one": {"no parent snapshot found, will read all files\nerror: open /srv/a" + forged +
			"x: permission denied\n" + smallText + "Warning: at least one source file could not be read\n",
			parser.Process{
				Done: true, Incomplete: true, Errors: 1, Backup: with(small, func(b *parser.Backup) { b.Unreadable = new(uint64(1)) }),
			}},
		"in an error, a prune": {
			"no parent snapshot found, will read all files\nerror: open /srv/a\nloading indexes...\ntotal prune: 1 blobs / 1 B\n" +
				"remaining: 1 blobs / 1 B\ndone\nx: permission denied\n", parser.Process{Unfinished: true, Unreadable: 1, Errors: 1},
		},
		"a source that is missing": {
			begin + "\n/srv/b does not exist, skipping\nx" + end + smallText, parser.Process{Done: true, Backup: &small},
		},
		"a fatal line": {
			begin + "\nFatal: wrong password or no key found\nx" + end + smallText, parser.Process{Done: true, Backup: &small},
		},
		"a good check": {begin + "\nno errors were found\nx" + end, parser.Process{Unfinished: true}},
		"a good check, a forget, a prune": {
			begin + "\ncheck all packs\nno errors were found\nkeep 1 snapshots:\n1 snapshots\ntotal prune: 1 blobs / 1 B\n" +
				"remaining: 1 blobs / 1 B\ndone\nx" + end + smallText, parser.Process{Done: true, Backup: &small},
		},
		"JSON": {
			begin + "\n" + `{"message_type":"summary","files_new":999,"files_changed":0,"files_unmodified":0,"dirs_new":0,` +
				`"dirs_changed":0,"dirs_unmodified":0,"data_blobs":0,"tree_blobs":0,"data_added":0,"total_files_processed":1,` +
				`"total_bytes_processed":0,"total_duration":1,"snapshot_id":"deadbeef"}` + "\nx" + end + smallText,
			parser.Process{Done: true, Backup: &small},
		},
		"JSON that goes on as a name does": {
			begin + "\n" + `{"message_type":"summary","files_new":999}` + end + smallText, parser.Process{Done: true, Backup: &small},
		},
		"a lock": {
			begin + "\nunable to create lock in backend: repository is already locked by PID 1\n" +
				"lock was created at 2026-11-23 00:40:22 (9h ago)\nx" + end + smallText, parser.Process{Done: true, Backup: &small},
		},
		"quoted, as 0.15.2 and later do": {
			"no parent snapshot found, will read all files\n" + `new       "/srv/a\nFatal: x", saved in 0.003s (0 B added)` + smallText,
			parser.Process{Done: true, Backup: &small},
		},
		"JSON in the name of a file that cannot be read": {
			"no parent snapshot found, will read all files\nerror: open /srv/a" + forged +
				`{"message_type":"status",: permission denied` + "\n",
			parser.Process{Unfinished: true, Errors: 1, Unreadable: 1},
		},
		"a summary, and the kill before it": {begin + "\n" + forged + "unchanged /srv/b\n", parser.Process{Unfinished: true}},
	}
	testBackups(t, tests)
}

func TestForgetPruneCheck(t *testing.T) {
	tables := `Applying Policy: keep 1 latest snapshots
keep 1 snapshots:
ID        Time                 Host        Tags        Reasons        Paths      Size
2564248e  2026-11-23 00:09:20  t1                      last snapshot  /srv/data  8.662 MiB
Timestamps shown in local time
1 snapshots
remove 2 snapshots:
2 snapshots
`
	plan := `to repack:            28 blobs / 20.396 KiB
this removes:          9 blobs / 5.649 KiB
to delete:             0 blobs / 0 B
total prune:           9 blobs / 5.649 KiB
remaining:           252 blobs / 8.688 MiB
unused size after prune: 370 B (0.00% of remaining size)
`
	prune := parser.Prune{
		Removed: parser.Blobs{Count: 9, Bytes: 5785}, Repacked: &parser.Blobs{Count: 28, Bytes: 20886},
		Remaining: parser.Blobs{Count: 252, Bytes: 9110028}, TotalBytes: 9115813, Unused: new(uint64(370)),
	}
	forget := &parser.Forget{Kept: 1, Removed: 2}
	tests := map[string]struct {
		log  string
		want parser.Process
	}{
		"forget": {tables + "[0:00] 100.00%  2 / 2 files deleted\n",
			parser.Process{Command: parser.CommandForget, Done: true, Forget: forget}},
		"forget, nothing matches": {"Applying Policy: keep 1 latest snapshots\n",
			parser.Process{Command: parser.CommandForget, Done: true, Forget: &parser.Forget{}}},
		"forget, fails behind its policy": {"Applying Policy: keep 1 latest snapshots\nFatal: it broke\n",
			parser.Process{Command: parser.CommandForget, Fatal: "Fatal: it broke", Cause: parser.CauseOther}},
		"forget, cut off behind a group": {"Applying Policy: keep 1 latest snapshots\nsnapshots for (host [t1]):\n",
			parser.Process{Command: parser.CommandForget, Unfinished: true}},
		"forget, cut off before it deletes": {tables, parser.Process{Command: parser.CommandForget, Unfinished: true, Forget: forget}},
		"forget, 0.9, says nothing of deleting": {"Applying Policy: keep the last 1 snapshots snapshots\nkeep 1 snapshots:\n" +
			"1 snapshots\nremove 2 snapshots:\n2 snapshots\n",
			parser.Process{Command: parser.CommandForget, Done: true, Forget: forget}},
		"forget, JSON": {`[{"tags":null,"host":"t1","paths":["/srv"],"keep":[{"id":"1"}],"remove":[{"id":"2"},{"id":"3"}],` +
			`"reasons":[]},{"tags":null,"host":"t1","paths":["/etc"],"keep":[{"id":"4"}],"remove":null,"reasons":[]}]
`, parser.Process{Command: parser.CommandForget, Done: true, Forget: &parser.Forget{Kept: 2, Removed: 2}}},
		"forget --prune": {tables + "[0:00] 100.00%  2 / 2 files deleted\n2 snapshots have been removed, running prune\n" +
			"loading indexes...\n" + plan + "repacking packs\nrebuilding index\nremoving 1 old packs\ndone\n",
			parser.Process{Command: parser.CommandPrune, Done: true, Forget: forget, Prune: &prune}},
		"prune, cut off": {
			"loading all snapshots...\n" + plan + "repacking packs\n", parser.Process{Command: parser.CommandPrune, Unfinished: true},
		},
		"prune, dry run": {"loading all snapshots...\nWould have made the following changes:\n" + plan,
			parser.Process{Command: parser.CommandPrune, Done: true, DryRun: true}},
		"prune, nothing left, a wrapped size": {"loading indexes...\n" + `to repack:             0 blobs / 0 B
this removes           0 blobs / 0 B
to delete:             3 blobs / 1.000 KiB
total prune:           3 blobs / 1.000 KiB
remaining:             0 blobs / 0 B
unused size after prune: 16777215.991 TiB ( of remaining size)
done
`, parser.Process{Command: parser.CommandPrune, Done: true, Prune: &parser.Prune{
			Removed: parser.Blobs{Count: 3, Bytes: 1024}, Repacked: &parser.Blobs{}, TotalBytes: 1024,
		}}},
		"prune, before 0.12": {`counting files in repo
building new index for repo
[0:00] 100.00%  5 / 5 packs
repository contains 5 packs (261 blobs) with 8.786 MiB
processed 261 blobs: 0 duplicate blobs, 0 B duplicate
load all snapshots
find data that is still in use for 1 snapshots
found 247 of 261 data blobs still in use, removing 14 blobs
will remove 0 invalid files
will delete 0 packs and rewrite 3 packs, this frees 24.089 KiB
counting files in repo
done
`, parser.Process{Command: parser.CommandPrune, Done: true, Prune: &parser.Prune{
			Removed: parser.Blobs{Count: 14, Bytes: 24667}, Remaining: parser.Blobs{Count: 247, Bytes: 9188122}, TotalBytes: 9212789,
		}}},
		"rebuild-index is no prune": {
			"loading indexes...\ngetting pack files to read...\nrebuilding index\ndone\n", parser.Process{Command: ""},
		},
		"check": {
			"using temporary cache in /tmp/x\nload indexes\ncheck all packs\nno errors were found\n",
			parser.Process{Command: parser.CommandCheck, Done: true, Check: &parser.Check{}},
		},
		"check, damaged": {`load indexes
check all packs
error for tree 1a5ea0a4:
  decrypting blob 1a5ea0a4 failed: ciphertext verification failed
read all data
pack f55e94db contains 2 errors: [blob ad0b34f1: decrypting failed]
pack f55e94dc: not referenced in any index
Fatal: repository contains errors
`, parser.Process{
			Command: parser.CommandCheck, Errors: 2, Check: &parser.Check{Errors: 2}, Fatal: "Fatal: repository contains errors",
			Cause: parser.CauseCheckErrors,
		}},
		"check, damaged, with a line of a later release": {"load indexes\nsomething new\nFatal: repository contains errors\n",
			parser.Process{Command: parser.CommandCheck, SyntaxErrors: 1, Fatal: "Fatal: repository contains errors",
				Cause: parser.CauseCheckErrors}},
		"check, JSON": {`{"message_type":"summary","num_errors":0,"broken_packs":null,"suggest_repair_index":false,"suggest_prune":false}
`, parser.Process{Command: parser.CommandCheck, Done: true, Check: &parser.Check{}}},
		"check, JSON, damaged": {`{"message_type":"error","message":"error for tree c6eb0003:\n"}
{"message_type":"error","message":"  decrypting blob \u003ctree/c6eb0003\u003e from 8ffbb515 failed: ciphertext verification failed\n"}
{"message_type":"error",` +
			`"message":"pack 8ffbb5152a21cee482af9bff379f0219a2122f6d570c54c30fe4eb7bcadf4c31 contains 2 errors: [blob ` +
			`c6eb00037ddecf40b0aa25016feeaa360999783983b96a407f5c11c7bebf6778: decrypting failed]\n"}
{"message_type":"error","message":"download error: open /srv/repo/data/62/629cb0bd: no such file or directory\n"}
{"message_type":"error","message":"\nThe repository contains damaged pack files.\n\n"}
{"message_type":"error","message":"restic repair packs 8ffbb515\nrestic repair snapshots --forget\n\n"}
{"message_type":"exit_error","code":1,"message":"Fatal: repository contains errors"}
{"message_type":"summary","num_errors":3,"broken_packs":null,"suggest_repair_index":false,"suggest_prune":false}
`, parser.Process{
			Command: parser.CommandCheck, Errors: 3, Check: &parser.Check{Errors: 3}, ExitCode: new(1),
			Fatal: "Fatal: repository contains errors", Cause: parser.CauseCheckErrors,
		}},
		"check, a pack is missing": {"load indexes\npack 629cb0bd: does not exist\n" +
			"download error: open /srv/repo/data/62/629cb0bd: no such file or directory\nFatal: repository contains errors\n",
			parser.Process{
				Command: parser.CommandCheck, Errors: 2, Check: &parser.Check{Errors: 2}, Fatal: "Fatal: repository contains errors",
				Cause: parser.CauseCheckErrors,
			}},
		"forget that may not remove": {tables + "Remove(<snapshot/9a20db5448>) failed: remove /srv/repo/x: permission denied\n" +
			"[0:00] 50.00%  1 / 2 files deleted\nfailed to remove one or more snapshots\n",
			parser.Process{
				Command: parser.CommandForget, Forget: &parser.Forget{Kept: 1, Removed: 1, Failed: 1},
				Fatal: "failed to remove one or more snapshots", Cause: parser.CauseOther,
			}},
		"forget that may not remove, and exits with 0": {tables + "[0:00] 0.00%  0 / 2 files deleted\n",
			parser.Process{
				Command: parser.CommandForget, Forget: &parser.Forget{Kept: 1, Failed: 2},
				Fatal: "[0:00] 0.00%  0 / 2 files deleted", Cause: parser.CauseOther,
			}},
		"forget that shows how far it is": {tables + "[0:00] 50.00%  1 / 2 files deleted\n[0:01] 100.00%  2 / 2 files deleted\n",
			parser.Process{Command: parser.CommandForget, Done: true, Forget: forget}},
		"check, JSON, locked": {`{"message_type":"summary","num_errors":1,"broken_packs":null,"suggest_repair_index":false,` +
			`"suggest_prune":false}
{"message_type":"exit_error","code":11,` +
			`"message":"unable to create lock in backend: repository is already locked by PID 1\nlock was created at ` +
			`2026-11-23 00:40:22 (1h2m3s ago)\nstorage ID a16e70a7"}
`, parser.Process{
			Command: parser.CommandCheck, ExitCode: new(11),
			Fatal: "unable to create lock in backend: repository is already locked by PID 1", Cause: parser.CauseLocked,
			Lock: &parser.Lock{Age: seconds(3723)},
		}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, one(test.want), collect(t, test.log))
		})
	}
}

func TestOtherLines(t *testing.T) {
	const restoring = "restoring <Snapshot 3d252394 of [/srv/src] at 2026-11-28 17:12:14.450733756 +0000 UTC by root@vm> to t1\n"
	tests := map[string]struct {
		log  string
		want []parser.Process
	}{
		"nothing of restic's": {
			"Starting restic backup\n/var/backups/db.sql.gz\n\ndone\nprocessed 3 things\nFiles: none\nsnapshot of the day\n{}\n[]\n", nil,
		},
		"restic diff": {
			"Files:           1 new,     2 removed,     3 changed\nDirs:            1 new,     0 removed\n  Added:   1.000 MiB\n", nil,
		},
		"init": {"created restic repository 74eb236fb2 at /srv/repo\n", one(parser.Process{Command: parser.CommandInit, Done: true})},
		"copy": {
			"snapshot 298b4840 of [/srv] at 2026-11-23 00:09:20 by root@t1\n  copy started, this may take a while...\n" +
				"snapshot 53f36d46 saved\n", one(parser.Process{Command: parser.CommandCopy, Done: true}),
		},
		"restore": {
			"restoring snapshot 298b4840 of [/srv] at 2026-11-23 by root@t1 to /tmp/x\nunchanged /srv/a\n" +
				"Summary: Restored 18 files/dirs (1.000 MiB) in 0:00\n", one(parser.Process{Command: parser.CommandRestore, Done: true}),
		},
		"restore, to 0.15": {restoring, one(parser.Process{Command: parser.CommandRestore})},
		"restore --verify, to 0.15": {
			restoring + "verifying files in t1\nfinished verifying 2 files in t1\n",
			one(parser.Process{Command: parser.CommandRestore, Done: true}),
		},
		"restore --verify": {
			restoring + "Summary: Restored 3 files/dirs (29.300 KiB) in 0:00\nverifying files in t1\n" +
				"finished verifying 2 files in t1 (took 5ms)\n", one(parser.Process{Command: parser.CommandRestore, Done: true}),
		},
		"restore --verify, killed while it verifies": {
			restoring + "Summary: Restored 3 files/dirs (29.300 KiB) in 0:00\nverifying files in t1\n",
			one(parser.Process{Command: parser.CommandRestore, Unfinished: true}),
		},
		"restore --verify of damaged data": {
			restoring + "ignoring error for /src/a: ciphertext verification failed\n" +
				"Summary: Restored 2 / 3 files/dirs (3 B / 29.300 KiB) in 0:00\nFatal: There were 1 errors\n",
			one(parser.Process{
				Command: parser.CommandRestore, Errors: 1, Fatal: "Fatal: There were 1 errors", Cause: parser.CauseOther,
			}),
		},
		"restore --verify of damaged data, to 0.11": {
			restoring + "ignoring error for /src/a: UtimesNano: no such file or directory\nverifying files in t6\n" +
				"finished verifying 2 files in t6\nThere were 1 errors\n",
			one(parser.Process{
				Command: parser.CommandRestore, Errors: 1, Fatal: "There were 1 errors", Cause: parser.CauseOther,
			}),
		},
		"restore --quiet": {
			"Summary: Restored 4 / 1 files/dirs (4.000 KiB / 4.000 KiB) in 0:00\n",
			one(parser.Process{Command: parser.CommandRestore, Done: true}),
		},
		"restore --json": {
			`{"message_type":"status","percent_done":1,"total_files":3,"files_restored":2,"total_bytes":30003}` + "\n" +
				`{"message_type":"summary","total_files":3,"files_restored":3,"total_bytes":30003,"bytes_restored":30003}` + "\n",
			one(parser.Process{Command: parser.CommandRestore, Done: true}),
		},
		"restore --json of damaged data": {
			`{"message_type":"error","error":{"message":"lchown t7/src/a"},"during":"restore","item":"/src/a"}` + "\n" +
				`{"message_type":"summary","total_files":3,"files_restored":2,"total_bytes":30003,"bytes_restored":3}` + "\n" +
				`{"message_type":"exit_error","code":1,"message":"Fatal: There were 1 errors"}` + "\n",
			one(parser.Process{Command: parser.CommandRestore, Errors: 1, Fatal: "Fatal: There were 1 errors", Cause: parser.CauseOther,
				ExitCode: new(1)}),
		},
		"what is no ID": {smallText[:len(smallText)-len("298b4840 saved\n")] + "298b48401 saved\n",
			one(parser.Process{Command: parser.CommandBackup, SyntaxErrors: 1})},
		"a terminal's cursor is saved": {"\x1b7open repository\n", one(parser.Process{Command: parser.CommandBackup})},
		"an empty line":                {"load indexes\n\n", one(parser.Process{Command: parser.CommandCheck, Unfinished: true})},
		"an init after a failure": {"Fatal: wrong password or no key found\n" +
			"Fatal: create repository at /srv/repo failed: config file already exists\n",
			one(parser.Process{Fatal: "Fatal: wrong password or no key found", Cause: parser.CausePassword})},
		"a consequence of a failure": {"Fatal: wrong password or no key found\ncontext canceled\n",
			one(parser.Process{Fatal: "Fatal: wrong password or no key found", Cause: parser.CausePassword})},
		"a snapshot that cannot be removed, said twice": {"Applying Policy: keep 1 latest snapshots\nremove 1 snapshots:\n" +
			"ID        Time                 Host  Tags  Paths\n----------------\n298b4840  2026-11-23 00:40:22  h           /srv\n" +
			"----------------\n1 snapshots\nunable to remove snapshot/298b4840 from the repository\n" +
			"unable to remove <snapshot/298b4840> from the repository\n",
			one(parser.Process{Command: parser.CommandForget, Forget: &parser.Forget{Failed: 1}, Errors: 2, Cause: parser.CauseOther,
				Fatal: "unable to remove snapshot/298b4840 from the repository"})},
		"retries": {"Save(<data/0123456789>) returned error, retrying after 604.30163ms: server response unexpected: 500\n" +
			"Save(<data/0123456789>) operation successful after 1 retries\n",
			one(parser.Process{Retries: 1})},
		"a lock, and its age": {"repo already locked, waiting up to 0s for the lock\n" +
			"unable to create lock in backend: repository is already locked exclusively by PID 31519 on t1 by root (UID 0, GID 0)\n" +
			"lock was created at 2026-11-23 00:40:42 (15h32m7.9s ago)\nstorage ID c0288fbc\n",
			one(parser.Process{
				Fatal: "unable to create lock in backend: repository is already locked exclusively by PID 31519 on t1 by root (UID 0, " +
					"GID 0)",
				Cause: parser.CauseLocked, Lock: &parser.Lock{Age: seconds(55927.9)},
			})},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.want, collect(t, test.log))
		})
	}
}

func TestCause(t *testing.T) {
	tests := map[parser.Cause][]string{
		parser.CausePassword: {
			"Fatal: wrong password or no key found",
			"Resolving password failed: Fatal: /nonexist/pw does not exist",
			"Resolving password failed: exit status 1",
		},
		parser.CauseNoRepository: {
			"Fatal: repository does not exist: unable to open config file: stat /srv/none/config: no such file or directory",
			"Fatal: unable to open config file: Stat: stat /srv/none/config: no such file or directory",
		},
		parser.CauseNetwork: {
			`Fatal: unable to open config file: Head "http://127.0.0.1:1/config": dial tcp 127.0.0.1:1: connect: connection refused`,
			"unable to create lock in backend: dial tcp 192.0.2.1:443: connect: connection refused",
			`Fatal: unable to open config file: Head "http://backup/config": net/http: request canceled (Client.Timeout exceeded while x)`,
		},
		parser.CauseNoSource: {"Fatal: all source directories/files do not exist"},
		parser.CauseNoSpace: {
			"Fatal: unable to save snapshot: write /srv/repo/data/00/x: no space left on device",
			"unable to create lock in backend: write /srv/repo/locks/9a-tmp-1: no space left on device",
		},
		parser.CauseCheckErrors: {"Fatal: repository contains errors"},
		parser.CauseLocked: {
			"Fatal: unable to create lock in backend: repository is already locked by PID 31354 on t1 by root (UID 0, GID 0)",
		},
		parser.CauseNoAccess: {
			"Fatal: unable to open config file: open /srv/repo/config: permission denied",
			"Fatal: unable to open repository at s3:host/bucket: client.ListObjects: Access Denied.",
			"Fatal: /srv/no such host: access denied",
			`Fatal: tag 'it is' access denied`,
		},
		parser.CauseOther: { // what a line quotes does not count
			`Fatal: invalid backend: "x"`,
			`Fatal: tag "accessdenied" is not valid`,
			`Fatal: tag 'access denied' is not valid`,
			`Fatal: tag "access denied has no end`,
			"Fatal: cannot read /srv/access denied",
			"Fatal: cannot read /srv/my access denied",
			"Fatal: no access /srv/my files: denied",
			"Fatal: cannot read (/srv/access denied): file is bad",
			"Fatal: open https://backup/access denied: not valid",
			"Fatal: open sftp:backup/access denied: not valid",
			"Fatal: accessdenied.example.org says nothing",
			"Fatal: open /srv/repository: it does not exist",
		},
	}
	for want, lines := range tests {
		t.Run(string(want), func(t *testing.T) {
			for _, line := range lines {
				runs := collect(t, line)
				require.Len(t, runs, 1, line)
				assert.Equal(t, want, runs[0].Cause, line)
			}
		})
	}
}

func TestSyntaxError(t *testing.T) {
	block := "Files:          18 new,     0 changed,     0 unmodified\nDirs:            4 new,     0 changed,     0 unmodified\n"
	tests := map[string]struct {
		log  string
		want parser.SyntaxError
	}{
		"a count too large": {"Files: 99999999999999999999 new, 0 changed, 0 unmodified\n",
			parser.SyntaxError{Line: 1, Text: "Files: 99999999999999999999 new, 0 changed, 0 unmodified", Err: strconv.ErrRange}},
		"a count that is none": {"Files: x new, 0 changed, 0 unmodified\n",
			parser.SyntaxError{Line: 1, Text: "Files: x new, 0 changed, 0 unmodified", Err: strconv.ErrSyntax}},
		"an unknown unit": {block + "Added to the repo: 1.000 YiB\n",
			parser.SyntaxError{Line: 3, Text: "Added to the repo: 1.000 YiB", Err: strconv.ErrSyntax}},
		"a fraction of a byte": {block + "Added to the repo: 1.234 B\n",
			parser.SyntaxError{Line: 3, Text: "Added to the repo: 1.234 B", Err: strconv.ErrSyntax}},
		"a size above 64 bits": {block + "Added to the repo: 17.000 EiB\n",
			parser.SyntaxError{Line: 3, Text: "Added to the repo: 17.000 EiB", Err: strconv.ErrRange}},
		"a duration that is none": {block + "Added to the repo: 1.000 KiB\nprocessed 7 files, 7.000 GiB in 7:77\n",
			parser.SyntaxError{Line: 4, Text: "processed 7 files, 7.000 GiB in 7:77", Err: strconv.ErrSyntax}},
		"a prune that does not add up": {"loading indexes...\nto repack: 0 blobs / 0 B\nthis removes: 0 blobs / 0 B\n" +
			"to delete: 2 blobs / 1.000 KiB\ntotal prune: 3 blobs / 1.000 KiB\nremaining: 0 blobs / 0 B\n" +
			"unused size after prune: 0 B (0.00% of remaining size)\ndone\n",
			parser.SyntaxError{Line: 8, Text: "done", Err: strconv.ErrSyntax}},
		"a duration of one digit too few": {block + "Added to the repo: 1.000 KiB\nprocessed 7 files, 7.000 GiB in 7:7\n",
			parser.SyntaxError{Line: 4, Text: "processed 7 files, 7.000 GiB in 7:7", Err: strconv.ErrSyntax}},
		"a duration with days": {block + "Added to the repo: 1.000 KiB\nprocessed 7 files, 7.000 GiB in 1:02:03:04\n",
			parser.SyntaxError{Line: 4, Text: "processed 7 files, 7.000 GiB in 1:02:03:04", Err: strconv.ErrSyntax}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := parser.Parse(bytes.Lines([]byte(test.log)))
			got, ok := errors.AsType[*parser.SyntaxError](err)
			require.True(t, ok, "%v", err)
			require.ErrorIs(t, got, test.want.Err)
			got.Err = test.want.Err
			assert.Equal(t, test.want, *got)
		})
	}

	t.Run("is counted where it alone is restic's", func(t *testing.T) {
		for line, command := range map[string]parser.Command{
			"keep many snapshots:":                 parser.CommandForget,
			`{"message_type":"exit_error","code":`: "", // no command
		} {
			processes, err := parser.Parse(bytes.Lines([]byte(line + "\n")))
			require.Error(t, err)
			assert.Equal(t, []parser.Process{{Command: command, SyntaxErrors: 1}}, processes)
		}
	})

	t.Run("costs its line alone", func(t *testing.T) {
		runs, err := parser.Parse(bytes.Lines([]byte(`{"message_type":"summary","files_new":` + "\n" + smallText)))
		require.Error(t, err)
		assert.Equal(t, []parser.Process{{Command: parser.CommandBackup, Done: true, Backup: &small, SyntaxErrors: 1}}, runs)
	})
}

// TestRows: a complaint that a row of a table quotes does not count. Elsewhere the same words count.
func TestRows(t *testing.T) {
	read := func(log string) []parser.Process {
		var c parser.Collector
		for text := range bytes.Lines([]byte(log)) {
			require.NoError(t, c.Add(parser.Line{PID: 7, Restic: true, Text: text}))
		}
		return c.Processes()
	}
	row := "298b4840  2026-11-23 00:40:22  h           /srv/a: permission denied\n"
	table := "Applying Policy: keep 1 latest snapshots\nkeep 1 snapshots:\n" +
		"ID        Time                 Host  Tags  Paths\n----------------\n" + row + "----------------\n1 snapshots\n"
	process := parser.Process{Command: parser.CommandForget, Done: true, Forget: &parser.Forget{Kept: 1}}
	assert.Equal(t, one(process), read(table))
	process = parser.Process{Command: parser.CommandBackup, Unfinished: false, SyntaxErrors: 1}
	assert.Equal(t, one(process), read("no parent snapshot found, will read all files\n"+row))
}

// Without process IDs commands are told by their first and last lines.
func TestParseSeveral(t *testing.T) {
	log := "Fatal: unable to open config file: stat /srv/repo/config: no such file or directory\n" +
		"Is there a repository at the following location?\n/srv/repo\n" +
		"created restic repository 74eb236fb2 at /srv/repo\n" +
		"no parent snapshot found, will read all files\n" + smallText +
		"using parent snapshot 298b4840\n" + strings.ReplaceAll(smallText, "298b4840", "298b4841") +
		"Applying Policy: keep 1 latest snapshots\nkeep 1 snapshots:\n1 snapshots\n" +
		"using temporary cache in /tmp/x\ncreate exclusive lock for repository\nload indexes\ncheck all packs\nno errors were found\n"
	runs, err := parser.Parse(bytes.Lines([]byte(log)))
	require.NoError(t, err)
	assert.Equal(t, []parser.Process{
		{Fatal: "Fatal: unable to open config file: stat /srv/repo/config: no such file or directory", Cause: parser.CauseNoRepository},
		{Command: parser.CommandInit, Done: true},
		{Command: parser.CommandBackup, Done: true, Backup: &small},
		{Command: parser.CommandBackup, Done: true, Backup: with(small, func(b *parser.Backup) { b.Snapshot = "298b4841" })},
		{Command: parser.CommandForget, Done: true, Forget: &parser.Forget{Kept: 1}},
		{Command: parser.CommandCheck, Done: true, Check: &parser.Check{}},
	}, runs)
}

// A line of forget --json can be long, and hold anything.
func TestForgetJSONMemory(t *testing.T) {
	tests := map[string]string{
		"many elements":   `[{"tags":null,"keep":[` + strings.Repeat("{},", 4<<20) + `1]}]`,
		"many groups":     `[{"tags":null,"keep":[]}` + strings.Repeat(",{}", 4<<20) + `,1]`,
		"cut in a string": `[{"tags":null,"keep":[` + strings.Repeat("{},", 4<<20) + `"`,
	}
	for name, log := range tests {
		t.Run(name, func(t *testing.T) {
			text := []byte(log)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			var c parser.Collector
			_ = c.Add(parser.Line{Text: text})
			runtime.ReadMemStats(&after)
			assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20))
		})
	}
}

func TestSpans(t *testing.T) {
	at := func(s int64) time.Time { return time.Unix(s, 0) }
	var c parser.Collector
	for i, source := range []string{"restic-backup.sh", "cleanup-backups.sh", "restic-backup.sh", "restic-backup.sh"} {
		require.NoError(t, c.Add(parser.Line{Source: source, PID: i, Time: at(int64(10 * i)), Text: []byte("x")}))
	}
	want := []parser.Span{
		{Source: "restic-backup.sh", Start: at(0), End: at(30)},
		{Source: "cleanup-backups.sh", Start: at(10), End: at(10)},
	}
	assert.Equal(t, want, c.Spans())
	for second := range int64(2) {
		for i := range 20 {
			source := "script-" + strconv.Itoa(i)
			require.NoError(t, c.Add(parser.Line{Source: source, Time: at(100 + second), Text: []byte("x")}))
			if second == 0 {
				want = append(want, parser.Span{Source: source, Start: at(100), End: at(101)})
			}
		}
	}
	assert.Equal(t, want, c.Spans())
}

// Who skips lines adds their first and last times at the end.
func TestEarlierTimes(t *testing.T) {
	at := func(s int64) time.Time { return time.Unix(s, 0) }
	var c parser.Collector
	for _, l := range []parser.Line{
		{Text: []byte("open repository")},
		{Time: at(20), Text: []byte("lock repository")},
		{Time: at(30), Text: []byte("load index files")},
		{Time: at(10)},
		{Time: at(40)},
		{},
	} {
		l.Source, l.PID = "restic-backup.sh", 7
		require.NoError(t, c.Add(l))
	}
	want := parser.Process{Source: "restic-backup.sh", PID: 7, Command: parser.CommandBackup, Start: at(10), End: at(40)}
	assert.Equal(t, []parser.Process{want}, c.Processes())
	assert.Equal(t, []parser.Span{{Source: "restic-backup.sh", Start: at(10), End: at(40)}}, c.Spans())
}

// TestManyProcesses: a script can call very many programs, and a restic before, among and
// after them is known all the same, by its first line.
func TestManyProcesses(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	var c parser.Collector
	add := func(pid, second int, text string) {
		require.NoError(t, c.Add(parser.Line{Source: "restic-backup.sh", PID: pid, Time: at(second), Text: []byte(text)}))
	}
	backup := func(pid, second int) {
		for line := range strings.Lines(smallText) {
			add(pid, second, line)
		}
	}
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	const many = 200_000
	add(7, 1, "a script with a word of its own")
	add(8, 2, "open repository")
	add(7, 3, "open repository")
	before := heap()
	for i := range many {
		add(1000+i, 4, "copied a file")
		switch i {
		case many/2 - 4096:
			add(10, 3, "a script that goes on after many others")
		case many / 2:
			add(10, 5, "open repository")
			backup(9, 5)
		}
	}
	assert.Less(t, heap(), before+4<<20)
	backup(7, 6)
	backup(8, 7)
	backup(10, 8)
	type process struct{ PID, Start, End int }
	var got []process
	for _, p := range c.Processes() {
		got = append(got, process{p.PID, int(p.Start.Unix()), int(p.End.Unix())})
	}
	assert.Equal(t, []process{{7, 1, 6}, {8, 2, 7}, {10, 3, 8}, {9, 5, 5}}, got)
}

// TestSkipAsksWho: a line about a file discards the summary of its own process, so it
// cannot be skipped before it is known whose it is.
func TestSkipAsksWho(t *testing.T) {
	var c parser.Collector
	for i, log := range []string{smallText, "unchanged /a\n"} {
		for text := range bytes.Lines([]byte(log)) {
			require.NoError(t, c.Add(parser.Line{Source: "restic", PID: 7 + i, Text: text}))
		}
	}
	skips := func(pid int) bool { return c.Skip([]byte("unchanged /b\n"), func() int { return pid }) }
	assert.Equal(t, []bool{false, true}, []bool{skips(7), skips(8)})
}
