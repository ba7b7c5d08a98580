//go:build !cgo

package journal

// open calls f with the journal.
func (r Reader) open(f func(backend) error) error { return f(journalctl{r.Dir}) }
