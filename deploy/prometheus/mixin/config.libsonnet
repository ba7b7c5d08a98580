{
  _config+:: {
    // Which series are meant, as in 'job="node"'.
    selector: '',
    // What tells a unit from others, wherever its metrics come from: those of a store alone have host.
    labels: ['instance', 'host', 'unit'],
    // Units that do not back up: a success of theirs without a backup is right.
    notBackups: '.*(forget|prune|check|copy).*',
    // Age of the last success of units that say nothing themselves (--max-age).
    maxAge: '50h',
    // How long a unit is remembered whose metrics are gone; one that was removed is reported for as long.
    remember: '7d',
    // How long a host of a store is remembered that sends nothing.
    rememberHost: '30d',
    // A lock this old belongs to nobody any more.
    maxLockAge: '6h',
    // Steps that are to be done now and then, and how often.
    maxStepAge: '35d',
    steps: 'prune|check',
    // What is left of the source's size in a week, to be worth a look.
    shrunkTo: 0.7,
    // How much of the files may change in a run, of sources of so many files.
    changedFiles: 0.5,
    changedFilesOf: 100,
    // A graph of many units shows so many of them.
    top: 20,
    runbooks: 'https://github.com/restic-exporter/restic-exporter/blob/main/docs/runbooks/%s.md',
    dashboardTags: ['restic', 'backup'],
  },
}
