// Package record records what a restic writes to a real journal: testdata.
//
// It is a test, since it needs a machine to boot, and since it checks what it
// records: each recording must be understood, and agree with what the same
// restic says with --json of the same backup. Run without flags, it does this
// with the restic of the machine, and keeps nothing.
//
//	make record RESTIC=/path/to/restic
//
// puts the recordings into testdata, in a directory named after the release.
package record
