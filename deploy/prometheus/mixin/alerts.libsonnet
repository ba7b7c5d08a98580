{
  local c = $._config,
  // s('a="b"') is the selector, with a="b" added.
  local s(more='') =
    local all = std.join(',', std.filter(function(x) x != '', [c.selector, more]));
    if all == '' then '' else '{' + all + '}',
  // Units that test a restore have alerts of their own.
  local backups(more='') = s(std.join(',', std.filter(function(x) x != '', [more, 'unit!~"%s"' % c.restoreTests]))),
  local restoreTests(more='') = s(std.join(',', std.filter(function(x) x != '', [more, 'unit=~"%s"' % c.restoreTests]))),
  local alert(name, severity, expr, summary, description, wait='', anchor='') = {
    alert: name,
    expr: expr,
    [if wait != '' then 'for']: wait,
    labels: { severity: severity },
    annotations: { summary: summary, description: description, runbook_url: c.runbooks % name + anchor },
  },
  // Metrics from a store have the machine in the label host; instance is then the machine that asked the store.
  local of = '{{ $labels.unit }} on {{ or $labels.host $labels.instance }}',
  // What another metric of the alert's unit says, if there is one.
  local also(metric, text) =
    '{{ with printf "%s{%s} >= 0" %s | query }}%s{{ end }}' % [
      metric,
      std.join(',', [label + '=%q' for label in c.labels]),
      std.join(' ', ['$labels.' + label for label in c.labels]),
      text,
    ],
  local machine = [label for label in c.labels if label != 'unit'],
  // A unit does the step other, but no unit of its machine has ever done step. It had already done other 14 days ago, and
  // the alert waits for another 16: Prometheus keeps only 15 days by default.
  local never(step, other, name, summary, description) = alert(
    name,
    'warning',
    |||
      last_over_time(restic_step_last_success_timestamp_seconds%s[1d] offset 14d)
        and restic_step_last_success_timestamp_seconds%s
        unless on (%s) restic_step_last_success_timestamp_seconds%s
    ||| % [s('step="%s"' % other), s('step="%s"' % other), std.join(', ', machine), s('step="%s"' % step)],
    summary,
    description,
    '16d',
  ),
  local exitCode = also('restic_run_exit_code', ', exit status {{ . | first | value }}'),
  local failed = '\nand ignoring (reason, status) restic_run_status%s == 1' % s('status="failed"'),

  prometheusAlerts+:: {
    groups+: [{
      name: 'restic',
      rules: [
        alert(
          'ResticBackupTooOld',
          'critical',
          'time() - restic_run_last_success_timestamp_seconds%s > restic_run_max_age_seconds%s' % [backups(), s()],
          'No good backup for too long.',
          of + ' last succeeded {{ $value | humanizeDuration }} ago, longer than its --max-age.',
        ),
        alert(
          'ResticBackupTooOldDefault',
          'critical',
          '(time() - restic_run_last_success_timestamp_seconds%s > %s) unless restic_run_max_age_seconds%s' % [backups(), $.duration(c.maxAge), s()],
          'No good backup for too long.',
          of + ' last succeeded {{ $value | humanizeDuration }} ago. It has no limit of its own (--max-age).',
        ),
        alert(
          'ResticBackupNeverSucceeded',
          'critical',
          'restic_run_end_timestamp_seconds%s unless restic_run_last_success_timestamp_seconds%s' % [backups(), s()],
          'There has never been a good backup.',
          of + ' has run, but has not succeeded since its metrics began.',
          '1h',
        ),
        alert(
          'ResticBackupFailed',
          'warning',
          'restic_run_failure_reason%s == 1' % backups('reason!="not_started"') + failed,
          'A backup failed: {{ $labels.reason }}.',
          of + ' failed in its last run: {{ $labels.reason }}' + exitCode + '.',
          anchor='#{{ $labels.reason }}',
        ),
        alert(
          'ResticBackupNotStarted',
          'warning',
          'restic_run_failure_reason%s == 1' % backups('reason="not_started"'),
          'A backup could not be started.',
          'systemd could not start ' + of + ': no command of it ran' + exitCode + '.',
        ),
        alert(
          'ResticBackupFailedRepeatedly',
          'critical',
          'restic_run_consecutive_failures%s >= 3\nunless ignoring (status) restic_run_status%s == 1' % [backups(), s('status="partial"')],
          'A backup fails again and again.',
          of + ' has failed {{ $value }} times in a row' +
          also('restic_run_failure_reason', '{{ range . }}{{ if eq (. | value) 1.0 }}, the last time: {{ . | label "reason" }}{{ end }}{{ end }}') + exitCode + '.',
        ),
        alert(
          'ResticRestoreTestFailed',
          'critical',
          'restic_run_status%s == 1' % restoreTests('status="failed"'),
          'A backup could not be restored.',
          of + ' tried to restore from the last snapshot, and failed' +
          also('restic_run_failure_reason', '{{ range . }}{{ if eq (. | value) 1.0 }}: {{ . | label "reason" }}{{ end }}{{ end }}') + exitCode + '.',
        ),
        alert(
          'ResticRestoreTestTooOld',
          'warning',
          'time() - restic_run_last_success_timestamp_seconds%s > %s' % [restoreTests(), $.duration(c.maxRestoreTestAge)],
          'No restore test has succeeded for too long.',
          of + ' last succeeded {{ $value | humanizeDuration }} ago.',
        ),
        alert(
          'ResticBackupPartial',
          'warning',
          'restic_run_status%s == 1' % s('status="partial"'),
          'A backup is not complete.',
          of + ' saved a snapshot, but could not read all of the source.',
          '1h',
        ),
        alert(
          'ResticCheckErrors',
          'critical',
          |||
            restic_check_found_errors%s > 0
            or ignoring (step) restic_step_success%s == 0
              and ignoring (step, reason) restic_run_failure_reason%s == 1
          ||| % [s(), s('step="check"'), s('reason=~"check_errors|other"')],
          'The repository may be damaged.',
          'The last check of the repository by ' + of + ' found errors.',
        ),
        alert(
          'ResticLockedForHours',
          'warning',
          'restic_lock_age_seconds%s > %s' % [s(), $.duration(c.maxLockAge)],
          'A stale lock stops backups.',
          of + ' was stopped by a lock that was {{ $value | humanizeDuration }} old.',
        ),
        alert(
          'ResticStepTooOld',
          'warning',
          |||
            time() - restic_step_last_success_timestamp_seconds%s > %s
            or restic_step_success%s == 0
              unless restic_step_last_success_timestamp_seconds%s
              and ignoring (step, status) restic_run_status%s == 1
          ||| % [s('step=~"%s"' % c.steps), $.duration(c.maxStepAge), s('step=~"%s"' % c.steps), s(), s('status="success"')],
          'The repository has not been pruned or checked for weeks.',
          'The step {{ $labels.step }} of ' + of + ' {{ if $value }}last succeeded {{ $value | humanizeDuration }} ago{{ else }}has never succeeded{{ end }}.',
        ),
        never(
          'prune',
          'forget',
          'ResticNeverPruned',
          'Snapshots are forgotten, but nothing prunes the repository.',
          of + ' has forgotten snapshots for 30 days, but nothing on the machine has ever pruned: the repository only grows.',
        ),
        never(
          'check',
          'prune',
          'ResticNeverChecked',
          'The repository is pruned, but nothing checks it.',
          of + ' has pruned for 30 days, but nothing on the machine has ever checked: damage to the repository goes unnoticed.',
        ),
        alert(
          'ResticSourceShrank',
          'warning',
          'sum without (backup) (restic_snapshot_processed_bytes%s) < %g * max_over_time(sum without (backup) (restic_snapshot_processed_bytes%s)[7d:1h])' % [s(), c.shrunkTo, s()],
          'Much less is backed up than a week ago.',
          of + ' backs up {{ $value | humanize1024 }}B, much less than in the week before.',
        ),
        alert(
          'ResticSourceEmpty',
          'warning',
          'restic_snapshot_processed_files%s == 0' % s(),
          'A backup is empty.',
          'Backup {{ $labels.backup }} of ' + of + ' has no file in it.',
        ),
        alert(
          'ResticManyFilesChanged',
          'warning',
          |||
            sum without (backup, state) (restic_snapshot_files%s) / sum without (backup) (restic_snapshot_processed_files%s) > %g
            and sum without (backup) (restic_snapshot_processed_files%s) > %d
          ||| % [s('state="changed"'), s(), c.changedFiles, s(), c.changedFilesOf],
          'Unusually many files changed.',
          '{{ $value | humanizePercentage }} of the files of ' + of + ' have changed since the last backup. Has somebody encrypted them?',
        ),
        alert(
          'ResticLogNotUnderstood',
          'warning',
          |||
            restic_exporter_unparsed_lines%s > 0
            or (restic_exporter_backups%s == 0 and ignoring (status) restic_run_status%s == 1)
          ||| % [s(), s('unit!~"%s"' % c.notBackups), s('status="success"')],
          'The exporter did not understand the log of a backup.',
          'The log of ' + of + ' has lines that could not be parsed, or no summary of a backup. The numbers may be old.',
        ),
        alert(
          'ResticLogIncomplete',
          'warning',
          'restic_exporter_dropped_entries%s > 0' % s(),
          'journald dropped part of the log of a backup.',
          'journald dropped {{ $value }} lines of ' + of + '. The summary may be among them.',
        ),
        alert(
          'ResticExporterFailed',
          'warning',
          'restic_exporter_failed%s == 1' % s(),
          'The exporter could not report a run.',
          'restic-exporter could not do its work for ' + of + ': the other metrics of the unit are those of an earlier run.',
        ),
        alert(
          'ResticMetricsGone',
          'warning',
          '(last_over_time(restic_run_end_timestamp_seconds%s[%s]) unless restic_run_end_timestamp_seconds%s) and on (instance, job) node_textfile_scrape_error' % [s(), c.remember, s()],
          'The metrics of a backup are gone.',
          of + ' no longer has metrics, though the machine is up.',
          '15m',
        ),
        alert(
          'ResticMachineGone',
          'warning',
          |||
            time() - last_over_time(restic_run_last_success_timestamp_seconds%s[14d])
              > (last_over_time(restic_run_max_age_seconds%s[14d]) or last_over_time(restic_run_end_timestamp_seconds%s[14d]) * 0 + %s)
            unless restic_run_end_timestamp_seconds%s
            unless on (instance, job) node_textfile_scrape_error
          ||| % [s(), s(), s(), $.duration(c.maxAge), s()],
          'No good backup for too long, on a machine that is gone.',
          of + ' last succeeded {{ $value | humanizeDuration }} ago, as far as is known, and the machine is gone.',
          '15m',
        ),
        alert(
          'ResticHostSilent',
          'critical',
          // By host, not by instance: the files may have moved to another machine that collects.
          |||
            time() - max by (host) (last_over_time(restic_run_end_timestamp_seconds%s[%s]))
              > max by (host) (last_over_time(restic_run_max_age_seconds%s[%s]) or last_over_time(restic_run_end_timestamp_seconds%s[%s]) * 0 + %s)
              < %s
          ||| % [s('host!=""'), c.rememberHost, s('host!=""'), c.rememberHost, s('host!=""'), c.rememberHost, $.duration(c.maxAge), $.duration(c.rememberHost)],
          'A host no longer sends anything about its backups.',
          'The last run of a backup on {{ $labels.host }} that the store knows of ended {{ $value | humanizeDuration }} ago.',
          '15m',
        ),
        alert(
          'ResticCollectorFailed',
          'critical',
          'time() - last_over_time(restic_exporter_collected_timestamp_seconds%s[%s]) > %s' % [s(), c.remember, $.duration(c.maxCollectAge)],
          'The metrics of all hosts of a store are out of date.',
          'The hosts of the store were last collected {{ $value | humanizeDuration }} ago: what has happened to {{ $labels.unit }} since then is not known.',
        ),
        alert(
          'ResticHostsNotCollected',
          'warning',
          'restic_exporter_failed_hosts%s > 0' % s(),
          'Hosts of a store cannot be collected.',
          '{{ $value }} of the hosts that send {{ $labels.unit }} to the store cannot be collected, or only in part.',
          '15m',
        ),
        alert(
          'ResticTextfileUnreadable',
          'warning',
          'node_textfile_scrape_error%s == 1' % s(),
          'node_exporter cannot read a metrics file.',
          'node_exporter on {{ $labels.instance }} cannot read a file in its textfile directory: metrics of backups may be missing.',
          '5m',
        ),
        alert(
          'ResticLegacyBackupFailed',
          'warning',
          '(max without (timestamp) (restic_backup_failure%s) == 1) unless ignoring (status) restic_run_status%s' % [s(), s('status="failed"')],
          'A backup failed.',
          of + ' failed in its last run, according to the shell exporter.',
        ),
      ],
    }],
  },

  // duration('50h') is '50 * 3600': seconds, as people write them in a query.
  duration(text)::
    local unit = { s: 1, m: 60, h: 3600, d: 86400, w: 604800 }[text[std.length(text) - 1]];
    '%s * %d' % [std.substr(text, 0, std.length(text) - 1), unit],
}
