#!/bin/bash
# Checks the repository, and forgets and prunes, on the days that the configuration
# names. Called by restic-backup.service after the backup, and by restic-prune@.service.
set -euo pipefail

here=$(dirname "$(readlink --canonicalize "${BASH_SOURCE[0]}")")
# shellcheck source=deploy/scripts/job.bash
source "$here/job.bash"
load_job "${1:?give the name of a job}"

# due NAME DAY STAMP reports whether DAY, the value of the setting NAME, has come since
# the file STAMP was touched. If the machine was off that day, it is due on a later day.
# What was never done counts as done on the day before the job made its repository; in
# a job that does not back up, it is due. Weekdays are numbers, because their names
# depend on the locale.
due() {
	local last='' day
	case $2 in
	0) return 1 ;;
	daily) day=$(date +%F) ;;
	[1-7]) day=$(date --date="$((($(date +%u) - $2 + 7) % 7)) days ago" +%F) ;;
	*) die "$1 is \"$2\": it must be 1 for Monday to 7 for Sunday, daily, or 0 for never" ;;
	esac
	if [[ -e $3 ]]; then
		last=$(date --reference="$3" +%F)
	elif [[ -e $STATE/$JOB.repository ]]; then
		last=$(date --date="$(date --reference="$STATE/$JOB.repository" +%F) 1 day ago" +%F)
	fi
	# A clock that was once ahead must not put it off for years.
	[[ $last < $day || $last > $(date +%F) ]]
}

echo "Starting pruning"
if due CHECK_WEEKDAY "$CHECK_WEEKDAY" "$STATE/$JOB.checked"; then
	patiently check "${CHECK_OPTIONS[@]}"
	touch "$STATE/$JOB.checked"
fi
if due PRUNE_WEEKDAY "$PRUNE_WEEKDAY" "$STATE/$JOB.pruned"; then
	patiently forget "${FORGET_OPTIONS[@]}" --prune
	touch "$STATE/$JOB.pruned"
fi
echo "Finished pruning"
