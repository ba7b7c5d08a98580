#!/bin/bash
# Restores two files from the job's last snapshot, one that each backup has for this
# purpose and a random one, and compares them with the originals. Called by
# restic-restore-test@.service:
#
#	restic-restore-test.sh JOB
set -euo pipefail

here=$(dirname "$(readlink --canonicalize "${BASH_SOURCE[0]}")")
# shellcheck source=deploy/scripts/job.bash
source "$here/job.bash"

# last sets LAST to the options that choose the job's last snapshot, by its host and
# its paths.
last() {
	local i path host
	host=$(uname --nodename)
	for ((i = 0; i < ${#BACKUP_OPTIONS[@]}; i++)); do
		case ${BACKUP_OPTIONS[i]} in
		--host=*) host=${BACKUP_OPTIONS[i]#--host=} ;;
		--host | -H) host=${BACKUP_OPTIONS[i + 1]:-} ;;
		esac
	done
	LAST=(latest --host "$host")
	for path in "${BACKUP_PATHS[@]}"; do
		LAST+=(--path "$(realpath --no-symlinks --canonicalize-missing -- "$path")")
	done
}

# chance prints the ID of the last snapshot, and the size, the modification time and the
# path of a random file in it. It leaves out files whose JSON has a backslash, which
# begins an escape sequence.
chance() {
	restic --no-lock ls --json "${LAST[@]}" | awk -v seed="$RANDOM$RANDOM" -v canary="$CANARY" '
		BEGIN { srand(seed) }
		function value(name) {
			return match($0, "\"" name "\":\"?[^\",]*") ? substr($0, RSTART, RLENGTH) : ""
		}
		/"struct_type":"snapshot"/ { id = value("id"); gsub(/.*:|"/, "", id) }
		/"type":"file"/ && !/\\/ {
			size = value("size"); modified = value("mtime")
			sub(/.*:/, "", size); sub(/"mtime":"/, "", modified)
			if (size + 0 > 64 * 1024 * 1024 || modified == "" || !match($0, /"path":"[^"]*"/)) next
			path = substr($0, RSTART + 8, RLENGTH - 9)
			if (path != canary && rand() * ++n < 1) chosen = id " " size + 0 " " modified " " path
		}
		END { print chosen }'
}

load_job "${1:?give the name of a job}"
TO=$(mktemp --directory)
trap 'rm -rf "$TO"' EXIT
last

echo "Starting restore test"
[[ -e $CANARY ]] || {
	make_canary
	die "$CANARY was made just now, to be backed up: run the job, and try again"
}
# Without a lock, it also works with a repository that cannot be written from here.
patiently restore --no-lock --verify --include "$CANARY" --target "$TO" "${LAST[@]}"
[[ -f $TO$CANARY ]] || die "$CANARY is not in the last snapshot: run the job, and try again"
cmp -- "$TO$CANARY" "$CANARY" || die "what was restored is not what was backed up"

chosen=$(chance)
[[ -n $chosen ]] || die "there is no other file in the last snapshot"
read -r id size modified _ <<<"$chosen"
file=/${chosen#*/} # with blanks at its end, which read removes
echo "Restoring $file"
# Only its content: it may belong to anybody, and restic could not give it to them here.
restic --no-lock dump "$id" "$file" >"$TO/file"
# By now the original may be something else, such as a pipe.
if [[ -f $file && ! -L $file && $(stat --format='%s %Y' -- "$file" 2>/dev/null) == "$size $(date --date="$modified" +%s)" ]]; then
	cmp -- "$TO/file" "$file" || die "what was restored is not what was backed up"
elif (($(stat --format=%s "$TO/file") != size)); then
	die "what was restored is not what was backed up: $file had $size bytes"
else
	echo "It has changed since it was backed up, so only its size is compared"
fi
echo "Finished restore test"
