#!/bin/sh
# dpkg passes "remove" and later "purge"; rpm passes how many versions are left, and has
# no purge. In any case the credentials in /etc/restic-exporter stay: without the
# password in them nobody can ever read the backups again.
set -e

# As in postinst.
timers=

if [ -d /run/systemd/system ]; then
	systemctl --system daemon-reload >/dev/null || true
fi

# metrics ACTION has find do ACTION, such as -delete, with our files in the textfile
# directories that restic-exporter --help lists. Others may write there, so a file name
# can contain anything.
metrics() {
	for directory in /var/lib/node-exporter /var/lib/prometheus/node-exporter /var/lib/node_exporter/textfile_collector \
		/var/lib/node_exporter /var/lib/prometheus-node-exporter-textfiles /var/lib/prometheus-node-exporter /run/node_exporter; do
		if [ -d "$directory" ]; then
			find "$directory" -maxdepth 1 -type f -name '*.prom' \
				-exec grep -qE '^restic_exporter_(build_info|failed)\{' -- {} \; "$1" || true
		fi
	done
}

# left PATH... prints those of the paths that exist.
left() {
	for path; do
		if [ -e "$path" ]; then
			echo "  $path"
		fi
	done
}

case "$1" in
remove | 0)
	paths=$(left /etc/restic-exporter /var/lib/restic-exporter /var/lib/restic-exporter-collect /var/cache/restic-exporter)
	if [ -n "$paths" ]; then
		echo "These stay, with the configuration, the credentials and the state of the jobs:"
		echo "$paths"
	fi
	files=$(metrics -print | LC_ALL=C tr -c '[:print:]\n' '?')
	if [ -n "$files" ]; then
		echo "These stay, too, so alerts on the age of backups go on until you delete them:"
		echo "$files" | sed 's/^/  /'
	fi
	;;
purge)
	for timer in $timers; do
		# deb-systemd-helper would delete the link, too. If the link still exists, it is of
		# a timer that the administrator wrote.
		if [ ! -L "/etc/systemd/system/timers.target.wants/$timer" ] && command -v deb-systemd-helper >/dev/null; then
			deb-systemd-helper purge "$timer" >/dev/null || true
		fi
		rm -f "/var/lib/systemd/deb-systemd-helper-enabled/$timer.dsh-also"
	done
	rm -rf /var/cache/restic-exporter /var/lib/restic-exporter /var/lib/restic-exporter-collect
	metrics -delete
	# dpkg has deleted the configuration that was in the package.
	if [ -d /etc/restic-exporter ] && [ -n "$(ls -A /etc/restic-exporter)" ]; then
		echo "These stay, because without the passwords in them nobody can read the backups:"
		left /etc/restic-exporter/*
	fi
	;;
esac
