# shellcheck shell=bash disable=SC2034
# What the scripts of a backup job have in common. They source it.

readonly CONFIG_DIRECTORY=/etc/restic-exporter
readonly STATE_DIRECTORY_DEFAULT=/var/lib/restic-exporter

# The units unset PATH, so that the credentials cannot choose our programs. bash has a
# default then, but restic, which runs ssh and rclone, would not get it.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

die() {
	printf '%s: %s\n' "${0##*/}" "$1" >&2
	exit 1
}

# mode FILE prints the mode of a file as octal digits.
mode() {
	stat --format=%a -- "$1"
}

# own FILE refuses a file that others could have put there: a symbolic link, or a file
# that belongs neither to root nor to the job's user.
own() {
	local owner
	[[ ! -L $1 ]] || die "$1 is a symbolic link: put the file itself there"
	owner=$(stat --format=%u -- "$1")
	((owner == 0 || owner == EUID)) || die "$1 belongs to another user: chown root $1"
}

# check_credentials refuses the file of credentials if others could have written it,
# or can read it. systemd, which reads it for us, does not check that.
check_credentials() {
	[[ -e $CREDENTIALS || -L $CREDENTIALS ]] || return 0
	own "$CREDENTIALS"
	case $(mode "$CREDENTIALS") in
	600 | 400) ;;
	*) die "$CREDENTIALS is readable by others: chmod 0600 $CREDENTIALS" ;;
	esac
}

# name_job JOB sets the variables that depend only on the name of the job.
name_job() {
	[[ $1 =~ ^[A-Za-z0-9_][A-Za-z0-9_.:-]*$ ]] || die "\"$1\" cannot be the name of a job"
	JOB=$1
	CREDENTIALS=$CONFIG_DIRECTORY/$JOB.credentials
}

