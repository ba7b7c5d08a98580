package parser_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// others are lines of other programs that end, or begin, as restic's do. Words of
// restic's within a line, or in another place, do not make it restic's.
var others = map[string][]string{
	"0.19.1/no-scripts": { // backup, forget with prune, check
		"[2026-11-25 10:00:00] using parent snapshot 53f36d46 of yesterday",
		"Files: 5 new, 3 changed, 2 unmodified files",
		"Summary - Files: 5 new, 3 changed, 2 unmodified",
		"Dirs: 5 new, 3 changed, 2 unmodified.",
		"Total Added to the repository: 9.999 GiB (9.999 GiB stored)",
		"we processed 99 files, 9.999 GiB in 9:99",
		"processed 99 files, 9.999 GiB in 9:59 (ok)",
		"new snapshot 99999999 saved",
		"/srv/a, saved in 0.001s (50 B added) by rsync",
		"dump of db1 done, saved in 2s (3 MB added)",
		"Warning: at least one source file could not be read by rsync",
		"info: Warning: at least one source file could not be read",
		"optional config /etc/backup.d does not exist, skipping",
		"mysql: table does not exist, skipping",
		"nas: share cannot be accessed, skipping",
		" does not exist, skipping",
		`pattern "" does not match any files, skipping`,
		`pattern "*.sql" does not match any files, skipping it`,
		"keep 9 snapshots: ok",
		"we keep 9 snapshots:",
		"will remove 9 snapshots:",
		"NAS has 9 snapshots",
		"Policy: Applying Policy: none",
		"[0:00] 100.00%  9 / 9 files deleted from /tmp",
		"[cleanup] 9 files deleted by hand",
		"9 snapshots have been removed",
		"zfs: 9 snapshots have been removed, running prune",
		"unable to remove old dump",
		"removed snapshot tank@9",
		"running prune",
		"done.",
		"all done",
		"docker: total prune: 9 blobs / 9.999 GiB",
		"Total reclaimed space: 9.999 GiB",
		"remaining: 9 blobs / 9.999 GiB free",
		"to delete: 9 files / 9.999 GiB",
		"loading indexes... ok",
		"repository contains 9 packs (9 blobs) with 9.999 GiB free",
		"will delete 9 packs and rewrite 9 packs, this frees 9.999 GiB now",
		"fsck: no errors were found",
		"no errors were found on /dev/sda1",
		"error for tree",
		"pack 9 does not exist",
		"load indexes ok",
		"check all packs: ok",
		"using temporary cache in RAM",
		"Summary: Restored 9 files",
		"restored 9 files",
		"snapshot 99999999 of tank saved",
		"created restic repositories",
	},
}

// TestSuffixes: a script's line between, before and after the restics of a stream
// changes nothing of what they said.
func TestSuffixes(t *testing.T) {
	logs := outputs(t)
	for name, lines := range others {
		log := logs[name]
		require.NotEmpty(t, log)
		want := said(stream("a", log))
		begin := slices.IndexFunc(log, func(text string) bool { return strings.HasPrefix(text, "Applying Policy") })
		for _, line := range lines {
			for place, at := range map[string]int{"before": 0, "between": begin, "after": len(log)} {
				got := said(stream("a", slices.Insert(slices.Clone(log), at, line)))
				assert.Equal(t, want, got, "%s, %q %s", name, line, place)
			}
		}
	}
}
