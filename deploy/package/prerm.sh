#!/bin/sh
# dpkg says "remove", rpm says how many are left: only a package that goes for
# good takes its timers with it, not one that is upgraded.
set -e
case "$1" in
remove | 0)
	if [ -d /run/systemd/system ]; then
		systemctl disable --now restic-backup.timer 'restic-backup@*.timer' >/dev/null 2>&1 || true
	else
		systemctl disable restic-backup.timer >/dev/null 2>&1 || true
	fi
	;;
esac
