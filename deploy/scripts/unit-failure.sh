#!/bin/bash
# Mails the log of the last invocation of a unit that failed. Called by
# unit-failure@.service:
#
#	unit-failure.sh UNIT
set -euo pipefail # but without a journal there is a mail still

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

# sent N MATCH... prints when the manager sent the Nth entry that matches.
sent() {
	local n=$1
	shift
	journalctl --quiet --no-pager --output=cat --output-fields=_SOURCE_REALTIME_TIMESTAMP _PID=1 "UNIT=$unit" "$@" |
		sed -n "${n}s/......\$/.&/p" || true
}

# From the first word about the run to that about the next: a line that journald
# took when the unit had failed already does not say whose it is.
since='' until=''
if [[ -n $id ]]; then
	since=$(sent 1 "INVOCATION_ID=$id")
	until=$(sent 2 MESSAGE_ID=7d4958e842da4a758f6c1cdc7b36dcc5 ${since:+"--since=@$since"})
fi
period=(${since:+"--since=@$since"} ${until:+"--until=@$until"})

# The unit's own lines, and the manager's about it; not those that only claim
# to be.
log() {
	if [[ -z $since ]]; then
		echo "The journal does not hold the run of $unit."
		return
	fi
	journalctl --quiet --no-pager --output=short-iso --lines="$MAIL_LINES" "${period[@]}" \
		"_SYSTEMD_UNIT=$unit" + _PID=1 "UNIT=$unit" "INVOCATION_ID=$id" || true
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
	printf '.\n\nIts log, up to the last %s lines. All of it: journalctl %s\n\n' "$MAIL_LINES" "-u $unit ${period[*]}"
	# No control characters, and no line too long for mail.
	log | LC_ALL=C tr -d '\000-\010\013-\037\177' | cut --bytes=1-900
} | "$sendmail" -oi -t
