{
  local c = $._config,
  // s('a="b"') is the selector with that in it.
  local s(more='') =
    local all = std.join(',', std.filter(function(x) x != '', [c.selector, more]));
    if all == '' then '' else '{' + all + '}',
  local alert(name, severity, expr, summary, description, wait='') = {
    alert: name,
    expr: expr,
    [if wait != '' then 'for']: wait,
    labels: { severity: severity },
    annotations: { summary: summary, description: description, runbook_url: c.runbooks % name },
  },
  local of = '{{ $labels.unit }} on {{ $labels.instance }}',

  prometheusAlerts+:: {
    groups+: [{
      name: 'restic',
      rules: [
        alert(
          'ResticBackupTooOld',
          'critical',
          'time() - restic_run_last_success_timestamp_seconds%s > restic_run_max_age_seconds%s' % [s(), s()],
          'No good backup for too long.',
          of + ' last succeeded {{ $value | humanizeDuration }} ago, longer than its --max-age.',
        ),
        alert(
          'ResticBackupTooOldDefault',
          'critical',
          '(time() - restic_run_last_success_timestamp_seconds%s > %s) unless restic_run_max_age_seconds%s' % [s(), $.seconds(c.maxAge), s()],
          'No good backup for too long.',
          of + ' last succeeded {{ $value | humanizeDuration }} ago. It says nothing of how old that may be (--max-age).',
        ),
        alert(
          'ResticBackupNeverSucceeded',
          'critical',
          'restic_run_end_timestamp_seconds%s unless restic_run_last_success_timestamp_seconds%s' % [s(), s()],
          'There has never been a good backup.',
          of + ' has run, and never succeeded since its metrics began.',
          '1h',
        ),
        alert(
          'ResticBackupFailed',
          'warning',
          'restic_run_status%s == 1' % s('status="failed"'),
          'A backup failed.',
          of + ' failed in its last run.',
        ),
        alert(
          'ResticBackupFailedRepeatedly',
          'critical',
          'restic_run_consecutive_failures%s >= 3' % s(),
          'A backup fails again and again.',
          of + ' has failed {{ $value }} times in a row.',
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
          'restic_check_found_errors%s > 0 or ignoring (step) restic_step_success%s == 0' % [s(), s('step="check"')],
          'The repository may be damaged.',
          'The last check of the repository by ' + of + ' found errors, or did not come to its end.',
        ),
        alert(
          'ResticLockedForHours',
          'warning',
          'restic_lock_age_seconds%s > %s' % [s(), $.seconds(c.maxLockAge)],
          'A lock nobody needs any more stops backups.',
          of + ' was stopped by a lock that was {{ $value | humanizeDuration }} old.',
        ),
        alert(
          'ResticStepTooOld',
          'warning',
          'time() - restic_step_last_success_timestamp_seconds%s > %s' % [s('step=~"%s"' % c.steps), $.seconds(c.maxStepAge)],
          'The repository has not been pruned or checked for weeks.',
          'The step {{ $labels.step }} of ' + of + ' last succeeded {{ $value | humanizeDuration }} ago.',
        ),
        alert(
          'ResticSourceShrank',
          'warning',
          'sum without (backup) (restic_snapshot_processed_bytes%s) < %s * max_over_time(sum without (backup) (restic_snapshot_processed_bytes%s)[7d:1h])' % [s(), c.shrunkTo, s()],
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
            sum without (backup, state) (restic_snapshot_files%s) / sum without (backup) (restic_snapshot_processed_files%s) > %s
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
          'The log of ' + of + ' has lines that could not be read, or no summary of a backup. Its numbers may be old.',
        ),
        alert(
          'ResticLogIncomplete',
          'warning',
          'restic_exporter_dropped_entries%s > 0' % s(),
          'journald dropped a part of the log of a backup.',
          'journald dropped {{ $value }} lines of ' + of + '. The summary may be among them.',
        ),
        alert(
          'ResticMetricsGone',
          'warning',
          '(last_over_time(restic_run_end_timestamp_seconds%s[2d]) unless restic_run_end_timestamp_seconds%s) and on (instance, job) node_textfile_scrape_error' % [s(), s()],
          'The metrics of a backup are gone.',
          'There are no metrics of ' + of + ' any more, and the machine is up.',
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
          of + ' failed in its last run, says the shell exporter.',
        ),
      ],
    }],
  },

  // seconds('50h') is 180000.
  seconds(duration)::
    local unit = { s: 1, m: 60, h: 3600, d: 86400, w: 604800 }[duration[std.length(duration) - 1]];
    std.parseInt(std.substr(duration, 0, std.length(duration) - 1)) * unit,
}
