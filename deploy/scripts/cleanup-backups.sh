#!/bin/bash
# Deletes old local dumps: files only, never a directory, and never what lies
# behind a symbolic link. Called by restic-backup.service.
set -euo pipefail

here=$(dirname "$(readlink --canonicalize "${BASH_SOURCE[0]}")")
# shellcheck source=deploy/scripts/job.bash
source "$here/job.bash"
load_job "${1:?want the name of a job}"

[[ -n $CLEANUP_DIRECTORY ]] || exit 0
[[ $CLEANUP_DAYS =~ ^[0-9]+$ ]] || die "CLEANUP_DAYS is \"$CLEANUP_DAYS\": want a number of days"
[[ $CLEANUP_DIRECTORY == /* ]] || die "CLEANUP_DIRECTORY is \"$CLEANUP_DIRECTORY\": want a path that begins with /"
[[ -d $CLEANUP_DIRECTORY ]] || exit 0
# No part of the path may be a link: who may change it could lead us elsewhere.
[[ $(readlink --canonicalize "$CLEANUP_DIRECTORY") == "$(realpath --no-symlinks "$CLEANUP_DIRECTORY")" ]] ||
	die "$CLEANUP_DIRECTORY is reached through a symbolic link: name the directory itself"

# -P never follows a link, and -delete looks again, from the directory that it
# has open.
find -P "$CLEANUP_DIRECTORY" -xdev -mindepth 1 -type f -mtime "+$CLEANUP_DAYS" -print -delete
