package metrics

import "github.com/restic-exporter/restic-exporter/parser"

var (
	exporterBuildInfo      = gauge("restic_exporter_build_info", "Version of the exporter that wrote this file, always 1.", thisRun, "version", "revision", "goversion")
	exporterLogEntries     = gauge("restic_exporter_log_entries", "Log entries of the run that the exporter read.", thisRun)
	exporterDroppedEntries = gauge("restic_exporter_dropped_entries", "Log entries of the run that journald says it dropped.", thisRun)
	exporterUnparsedLines  = gauge("restic_exporter_unparsed_lines", "Log lines of the run that look like lines of restic but could not be read.", thisRun)
	exporterBackups        = gauge("restic_exporter_backups", "Backup summaries of the run that the exporter understood.", thisRun)
)

// exporter makes the metrics of the exporter's own work.
func (b *builder) exporter() {
	backups := 0
	for _, p := range b.run.Processes {
		if p.Backup != nil || p.Command == parser.CommandBackup && p.DryRun && p.Done {
			backups++
		}
	}
	b.set(exporterBuildInfo, 1, b.options.Version, b.options.Revision, b.options.GoVersion)
	b.set(exporterLogEntries, float64(b.run.Entries))
	b.set(exporterDroppedEntries, float64(b.run.Dropped))
	b.set(exporterUnparsedLines, float64(b.run.Unparsed))
	b.set(exporterBackups, float64(backups))
}
