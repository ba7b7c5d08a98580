// Restic-exporter writes what the journal says about a restic backup as metrics
// for node_exporter's textfile collector.
//
// It reads the journal of one invocation of a backup unit: what restic printed,
// and what the service manager says of it. It needs no repository password,
// opens no port, never runs restic and is not a daemon.
//
// # Usage
//
//	Usage: restic-exporter [flags] [LOG]
//
//	Write what the journal says about a restic backup as metrics for the textfile
//	collector of node_exporter.
//
//	  --unit UNIT               the backup unit (default restic-backup.service);
//	                            repeatable, may be a pattern such as 'restic-*'
//	  --output PATH             the .prom file, a directory for UNIT.prom, or - for
//	                            standard output (default: the directory below)
//	  --invocation ID           which run of the unit (default: the run that this
//	                            call is part of, else the latest)
//	  --journal PATH            read this journal file, or those in this directory,
//	                            instead of the local journal
//	  --user                    the unit belongs to the user's service manager
//	  --namespace NAME          the journal namespace that the unit logs into
//	                            (default: the one that has lines of the run)
//	  --strip REGEXP            remove this from the beginning of each line: the
//	                            prefix of a wrapper, such as '^[^|]+[|] '
//	  --action NAME=IDENTIFIER  count lines logged as IDENTIFIER as action NAME;
//	                            repeatable (default backup=restic-backup.sh,
//	                            cleanup=cleanup-backups.sh, prune=restic-prune.sh)
//	  --label NAME=VALUE        add a label to every series; repeatable
//	  --max-age DURATION        alert if the last success is older, such as 26h
//	  --store URL               read a VictoriaLogs, and write HOST.prom to --output
//	  --host NAME               the host of the store to read (default: all);
//	                            repeatable, may be a pattern such as 'web*'
//	  --store-headers FILE      headers for the store, one NAME: VALUE per line
//	  --sender-field NAME       the field of the store with the sender of an entry
//	  --version                 print the version and exit
//	  --help                    print this text and exit
//
//	LOG is read instead of the journal; - is standard input. LOG can be whatever
//	journalctl prints with the wall clock and the host (best: -o export), a syslog
//	file, or the output of restic itself. Without --output, the metrics of LOG go to
//	standard output.
//
//	Textfile directory: the first of these that exists.
//	  /var/lib/node-exporter
//	  /var/lib/prometheus/node-exporter
//	  /var/lib/node_exporter/textfile_collector
//	  /var/lib/node_exporter
//	  /var/lib/prometheus-node-exporter-textfiles
//	  /var/lib/prometheus-node-exporter
//	  /run/node_exporter
//
//	As ExecStopPost= of the unit:
//	  ExecStopPost=-/usr/bin/restic-exporter --unit %n
//
//	Exit status: 0 if the metrics were written, 1 if they were not, 2 for wrong
//	usage. A failed backup is a metric, not a failure of this program.
//
// restic-exporter(1) has the details.
package main
