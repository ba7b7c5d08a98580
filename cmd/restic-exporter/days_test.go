package main

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// backupText is what a backup prints that found so many new files.
func backupText(files int, parent, snapshot string) string {
	text := ""
	if parent != "" {
		text = "using parent snapshot " + parent + "\n"
	}
	return text + fmt.Sprintf("\nFiles:       %5d new,     0 changed,    10 unmodified\n"+
		"Dirs:            0 new,     0 changed,     3 unmodified\n"+
		"Added to the repository: 1.000 KiB (1.000 KiB stored)\n\nprocessed %d files, 1.000 KiB in 0:00\nsnapshot %s saved\n",
		files, files+10, snapshot)
}

// TestDays reads the output of several days, and nothing but that: the last run counts.
func TestDays(t *testing.T) {
	one, two, three := backupText(1, "", "aaaaaaa1"), backupText(2, "aaaaaaa1", "aaaaaaa2"), backupText(3, "aaaaaaa2", "aaaaaaa3")
	backup := func(n, files int) string {
		return fmt.Sprintf("backup %d: files %d/0/10, 1024 bytes, unreadable 0\n", n, files)
	}
	const good, first = "backup: success 1, errors 0, retries 0\n", ", lock ?\n"
	ends := func(backups int) string { return fmt.Sprintf("backups %d, unparsed 0\n", backups) }
	const check = "using temporary cache in /tmp/x\nload indexes\nno errors were found\n"
	for name, tt := range map[string]struct{ text, want string }{
		"three days": {one + two + three, first + backup(1, 3) + good + ends(1)},
		"a check at the end": {
			one + two + check,
			first + backup(1, 2) + good + "check: success 1, errors 0, retries 0\nerrors found 0\n" + ends(1),
		},
		"no sign of a day": {one + backupText(2, "", "bbbbbbb1"), first + backup(1, 1) + backup(2, 2) + good + ends(2)},
		"two sources": {
			one + backupText(2, "", "bbbbbbb1") + backupText(3, "aaaaaaa1", "aaaaaaa2") + backupText(4, "bbbbbbb1", "bbbbbbb2"),
			first + backup(1, 3) + backup(2, 4) + good + ends(2),
		},
		"the last has not ended": {
			one + two + "using parent snapshot aaaaaaa2\n", first + "backup: success 0, errors 0, retries 0\n" + ends(0),
		},
		"the last lacks a source": {
			one + "/srv/photos does not exist, skipping\n" + two,
			first + "backup 1: files 2/0/10, 1024 bytes, unreadable 1\nbackup: success 1, errors 1, retries 0\n" + ends(1),
		},
		"an older day is not understood": {strings.Replace(one, "Dirs", "Folders", 1) + two + three, first + backup(1, 3) + good + ends(1)},
	} {
		assert.Equal(t, tt.want, inShort(t, []byte(tt.text)), name)
		stamped := regexp.MustCompile(`(?m)^.+$`).ReplaceAllString(tt.text, "2025-11-21T10:00:00.000000000Z $0")
		assert.Equal(t, tt.want, inShort(t, []byte(stamped)), "%s, as docker logs -t prints it", name)
	}
}

// TestDaysByTime: of commands half a day apart the last is a run of its own, if the text
// says when they ran.
func TestDaysByTime(t *testing.T) {
	inJSON := func(day, hour, files int) string {
		return fmt.Sprintf(`{"message_type":"summary","files_new":%[3]d,"files_changed":0,"files_unmodified":10,"dirs_new":0,`+
			`"dirs_changed":0,"dirs_unmodified":0,"data_blobs":1,"tree_blobs":1,"data_added":1,"data_added_packed":1,`+
			`"total_files_processed":1,"total_bytes_processed":1024,"total_duration":60,"backup_start":"2025-11-%[1]dT%02[2]d:00:00Z",`+
			`"backup_end":"2025-11-%[1]dT%02[2]d:01:00+01:00","snapshot_id":"%064[3]x"}`+"\n", day, hour, files)
	}
	// restic 0.9.6 says nothing before its summary.
	stamped := func(day, hour, files int, lasted string) (text string) {
		summary := fmt.Sprintf("Files: %[1]d new, 0 changed, 10 unmodified\nDirs: 0 new, 0 changed, 0 unmodified\n"+
			"Added to the repo: 1 B\nprocessed 1 files, 1.000 KiB in %[2]s\nsnapshot %08[1]x saved\n", files, lasted)
		for line := range strings.Lines(summary) {
			text += fmt.Sprintf("2025-11-%dT%02d:01:00.000000000Z %s", day, hour, line)
		}
		return text
	}
	backup := func(n, files int) string {
		return fmt.Sprintf("backup %d: files %d/0/10, 1024 bytes, unreadable 0\n", n, files)
	}
	const good = "backup: success 1, errors 0, retries 0\n"
	one := ", lock ?\n" + backup(1, 2) + good + "backups 1, unparsed 0\n"
	both := ", lock ?\n" + backup(1, 1) + backup(2, 2) + good + "backups 2, unparsed 0\n"
	untimed := regexp.MustCompile(`"backup_[a-z]+":"[^"]*",`).ReplaceAllString(inJSON(20, 3, 1)+inJSON(21, 3, 2), "")
	for name, tt := range map[string]struct{ text, want string }{
		"JSON of two days":      {inJSON(20, 3, 1) + inJSON(21, 3, 2), one},
		"JSON of one run":       {inJSON(20, 3, 1) + inJSON(20, 5, 2), both},
		"JSON without times":    {untimed, both},
		"times of two days":     {stamped(20, 3, 1, "1:00") + stamped(21, 3, 2, "1:00"), one},
		"times of one long run": {stamped(20, 3, 1, "1:00") + stamped(21, 3, 2, "23:58:00"), both},
	} {
		assert.Equal(t, tt.want, inShort(t, []byte(tt.text)), name)
	}
}

