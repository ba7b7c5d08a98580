package metrics

import (
	"slices"
	"strconv"
	"time"

	"github.com/restic-exporter/restic-exporter/parser"
)

// The figures of all backups of a run are kept together, so that they never mix with
// those of another run.
var (
	snapshotFiles           = gauge("restic_snapshot_files", "Number of files in the backup, by how they compare with the parent snapshot.", keptUntil(backedUp), "backup", "state")
	snapshotDirs            = gauge("restic_snapshot_dirs", "Number of directories in the backup, by how they compare with the parent snapshot.", keptUntil(backedUp), "backup", "state")
	snapshotProcessedFiles  = gauge("restic_snapshot_processed_files", "Number of files that the backup processed.", keptUntil(backedUp), "backup")
	snapshotProcessedBytes  = gauge("restic_snapshot_processed_bytes", "Total size of the files that the backup processed.", keptUntil(backedUp), "backup")
	snapshotAddedBytes      = gauge("restic_snapshot_added_bytes", "Data that the backup added to the repository, before compression.", keptUntil(backedUp), "backup")
	snapshotStoredBytes     = gauge("restic_snapshot_stored_bytes", "Data that the backup added to the repository, after compression.", keptUntil(backedUp), "backup")
	snapshotUnreadableItems = gauge("restic_snapshot_unreadable_items", "Number of files and directories that the backup could not read.", keptUntil(backedUp), "backup")
	snapshotDuration        = gauge("restic_snapshot_duration_seconds", "Duration of the backup as restic reports it.", keptUntil(backedUp), "backup")
	snapshotLastCreated     = gauge("restic_snapshot_last_created_timestamp_seconds", "Unix time at which a snapshot was last saved.", timeKeptUntil(saved))

	// These three are the shell exporter's.
	repoFiles = gauge("restic_repo_files", "Number of files in the last backups, by how they compare with the parent snapshot.", keptUntil(backedUp), "state")
	repoDirs  = gauge("restic_repo_dirs", "Number of directories in the last backups, by how they compare with the parent snapshot.", keptUntil(backedUp), "state")
	repoSize  = gauge("restic_repo_size_bytes", "Data that the last backups added before compression (new), and size of the repository before the last prune (total).",
		keptUntilByValue(map[string]event{"new": backedUp, "total": pruned}), "state")
)

// snapshots adds the metrics of the run's backups, one by one and in total.
func (b *builder) snapshots() {
	var sum parser.Backup
	var last time.Time // when a snapshot was last saved
	place, summaries := 0, 0
	whole := true // all summaries were understood
	for _, p := range b.run.Processes {
		bk := p.Backup
		if bk == nil && p.Incomplete {
			last = later(last, p.End) // there is no summary, but it did save a snapshot
		}
		if bk == nil && p.Command != parser.CommandBackup || p.DryRun {
			continue
		}
		place++ // failed backups count, too, so that the others keep their numbers
		whole = whole && (p.SyntaxErrors == 0 || p.Fatal != "")
		if bk == nil {
			continue
		}
		summaries++
		b.snapshot(bk, strconv.Itoa(place))
		sum.Files, sum.Dirs = add(sum.Files, bk.Files), add(sum.Dirs, bk.Dirs)
		sum.AddedBytes += bk.AddedBytes
		last = later(last, bk.Saved)
	}
	if summaries > 0 {
		b.happens(backedUp, "")
	}
	if summaries > 0 && whole {
		b.changes(repoFiles, sum.Files)
		b.changes(repoDirs, sum.Dirs)
		b.set(repoSize, float64(sum.AddedBytes), "new")
	}
	if !last.IsZero() {
		b.happens(saved, "")
		b.setTime(snapshotLastCreated, last)
	}
}

// snapshot adds the metrics of one backup. place is its number in the run.
func (b *builder) snapshot(bk *parser.Backup, place string) {
	b.changes(snapshotFiles, bk.Files, place)
	b.changes(snapshotDirs, bk.Dirs, place)
	b.set(snapshotProcessedFiles, float64(bk.ProcessedFiles), place)
	b.set(snapshotProcessedBytes, float64(bk.ProcessedBytes), place)
	b.set(snapshotAddedBytes, float64(bk.AddedBytes), place)
	if bk.Unreadable != nil {
		b.set(snapshotUnreadableItems, float64(*bk.Unreadable), place)
	}
	if bk.StoredBytes != nil {
		b.set(snapshotStoredBytes, float64(*bk.StoredBytes), place)
	}
	if bk.Duration != nil {
		b.set(snapshotDuration, elapsed(*bk.Duration), place)
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func (b *builder) changes(f *family, c parser.Changes, place ...string) {
	b.set(f, float64(c.New), append(slices.Clone(place), "new")...)
	b.set(f, float64(c.Changed), append(slices.Clone(place), "changed")...)
	b.set(f, float64(c.Unmodified), append(slices.Clone(place), "unmodified")...)
}

func add(a, b parser.Changes) parser.Changes {
	return parser.Changes{New: a.New + b.New, Changed: a.Changed + b.Changed, Unmodified: a.Unmodified + b.Unmodified}
}
