{
  local c = $._config,
  local q = (import 'queries.libsonnet')(c, $.duration),
  local datasource = { type: 'prometheus', uid: '${datasource}' },
  local target(expr, legend='', extra={}) = { datasource: datasource, expr: expr, legendFormat: legend } + extra,
  local table(expr) = target(expr, '', { instant: true, format: 'table' }),
  local panel(type, title, w, h, targets, description='', unit='', extra={}) = {
    type: type,
    title: title,
    [if description != '' then 'description']: description,
    datasource: datasource,
    pluginVersion: '11.0.0',
    gridPos: { w: w, h: h },
    targets: [
      targets[i] { refId: std.char(std.codepoint('A') + i) }
      for i in std.range(0, std.length(targets) - 1)
    ],
    fieldConfig: { defaults: { [if unit != '' then 'unit']: unit }, overrides: [] },
    options: {},
  } + extra,
  local defaults(x) = { fieldConfig+: { defaults+: x } },
  local overrides(list) = { fieldConfig+: { overrides+: list } },
  local override(matcher, options, properties) = {
    matcher: { id: matcher, options: options },
    properties: [{ id: id, value: properties[id] } for id in std.objectFields(properties)],
  },
  local column(name, properties) = override('byName', name, properties),

  // The base colour is that of no value as well: never green, for unknown is not good.
  local steps(base, list) = { thresholds: { mode: 'absolute', steps: [{ color: base, value: null }] + list }, color: { mode: 'thresholds' } },
  local dim = '#8080801f',
  local states = [{ type: 'value', options: {
    [std.toString(i)]: q.states[i] { index: i }
    for i in std.range(0, std.length(q.states) - 1)
  } }],
  local withoutPort = [{ type: 'regex', options: { pattern: '^(.+):\\d+$', result: { text: '$1', index: 0 } } }],
  local withoutService = [{ type: 'regex', options: { pattern: '^(.+)\\.service$', result: { text: '$1', index: 0 } } }],

  local stat(title, w, targets, description, none, extra={}) = panel('stat', title, w, 3, [t { instant: true } for t in targets], description, '', defaults({ noValue: none }) + {
    options: { colorMode: 'background', graphMode: 'none', wideLayout: false, reduceOptions: { calcs: ['lastNotNull'] } },
  } + extra),
  local count(title, expr, color, description) = stat(title, 3, [target(q.number(expr), title)], description, 'No metrics', defaults(steps(dim, [{ color: color, value: 1 }])) + { options+: { textMode: 'value' } }),
  local lines(title, unit, targets, description='', none='No data', extra={}) = panel('timeseries', title, 12, 9, targets, description, unit, defaults({
    min: 0,
    noValue: none,
    color: { mode: 'palette-classic' },
    custom: { drawStyle: 'line', lineInterpolation: 'stepAfter', lineWidth: 1, fillOpacity: 0, showPoints: 'never', spanNulls: 172800000 },
  }) + {
    options: {
      legend: { displayMode: 'table', placement: 'right', calcs: ['lastNotNull'], sortBy: 'Last *', sortDesc: true, width: 320 },
      tooltip: { mode: 'multi', sort: 'desc' },
    },
  } + extra),
  local dashed(what) = overrides([override('byRegexp', '/ %s$/' % what, { 'custom.lineStyle': { fill: 'dash', dash: [6, 6] } })]),
  local name = '{{machine}} {{name}}',
  // line(metric) is one for each unit, of those that have most; bump(metric) of those that have any.
  local line(metric, what='', more='', aggregate='sum') = target(q.short(q.top(q.by(aggregate, metric + q.s(more)), metric, more)), std.rstripChars('%s %s' % [name, what], ' ')),
  local bump(metric, what='', more='') = target(q.short(q.any(q.total(metric, more), metric, more)), std.rstripChars('%s %s' % [name, what], ' ')),
  local parts(metric, label, what, more='') = target(
    q.short(q.top('sum by (%s, %s) (%s%s)' % [q.key, label, metric, q.s(more)], metric, more)), '%s %s' % [name, what]
  ),

  local variable(name, label, metric) = {
    name: name,
    type: 'query',
    label: label,
    datasource: datasource,
    query: { query: 'label_values(%s, %s)' % [metric, name], refId: name },
    definition: 'label_values(%s, %s)' % [metric, name],
    multi: true,
    includeAll: true,
    allValue: '.*',
    current: { text: 'All', value: '$__all' },
    refresh: 2,
    sort: 1,
  },
  local known(more='') = 'restic_run_status' + (
    local all = std.filter(function(x) x != '', [c.selector, more]);
    if all == [] then '' else '{' + std.join(',', all) + '}'
  ),

  // Panels flow from left to right; a row begins anew. A collapsed row holds its panels.
  local flow(y0, panels) = std.foldl(function(at, p)
    local wraps = at.x + p.gridPos.w > 24;
    local x = if wraps then 0 else at.x;
    local y = if wraps then at.y + at.h else at.y;
    {
      x: x + p.gridPos.w,
      y: y,
      h: if wraps then p.gridPos.h else std.max(at.h, p.gridPos.h),
      panels: at.panels + [p { gridPos+: { x: x, y: y } }],
    }, panels, { x: 0, y: y0, h: 0, panels: [] }),
  local place(rows) = std.foldl(function(at, row)
    local number(i, list) = [list[j] { id: i + j } for j in std.range(0, std.length(list) - 1)];
    local inside = flow(at.y + 1, row.panels);
    local id = at.id + 1;
    local panels = number(id, inside.panels);
    {
      id: at.id + 1 + std.length(panels),
      y: if row.collapsed then at.y + 1 else inside.y + inside.h,
      panels: at.panels + [{
        type: 'row',
        id: at.id,
        title: row.title,
        collapsed: row.collapsed,
        gridPos: { x: 0, y: at.y, w: 24, h: 1 },
        panels: if row.collapsed then panels else [],
      }] + if row.collapsed then [] else panels,
    }, rows, { id: 1, y: 0, panels: [] }).panels,
  local row(title, panels, collapsed=false) = { title: title, panels: panels, collapsed: collapsed },

  local units = panel('table', 'Units', 24, 10, [
    table(q.stateOrGone),  // A
    table(q.reason),  // B
    table(q.unit('restic_run_consecutive_failures')),  // C
    table(q.age),  // D
    table(q.share),  // E
    table(q.last('restic_run_end_timestamp_seconds') + ' * 1000'),  // F
    table('%s - %s' % [q.unit('restic_run_end_timestamp_seconds'), q.unit('restic_run_start_timestamp_seconds')]),  // G
    table(q.total('restic_snapshot_processed_bytes')),  // H
    table(q.total('restic_snapshot_added_bytes')),  // I
    table(q.unit('restic_repository_size_bytes')),  // J
    table('%s - (%s or %s)' % [
      q.unit('restic_repository_size_bytes'),
      q.by('max', 'restic_repository_size_bytes%s offset $__range' % q.s()),
      q.by('max', 'min_over_time(restic_repository_size_bytes%s[$__range])' % q.s()),
    ]),  // K
    table('(%s) * %d + (clamp_max(%s, %d) or %s * 0)' % [q.stateOrGone, q.neverShare * 10, q.share, q.neverShare, q.unit('restic_exporter_failed')]),  // L
  ], |||
    One row a unit, the worst first. Status is the last run's, or: too old, the last success is older than its limit; unclear, the run succeeded, but its log could not be read as a whole; gone, there are no metrics any more, or the machine is off. The limit is what the unit's --max-age says, else %s.
  ||| % c.maxAge, '', defaults({ noValue: 'No unit has metrics yet', custom: { align: 'auto', minWidth: 60, filterable: false } }) + {
    options: { showHeader: true, cellHeight: 'sm' },
    transformations: [
      { id: 'merge', options: {} },
      { id: 'sortBy', options: { sort: [{ field: 'Value #L', desc: true }] } },
      { id: 'organize', options: {
        excludeByName: { Time: true, 'Value #B': true, 'Value #L': true },
        indexByName: {
          unit: 0,
          instance: 1,
          host: 2,
          'Value #A': 3,
          reason: 4,
          'Value #C': 5,
          'Value #D': 6,
          'Value #E': 7,
          'Value #F': 8,
          'Value #G': 9,
          'Value #H': 10,
          'Value #I': 11,
          'Value #J': 12,
          'Value #K': 13,
        },
        renameByName: {
          unit: 'Unit',
          instance: 'Machine',
          host: 'Host',
          reason: 'Reason',
          'Value #A': 'Status',
          'Value #C': 'Failures',
          'Value #D': 'Since success',
          'Value #E': 'Of its limit',
          'Value #F': 'Last run',
          'Value #G': 'Took',
          'Value #H': 'Source',
          'Value #I': 'Added',
          'Value #J': 'Repository',
          'Value #K': 'Growth',
        },
      } },
    ],
  } + overrides([
    override('byRegexp', '/./', { noValue: '' }),
    column('Unit', { 'custom.minWidth': 180, mappings: withoutService, links: [{
      title: 'This unit alone',
      url: '/d/restic-exporter?var-instance=${__data.fields.Machine}&var-unit=${__value.raw}&${datasource:queryparam}&${__url_time_range}',
    }] }),
    column('Machine', { 'custom.width': 110, mappings: withoutPort }),
    column('Status', { 'custom.width': 76, 'custom.cellOptions': { type: 'color-background', mode: 'basic' }, mappings: states, 'custom.align': 'left' }),
    column('Reason', { 'custom.width': 130, links: [{ title: 'What to do', targetBlank: true, url: c.runbooks % 'ResticBackupFailed' + '#${__value.raw}' }] }),
    column('Failures', { 'custom.width': 76, 'custom.cellOptions': { type: 'color-text' }, thresholds: steps('text', [{ color: 'orange', value: 1 }, { color: 'dark-red', value: 3 }]).thresholds, description: 'Runs failed in a row.' }),
    column('Since success', { 'custom.width': 110, unit: 's', decimals: 1, noValue: 'never' }),
    column('Of its limit', {
      'custom.width': 150,
      'custom.cellOptions': { type: 'gauge', mode: 'basic', valueDisplayMode: 'text' },
      unit: 'percentunit',
      decimals: 0,
      min: 0,
      max: 1,
      thresholds: steps('text', [{ color: 'green', value: 0 }, { color: 'dark-red', value: 1 }]).thresholds,
      mappings: [{ type: 'value', options: { [std.toString(q.neverShare)]: { text: 'never', color: 'dark-red', index: 0 } } }],
    }),
    column('Last run', { unit: 'dateTimeFromNow', 'custom.width': 120, 'custom.align': 'right' }),
    column('Took', { unit: 's', decimals: 1, 'custom.width': 90 }),
    override('byRegexp', '/^(Source|Added|Repository|Growth)$/', { unit: 'bytes', decimals: 1, 'custom.width': 100 }),
    column('Growth', { description: 'Of the repository, over the time that is shown.' }),
  ])),

  local history = panel('state-timeline', 'Status', 24, 9, [target(q.short(q.state), name)], 'Grey: no metrics, as of a machine that was off.', '', defaults({
    noValue: 'No unit has run in this time',
    custom: { fillOpacity: 80, lineWidth: 0 },
    mappings: states + [{ type: 'special', options: { match: 'null', result: { text: 'no metrics', color: q.states[5].color, index: 6 } } }],
  }) + {
    options: { showValue: 'auto', alignValue: 'left', mergeValues: true, rowHeight: 0.8, perPage: 20, legend: { displayMode: 'list', placement: 'bottom', showLegend: true }, tooltip: { mode: 'single' } },
  }),

  local rows = place([
    row('Overview', [
      stat(
        'To look at',
        6,
        [target(q.number('(%s) > 0' % q.stateOrGone), 'To look at')],
        'Units that are not simply well: the rows of the table that are not green.',
        'No metrics',
        defaults(steps(dim, [{ color: 'green', value: 0 }, { color: 'dark-red', value: 1 }]) { mappings: [{ type: 'value', options: { '0': { text: 'All fine', index: 0 } } }] }) + { options+: { textMode: 'value' } },
      ),
      count('Good', '(%s) == 0' % q.stateOrGone, 'green', 'Units whose last run succeeded, within the limit, and could be read as a whole.'),
      count('Unclear', q.unclear, q.states[1].color, 'Units whose last run could not be read as a whole.'),
      count('Partial', q.status('partial'), q.states[2].color, 'Units that saved a snapshot, but could not read all of the source.'),
      count('Too old', '(%s) > 1' % q.share, q.states[3].color, 'Units whose last success is older than their limit, whatever the last run was.'),
      count('Failed', q.status('failed'), q.states[4].color, 'Units whose last run failed. One that fails for days is counted under Too old as well.'),
      count('Gone', q.gone, q.states[5].color, 'Units that had metrics within %s and have none now: removed, or their machine is off.' % c.remember),
      units,
    ]),
    row('History', [history]),
    row('Volume', [
      lines('Source', 'bytes', [line('restic_snapshot_processed_bytes')], 'Size of what is backed up.'),
      lines('Added by run', 'bytes', [
        line('restic_snapshot_added_bytes', 'added'),
        line('restic_snapshot_stored_bytes', 'stored'),
      ], 'New data: added before compression, stored after it (restic 0.14 and later).', 'No data', dashed('stored')),
      lines('Repository', 'bytes', [
        line('restic_repository_size_bytes', 'size'),
        line('restic_repository_unused_bytes', 'unused'),
      ], 'After the last prune.', 'Never pruned', dashed('unused')),
      lines('Removed by prune', 'bytes', [
        line('restic_prune_removed_bytes', 'removed'),
        line('restic_prune_repacked_bytes', 'repacked'),
      ], 'By the last prune: what it removed, and what it had to rewrite for that.', 'Never pruned', dashed('repacked')),
    ]),
    row('Files', [
      lines('Files by run', 'short', [parts('restic_snapshot_files', 'state', '{{state}}', 'state!="unmodified"')], 'New and changed; the rest is unmodified.', 'No data', dashed('changed')),
      lines('Files in the source', 'short', [line('restic_snapshot_processed_files')]),
      lines('Snapshots by forget', 'short', [parts('restic_forget_snapshots', 'result', '{{result}}')], 'Of the last forget.', 'Never forgotten', dashed('removed')),
      lines('Directories by run', 'short', [parts('restic_snapshot_dirs', 'state', '{{state}}', 'state!="unmodified"')], 'New and changed; the rest is unmodified.', 'No data', dashed('changed')),
    ], true),
    row('Time', [
      lines('Duration by step', 's', [parts('restic_step_duration_seconds', 'step', '{{step}}')], 'From the first to the last line of each restic command.'),
      lines('Duration of the backup', 's', [line('restic_snapshot_duration_seconds')], "By restic's own clock."),
    ], true),
    row('Health', [
      lines('Errors', 'short', [
        bump('restic_check_found_errors', 'found by check'),
        bump('restic_snapshot_unreadable_items', 'unreadable'),
        bump('restic_step_errors', 'error lines'),
      ], 'Of units that had any.', 'No errors'),
      lines('Retries', 'short', [bump('restic_step_retries')], 'Operations on the repository that were retried, of units that had any.', 'No retries'),
      lines('Since each step succeeded', 's', [target(q.short('time() - ' + q.top('max by (%s, step) (restic_step_last_success_timestamp_seconds%s)' % [q.key, q.s()], 'restic_step_duration_seconds')), name + ' {{step}}')]),
      lines('Locks', 's', [bump('restic_lock_age_seconds')], 'Age of the lock that stopped a run.', 'No run was stopped by a lock'),
      lines('Log', 'short', [
        line('restic_exporter_log_entries', 'read'),
        bump('restic_exporter_dropped_entries', 'dropped'),
        bump('restic_exporter_unparsed_lines', 'not understood'),
      ], 'Entries of the journal that a run has.', 'No data', dashed('read')),
      lines('Failure reasons', 'short', [target(q.reasons, '{{reason}}')], 'Units by what their last run failed of.', 'No failures'),
    ], true),
  ]),

  grafanaDashboards+:: {
    'restic.json': {
      uid: 'restic-exporter',
      title: 'restic backups',
      tags: c.dashboardTags,
      schemaVersion: 39,
      editable: true,
      graphTooltip: 1,
      refresh: '5m',
      time: { from: 'now-30d', to: 'now' },
      timezone: 'browser',
      templating: { list: [
        { name: 'datasource', type: 'datasource', query: 'prometheus', label: 'Data source' },
        variable('instance', 'Instance', known()),
        variable('unit', 'Unit', known('instance=~"$instance"')),
      ] },
      annotations: { list: [{
        name: 'Failed runs',
        datasource: datasource,
        enable: true,
        expr: q.failures,
        useValueForTime: 'on',
        iconColor: 'dark-red',
        titleFormat: '{{machine}} {{name}} failed',
        textFormat: '{{reason}}',
        // The history shows them itself.
        filter: { exclude: true, ids: [p.id for p in rows if p.title == 'Status'] },
      }] },
      panels: rows,
    },
  },
}