# load_job JOB reads the job's configuration.
load_job() {
	name_job "$1"
	check_credentials
	[[ -n ${RESTIC_REPOSITORY:-}${RESTIC_REPOSITORY_FILE:-} ]] ||
		die "RESTIC_REPOSITORY is not set: is it in $CREDENTIALS, which systemd reads when it starts the unit?"
	STATE=${STATE_DIRECTORY:-$STATE_DIRECTORY_DEFAULT}
	# Whoever owns the directory can put links there, which root would follow. systemd
	# gives it to the User= of a unit before we can refuse that, so links may be left.
	((EUID == 0)) || [[ $STATE != "$STATE_DIRECTORY_DEFAULT" ]] ||
		die "$STATE is for jobs of root: in a unit with User= set StateDirectory= and CacheDirectory= to another name"
	local odd
	odd=$(find "$STATE" -mindepth 1 ! -type f ! -type d -print -quit)
	[[ -z $odd ]] || die "$odd is not ours, and neither a file nor a directory: delete it"
	CANARY=$STATE/$JOB.canary

	# The defaults; the job's configuration changes them.
	BACKUP_PATHS=()
	BACKUP_OPTIONS=()
	CHECK_OPTIONS=()
	FORGET_OPTIONS=(--keep-monthly 12 --keep-within 30d)
	PRUNE_WEEKDAY=7
	CHECK_WEEKDAY=7
	CLEANUP_DIRECTORY=
	CLEANUP_DAYS=30
	RETRY_FOR=4h
	RETRY_EVERY=10m
	BEFORE_BACKUP=
	AFTER_BACKUP=

	local config=$CONFIG_DIRECTORY/$JOB.conf
	[[ -r $config ]] || die "$config is missing: copy $CONFIG_DIRECTORY/backup.conf, and say in it what to back up"
	own "$config"
	(((8#$(mode "$config") & 8#022) == 0)) ||
		die "$config can be changed by others: chmod go-w $config"
	! grep --quiet $'\r' "$config" || die "$config has Windows line endings: sed -i 's/\r$//' $config"
	# shellcheck source=/dev/null
	source "$config"

	RETRY_FOR_SECONDS=$(seconds RETRY_FOR "$RETRY_FOR")
	RETRY_EVERY_SECONDS=$(seconds RETRY_EVERY "$RETRY_EVERY")
	((RETRY_EVERY_SECONDS)) || die "RETRY_EVERY is \"$RETRY_EVERY\": it must be more than 0"
	WAITED=0 DELAY=30
	command -v restic >/dev/null || die "there is no restic in $PATH"
	# restic 0.16 and later waits for a lock itself.
	RESTIC=(restic)
	if [[ $(restic help backup 2>/dev/null) == *--retry-lock* ]]; then
		RESTIC+=(--retry-lock "${RETRY_FOR_SECONDS}s")
	fi
}

# make_canary makes the file for the restore test, once.
make_canary() {
	[[ ! -e $CANARY ]] || return 0
	head --bytes=4096 /dev/urandom >"$CANARY.new"
	mv "$CANARY.new" "$CANARY"
}

# seconds NAME DURATION prints a duration, such as 90, 5m, 4h or 1d, in seconds.
seconds() {
	local -A unit=([s]=1 [m]=60 [h]=3600 [d]=86400)
	[[ $2 =~ ^([0-9]{1,6})([smhd]?)$ ]] || die "$1 is \"$2\": it must be a number and s, m, h or d, such as 4h"
	echo $((10#${BASH_REMATCH[1]} * unit[${BASH_REMATCH[2]:-s}]))
}

# wait_for WHAT waits before the next attempt: 30 seconds, then twice as long
# each time, up to RETRY_EVERY. It returns 1 when the job has waited for RETRY_FOR.
# Only the waits count, not the time for which a laptop was asleep.
wait_for() {
	((DELAY < RETRY_EVERY_SECONDS)) || DELAY=$RETRY_EVERY_SECONDS
	if ((WAITED + DELAY > RETRY_FOR_SECONDS)); then
		echo "$1; giving up after $WAITED seconds of waiting" >&2
		return 1
	fi
	echo "$1; trying again in $DELAY seconds"
	sleep "$DELAY"
	WAITED=$((WAITED + DELAY)) DELAY=$((DELAY * 2))
}

# probe opens the repository, without a lock, and prints what restic says if it
# cannot. After 5 minutes it gives up on a server that does not answer at all.
probe() {
	{ timeout 5m restic cat config --no-lock >/dev/null; } 2>&1
}

# unreachable STATUS OUTPUT reports whether probe failed because of the network, or of
# a server that is down. restic has no exit status for that.
unreachable() {
	local words="dial tcp|dial udp|no such host|server misbehaving|[Nn]etwork is unreachable|[Nn]o route to host"
	words+="|[Cc]onnection (refused|reset|timed out|closed)|[Oo]peration timed out|i/o timeout|[Tt]imeout exceeded|TLS handshake timeout"
	words+="|context deadline exceeded|[Nn]ame or service not known|[Nn]ame resolution|Could not resolve hostname|[Hh]ost is down"
	words+="|ssh: connect to host|unexpected EOF|\(?50[0234]\)?:? (Internal Server Error|Bad Gateway|Service|Gateway Time)"
	(($1 == 124)) || grep --quiet --extended-regexp "$words" <<<"$2"
}

# obstacle STATUS SECONDS prints why a restic failed that ended with STATUS after so
# many seconds. It returns 1 if there is no point in waiting and trying again.
obstacle() {
	local output status=0
	# 10 is no repository, 12 a wrong password.
	case $1 in
	10 | 12) return 1 ;;
	esac
	output=$(probe) || status=$?
	if ((status)); then
		unreachable "$status" "$output" || return 1
		echo "the repository cannot be reached"
		return
	fi
	# With --retry-lock restic has waited already.
	((${#RESTIC[@]} == 1)) || return 1
	# An older restic has no exit status for locks. It fails at once if there is one.
	(($1 == 1 && $2 < 300)) || return 1
	[[ -n $(timeout 5m restic list locks --no-lock 2>/dev/null) ]] || return 1
	echo "the repository is locked"
}

# take_turns KIND waits until no other job of this machine works on the repository;
# several that are --shared can work at the same time. Locks alone would not do: an old
# restic reports them only as text, and one may be gone when we look for it.
take_turns() {
	local name
	name=$(sha256sum <<<"${RESTIC_REPOSITORY:-}${RESTIC_REPOSITORY_FILE:-}" | cut --bytes=1-16)
	exec 8>"$STATE/$name.lock"
	flock --nonblock "$1" 8 && return
	echo "another job of this machine is at work on the repository; waiting for it"
	flock --timeout "$RETRY_FOR_SECONDS" "$1" 8 || die "giving up after $RETRY_FOR of waiting"
}

# patiently ARGUMENT... runs restic, again and again if the repository is locked
# or cannot be reached, and returns its last exit status.
patiently() {
	local status began why kind=--exclusive
	case $1 in
	backup | restore) kind=--shared ;;
	esac
	take_turns "$kind"
	while true; do
		status=0 began=$SECONDS
		"${RESTIC[@]}" "$@" 8>&- || status=$?
		# A backup with 3 has saved a snapshot.
		((status == 0 || status == 3)) && break
		why=$(obstacle "$status" $((SECONDS - began))) || break
		wait_for "$why" || break
	done
	exec 8>&-
	return "$status"
}
