{
  local c = $._config,
  local q = (import 'queries.libsonnet')(c, $.duration),
  local datasource = { type: 'prometheus', uid: '${datasource}' },
  local target(expr, legend='', extra={}) = { datasource: datasource, expr: expr, legendFormat: legend } + extra,
  local table(expr) = target(expr, '', { instant: true, format: 'table' }),
  local refId(i) = std.char(std.codepoint('A') + i),
  local panel(type, title, w, h, targets, description='', unit='', extra={}) = {
    type: type,
    title: title,
    [if description != '' then 'description']: description,
    datasource: datasource,
    pluginVersion: '11.0.0',
    gridPos: { w: w, h: h },
    targets: [
      targets[i] { refId: refId(i) }
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

  // The base colour is also that of a missing value. It is never green, because unknown is not good.
  local steps(base, list) = { thresholds: { mode: 'absolute', steps: [{ color: base, value: null }] + list }, color: { mode: 'thresholds' } },
  local dim = '#8080801f',
  local states = [{ type: 'value', options: {
    [std.toString(i)]: q.states[i] { index: i }
    for i in std.range(0, std.length(q.states) - 1)
  } }],
  local withoutService = [{ type: 'regex', options: { pattern: '^(.+)\\.service$', result: { text: '$1', index: 0 } } }],

  local stat(title, w, targets, description, none, extra={}) = panel('stat', title, w, 3, [t { instant: true } for t in targets], description, '', defaults({ noValue: none }) + {
    options: {
      colorMode: 'background',
      graphMode: 'none',
      justifyMode: 'auto',
      orientation: 'auto',
      percentChangeColorMode: 'standard',
      showPercentChange: false,
      wideLayout: false,
      reduceOptions: { calcs: ['lastNotNull'] },
    },
  } + extra),
  local count(title, expr, color, description) = stat(title, 3, [target(q.number(expr), title)], description, '–', defaults(steps(dim, [{ color: color, value: 1 }])) + { options+: { textMode: 'value' } }),
  local lines(title, unit, targets, description='', none='No metrics', dashed=null) = panel('timeseries', title, 12, 9, targets, description, unit, defaults({
    [if unit == 'none' then 'decimals']: 0,
    min: 0,
    noValue: none,
    color: { mode: 'palette-classic' },
    custom: { drawStyle: 'line', lineInterpolation: 'stepAfter', lineWidth: 1, fillOpacity: 0, showPoints: 'never', spanNulls: 172800000 },
  }) + {
    options: {
      legend: { showLegend: true, displayMode: 'table', placement: 'right', calcs: ['lastNotNull'], sortBy: 'Last *', sortDesc: true, width: 320 },
      tooltip: { mode: 'multi', sort: 'desc' },
    },
  } + if dashed == null then {} else overrides([override('byRegexp', '/ %s$/' % dashed, { 'custom.lineStyle': { fill: 'dash', dash: [6, 6] } })])),
  // line(metric) has a line for each of the units with the largest values; bump(metric) only
  // for those with a value above 0.
  local legend(what) = std.rstripChars('{{machine}} {{name}} ' + what, ' '),
  local line(metric, what='', more='') = target(q.short(q.top(q.total(metric, more), metric, more)), legend(what)),
  local bump(metric, what='', more='') = target(q.short(q.any(q.total(metric, more), metric, more)), legend(what)),

  // One variable for each label. It offers the values of the units that the variables before it select.
  local variable(i) =
    local label = c.labels[i];
    local before = ['%s=~"$%s"' % [l, l] for l in c.labels[:i]];
    local query = 'label_values(restic_run_status{%s}, %s)' % [
      std.join(',', std.filter(function(x) x != '', [c.selector] + before)),
      label,
    ];
    {
      name: label,
      type: 'query',
      label: std.asciiUpper(label[0]) + label[1:],
      datasource: datasource,
      query: { query: query, refId: label },
      definition: query,
      multi: true,
      includeAll: true,
      allValue: '.*',
      current: { text: 'All', value: '$__all' },
      refresh: 2,
      sort: 1,
    },

  // Panels flow from left to right, and start again in each row. A collapsed row contains its panels.
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

  // The values that the table shows, by column. A column without a title is only there for its labels, or to sort by.
  local values = [
    ['Status', q.short(q.stateOrGone)],
    ['', q.reason],
    ['Failures', q.unit('restic_run_consecutive_failures')],
    ['Since success', q.age],
    ['Of its limit', q.share],
    ['Last run', q.last('restic_run_end_timestamp_seconds') + ' * 1000'],
    ['Took', '%s - %s' % [q.unit('restic_run_end_timestamp_seconds'), q.unit('restic_run_start_timestamp_seconds')]],
    ['Source', q.total('restic_snapshot_processed_bytes')],
    ['Added', q.total('restic_snapshot_added_bytes')],
    ['Repository', q.unit('restic_repository_size_bytes')],
    ['Growth', '%s - (%s or %s)' % [
      q.unit('restic_repository_size_bytes'),
      q.by('max', 'restic_repository_size_bytes%s offset $__range' % q.s()),
      q.by('max', 'min_over_time(restic_repository_size_bytes%s[$__range])' % q.s()),
    ]],
    ['', '(%s) * %d + (clamp_max(%s, %d) or %s * 0)' % [
      q.stateOrGone,
      q.neverShare * 10,
      q.share,
      q.neverShare,
      q.unit('restic_exporter_failed'),
    ]],
  ],
  local field(i) = 'Value #' + refId(i),
  local worst = field(std.length(values) - 1),
  local shown = [i for i in std.range(0, std.length(values) - 1) if values[i][0] != ''],
  local order = ['unit', 'machine', field(0), 'reason'] + [field(i) for i in shown[1:]],
  // The links need these labels of the machine; the column Machine shows its name.
  local hidden = [label for label in c.labels if std.member(['instance', 'host'], label)],

  local units = panel('table', 'Units', 24, 10, [table(v[1]) for v in values], |||
    One row for each unit, the worst first. Status is that of the last run, unless it is one of these: "too old", the last success is older than the limit; "unclear", the run succeeded, but part of its log could not be read; "gone", the unit no longer has metrics, or its machine is off. The limit is the unit's --max-age, or %s without one.
  ||| % c.maxAge, '', defaults({ noValue: 'No unit has metrics yet', custom: { align: 'auto', minWidth: 60, filterable: false, inspect: false } }) + {
    options: { showHeader: true, cellHeight: 'sm', frameIndex: 0 },
    transformations: [
      { id: 'merge', options: {} },
      { id: 'sortBy', options: { sort: [{ field: worst, desc: true }] } },
      { id: 'organize', options: {
        excludeByName: { Time: true, name: true } + { [field(i)]: true for i in std.range(0, std.length(values) - 1) if values[i][0] == '' },
        indexByName: { [order[i]]: i for i in std.range(0, std.length(order) - 1) },
        renameByName: { unit: 'Unit', machine: 'Machine', reason: 'Reason' } + { [field(i)]: values[i][0] for i in shown },
      } },
    ],
  } + overrides([
    override('byRegexp', '/./', { noValue: '' }),
    column('Unit', { 'custom.minWidth': 160, mappings: withoutService, links: [{
      title: 'This unit alone',
      url: '/d/restic-exporter?%s&${datasource:queryparam}&${__url_time_range}' % std.join('&', [
        'var-%s=%s' % [label, if label == 'unit' then '${__value.raw}' else '${__data.fields.%s}' % label]
        for label in c.labels
      ]),
    }] }),
    // Grafana 12 and older hide a column by the first of these, later ones by the second.
  ] + [column(label, { 'custom.hidden': true, 'custom.hideFrom': { viz: true, legend: false, tooltip: false } }) for label in hidden] + [
    column('Machine', { 'custom.minWidth': 110 }),
    column('Status', { 'custom.width': 76, 'custom.cellOptions': { type: 'color-background', mode: 'basic' }, mappings: states, 'custom.align': 'left' }),
    column('Reason', { 'custom.width': 140, links: [{ title: 'What to do', targetBlank: true, url: c.runbooks % 'ResticBackupFailed' + '#${__value.raw}' }] }),
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

  local history = panel('state-timeline', 'Status', 24, 9, [target(q.short(q.state), legend(''))], 'Status as in the table above. Grey: no metrics, because the machine was off or the unit did not exist yet.', '', defaults({
    noValue: 'No unit has run in this time',
    custom: { fillOpacity: 80, lineWidth: 0 },
    mappings: states + [{ type: 'special', options: { match: 'null', result: { text: 'no metrics', color: q.states[5].color, index: 6 } } }],
  }) + {
    options: { showValue: 'auto', alignValue: 'left', mergeValues: true, rowHeight: 0.8, perPage: 12, legend: { displayMode: 'list', placement: 'bottom', showLegend: true, calcs: [] }, tooltip: { mode: 'single', sort: 'none' } },
  }),

  local rows = place([
    row('Overview', [
      stat(
        'To look at',
        6,
        [target(q.number('(%s) > 0' % q.stateOrGone), 'To look at')],
        'Units whose status is not success: the rows of the table that are not green.',
        'No metrics',
        defaults(steps(dim, [{ color: 'green', value: 0 }, { color: 'dark-red', value: 1 }]) { mappings: [{ type: 'value', options: { '0': { text: 'All fine', index: 0 } } }] }) + { options+: { textMode: 'value' } },
      ),
      count('Good', '(%s) == 0' % q.stateOrGone, 'green', 'Units whose last run succeeded, is within the limit, and could be read completely.'),
      count('Unclear', q.unclear, q.states[1].color, 'Units whose last run could not be read completely.'),
      count('Partial', q.status('partial'), q.states[2].color, 'Units that saved a snapshot, but could not read all of the source.'),
      count('Too old', '(%s) > 1' % q.share, q.states[3].color, 'Units whose last success is older than their limit, whatever the last run did.'),
      count('Failed', q.status('failed'), q.states[4].color, 'Units whose last run failed. A unit that has failed for days also counts as too old.'),
      count('Gone', q.gone, q.states[5].color, 'Units that had metrics within %s and have none now: they were removed, or their machine is off.' % c.remember),
      units,
    ]),
    row('History', [history]),
    row('Volume', [
      lines('Source', 'bytes', [line('restic_snapshot_processed_bytes')], 'Size of what is backed up.'),
      lines('Added by run', 'bytes', [
        line('restic_snapshot_added_bytes', 'added'),
        line('restic_snapshot_stored_bytes', 'stored'),
      ], 'New data: added before compression, stored after it (restic 0.14 and later).', dashed='stored'),
      lines('Repository', 'bytes', [
        line('restic_repository_size_bytes', 'size'),
        line('restic_repository_unused_bytes', 'unused'),
      ], 'After the last prune.', 'Never pruned, or no metrics', dashed='unused'),
      lines('Removed by prune', 'bytes', [
        line('restic_prune_removed_bytes', 'removed'),
        line('restic_prune_repacked_bytes', 'repacked'),
      ], 'What the last prune removed, and what it rewrote to do so.', 'Never pruned, or no metrics', dashed='repacked'),
    ]),
    row('Files', [
      lines('Files by run', 'short', [
        line('restic_snapshot_files', 'new', 'state="new"'),
        line('restic_snapshot_files', 'changed', 'state="changed"'),
      ], 'New and changed files; all others are unmodified.', dashed='changed'),
      lines('Directories by run', 'short', [
        line('restic_snapshot_dirs', 'new', 'state="new"'),
        line('restic_snapshot_dirs', 'changed', 'state="changed"'),
      ], 'New and changed directories; all others are unmodified.', dashed='changed'),
      lines('Files in the source', 'short', [line('restic_snapshot_processed_files')], 'Number of files that are backed up.'),
      lines('Snapshots by forget', 'none', [
        line('restic_forget_snapshots', 'kept', 'result="kept"'),
        line('restic_forget_snapshots', 'removed', 'result="removed"'),
      ], 'What the last forget kept and removed.', 'Never forgotten, or no metrics', dashed='removed'),
    ], true),
    row('Time', [
      lines('Duration by step', 's', [
        line('restic_step_duration_seconds', step, 'step="%s"' % step)
        for step in ['backup', 'forget', 'prune', 'check', 'copy', 'restore']
      ], 'From the first to the last line of each restic command.'),
      lines('Duration of the backup', 's', [line('restic_snapshot_duration_seconds')], 'As restic itself measures it.'),
      lines('Since forget, prune, check and restore', 'd', [
        target(q.short('(time() - %s) / 86400' % q.top(q.unit(since, more), since, more)), legend(step))
        for step in ['forget', 'prune', 'check', 'restore']
        for since in ['restic_step_last_success_timestamp_seconds']
        for more in ['step="%s"' % step]
      ], 'Time since each step last succeeded.', 'None of them has succeeded, or no metrics'),
      lines('Locks', 'h', [target(q.short('(%s) / 3600' % q.any(q.total('restic_lock_age_seconds'), 'restic_lock_age_seconds')), legend(''))], 'Age of the lock that stopped a run.', 'No run was stopped by a lock, or no metrics'),
    ], true),
    row('Health', [
      lines('Errors', 'none', [
        bump('restic_check_found_errors', 'found by check'),
        bump('restic_snapshot_unreadable_items', 'unreadable'),
        bump('restic_step_errors', 'error lines'),
      ], 'Only units that had any in the time shown.', 'No errors, or no metrics'),
      lines('Retries', 'none', [bump('restic_step_retries')], 'Operations on the repository that restic retried. Only units that had any in the time shown.', 'No retries, or no metrics'),
      lines('Failure reasons', 'none', [target(q.reasons, '{{reason}}')], 'Number of units by the reason why their last run failed or was partial.', 'No failures, or no metrics'),
      lines('Log lost', 'none', [
        bump('restic_exporter_dropped_entries', 'dropped'),
        bump('restic_exporter_unparsed_lines', 'unparsed'),
      ], 'Entries that journald dropped, and lines that the exporter could not read. Only units that had any in the time shown.', 'Nothing, or no metrics'),
      lines('Log read', 'short', [line('restic_exporter_log_entries')], 'Entries of the journal in the last run.'),
      lines('Versions', 'none', [target('count by (version) (restic_exporter_build_info%s)' % q.s(), '{{version}}')], 'Number of units by the version of restic-exporter that reports them.'),
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
      ] + [variable(i) for i in std.range(0, std.length(c.labels) - 1)] },
      annotations: { list: [{
        name: 'Failed runs',
        datasource: datasource,
        enable: true,
        expr: q.failures,
        useValueForTime: true,
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
