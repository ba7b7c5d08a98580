#!/bin/bash
# Checks the repository, and once a week forgets and prunes. Called by
# restic-backup.service.
set -euo pipefail

here=$(dirname "$(readlink --canonicalize "${BASH_SOURCE[0]}")")
# shellcheck source=deploy/scripts/job.bash
source "$here/job.bash"
load_job "${1:?want the name of a job}"
[[ $PRUNE_WEEKDAY =~ ^[0-7]$ ]] || die "PRUNE_WEEKDAY is \"$PRUNE_WEEKDAY\": want 1 for Monday to 7 for Sunday, or 0 for never"

# due tells whether it is the day, and it has not been done today; or whether
# the day was missed. Weekdays are numbers, which no locale changes.
due() {
	local done=$STATE/$JOB.pruned today last
	((PRUNE_WEEKDAY)) || return 1
	today=$(date +%F)
	last=$(date --reference="$done" +%F 2>/dev/null) || last=
	[[ $last == "$today" ]] && return 1
	(($(date +%u) == PRUNE_WEEKDAY)) && return 0
	[[ -n $last && $last < $(date --date='8 days ago' +%F) ]]
}

echo "Starting pruning"
patiently check "${CHECK_OPTIONS[@]}"
if due; then
	patiently forget "${FORGET_OPTIONS[@]}" --prune
	touch "$STATE/$JOB.pruned"
fi
echo "Finished pruning"
