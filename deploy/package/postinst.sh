#!/bin/sh
# Makes systemd read the new units. It enables none: the user has to configure them first.
set -e

# The package's units that can be enabled, except templates; deploy/package/build fills them in.
timers=

case "$1" in
configure | abort-upgrade | abort-deconfigure | abort-remove)
	# Called by dpkg. For a timer that is enabled, apply what its [Install] section says now.
	for timer in $timers; do
		if deb-systemd-helper debian-installed "$timer" && deb-systemd-helper --quiet was-enabled "$timer"; then
			deb-systemd-helper enable "$timer" >/dev/null || true
		fi
		deb-systemd-helper update-state "$timer" >/dev/null || true
	done
	;;
esac
# The user of restic-exporter-collect.service.
if command -v systemd-sysusers >/dev/null; then
	systemd-sysusers restic-exporter.conf
fi
if [ -d /run/systemd/system ]; then
	systemctl --system daemon-reload >/dev/null || true
fi
