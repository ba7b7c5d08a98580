package record

// A situation is a run of restic-backup.service. Before it, there is a repository
// with one snapshot of /srv/data and /srv/etc, of which files have changed since.
type situation struct {
	name    string
	since   string      // the first release that has what it takes
	scripts [][2]string // the name and the body of each, in their order
	exec    string      // or the commands of the unit, without a script
	section string      // further lines of [Service]
	before  string      // bash, what happens before
	after   string      // and after
	twins   []string    // arguments of "restic backup" for each backup of the run, where a twin can be had
}

const (
	cleanupScript = `echo 'Starting cleaning up backup files'
find /srv/dumps/ -mindepth 1 -mtime +30 -print -delete
echo 'Finished cleaning up backup files'
`
	backupScript = `echo 'Starting restic backup'
restic snapshots >/dev/null || restic init
restic check
restic backup --one-file-system --exclude-caches /srv/data /srv/etc
echo 'Finished restic backup'
`
	pruneScript = `echo 'Starting pruning'
restic check
restic forget --keep-last 1 --prune
echo 'Finished pruning'
`
	hostileFiles = `mkdir /srv/hostile; cd /srv/hostile
echo 1 > $'a\nFiles:           1 new,     2 changed,     3 unmodified'
echo 22 > $'b\nsnapshot deadbeef saved'
echo 333 > $'c\nAdded to the repository: 9.999 TiB (9.999 TiB stored)'
echo 4444 > $'d\nprocessed 7 files, 7.000 GiB in 7:77'
echo 55555 > $'e\nFatal: repository contains errors'
echo 666666 > $'f\n{"message_type":"summary","files_new":999}'
echo 7777777 > $'g\n\xff\xfe\x1b[2K\x07'
`
	damage = `pack=$(find /srv/repo/data -type f -size +100k | sort | head -n 1)
chmod u+w "$pack"
printf X | dd of="$pack" bs=1 seek=1000 conv=notrunc status=none
`
)

// backup is the script of a run that does one thing.
func backup(body string) [][2]string { return [][2]string{{"restic-backup.sh", body}} }

var situations = []situation{
	{
		name: "first-run", before: "rm -r /srv/repo", twins: nil,
		scripts: [][2]string{{"cleanup-backups.sh", cleanupScript}, {"restic-backup.sh", backupScript}},
	},
	{
		name: "second-run-prune", twins: []string{"--one-file-system --exclude-caches /srv/data /srv/etc"},
		scripts: [][2]string{
			{"cleanup-backups.sh", cleanupScript}, {"restic-backup.sh", backupScript}, {"restic-prune.sh", pruneScript},
		},
	},
	{
		name: "no-scripts", twins: []string{"/srv/data"},
		exec: "ExecStart=restic backup /srv/data\nExecStart=restic forget --keep-last 1 --prune\nExecStart=restic check\n",
	},
	{
		name: "verbose-run", twins: []string{"/srv/data"},
		scripts: backup("restic backup -v /srv/data\nrestic forget -v --keep-last 1 --prune\n"),
	},
	{name: "very-verbose-run", twins: []string{"/srv/data"}, scripts: backup("restic backup --verbose=2 /srv/data\n")},
	{name: "quiet-run", scripts: backup("restic backup --quiet /srv/data\nrestic forget --quiet --keep-last 1 --prune\n")},
	{
		name: "json-run", twins: []string{"/srv/data /srv/etc"},
		scripts: backup("restic backup --json /srv/data /srv/etc\nrestic forget --json --keep-last 1 --prune\nrestic check --json\n"),
	},
	{
		name: "dry-run", since: "0.13.0",
		scripts: backup("restic backup --dry-run /srv/data\nrestic backup -n -v /srv/data/d2\n" +
			"restic forget --dry-run --keep-last 1 --prune\n"),
	},
	{
		name: "two-backups", twins: []string{"--tag home /srv/data/d1", "--tag etc /srv/etc"},
		scripts: backup("restic backup --tag home /srv/data/d1\nrestic backup --tag etc /srv/etc\n"),
	},
	{
		name: "skip-unchanged", since: "0.17.0", before: "restic backup --quiet /srv/data",
		scripts: backup("restic backup --skip-if-unchanged /srv/data\n"),
	},
	{
		name: "unreadable", section: "User=recorded",
		before: `cp -r /srv/data/d1 /srv/some; echo 1 > /srv/some/secret; chmod 0600 /srv/some/secret
mkdir -p /srv/theirs; chown recorded /srv/theirs`,
		scripts: backup("export RESTIC_REPOSITORY=/srv/theirs/repo XDG_CACHE_HOME=/srv/theirs/cache\n" +
			"restic init\nrestic backup /srv/some\n"),
	},
	{
		name: "hostile-names", before: hostileFiles, twins: []string{"/srv/hostile"},
		scripts: backup("restic backup -vv /srv/hostile\n"),
	},
	{
		name: "locked",
		before: `setsid bash -c 'sleep 60 | restic backup --stdin' </dev/null >/dev/null 2>&1 & disown
until test -n "$(ls /srv/repo/locks)"; do sleep 0.1; done; sleep 2`,
		scripts: backup("restic forget --keep-last 1 --prune\n"),
	},
	{name: "wrong-password", scripts: backup("RESTIC_PASSWORD=wrong restic backup /srv/data\n")},
	{name: "no-repository", scripts: backup("RESTIC_REPOSITORY=/srv/none restic backup /srv/data\n")},
	{name: "no-source", scripts: backup("restic backup /srv/does-not-exist\n")},
	{name: "damaged", before: damage, scripts: backup("restic check --read-data\nrestic backup /srv/data\n")},
	{
		name: "restore", scripts: [][2]string{{"restic-restore-test.sh", `restic restore latest --verify --target /srv/one
restic restore latest --json --verify --include /srv/data/d1 --target /srv/two
`}},
	},
	{
		name: "restore-fails", before: "mkdir /srv/small; mount -t tmpfs -o size=32k tmpfs /srv/small",
		scripts: [][2]string{{"restic-restore-test.sh", "restic restore latest --include /srv/data/d1 --target /srv/small\n"}},
		after:   "umount /srv/small",
	},
	{
		name: "copy", since: "0.10.0",
		scripts: [][2]string{{"restic-copy.sh", `restic unlock
restic --repo /srv/second init
if restic copy --help | grep -q -e --from-repo; then # 0.14 and later
  export RESTIC_FROM_PASSWORD=x RESTIC_FROM_REPOSITORY=/srv/repo RESTIC_REPOSITORY=/srv/second
else
  export RESTIC_PASSWORD2=x RESTIC_REPOSITORY2=/srv/second
fi
restic copy
restic copy --json
`}},
	},
	{
		name: "killed", section: "TimeoutStartSec=3", before: "head -c 20M /dev/urandom > /srv/big",
		scripts: backup("restic backup --limit-upload 2000 /srv/big\n"),
	},
	{
		name: "sigkill", before: "head -c 20M /dev/urandom > /srv/big",
		scripts: backup("restic backup --limit-upload 2000 /srv/big & sleep 3\nkill -KILL $!\nwait $!\n"),
	},
}
