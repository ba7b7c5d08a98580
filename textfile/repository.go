package textfile

import (
	"slices"
	"strconv"
	"time"

	"github.com/restic-exporter/restic-exporter/parser"
)

// backups makes the metrics of the run's backups, each and in sum.
func (b *builder) backups() {
	var sum parser.Backup
	var saved time.Time
	n := 0
	for _, run := range b.report.Processes {
		bk := run.Backup
		if bk == nil && run.Incomplete {
			saved = later(saved, run.End) // it says so and no more
		}
		if bk == nil || run.DryRun {
			continue
		}
		n++
		place := strconv.Itoa(n)
		b.changes("restic_snapshot_files", bk.Files, place)
		b.changes("restic_snapshot_dirs", bk.Dirs, place)
		b.set("restic_snapshot_processed_files", float64(bk.ProcessedFiles), place)
		b.set("restic_snapshot_processed_bytes", float64(bk.ProcessedBytes), place)
		b.set("restic_snapshot_added_bytes", float64(bk.AddedBytes), place)
		b.set("restic_snapshot_unreadable_items", float64(bk.Unreadable), place)
		if bk.StoredBytes != nil {
			b.set("restic_snapshot_stored_bytes", float64(*bk.StoredBytes), place)
		}
		if bk.Duration != nil {
			b.set("restic_snapshot_duration_seconds", elapsed(*bk.Duration), place)
		}
		sum.Files, sum.Dirs = add(sum.Files, bk.Files), add(sum.Dirs, bk.Dirs)
		sum.AddedBytes += bk.AddedBytes
		saved = later(saved, bk.Saved)
	}
	if n > 0 {
		b.changes("restic_repo_files", sum.Files)
		b.changes("restic_repo_dirs", sum.Dirs)
		b.set("restic_repo_size_bytes", float64(sum.AddedBytes), "new")
	} else {
		b.keep("restic_repo_files", "restic_repo_dirs")
		b.keepSeries("restic_repo_size_bytes", func(labels []string) bool { return labels[0] == "new" })
		b.keep("restic_snapshot_files", "restic_snapshot_dirs", "restic_snapshot_processed_files",
			"restic_snapshot_processed_bytes", "restic_snapshot_added_bytes", "restic_snapshot_stored_bytes",
			"restic_snapshot_unreadable_items", "restic_snapshot_duration_seconds")
	}
	if saved.IsZero() {
		b.keep("restic_snapshot_last_created_timestamp_seconds")
	} else {
		b.setTime("restic_snapshot_last_created_timestamp_seconds", saved)
	}
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func (b *builder) changes(name string, c parser.Changes, place ...string) {
	b.set(name, float64(c.New), append(slices.Clone(place), "new")...)
	b.set(name, float64(c.Changed), append(slices.Clone(place), "changed")...)
	b.set(name, float64(c.Unmodified), append(slices.Clone(place), "unmodified")...)
}

func add(a, b parser.Changes) parser.Changes {
	return parser.Changes{New: a.New + b.New, Changed: a.Changed + b.Changed, Unmodified: a.Unmodified + b.Unmodified}
}

// repository makes the metrics of what forget, prune and check did and found.
func (b *builder) repository() {
	var forget *parser.Forget
	var prune *parser.Prune
	var check *parser.Check
	for _, run := range b.report.Processes {
		if run.Forget != nil && !run.DryRun {
			forget = run.Forget
		}
		if run.Prune != nil {
			prune = run.Prune
		}
		if run.Check != nil {
			check = run.Check
		}
	}
	if forget != nil {
		b.set("restic_forget_snapshots", float64(forget.Kept), "kept")
		b.set("restic_forget_snapshots", float64(forget.Removed), "removed")
	} else {
		b.keep("restic_forget_snapshots")
	}
	if check != nil {
		b.set("restic_check_found_errors", float64(check.Errors))
	} else {
		b.keep("restic_check_found_errors")
	}
	if prune == nil {
		b.keepSeries("restic_repo_size_bytes", func(labels []string) bool { return labels[0] == "total" })
		b.keep("restic_prune_removed_bytes", "restic_prune_removed_blobs", "restic_prune_repacked_bytes",
			"restic_prune_repacked_blobs", "restic_repository_size_bytes", "restic_repository_blobs", "restic_repository_unused_bytes")
		return
	}
	b.set("restic_repo_size_bytes", float64(prune.TotalBytes), "total")
	b.set("restic_prune_removed_bytes", float64(prune.Removed.Bytes))
	b.set("restic_prune_removed_blobs", float64(prune.Removed.Count))
	if rp := prune.Repacked; rp != nil {
		b.set("restic_prune_repacked_bytes", float64(rp.Bytes))
		b.set("restic_prune_repacked_blobs", float64(rp.Count))
	}
	b.set("restic_repository_size_bytes", float64(prune.Remaining.Bytes))
	b.set("restic_repository_blobs", float64(prune.Remaining.Count))
	if prune.Unused != nil {
		b.set("restic_repository_unused_bytes", float64(*prune.Unused))
	}
}
