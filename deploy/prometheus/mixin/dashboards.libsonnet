{
  local c = $._config,
  local s(more='') = '{' + std.join(',', std.filter(function(x) x != '', [
    c.selector,
    'instance=~"$instance"',
    'unit=~"$unit"',
    more,
  ])) + '}',
  local datasource = { type: 'prometheus', uid: '${datasource}' },
  local target(expr, legend='', extra={}) = { datasource: datasource, expr: expr, legendFormat: legend } + extra,
  local panel(type, title, w, h, targets, description='', unit='', extra={}) = {
    type: type,
    title: title,
    [if description != '' then 'description']: description,
    datasource: datasource,
    gridPos: { w: w, h: h },
    targets: [
      targets[i] { refId: std.char(std.codepoint('A') + i) }
      for i in std.range(0, std.length(targets) - 1)
    ],
    fieldConfig: { defaults: { [if unit != '' then 'unit']: unit }, overrides: [] },
    options: {},
  } + extra,
  local row(title) = { type: 'row', title: title, collapsed: false, gridPos: { w: 24, h: 1 }, panels: [] },
  local thresholds(steps) = { fieldConfig+: { defaults+: { thresholds: { mode: 'absolute', steps: steps }, color: { mode: 'thresholds' } } } },
  local badFrom(n, color='red') = thresholds([{ color: 'green', value: null }, { color: color, value: n }]),
  local stat(title, expr, description, extra={}) = panel('stat', title, 4, 4, [target(expr, '', { instant: true })], description, '', {
    options: { colorMode: 'background', graphMode: 'none', reduceOptions: { calcs: ['lastNotNull'] } },
  } + extra),
  local lines(title, unit, targets, description='', extra={}) = panel('timeseries', title, 12, 8, targets, description, unit, {
    fieldConfig+: { defaults+: { min: 0, custom: { drawStyle: 'line', lineInterpolation: 'stepAfter', fillOpacity: 10, spanNulls: 172800000 } } },
    options: { legend: { displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi' } },
  } + extra),
  local stacked = { fieldConfig+: { defaults+: { custom+: { stacking: { mode: 'normal' }, fillOpacity: 40 } } } },
  local name = '{{instance}} {{unit}}',
  local units(status) = 'count(restic_run_status%s == 1) or vector(0)' % s('status="%s"' % status),

  local variable(name, label, query) = {
    name: name,
    type: 'query',
    label: label,
    datasource: datasource,
    query: { query: query, refId: name },
    definition: query,
    multi: true,
    includeAll: true,
    allValue: '.*',
    current: { text: 'All', value: '$__all' },
    refresh: 2,
    sort: 1,
  },

  // Panels flow from left to right; a row begins anew.
  local place(panels) = std.foldl(function(at, p)
    local wraps = at.x + p.gridPos.w > 24;
    local x = if wraps then 0 else at.x;
    local y = if wraps then at.y + at.h else at.y;
    {
      x: x + p.gridPos.w,
      y: y,
      h: if wraps then p.gridPos.h else std.max(at.h, p.gridPos.h),
      panels: at.panels + [p { id: std.length(at.panels) + 1, gridPos+: { x: x, y: y } }],
    }, panels, { x: 0, y: 0, h: 0, panels: [] }).panels,

  grafanaDashboards+:: {
    'restic.json': {
      uid: 'restic-exporter',
      title: 'restic backups',
      tags: c.dashboardTags,
      schemaVersion: 38,
      editable: true,
      graphTooltip: 1,
      refresh: '5m',
      time: { from: 'now-30d', to: 'now' },
      timezone: 'browser',
      templating: { list: [
        { name: 'datasource', type: 'datasource', query: 'prometheus', label: 'Data source' },
        variable('instance', 'Instance', 'label_values(restic_run_status, instance)'),
        variable('unit', 'Unit', 'label_values(restic_run_status{instance=~"$instance"}, unit)'),
      ] },
      annotations: { list: [{
        name: 'Failed runs',
        datasource: datasource,
        enable: true,
        expr: 'changes(restic_run_end_timestamp_seconds%s[$__interval]) > 0 and ignoring (status) restic_run_status%s == 1' % [s(), s('status="failed"')],
        iconColor: 'red',
        titleFormat: '{{unit}} failed',
      }] },
      panels: place([
        row('Overview'),
        stat('Good', units('success'), 'Units whose last run succeeded.', thresholds([{ color: 'green', value: null }])),
        stat('Partial', units('partial'), 'Units whose last run saved a snapshot, but could not read all of the source.', badFrom(1, 'orange')),
        stat('Failed', units('failed'), 'Units whose last run failed.', badFrom(1)),
        stat('Too old', 'count(time() - restic_run_last_success_timestamp_seconds%s > (restic_run_max_age_seconds%s or restic_run_last_success_timestamp_seconds%s * 0 + %d)) or vector(0)' % [s(), s(), s(), $.seconds(c.maxAge)], 'Units without a good run for longer than their limit.', badFrom(1)),
        stat('Not understood', 'count(restic_exporter_unparsed_lines%s + restic_exporter_dropped_entries%s > 0) or vector(0)' % [s(), s()], 'Units whose log could not be read as a whole.', badFrom(1, 'orange')),
        stat('Oldest success', 'time() - min(restic_run_last_success_timestamp_seconds%s)' % s(), 'How long ago the unit that waits longest succeeded.', badFrom($.seconds(c.maxAge)) + { fieldConfig+: { defaults+: { unit: 's' } } }),
        panel('table', 'Units', 24, 9, [
          target('restic_run_status%s == 1' % s(), '', { instant: true, format: 'table' }),
          target('time() - restic_run_last_success_timestamp_seconds%s' % s(), '', { instant: true, format: 'table' }),
          target('restic_run_max_age_seconds%s or restic_run_last_success_timestamp_seconds%s * 0 + %d' % [s(), s(), $.seconds(c.maxAge)], '', { instant: true, format: 'table' }),
          target('restic_run_end_timestamp_seconds%s - restic_run_start_timestamp_seconds%s' % [s(), s()], '', { instant: true, format: 'table' }),
          target('sum without (backup) (restic_snapshot_added_bytes%s)' % s(), '', { instant: true, format: 'table' }),
          target('restic_run_consecutive_failures%s' % s(), '', { instant: true, format: 'table' }),
        ], 'The last run of each unit, and how long ago it succeeded against its limit.', '', {
          transformations: [
            { id: 'merge', options: {} },
            { id: 'organize', options: {
              excludeByName: { Time: true, __name__: true, job: true, 'Value #A': true },
              renameByName: {
                instance: 'Instance',
                unit: 'Unit',
                status: 'Status',
                'Value #B': 'Since success',
                'Value #C': 'Limit',
                'Value #D': 'Duration',
                'Value #E': 'Added',
                'Value #F': 'Failures in a row',
              },
            } },
          ],
          fieldConfig+: { overrides: [
            { matcher: { id: 'byRegexp', options: 'Since success|Limit|Duration' }, properties: [{ id: 'unit', value: 's' }] },
            { matcher: { id: 'byName', options: 'Added' }, properties: [{ id: 'unit', value: 'bytes' }] },
            { matcher: { id: 'byName', options: 'Status' }, properties: [
              { id: 'custom.cellOptions', value: { type: 'color-background' } },
              { id: 'mappings', value: [{ type: 'value', options: {
                success: { color: 'green', index: 0 },
                partial: { color: 'orange', index: 1 },
                failed: { color: 'red', index: 2 },
              } }] },
            ] },
          ] },
        }),
        row('History'),
        panel('state-timeline', 'Status', 24, 8, [
          target('sum by (instance, unit) (restic_run_status%s * 1 or restic_run_status%s * 2)' % [s('status="partial"'), s('status="failed"')], name),
        ], '', '', {
          fieldConfig+: { defaults+: {
            custom: { fillOpacity: 80, lineWidth: 0 },
            mappings: [{ type: 'value', options: {
              '0': { text: 'success', color: 'green', index: 0 },
              '1': { text: 'partial', color: 'orange', index: 1 },
              '2': { text: 'failed', color: 'red', index: 2 },
            } }],
          } },
          options: { showValue: 'never', mergeValues: true, rowHeight: 0.8 },
        }),
        row('Volume'),
        lines('Source', 'bytes', [target('sum by (instance, unit) (restic_snapshot_processed_bytes%s)' % s(), name)], 'Size of what is backed up.'),
        lines('Added by run', 'bytes', [
          target('sum by (instance, unit) (restic_snapshot_added_bytes%s)' % s(), name + ' added'),
          target('sum by (instance, unit) (restic_snapshot_stored_bytes%s)' % s(), name + ' stored'),
        ], 'New data, before compression and after (restic 0.14 and later).'),
        lines('Repository', 'bytes', [
          target('restic_repository_size_bytes%s' % s(), name + ' size'),
          target('restic_repository_unused_bytes%s' % s(), name + ' unused'),
        ], 'After the last prune.'),
        lines('Removed by prune', 'bytes', [
          target('restic_prune_removed_bytes%s' % s(), name + ' removed'),
          target('restic_prune_repacked_bytes%s' % s(), name + ' repacked'),
        ]),
        row('Files'),
        lines('Files by run', 'short', [target('sum by (instance, unit, state) (restic_snapshot_files%s)' % s('state!="unmodified"'), name + ' {{state}}')], 'New and changed; the rest is unmodified.', stacked),
        lines('Files in the source', 'short', [target('sum by (instance, unit) (restic_snapshot_processed_files%s)' % s(), name)]),
        lines('Snapshots by forget', 'short', [target('restic_forget_snapshots%s' % s(), name + ' {{result}}')]),
        lines('Directories by run', 'short', [target('sum by (instance, unit, state) (restic_snapshot_dirs%s)' % s('state!="unmodified"'), name + ' {{state}}')], '', stacked),
        row('Time'),
        lines('Duration by step', 's', [target('restic_step_duration_seconds%s' % s(), name + ' {{step}}')], 'From the first to the last line of each restic command.', stacked),
        lines('Duration of the backup', 's', [target('restic_snapshot_duration_seconds%s' % s(), name + ' {{backup}}')], "By restic's own clock."),
        row('Health'),
        lines('Errors', 'short', [
          target('restic_check_found_errors%s' % s(), name + ' found by check'),
          target('sum by (instance, unit) (restic_snapshot_unreadable_items%s)' % s(), name + ' unreadable'),
          target('sum by (instance, unit) (restic_step_errors%s)' % s(), name + ' error lines'),
        ]),
        lines('Retries', 'short', [target('sum by (instance, unit) (restic_step_retries%s)' % s(), name)], 'Operations on the repository that were retried.'),
        lines('Since each step succeeded', 's', [target('time() - restic_step_last_success_timestamp_seconds%s' % s(), name + ' {{step}}')]),
        lines('Locks', 's', [target('restic_lock_age_seconds%s' % s(), name)], 'Age of the lock that stopped the run; 0 if none did.'),
        lines('Log', 'short', [
          target('restic_exporter_log_entries%s' % s(), name + ' read'),
          target('restic_exporter_dropped_entries%s' % s(), name + ' dropped'),
          target('restic_exporter_unparsed_lines%s' % s(), name + ' not understood'),
          target('restic_exporter_backups%s' % s(), name + ' backups understood'),
        ]),
        lines('Failure reasons', 'short', [target('sum by (reason) (restic_run_failure_reason%s)' % s(), '{{reason}}')], 'Units by what their last run failed of.', stacked),
      ]),
    },
  },
}
