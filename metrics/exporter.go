package metrics

import "github.com/restic-exporter/restic-exporter/parser"

var (
	exporterBuildInfo      = gauge("restic_exporter_build_info", "Build of the exporter that wrote this file; the value is always 1.", thisRun, "version", "revision", "goversion")
	exporterCollected      = gauge("restic_exporter_collected_timestamp_seconds", "Unix time at which the hosts of a store were last collected.", thisRun)
	exporterFailed         = gauge("restic_exporter_failed", "Whether the last call of the exporter for the unit failed, which leaves its other metrics out of date.", thisRun)
	exporterLogEntries     = gauge("restic_exporter_log_entries", "Number of log entries of the last run that the exporter read.", thisRun)
	exporterDroppedEntries = gauge("restic_exporter_dropped_entries", "Number of log entries of the last run that journald reports as dropped.", thisRun)
	exporterFailedHosts    = gauge("restic_exporter_failed_hosts", "Number of hosts of a store that could not be collected, or only in part.", thisRun)
	exporterUnparsedLines  = gauge("restic_exporter_unparsed_lines", "Number of log lines of the last run that look like output of restic but could not be parsed.", thisRun)
	exporterBackups        = gauge("restic_exporter_backups", "Number of backup summaries that the exporter understood in the last run.", thisRun)
)

// exporter adds the metrics about the exporter itself.
func (b *builder) exporter() {
	backups := 0
	for _, p := range b.run.Processes {
		if p.Backup != nil || p.Command == parser.CommandBackup && p.DryRun && p.Done {
			backups++
		}
	}
	b.set(exporterBuildInfo, 1, b.options.Version, b.options.Revision, b.options.GoVersion)
	if !b.refused() {
		b.set(exporterLogEntries, float64(b.run.Entries))
	}
	b.set(exporterDroppedEntries, float64(b.run.Dropped))
	b.set(exporterUnparsedLines, float64(b.run.Unparsed))
	b.set(exporterBackups, float64(backups))
}
