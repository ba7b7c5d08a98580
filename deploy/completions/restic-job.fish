# What fish completes for restic-job(8): a job, then what restic itself completes.

function __restic_job
	set -l words (commandline -opc)
	set -l cur (commandline -ct)
	if test (count $words) -eq 1
		string replace --filter --regex '^/etc/restic-exporter/(.*)\.credentials$' '$1' /etc/restic-exporter/*.credentials
		return
	end
	# The last line says what to do with the others.
	set -l found (restic __complete $words[3..] "$cur" 2>/dev/null | string match --invert --regex '^:')
	if test (count $found) -gt 0
		string join \n -- $found
	else
		__fish_complete_path "$cur"
	end
end
complete -c restic-job -f -a '(__restic_job)'
