package parser

import "time"

// LastRun returns the number of the first line of the last run, for a log that is the
// output of several runs one after the other. Lines are counted as in [SyntaxError]. A new
// run begins with a backup whose parent was saved earlier in the log, or with a command
// that began more than twelve hours after the one before had ended. Without such a sign
// LastRun returns 1.
func (c *Collector) LastRun() int {
	first, saved := 1, make(map[string]bool)
	var ended time.Time
	for _, s := range c.sorted() {
		from, to := s.ran()
		if saved[string(s.backup.parentID[:])] || !ended.IsZero() && from.Sub(ended) > pause {
			first = s.first
			clear(saved)
		}
		if b := s.process.Backup; b != nil && b.Snapshot != "" {
			saved[b.Snapshot[:8]] = true
		}
		if to.After(ended) {
			ended = to
		}
	}
	return first
}

// pause is longer than other programs take between two commands of a run.
const pause = 12 * time.Hour

// ran returns when the process began and ended, as far as its lines or its summary say;
// zero if they do not.
func (s *state) ran() (from, to time.Time) {
	from, to = s.process.Start, s.process.End
	b := s.process.Backup
	switch {
	case to.IsZero():
		return s.backup.from, s.backup.to
	case b != nil && b.Duration != nil && to.Add(-*b.Duration).Before(from):
		from = to.Add(-*b.Duration) // it said nothing before
	}
	return from, to
}
