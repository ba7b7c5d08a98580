// queries(config, duration) has the queries of the dashboard: what a unit is, and in which state it is.
function(c, duration) {
  local q = self,
  local braces(parts) = '{' + std.join(',', std.filter(function(x) x != '', parts)) + '}',
  // Each of the labels is a variable of the dashboard.
  s(more=''):: braces([c.selector] + ['%s=~"$%s"' % [label, label] for label in c.labels] + [more]),

  // Every query aggregates by the labels that distinguish units. This removes the name of the metric, so Grafana can join
  // the answers into one row for each unit.
  local key = std.join(', ', c.labels),
  by(aggregate, expr, also=[]):: '%s by (%s) (%s)' % [aggregate, std.join(', ', c.labels + also), expr],
  unit(metric, more=''):: q.by('max', metric + q.s(more)),
  total(metric, more=''):: q.by('sum', metric + q.s(more)),
  // The value from when the unit still had metrics.
  last(metric):: q.by('max', 'last_over_time(%s%s[%s])' % [metric, q.s(), c.remember]),

  // Adds the labels machine and name: db1 and backup@x for db1:9100 and restic-backup@x.service.
  short(expr)::
    local machine = 'label_replace(%s, "machine", "$1", "instance", "(.+?)(:[0-9]+)?")' % expr;
    local host = 'label_replace(%s, "machine", "$1", "host", "(.+)")' % machine;
    'label_replace(%s, "name", "$1", "unit", "(?:restic-)?(.+?)(?:[.]service)?")' % host,

  // top keeps the units with the largest values at the end of the graph; any, for what is
  // mostly 0, those with the largest values above 0 in the time of the graph.
  top(expr, metric, more='')::
    '%s\nand on (%s) topk(%d, %s)' % [expr, key, c.top, q.by('sum', 'last_over_time(%s%s[%s] @ end())' % [metric, q.s(more), c.remember])],
  any(expr, metric, more='')::
    '%s\nand on (%s) topk(%d, %s > 0)' % [expr, key, c.top, q.by('sum', 'max_over_time(%s%s[$__range] @ end())' % [metric, q.s(more)])],

  local end = 'restic_run_end_timestamp_seconds',
  local success = 'restic_run_last_success_timestamp_seconds',
  status(status):: q.by('max', 'restic_run_status%s == 1' % q.s('status="%s"' % status)),
  local limit(get) = '(%s or %s * 0 + %s)' % [get('restic_run_max_age_seconds'), get(end), duration(c.maxAge)],
  local never(get) = '(%s unless %s)' % [get(end), get(success)],
  age:: 'time() - ' + q.last(success),
  // Age of the last success as a share of the limit; neverShare if there was no success.
  neverShare:: 1000,
  share:: '(%s) / %s\nor %s * 0 + %d' % [q.age, limit(q.last), never(q.last), q.neverShare],
  gone:: '(%s unless %s)' % [q.last(end), q.unit(end)],
  unclear:: q.by('max', '\n  %s\n' % std.join('\n  or ', [
    'restic_exporter_unparsed_lines%s > 0' % q.s(),
    'restic_exporter_dropped_entries%s > 0' % q.s(),
    'restic_exporter_failed%s == 1' % q.s(),
    '(restic_exporter_backups%s == 0 and ignoring (status) restic_run_status%s == 1)' % [q.s('unit!~"%s"' % c.notBackups), q.s('status="success"')],
  ])),

  // A unit is in the worst of the states that apply: a success that is too old, or that the log does not show, does not
  // count. The colours differ in brightness, too, for people who cannot distinguish red from green.
  states:: [
    { text: 'success', color: 'green' },
    { text: 'unclear', color: 'blue' },
    { text: 'partial', color: 'yellow' },
    { text: 'too old', color: 'dark-purple' },
    { text: 'failed', color: 'dark-red' },
    { text: 'gone', color: '#6e6e78' },
  ],
  state:: std.join('\nor ', [
    q.status('failed') + ' * 4',
    '(time() - %s > %s) * 0 + 3' % [q.unit(success), limit(q.unit)],
    '%s * 0 + 3' % never(q.unit),
    q.status('partial') + ' * 2',
    '(%s) * 0 + 1' % q.unclear,
    q.status('success') + ' * 0',
  ]),
  stateOrGone:: '%s * 0 + 5\nor %s' % [q.gone, q.state],

  // How many there are: 0 if there are none, and no value if there are no units at all.
  number(expr):: 'count(%s)\nor count(%s) * 0' % [expr, q.last(end)],

  // The failed runs as marks: when each ended, in milliseconds. There are none if there are more units than a graph
  // shows, because they would cover it.
  failures:: q.short('(%s * on (%s) group_left %s * 1000 and on (%s) %s and on () count(%s) <= %d)' % [
    q.reason,
    key,
    q.unit(end),
    key,
    q.status('failed'),
    q.unit(end),
    c.top,
  ]),
  reason:: q.by('max', 'restic_run_failure_reason%s == 1' % q.s(), ['reason']),
  reasons:: 'sum by (reason) (restic_run_failure_reason%s)\nand on (reason) max by (reason) (max_over_time(restic_run_failure_reason%s[$__range] @ end())) > 0' % [q.s(), q.s()],
}
