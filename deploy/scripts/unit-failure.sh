#!/bin/bash
# Mails the log of a unit that failed. Called by unit-failure@.service:
#
#	unit-failure.sh UNIT
#	unit-failure.sh --test
#
# With --test, that service sends a test mail.
set -euo pipefail

unit=${1:?give the name of a unit, or --test}
case $unit in
--test)
	systemctl start unit-failure@-test.service
	echo "The mail system has accepted a test mail. Where it went: journalctl -u unit-failure@-test.service, and the mail system's own log."
	exit
	;;
-test | *.service | *.mount | *.timer | *.socket | *.target | *.path | *.automount | *.swap | *.device | *.slice | *.scope) ;;
# OnFailure=unit-failure@%N.service
*) unit+=.service ;;
esac
name=${unit%.service}

# Set these in /etc/default/restic-exporter.
MAIL_TO=${MAIL_TO:-root}
MAIL_LINES=${MAIL_LINES:-500}

host=$(uname --nodename)
sendmail=$(PATH=$PATH:/usr/sbin command -v sendmail) || {
	echo "unit-failure.sh: there is no sendmail: install a mail transfer agent, such as exim4 or msmtp-mta" >&2
	exit 1
}

# Servers refuse an address without a domain in a header, and msmtp would send them just
# that for root. So the header has an empty group, which has no address.
to=$MAIL_TO recipients=(-t)
if [[ $MAIL_TO != *@* ]]; then
	to="\"$MAIL_TO\":;"
	IFS=', ' read -ra recipients <<<"-- $MAIL_TO"
fi

# compose SUBJECT prints standard input as a mail, without control characters, and
# without lines that are too long for mail.
compose() {
	printf 'To: %s\nSubject: [%s] %s\nAuto-Submitted: auto-generated\n' "$to" "$host" "$1"
	printf 'MIME-Version: 1.0\nContent-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: 8bit\n\n'
	LC_ALL=C tr -d '\000-\010\013-\037\177' | cut --bytes=1-900
}

# hand_over gives standard input to sendmail, in a unit of its own: sendmail becomes other
# users and writes where it is configured to, which our sandbox forbids. It may deliver in
# a process that outlives it. If it hangs, as msmtp does when its server does not answer,
# systemd ends it.
hand_over() {
	systemd-run --quiet --collect --wait --pipe --service-type=exec --description="Mail that $unit failed" \
		--property=KillMode=process --property=RuntimeMaxSec=10min -- "$sendmail" -oi "${recipients[@]}"
}

if [[ $unit == -test ]]; then
	compose "test: mail about failed backups arrives" <<<"When a backup on $host fails, a mail like this one has its log. No backup has failed now." |
		hand_over
	exit
fi

# What the unit printed last may still be on its way to the journal.
journalctl --sync 2>/dev/null || true

# Only the manager itself can log as PID 1. Even without a journal there is a mail.
manager() {
	journalctl --quiet --no-pager "$@" _PID=1 "UNIT=$unit" || true
}

# attempt ID prints from when and until when, in microseconds, the manager logged about
# the last failed attempt to start the unit, or about that of invocation ID if that is
# known. An attempt that the manager refused has the ID of the run before, or none.
attempt() {
	manager --lines=5000 --output=export --output-fields=MESSAGE,MESSAGE_ID,INVOCATION_ID,JOB_RESULT | awk -v want="$1" '
		{ at = index($0, "="); name = substr($0, 1, at - 1); value[name] = substr($0, at + 1) }
		/^$/ {
			time = value["__REALTIME_TIMESTAMP"]; id = value["INVOCATION_ID"]; text = value["MESSAGE"]
			was = refused
			refused = value["JOB_RESULT"] ~ /^(dependency|assert|skipped|unsupported|invalid)$/ ||
				text ~ /Start request repeated too quickly|failed with result .dependency/
			if (n == 0 || id != "" && id != current || refused && !was) { n++; first[n] = time }
			if (id != "") current = id
			ids[n] = current; last[n] = time
			# "failed", and "failed to start".
			if (value["MESSAGE_ID"] == "d9b373ed55a64feb8242e02dbe79a49c" || text ~ /: Triggering OnFailure=/ ||
				value["MESSAGE_ID"] == "be02cf6855d2428ba40df7e9d022f03d" && value["JOB_RESULT"] != "skipped")
				failed[n] = 1
			split("", value)
		}
		END {
			for (i = 1; i <= n; i++)
				if (failed[i] && (want == "" || ids[i] == want)) found = i
			if (!found) exit
			# When the manager logs that it starts a unit, the first process may already run.
			from = first[found] - 5000000
			if (found > 1 && from <= last[found - 1]) from = last[found - 1] + 1
			printf "%.0f", from
			if (found < n) printf " %.0f", first[found + 1] - 1
		}'
}

# Which invocation: the one that triggered this, if systemd says so.
id=
[[ ${MONITOR_UNIT:-} != "$unit" ]] || id=${MONITOR_INVOCATION_ID:-}
read -r since until <<<"$(attempt "$id")"
# The unit's own lines, and the manager's about it, but not lines that only claim to be.
# A line that journald received after the unit had failed does not say to which run it
# belongs, so select by time.
matches=("_SYSTEMD_UNIT=$unit" + _PID=1 "UNIT=$unit")
period=(${since:+"--since=@${since%??????}.${since: -6}"} ${until:+"--until=@${until%??????}.${until: -6}"})
if [[ -z $since && -n $id ]]; then
	matches=("_SYSTEMD_UNIT=$unit" "_SYSTEMD_INVOCATION_ID=$id" + _PID=1 "UNIT=$unit" "INVOCATION_ID=$id")
fi

# log prints the log, without the passwords in addresses such as rest:https://me:secret@host/.
log() {
	if [[ -z $since$id ]]; then
		echo "The journal holds no failure of $unit."
		return
	fi
	journalctl --quiet --no-pager --output=short-iso --lines="$MAIL_LINES" "${period[@]}" "${matches[@]}" |
		sed 's#\(://[^/:@[:space:]]*\):[^[:space:]]*@#\1:***@#g' || true
}

# Why it failed: the reason of restic-exporter if it knows one, else the manager's.
reason=$(timeout 60 restic-exporter --unit "$unit" --output - 2>/dev/null |
	sed -n 's/^restic_run_failure_reason{.*reason="\([a-z_]*\)".*} 1$/\1/p' || true)
result=${MONITOR_SERVICE_RESULT:-}
[[ $result != success ]] || result= # of a start that was refused: the result of the run before
[[ -n $reason && $reason != other ]] || reason=$result

message=$(
	{
		printf '%s on %s failed' "$unit" "$host"
		[[ -z $result ]] || printf ': %s (%s %s)' "$result" "${MONITOR_EXIT_CODE:-}" "${MONITOR_EXIT_STATUS:-}"
		printf '.\n\nIts log, up to the last %s lines. All of it: journalctl -u %q %s\n\n' "$MAIL_LINES" "$unit" "${period[*]}"
		log
	} | compose "$name: failed${reason:+, $reason}"
)

# Not every sendmail has a queue, and if the backup had no network, the mail has none,
# either. Give up before the next night, when a failure sends a mail of its own.
delay=30 waited=0
until hand_over <<<"$message"; do
	((waited < 20 * 3600)) || {
		echo "unit-failure.sh: the mail could not be sent; giving up" >&2
		exit 1
	}
	echo "unit-failure.sh: the mail could not be sent; trying again in $delay seconds" >&2
	sleep "$delay" || true
	waited=$((waited + delay)) delay=$((delay * 2 < 600 ? delay * 2 : 600))
done
