{
  _config+:: {
    // Which series the rules are about, such as 'job="node"'.
    selector: '',
    // The labels that distinguish units. If the metrics come from a store of many machines' journals, host is the machine,
    // and instance is the machine that asked the store.
    labels: ['instance', 'host', 'unit'],
    // Units that do not back up: for them, a success without a backup is normal.
    notBackups: '.*(forget|prune|check|copy|restore).*',
    // Units that test a restore, and how old their last success may be.
    restoreTests: 'restic-restore-test.*',
    maxRestoreTestAge: '40d',
    // Age of the last success above which to alert, for units without a --max-age of their own.
    maxAge: '50h',
    // How long to report a unit whose metrics are gone, even if it was removed.
    remember: '7d',
    // How long to report a host of a store that sends nothing.
    rememberHost: '30d',
    // How old the last collection of the hosts of a store may be.
    maxCollectAge: '30m',
    // A lock above this age is stale.
    maxLockAge: '6h',
    // These steps must succeed at least this often.
    maxStepAge: '35d',
    steps: 'prune|check',
    // Alert if the source has shrunk to this share of its size within a week.
    shrunkTo: 0.7,
    // Alert if more than this share of the files has changed in a run, for sources with more files than this.
    changedFiles: 0.5,
    changedFilesOf: 100,
    // How many units a graph shows at most.
    top: 20,
    runbooks: 'https://github.com/restic-exporter/restic-exporter/blob/main/docs/runbooks/%s.md',
    dashboardTags: ['restic', 'backup'],
  },
}
