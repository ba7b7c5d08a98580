{
  _config+:: {
    // Which series are meant, as in 'job="node"'.
    selector: '',
    // The labels that tell a unit from others. host is the machine where the metrics come from a store of many machines'
    // journals: instance is then the machine that asked the store.
    labels: ['instance', 'host', 'unit'],
    // Units that do not back up: a success of theirs without a backup is right.
    notBackups: '.*(forget|prune|check|copy|restore).*',
    // Units that try to restore, and how old their last success may be.
    restoreTests: 'restic-restore-test.*',
    maxRestoreTestAge: '40d',
    // Age of the last success above which to alert, for units without a --max-age of their own.
    maxAge: '50h',
    // How long to report a unit whose metrics are gone, be it that it was removed.
    remember: '7d',
    // How long to report a host of a store that sends nothing.
    rememberHost: '30d',
    // How long ago the hosts of a store may have been collected.
    maxCollectAge: '30m',
    // Above this age a lock is a stale one.
    maxLockAge: '6h',
    // These steps must succeed at least this often.
    maxStepAge: '35d',
    steps: 'prune|check',
    // Alert if the source has shrunk to this share of its size within a week.
    shrunkTo: 0.7,
    // Alert if more than this share of the files has changed in a run, for sources of more than so many files.
    changedFiles: 0.5,
    changedFilesOf: 100,
    // A graph shows at most so many units.
    top: 20,
    runbooks: 'https://github.com/restic-exporter/restic-exporter/blob/main/docs/runbooks/%s.md',
    dashboardTags: ['restic', 'backup'],
  },
}
