#!/bin/sh
# New units are known from now on. None is enabled: first say what to back up.
set -e

case "$1" in
configure | abort-upgrade | abort-deconfigure | abort-remove)
	# dpkg. What the timer's section [Install] says now holds for one that is enabled.
	if deb-systemd-helper debian-installed restic-backup.timer && deb-systemd-helper --quiet was-enabled restic-backup.timer; then
		deb-systemd-helper enable restic-backup.timer >/dev/null || true
	fi
	deb-systemd-helper update-state restic-backup.timer >/dev/null || true
	;;
esac
if [ -d /run/systemd/system ]; then
	systemctl --system daemon-reload >/dev/null || true
fi
