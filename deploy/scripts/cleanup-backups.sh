#!/bin/bash
# Deletes old local dumps: only files, never directories, and nothing that is reached
# through a symbolic link. Called by restic-backup.service.
set -euo pipefail

here=$(dirname "$(readlink --canonicalize "${BASH_SOURCE[0]}")")
# shellcheck source=deploy/scripts/job.bash
source "$here/job.bash"
load_job "${1:?give the name of a job}"

[[ -n $CLEANUP_DIRECTORY ]] || exit 0
[[ $CLEANUP_DAYS =~ ^[0-9]+$ ]] || die "CLEANUP_DAYS is \"$CLEANUP_DAYS\": it must be a number of days"
[[ $CLEANUP_DIRECTORY == /* ]] || die "CLEANUP_DIRECTORY is \"$CLEANUP_DIRECTORY\": it must be a path that begins with /"
[[ -d $CLEANUP_DIRECTORY ]] || exit 0

echo "Starting cleanup"
# No part of the path may be a symbolic link: whoever can change the link could lead us
# elsewhere. So go there first, and then check where we are; a link that is put there
# later changes nothing.
cd -P -- "$CLEANUP_DIRECTORY"
[[ $(pwd -P) == "$(realpath --no-symlinks --canonicalize-missing -- "$CLEANUP_DIRECTORY")" ]] ||
	die "$CLEANUP_DIRECTORY is reached through a symbolic link: name the directory itself"

# -P never follows a link, and -delete checks again, from the directory that it has
# open. The names are not printed: there may be very many, and any user may have chosen
# them.
status=0
sizes=$(find -P . -xdev -mindepth 1 -type f -mtime "+$CLEANUP_DAYS" -delete -printf '%s\n' 2>/dev/null) || status=$?
awk 'NF { count++; bytes += $1 } END { printf "Finished cleanup: %d files deleted, %.0f bytes\n", count, bytes }' <<<"$sizes"
((status == 0)) || echo "warning: not all old files could be deleted" >&2
