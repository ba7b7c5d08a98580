# What the shell completes for restic-exporter(1). Generated from its usage text by
# go test ./cmd/restic-exporter -run TestCompletions -update

complete -c restic-exporter -l unit -d 'the backup unit' -x -a "(systemctl list-units --all --type=service --plain --no-legend --full 2>/dev/null | cut -d ' ' -f 1)"
complete -c restic-exporter -l output -d 'the .prom file, or a directory for UNIT.prom, or - for standard output' -r -F
complete -c restic-exporter -l invocation -d 'which run of the unit' -x
complete -c restic-exporter -l journal -d 'read this journal file, or those in this directory, not the local journal' -r -F
complete -c restic-exporter -l user -d 'the unit is one of the user\'s service manager'
complete -c restic-exporter -l namespace -d 'the unit logs into this journal namespace' -x
complete -c restic-exporter -l strip -d 'cut this from the beginning of each line of output: what a wrapper puts there, as \'^\\S+ \\S+ \' for ts' -x
complete -c restic-exporter -l action -d 'count lines logged as IDENTIFIER as action NAME' -x
complete -c restic-exporter -l label -d 'add a label to every series' -x
complete -c restic-exporter -l max-age -d 'age of the last success above which to alert, as 26h' -x
complete -c restic-exporter -l store -d 'read a VictoriaLogs; --output DIR gets HOST.prom' -x
complete -c restic-exporter -l host -d 'of a store: this host' -x
complete -c restic-exporter -l store-headers -d 'headers for the store, NAME: VALUE on each line' -r -F
complete -c restic-exporter -l sender-field -d 'of a store: the field that tells who sent an entry' -x
complete -c restic-exporter -l version -d 'print the version, and exit'
complete -c restic-exporter -l help -d 'print this, and exit'
