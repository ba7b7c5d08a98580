package parser

import "time"

// LastRun returns the number of the line with which the last run begins, counted over
// calls of Add, if the log is the output of several runs one after the other: a backup
// whose parent was saved earlier in the log is of a later run, and so is a command that
// began half a day after the one before had ended. Without such a sign it is 1.
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

// pause is longer than what other programs do between two commands of a run.
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