// TestTexts reads logs in which text alone tells the runs apart.
func TestTexts(t *testing.T) {
	day := func(n int, lines ...string) (text string) {
		for i, line := range lines {
			for message := range strings.SplitSeq(strings.TrimSpace(line), "\n") {
				head, more, ok := strings.Cut(message, "\t")
				if !ok { // not the first line of what a script prints
					head, _, _ = strings.Cut(line, "\t")
					more = message
				}
				if more != "" {
					text += fmt.Sprintf("2025-11-%dT03:00:%02d+0000 host %s: %s\n", n, i, head, more)
				}
			}
		}
		return text
	}
	const starting, started = "systemd[1]\tStarting Run backup...", "systemd[1]\tStarted Run backup."
	const failed, refused = "systemd[1]\tFailed to start Run backup.", "systemd[1]\tDependency failed for Run backup."
	const succeeded, finished = "systemd[1]\trestic-backup.service: Succeeded.", "systemd[1]\tFinished Run backup."
	one, two := "a[7]\t"+backupText(1, "", "aaaaaaa1"), "a[8]\t"+backupText(2, "aaaaaaa1", "aaaaaaa2")
	const begun = "a[9]\tusing parent snapshot aaaaaaa1"
	const figures = "backup 1: files 2/0/10, 1024 bytes, unreadable 0\nbackup: success 1, errors 0, retries 0\nbackups 1, unparsed 0\n"
	const good, untold = "success\n" + figures, ", lock ?\n" + figures
	const running = "still running\n"
	oneDay := func(lines ...string) string { return day(20, lines...) }
	users := func(text string) string { return strings.ReplaceAll(text, "systemd[1]", "systemd[777]") }
	gaveUp := day(21, starting, "a[8]\tFatal: wrong password or no key found",
		"systemd[1]\trestic-backup.service: Main process exited, code=exited, status=1/FAILURE",
		"systemd[1]\trestic-backup.service: Failed with result 'exit-code'.", failed)
	const password = "failed password\nbackups 0, unparsed 0\n"
	for name, tt := range map[string]struct{ text, want string }{
		"a oneshot unit":           {oneDay(starting, one, succeeded, finished) + day(21, starting, two, succeeded, finished), good},
		"before systemd 240":       {oneDay(starting, one, started) + day(21, starting, two, started), good},
		"the same, still running":  {oneDay(starting, one, started) + day(21, starting, begun), running},
		"running after a good run": {oneDay(starting, one, succeeded, finished) + day(21, starting, begun), running},
		"running after a failure":  {gaveUp + day(22, starting, begun), running},
		"running after a refusal":  {oneDay(starting, one, finished, refused) + day(22, starting, begun), running},
		"simple, still running":    {oneDay(started, one, succeeded) + day(21, started, begun), running},
		"a user's":                 {users(oneDay(starting, one, finished) + day(21, starting, two, finished)), good},
		"a user's, before 240":     {users(oneDay(starting, one, started) + day(21, starting, two, started)), good},
		"a user's that failed":     {users(oneDay(starting, one, finished) + gaveUp), password},
		"a user's that goes on":    {users(gaveUp + day(22, starting, begun)), running},
		"a false user's manager":   {gaveUp + users(day(22, starting, finished)), password},
		"no process IDs":           {strings.NewReplacer("a[7]", "a", "a[8]", "a").Replace(oneDay(one) + day(21, two)), untold},
		"no manager":               {oneDay(one) + day(21, two), untold},
	} {
		assert.Equal(t, tt.want, inShort(t, []byte(tt.text)), name)
	}
}
