//go:build !cgo

package journal

// open calls f with the journal.
func (r Reader) open(f func(backend) error) error { return r.openJournalctl(true, f) }

// openNamespace calls f with only the journal of the namespace.
func (r Reader) openNamespace(f func(backend) error) error { return r.openJournalctl(false, f) }
