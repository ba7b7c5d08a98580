# What the shell completes for restic-exporter(1). Generated from its usage text by
# go test ./cmd/restic-exporter -run TestCompletions -update

complete -c restic-exporter -l unit -d 'the backup unit' -x -a "(systemctl list-units --all --type=service --plain --no-legend --full 2>/dev/null | cut -d ' ' -f 1)"
complete -c restic-exporter -l output -d 'the .prom file, a directory for UNIT.prom, or - for standard output' -r -F
complete -c restic-exporter -l invocation -d 'which run of the unit' -x
complete -c restic-exporter -l journal -d 'read this journal file, or those in this directory, instead of the local journal' -r -F
complete -c restic-exporter -l user -d 'the unit belongs to the user\'s service manager'
complete -c restic-exporter -l namespace -d 'the journal namespace that the unit logs into' -x
complete -c restic-exporter -l strip -d 'remove this from the beginning of each line: the prefix of a wrapper, such as \'^[^|]+[|] \'' -x
complete -c restic-exporter -l action -d 'count lines logged as IDENTIFIER as action NAME' -x
complete -c restic-exporter -l label -d 'add a label to every series' -x
complete -c restic-exporter -l max-age -d 'alert if the last success is older, such as 26h' -x
complete -c restic-exporter -l store -d 'read a VictoriaLogs, and write HOST.prom to --output' -x
complete -c restic-exporter -l host -d 'the host of the store to read' -x
complete -c restic-exporter -l store-headers -d 'headers for the store, one NAME: VALUE per line' -r -F
complete -c restic-exporter -l sender-field -d 'the field of the store with the sender of an entry' -x
complete -c restic-exporter -l version -d 'print the version and exit'
complete -c restic-exporter -l help -d 'print this text and exit'
