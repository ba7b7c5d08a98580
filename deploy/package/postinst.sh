#!/bin/sh
# New units are known from now on. None is enabled: first say what to back up.
set -e

# The package's units that can be enabled, but for templates; deploy/package/build fills them in.
timers=

case "$1" in
configure | abort-upgrade | abort-deconfigure | abort-remove)
	# dpkg. What the section [Install] of a timer says now holds for one that is enabled.
	for timer in $timers; do
		if deb-systemd-helper debian-installed "$timer" && deb-systemd-helper --quiet was-enabled "$timer"; then
			deb-systemd-helper enable "$timer" >/dev/null || true
		fi
		deb-systemd-helper update-state "$timer" >/dev/null || true
	done
	;;
esac
# Who restic-exporter-collect.service runs as.
if command -v systemd-sysusers >/dev/null; then
	systemd-sysusers restic-exporter.conf
fi
if [ -d /run/systemd/system ]; then
	systemctl --system daemon-reload >/dev/null || true
fi
