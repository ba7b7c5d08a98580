#!/bin/bash
# Backs up with restic, into a repository that is initialised if it is not there
# yet. Called by restic-backup.service:
#
#	restic-backup.sh JOB           back up
#	restic-backup.sh --ready JOB   is there a network, if the repository needs one?
set -euo pipefail

here=$(dirname "$(readlink --canonicalize "${BASH_SOURCE[0]}")")
# shellcheck source=deploy/scripts/job.bash
source "$here/job.bash"

# ready tells whether the repository can be reached at all: it is here, or there
# is a route to somewhere else.
ready() {
	case ${RESTIC_REPOSITORY:-} in
	rclone:*) ;;
	sftp:* | rest:* | s3:* | b2:* | azure:* | gs:* | swift:*) ;;
	*) return 0 ;;
	esac
	# The second field is the destination. Loopback has none in the first file,
	# and what begins with fe80 or ff leads nowhere else in the second.
	awk 'FNR > 1 && $1 != "lo" { found = 1 } END { exit !found }' /proc/net/route && return 0
	awk '$10 != "lo" && $1 !~ /^(fe80|ff)/ { found = 1 } END { exit !found }' /proc/net/ipv6_route
}

# initialise makes the repository, if restic says that there is none, and this
# job has never had one: a disk that is not mounted, or a mistyped address, must
# not make a second repository.
initialise() {
	local seen=$STATE/$JOB.repository output status=0
	# Nothing but a repository that is not there may lead to init: not a wrong
	# password, not a server that cannot be reached.
	output=$(restic cat config 2>&1 >/dev/null) || status=$?
	if ((status == 0)); then
		[[ -e $seen ]] || touch "$seen"
		return
	fi
	# Since restic 0.17 the exit status says so; before, the text does.
	if ((status != 10)) && ! grep --quiet --extended-regexp \
		"unable to open config file: .*(does not exist|doesn't exist|no such file or directory|Object Not Found)" <<<"$output"; then
		printf '%s\n' "$output" >&2
		exit "$status"
	fi
	if [[ -e $seen ]]; then
		printf '%s\n' "$output" >&2
		die "the repository was there before, so it is not initialised again: is its disk mounted, is the address right? If you want a new one: rm $seen"
	fi
	restic init
	touch "$seen"
}

if [[ ${1:-} == --ready ]]; then
	# To ExecCondition= 1 means "not now" and 255 "failed": what goes wrong here
	# must not look like a run that is not due.
	answer=255
	trap 'exit "$answer"' EXIT
	load_job "${2:?want the name of a job}"
	if ready; then
		answer=0
	else
		echo "no network: not now"
		answer=1
	fi
	exit
fi

load_job "${1:?want the name of a job}"
((${#BACKUP_PATHS[@]})) || die "BACKUP_PATHS is empty: say in $CONFIG_DIRECTORY/$JOB.conf what to back up"

echo "Starting restic backup"
initialise
restic check "${CHECK_OPTIONS[@]}"
restic backup --one-file-system --exclude-caches "${BACKUP_OPTIONS[@]}" -- "${BACKUP_PATHS[@]}"
echo "Finished restic backup"
