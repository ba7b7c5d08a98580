#!/bin/sh
# Stops and disables the units if the package is removed, but not if it is upgraded.
# dpkg passes "remove" then; rpm passes how many versions are left.
set -e

# The package's units; deploy/package/build fills them in.
timers=
services=

# stop UNIT stops it; in Debian a policy of the administrator can forbid that.
stop() {
	if command -v deb-systemd-invoke >/dev/null; then
		deb-systemd-invoke stop "$1" || true
	else
		systemctl stop "$1" || true
	fi
}

# template UNIT prints the name of the template that UNIT is an instance of, or UNIT.
template() {
	printf '%s\n' "$1" | sed 's/@.*\(\.[a-z]*\)$/@\1/'
}

# ours UNIT reports whether the unit's file is the package's. A unit that the
# administrator wrote under the same name, or masked, takes precedence, and stays as it
# is.
ours() {
	for directory in /etc/systemd/system.control /run/systemd/system.control /etc/systemd/system \
		/run/systemd/system /usr/local/lib/systemd/system; do
		for file in "$1" "$(template "$1")"; do
			if [ -e "$directory/$file" ] || [ -L "$directory/$file" ]; then
				return 1
			fi
		done
	done
}

case "$1" in
remove | 0)
	if [ -d /run/systemd/system ]; then
		# The timers first, or they would start the services again.
		for name in $timers $services; do
			pattern=$(printf '%s\n' "$name" | sed 's/@/@*/')
			for unit in $(systemctl list-units --all --plain --no-legend --full "$pattern" | sed 's/ .*//'); do
				if ours "$unit"; then
					stop "$unit"
				fi
			done
		done
	fi
	# Enabled units need not be loaded, and systemd may not be running.
	for name in $timers; do
		for link in /etc/systemd/system/*/"${name%%@*}"*; do
			unit=${link##*/}
			if [ -L "$link" ] && [ "$(template "$unit")" = "$name" ] && ours "$unit"; then
				rm -f -- "$link"
				echo "Disabled $unit"
			fi
		done
	done
	;;
esac
