#!/bin/sh
# dpkg says "remove", rpm says how many are left: only a package that goes for
# good stops and disables its units, not one that is upgraded.
set -e

# stop UNIT stops it; in Debian a policy of the administrator's may forbid that.
stop() {
	if command -v deb-systemd-invoke >/dev/null; then
		deb-systemd-invoke stop "$1" || true
	else
		systemctl stop "$1" || true
	fi
}

# ours UNIT tells whether the unit's file is the package's. One that the
# administrator wrote under the same name, or masked, comes first for systemd, and
# stays as it is.
ours() {
	template=$(printf '%s\n' "$1" | sed 's/@.*\(\.[a-z]*\)$/@\1/')
	for directory in /etc/systemd/system.control /run/systemd/system.control /etc/systemd/system \
		/run/systemd/system /usr/local/lib/systemd/system; do
		for name in "$1" "$template"; do
			if [ -e "$directory/$name" ] || [ -L "$directory/$name" ]; then
				return 1
			fi
		done
	done
}

case "$1" in
remove | 0)
	if [ -d /run/systemd/system ]; then
		# The timers first, or they would start the services again.
		for pattern in 'restic-*.timer' 'restic-*.service'; do
			for unit in $(systemctl list-units --all --plain --no-legend --full "$pattern" | sed 's/ .*//'); do
				case "$unit" in
				restic-backup.* | restic-backup@* | restic-prune@* | restic-restore-test@* | restic-exporter@*) ;;
				*) continue ;;
				esac
				if ours "$unit"; then
					stop "$unit"
				fi
			done
		done
	fi
	# Enabled units need not be loaded, and there may be no systemd that runs.
	for link in /etc/systemd/system/*/restic-backup.timer /etc/systemd/system/*/restic-backup@*.timer \
		/etc/systemd/system/*/restic-prune@*.timer /etc/systemd/system/*/restic-restore-test@*.timer; do
		unit=${link##*/}
		if [ -L "$link" ] && ours "$unit"; then
			rm -f -- "$link"
			echo "Disabled $unit"
		fi
	done
	;;
esac
