#!/bin/bash
# Mails the log of the last invocation of a unit that failed. Called by
# unit-failure@.service:
#
#	unit-failure.sh UNIT
set -euo pipefail

unit=${1:?want the name of a unit}

# /etc/default/restic-exporter changes these.
MAIL_TO=${MAIL_TO:-root}
MAIL_LINES=${MAIL_LINES:-500}

# What the unit printed last may still be on its way.
journalctl --sync 2>/dev/null || true

# Which invocation: the one that set this off, if systemd says so.
id=
if [[ ${MONITOR_UNIT:-} == "$unit" ]]; then
	id=${MONITOR_INVOCATION_ID:-}
fi
if [[ -z $id ]]; then
	id=$(journalctl --quiet --no-pager --output=cat --output-fields=INVOCATION_ID --reverse --lines=1 \
		_PID=1 "UNIT=$unit" MESSAGE_ID=7d4958e842da4a758f6c1cdc7b36dcc5 || true)
fi

# Without a journal there is a mail still.
manager() {
	journalctl --quiet --no-pager "$@" _PID=1 "UNIT=$unit" || true
}

# The unit's own lines, and the manager's about it; not those that only claim to
# be. A line that journald took when the unit had failed already does not say which
# run it is of. So the lines are those since the manager began to speak of the run,
# until it spoke of the next.
own=("_SYSTEMD_UNIT=$unit")
period=()
if [[ -n $id ]]; then
	since=$(manager --output=cat --output-fields=_SOURCE_REALTIME_TIMESTAMP "INVOCATION_ID=$id" | sed -n '1s/......$/.&/p')
	if [[ -n $since ]]; then
		until=$(manager --output=export --output-fields=INVOCATION_ID "--since=@$since" |
			awk -F= -v id="$id" '
				$1 == "__REALTIME_TIMESTAMP" { time = $2 }
				$1 == "INVOCATION_ID" { if ($2 == id) ours = 1; else if (ours && !until) until = time }
				END { if (until) print until }' | sed 's/......$/.&/')
		period=("--since=@$since" ${until:+"--until=@$until"})
	else
		own+=("_SYSTEMD_INVOCATION_ID=$id")
	fi
fi

log() {
	if [[ -z $id ]]; then
		echo "The journal holds no invocation of $unit."
		return
	fi
	journalctl --quiet --no-pager --output=short-iso --lines="$MAIL_LINES" "${period[@]}" \
		"${own[@]}" + _PID=1 "UNIT=$unit" "INVOCATION_ID=$id" || true
}

host=$(hostname)
sendmail=$(command -v sendmail || echo /usr/sbin/sendmail)
[[ -x $sendmail ]] || {
	echo "unit-failure.sh: there is no $sendmail to mail with: install a mail transfer agent, such as exim4 or msmtp-mta" >&2
	exit 1
}

{
	printf 'To: %s\n' "$MAIL_TO"
	printf 'Subject: [%s] %s failed%s\n' "$host" "$unit" "${MONITOR_SERVICE_RESULT:+: $MONITOR_SERVICE_RESULT}"
	printf 'Auto-Submitted: auto-generated\n'
	printf 'MIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: 8bit\n\n'
	printf '%s on %s failed' "$unit" "$host"
	[[ -z ${MONITOR_SERVICE_RESULT:-} ]] ||
		printf ': %s (%s %s)' "$MONITOR_SERVICE_RESULT" "${MONITOR_EXIT_CODE:-}" "${MONITOR_EXIT_STATUS:-}"
	printf '.\n\nIts log, up to the last %s lines. All of it: journalctl -u %q %s\n\n' "$MAIL_LINES" "$unit" "${period[*]}"
	# No control characters, and no line too long for mail.
	log | LC_ALL=C tr -d '\000-\010\013-\037\177' | cut --bytes=1-900
} | "$sendmail" -oi -t
