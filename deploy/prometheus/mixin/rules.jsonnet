local yaml(rule) =
  local text(indent, s) = std.strReplace(std.stripChars(s, '\n'), '\n', '\n' + indent);
  |||
    - alert: %(alert)s
      expr: |-
        %(expr)s
      %(wait)slabels:
        severity: %(severity)s
      annotations:
        summary: %(summary)s
        description: %(description)s
        runbook_url: %(runbook)s
  ||| % {
    alert: rule.alert,
    expr: text('    ', rule.expr),
    wait: if std.objectHas(rule, 'for') then 'for: ' + rule['for'] + '\n  ' else '',
    severity: rule.labels.severity,
    summary: std.escapeStringJson(rule.annotations.summary),
    description: std.escapeStringJson(rule.annotations.description),
    runbook: rule.annotations.runbook_url,
  };
local indent(n, s) = std.join('\n', [
  if line == '' then line else std.repeat(' ', n) + line
  for line in std.split(s, '\n')
]);
local groups = (import 'mixin.libsonnet').prometheusAlerts.groups;
|||
  # Alerts on the metrics of restic-exporter. Generated from the mixin next to this file:
  # change that, or copy this.
  groups:
||| + std.join('', [
  '  - name: ' + group.name + '\n    rules:\n' + indent(6, std.join('\n', [yaml(rule) for rule in group.rules]))
  for group in groups
])
