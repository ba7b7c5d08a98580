# shellcheck shell=bash disable=SC2034
# What the scripts of a backup job have in common. Sourced by them, not run.

readonly CONFIG_DIRECTORY=/etc/restic-exporter
readonly STATE_DIRECTORY_DEFAULT=/var/lib/restic-exporter

die() {
	printf '%s: %s\n' "${0##*/}" "$1" >&2
	exit 1
}

# mode FILE prints the mode of a file as octal digits.
mode() {
	stat --dereference --format=%a -- "$1"
}

# load_job JOB reads the job's configuration and what is secret.
load_job() {
	[[ $1 =~ ^[A-Za-z0-9_][A-Za-z0-9_.:-]*$ ]] || die "\"$1\" is no name of a job"
	JOB=$1
	STATE=${STATE_DIRECTORY:-$STATE_DIRECTORY_DEFAULT}

	# The defaults; the job's configuration changes them.
	BACKUP_PATHS=()
	BACKUP_OPTIONS=()
	CHECK_OPTIONS=()
	FORGET_OPTIONS=(--keep-monthly 12 --keep-within 30d)
	PRUNE_WEEKDAY=7
	CLEANUP_DIRECTORY=
	CLEANUP_DAYS=30

	local config=$CONFIG_DIRECTORY/$JOB.conf
	[[ -r $config ]] || die "$config is missing: copy $CONFIG_DIRECTORY/backup.conf, and say in it what to back up"
	(((8#$(mode "$config") & 8#022) == 0)) ||
		die "$config may be changed by others than its owner: chmod go-w $config"
	# shellcheck source=/dev/null
	source "$config"
	load_credentials
}

# load_credentials sets the variables that restic(1) reads, unless the unit has
# set them from an EnvironmentFile= of its own.
load_credentials() {
	local file=$CONFIG_DIRECTORY/$JOB.credentials
	# systemd hands on a copy, whatever the mode of the original is. So look at
	# that, wherever the variables come from.
	if [[ -e $file ]]; then
		case $(mode "$file") in
		600 | 400) ;;
		*) die "$file is readable for others: chmod 0600 $file" ;;
		esac
	fi
	local given=${CREDENTIALS_DIRECTORY:+$CREDENTIALS_DIRECTORY/restic}
	if [[ -n $given && -e $given ]]; then
		file=$given
	elif [[ -n ${RESTIC_REPOSITORY:-}${RESTIC_REPOSITORY_FILE:-} ]]; then
		return
	elif [[ ! -e $file ]]; then
		die "$file is missing: it holds RESTIC_REPOSITORY and RESTIC_PASSWORD, and what the repository's server wants"
	fi

	local line name value number=0
	while IFS= read -r line || [[ -n $line ]]; do
		number=$((number + 1))
		[[ $line =~ ^[[:space:]]*(#.*)?$ ]] && continue
		[[ $line =~ ^([A-Za-z_][A-Za-z0-9_]*)=(.*)$ ]] || die "$file, line $number: want NAME=VALUE"
		name=${BASH_REMATCH[1]} value=${BASH_REMATCH[2]}
		# As systemd does in an EnvironmentFile=; nothing is expanded.
		[[ $value =~ ^\"(.*)\"$ || $value =~ ^\'(.*)\'$ ]] && value=${BASH_REMATCH[1]}
		export "$name=$value"
	done <"$file"
	[[ -n ${RESTIC_REPOSITORY:-}${RESTIC_REPOSITORY_FILE:-} ]] || die "RESTIC_REPOSITORY is not set in $file"
}
