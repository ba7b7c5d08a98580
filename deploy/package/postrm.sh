#!/bin/sh
# Purged are cache and state. Not the credentials in /etc/restic-exporter: without
# the password in them nobody can ever read the backups again.
set -e
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload || true
fi
case "$1" in
purge)
	rm -rf /var/cache/restic-exporter /var/lib/restic-exporter
	;;
esac
