package metrics

import "github.com/restic-exporter/restic-exporter/parser"

var (
	forgetSnapshots       = gauge("restic_forget_snapshots", "Number of snapshots that the last forget kept or removed.", keptUntil(forgot), "result")
	pruneRemovedBytes     = gauge("restic_prune_removed_bytes", "Total size of the blobs that the last prune removed.", keptUntil(pruned))
	pruneRemovedBlobs     = gauge("restic_prune_removed_blobs", "Number of blobs that the last prune removed.", keptUntil(pruned))
	pruneRepackedBytes    = gauge("restic_prune_repacked_bytes", "Total size of the blobs that the last prune rewrote into new pack files.", keptUntil(pruned))
	pruneRepackedBlobs    = gauge("restic_prune_repacked_blobs", "Number of blobs that the last prune rewrote into new pack files.", keptUntil(pruned))
	repositorySizeBytes   = gauge("restic_repository_size_bytes", "Total size of the blobs in the repository after the last prune.", keptUntil(pruned))
	repositoryBlobs       = gauge("restic_repository_blobs", "Number of blobs in the repository after the last prune.", keptUntil(pruned))
	repositoryUnusedBytes = gauge("restic_repository_unused_bytes", "Total size of the unused blobs that the last prune left in the repository.", keptUntil(pruned))
	checkFoundErrors      = gauge("restic_check_found_errors", "Number of errors that the last check found in the repository.", keptUntil(checked))
)

// repository adds the metrics of what forget, prune and check did and found.
func (b *builder) repository() {
	var forget *parser.Forget
	var prune *parser.Prune
	var check *parser.Check
	for _, p := range b.run.Processes {
		if p.Forget != nil && !p.DryRun {
			forget = p.Forget
		}
		if p.Prune != nil {
			prune = p.Prune
		}
		if p.Check != nil {
			check = p.Check
		}
	}
	if forget != nil {
		b.happens(forgot, "")
		b.set(forgetSnapshots, float64(forget.Kept), "kept")
		b.set(forgetSnapshots, float64(forget.Removed), "removed")
	}
	if check != nil {
		b.happens(checked, "")
		b.set(checkFoundErrors, float64(check.Errors))
	}
	if prune != nil {
		b.happens(pruned, "")
		b.prune(prune)
	}
}

func (b *builder) prune(p *parser.Prune) {
	b.set(repoSize, float64(p.TotalBytes), "total")
	b.set(pruneRemovedBytes, float64(p.Removed.Bytes))
	b.set(pruneRemovedBlobs, float64(p.Removed.Count))
	if p.Repacked != nil {
		b.set(pruneRepackedBytes, float64(p.Repacked.Bytes))
		b.set(pruneRepackedBlobs, float64(p.Repacked.Count))
	}
	b.set(repositorySizeBytes, float64(p.Remaining.Bytes))
	b.set(repositoryBlobs, float64(p.Remaining.Count))
	if p.Unused != nil {
		b.set(repositoryUnusedBytes, float64(*p.Unused))
	}
}
