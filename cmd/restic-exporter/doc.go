// Restic-exporter writes what the journal says about a restic backup as metrics
// for node_exporter's textfile collector.
//
// It reads the journal of one invocation of a backup unit: what restic printed,
// and what the service manager says of it. It needs no repository password,
// opens no port, never runs restic and is no daemon.
//
// # Usage
//
//	Usage: restic-exporter [flags] [LOG]
//
//	Write what the journal says about a restic backup as metrics for the textfile
//	collector of node_exporter.
//
//	  --unit UNIT               the backup unit (default restic-backup.service);
//	                            repeatable, may be a pattern, as 'restic-*'
//	  --output PATH             the .prom file, or a directory for UNIT.prom, or -
//	                            for standard output (default: the first directory
//	                            of those below)
//	  --invocation ID           which run of the unit (default: the run that this is
//	                            called from, else the latest)
//	  --journal PATH            read this journal file, or those in this directory,
//	                            not the local journal
//	  --user                    the unit is one of the user's service manager
//	  --namespace NAME          the unit logs into this journal namespace (default:
//	                            the one that has the run's lines)
//	  --strip REGEXP            cut this from the beginning of each line of output:
//	                            what a wrapper puts there, as '^\S+ \S+ ' for ts
//	  --action NAME=IDENTIFIER  count lines logged as IDENTIFIER as action NAME;
//	                            repeatable (default backup=restic-backup.sh,
//	                            cleanup=cleanup-backups.sh, prune=restic-prune.sh)
//	  --label NAME=VALUE        add a label to every series; repeatable
//	  --max-age DURATION        age of the last success above which to alert, as 26h
//	  --store URL               read a VictoriaLogs; --output DIR gets HOST.prom
//	  --host NAME               of a store: this host; repeatable, may be a pattern
//	  --store-headers FILE      headers for the store, NAME: VALUE on each line
//	  --sender-field NAME       of a store: the field that tells who sent an entry
//	  --version                 print the version, and exit
//	  --help                    print this, and exit
//
//	LOG is read in place of the journal, - is standard input: whatever journalctl
//	prints with the wall clock and the host (best: -o export), a syslog file, or the
//	output of restic itself. Its metrics go to standard output without --output.
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
//	Exit status: 0 once the metrics are written, 1 if they could not be, 2 for wrong
//	usage. That a backup failed is a metric, not a failure of this program.
//
// restic-exporter(1) says it all at length.
package main
