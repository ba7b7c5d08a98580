#!/bin/bash
# Backs up with restic, and initialises the repository if it does not exist yet.
# Called by restic-backup.service:
#
#	restic-backup.sh JOB
set -euo pipefail

here=$(dirname "$(readlink --canonicalize "${BASH_SOURCE[0]}")")
# shellcheck source=deploy/scripts/job.bash
source "$here/job.bash"

# initialise makes the repository if restic says that there is none and this job has
# never had one: a disk that is not mounted, or a mistyped address, must not lead to a
# second repository.
initialise() {
	local seen=$STATE/$JOB.repository output status=0
	# Only a missing repository may lead to init, not a wrong password or a server that
	# cannot be reached.
	while true; do
		status=0
		output=$(probe) || status=$?
		if ((status == 0)) || ! unreachable "$status" "$output"; then
			break
		fi
		wait_for "the repository cannot be reached" || {
			printf '%s\n' "$output" >&2
			exit 1
		}
	done
	if ((status == 0)); then
		[[ -e $seen ]] || touch "$seen"
		return
	fi
	# Since restic 0.17 the exit status says so; before that, only the text.
	if ((status != 10)) && ! grep --quiet --extended-regexp \
		"unable to open config file: .*(does not exist|doesn't exist|no such file or directory|Object Not Found)" <<<"$output"; then
		printf '%s\n' "$output" >&2
		exit "$status"
	fi
	if [[ -e $seen ]]; then
		printf '%s\n' "$output" >&2
		die "the repository was there before, so it is not initialised again: is its disk mounted, is the address right? If you want a new one: rm $seen"
	fi
	# If two restics initialise a repository at once, it has two keys, and neither opens
	# everything in it.
	take_turns --exclusive
	probe >/dev/null || restic init
	exec 8>&-
	touch "$seen"
}

# here prints where the repository is, if it is a directory on this machine.
here() {
	local repository=${RESTIC_REPOSITORY:-}
	if [[ -z $repository && -n ${RESTIC_REPOSITORY_FILE:-} ]]; then
		repository=$(<"$RESTIC_REPOSITORY_FILE")
	fi
	repository=${repository#local:}
	[[ ! $repository =~ ^[a-z0-9]+: ]] || return 0
	realpath --canonicalize-missing -- "$repository"
}

# check_writable fails at once where restic would keep trying for a quarter of an hour.
check_writable() {
	local repository there
	repository=$(here)
	there=$repository
	until [[ -z $there || -e $there ]]; do
		there=$(dirname "$there")
	done
	[[ -z $there || -w $there ]] ||
		die "$repository cannot be written: is its disk mounted read-only, or not in ReadWritePaths= of the unit?"
}

# exclude_repository adds an option for each path to back up that contains the
# repository: otherwise each backup would contain all backups before it.
exclude_repository() {
	local repository path real below
	repository=$(here)
	[[ -n $repository ]] || return 0
	for path in "${BACKUP_PATHS[@]}"; do
		# restic sees the repository under the path that leads there, links included.
		path=$(realpath --no-symlinks --canonicalize-missing -- "$path")
		real=$(realpath --canonicalize-missing -- "$path")
		[[ $repository == "${real%/}"/* ]] || continue
		below=${path%/}/${repository#"${real%/}"/}
		# --exclude takes a pattern.
		# shellcheck disable=SC2001 # before bash 5.2 there is no other way
		BACKUP_OPTIONS+=(--exclude "$(sed 's/[][*?\\]/\\&/g' <<<"$below")")
	done
}

# owner SETTING runs the owner's commands in BEFORE_BACKUP or AFTER_BACKUP: as root,
# but in a unit of their own, because in the sandbox of this one they could not become
# another user or make a snapshot of a volume. Their output goes through us into our
# log, with the name of the setting before each line, so that an "error: " of theirs
# does not look like one of restic's.
owner() {
	[[ -n ${!1} ]] || return 0
	echo "Running $1"
	OWNERS=restic-backup-$JOB-${1%_BACKUP}-$$.service
	# systemd expands variables in the arguments, so $ is doubled.
	systemd-run --quiet --collect --wait --pipe --service-type=exec --unit="$OWNERS" --description="$1 of the job $JOB" \
		-- /bin/bash -euo pipefail -c "${!1//\$/\$\$}" </dev/null 2>&1 | sed --unbuffered "s/^/$1: /"
}

# finish runs AFTER_BACKUP, even if the backup failed: it may have to remove a snapshot
# of a volume that BEFORE_BACKUP made.
finish() {
	local status=$?
	trap - EXIT
	owner AFTER_BACKUP || {
		echo "${0##*/}: AFTER_BACKUP failed" >&2
		((status)) || status=1
	}
	exit "$status"
}

# stopped ends the owner's commands, which run in another unit, and ends us as the
# signal would have.
stopped() {
	trap - EXIT TERM
	systemctl stop "$OWNERS" 2>/dev/null || true
	[[ -z $BEGUN ]] || owner AFTER_BACKUP || true
	kill -TERM $$
}

# plant adds the file for the restore test to the backup. If the sources include its
# directory, it makes the file. Otherwise the first restore test does, so that nothing
# more is backed up for those who do not use the test.
plant() {
	local path some=
	for path in "${BACKUP_PATHS[@]}"; do
		[[ ! -e $path ]] || some=yes
		path=$(realpath --canonicalize-missing -- "$path")
		[[ $CANARY != "${path%/}"/* ]] || {
			make_canary
			return
		}
	done
	# If none of the sources exists, the run has to fail.
	[[ ! -e $CANARY || -z $some ]] || BACKUP_PATHS+=("$CANARY")
}

load_job "${1:?give the name of a job}"
((${#BACKUP_PATHS[@]})) || die "BACKUP_PATHS is empty: say in $CONFIG_DIRECTORY/$JOB.conf what to back up"
exclude_repository
plant

echo "Starting restic backup"
OWNERS='' BEGUN=
[[ -z $BEFORE_BACKUP$AFTER_BACKUP ]] || trap stopped TERM
owner BEFORE_BACKUP || die "BEFORE_BACKUP failed, so there is no backup"
BEGUN=yes
trap finish EXIT
check_writable
initialise
status=0
patiently backup --one-file-system --exclude-caches "${BACKUP_OPTIONS[@]}" -- "${BACKUP_PATHS[@]}" || status=$?
# Status 3 means that a snapshot was saved, but not all files could be read; the metrics
# report that. One such file must not keep the job from pruning forever.
((status == 0 || status == 3)) || exit "$status"
echo "Finished restic backup"
