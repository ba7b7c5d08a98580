package textfile

// A family is what never changes about a metric family: node_exporter drops a
// family whose help differs between two files, and files of two versions lie
// side by side.
type family struct {
	name   string
	help   string
	labels []string // beside unit and those of the user
}

var (
	statuses = []string{statusSuccess, statusPartial, statusFailed}
	reasons  = []string{
		"locked", "password", "no_repository", "network", "no_space", "source_unreadable", "no_source",
		"check_errors", "timeout", "killed", "oom", "other",
	}
)

// families are all there are, by name.
var families = []family{
	{"restic_backup_duration_seconds", "Time from the first to the last line that an action of the run logged.", []string{"action"}},
	{"restic_backup_failure", "Whether the run failed; the label timestamp is the Unix time at which it ended.", []string{"timestamp"}},
	{"restic_check_found_errors", "Errors that the last check of the repository found.", nil},
	{"restic_exporter_backups", "Backup summaries of the run that the exporter understood.", nil},
	{"restic_exporter_build_info", "Version of the exporter that wrote this file, always 1.", []string{"version", "revision", "goversion"}},
	{"restic_exporter_dropped_entries", "Log entries of the run that journald says it dropped.", nil},
	{"restic_exporter_log_entries", "Log entries of the run that the exporter read.", nil},
	{"restic_exporter_unparsed_lines", "Log lines of the run that look like lines of restic but could not be read.", nil},
	{"restic_forget_snapshots", "Snapshots that the last forget kept and removed.", []string{"result"}},
	{"restic_lock_age_seconds", "Age of the lock on the repository that stopped the run, 0 if none did.", nil},
	{"restic_prune_removed_blobs", "Blobs that the last prune removed.", nil},
	{"restic_prune_removed_bytes", "Size of the blobs that the last prune removed.", nil},
	{"restic_prune_repacked_blobs", "Blobs that the last prune rewrote into new packs.", nil},
	{"restic_prune_repacked_bytes", "Size of the blobs that the last prune rewrote into new packs.", nil},
	{"restic_repo_dirs", "Directories by how they compare with the parent snapshot, over all backups of the last run that made any.", []string{"state"}},
	{"restic_repo_files", "Files by how they compare with the parent snapshot, over all backups of the last run that made any.", []string{"state"}},
	{"restic_repo_size_bytes", "Size of the data that the last backups added before compression (new), and of the repository before the last prune (total).", []string{"state"}},
	{"restic_repository_blobs", "Blobs in the repository after the last prune.", nil},
	{"restic_repository_size_bytes", "Size of the blobs in the repository after the last prune.", nil},
	{"restic_repository_unused_bytes", "Size of the blobs in the repository that are unused after the last prune.", nil},
	{"restic_run_consecutive_failures", "Runs that failed since the last success.", nil},
	{"restic_run_end_timestamp_seconds", "Unix time at which the run was last heard of.", nil},
	{"restic_run_exit_code", "Exit status of the process that failed the run, 128+N for signal N, 0 after success.", nil},
	{"restic_run_failure_reason", "What the run failed of: 1 for the reason, 0 for the others.", []string{"reason"}},
	{"restic_run_last_success_timestamp_seconds", "Unix time at which the last successful run ended.", nil},
	{"restic_run_max_age_seconds", "Age of the last success above which to alert.", nil},
	{"restic_run_start_timestamp_seconds", "Unix time at which the run started.", nil},
	{"restic_run_status", "How the run ended: 1 for the status, 0 for the others.", []string{"status"}},
	{"restic_snapshot_added_bytes", "Size of the data that the backup added before compression.", []string{"backup"}},
	{"restic_snapshot_dirs", "Directories of the backup by how they compare with the parent snapshot.", []string{"backup", "state"}},
	{"restic_snapshot_duration_seconds", "Duration of the backup by the clock of restic.", []string{"backup"}},
	{"restic_snapshot_files", "Files of the backup by how they compare with the parent snapshot.", []string{"backup", "state"}},
	{"restic_snapshot_last_created_timestamp_seconds", "Unix time at which a snapshot was last saved.", nil},
	{"restic_snapshot_processed_bytes", "Size of the source of the backup.", []string{"backup"}},
	{"restic_snapshot_processed_files", "Files in the source of the backup.", []string{"backup"}},
	{"restic_snapshot_stored_bytes", "Size of the data that the backup added after compression.", []string{"backup"}},
	{"restic_snapshot_unreadable_items", "Sources of the backup that could not be read.", []string{"backup"}},
	{"restic_step_duration_seconds", "Time from the first to the last line of the step, over all its processes.", []string{"step"}},
	{"restic_step_errors", "Errors that the last processes of the step logged.", []string{"step"}},
	{"restic_step_last_success_timestamp_seconds", "Unix time at which the step last reached its own good end.", []string{"step"}},
	{"restic_step_retries", "Operations on the repository that the last processes of the step retried.", []string{"step"}},
	{"restic_step_success", "Whether the step reached its own good end when it last ran.", []string{"step"}},
}

var byName = func() map[string]family {
	m := make(map[string]family, len(families))
	for _, f := range families {
		m[f.name] = f
	}
	return m
}()
