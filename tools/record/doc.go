// Package record records what restic writes to a real journal, for testdata.
//
// It is a test, because it needs to boot a machine, and because it checks what it
// records: each recording must be understood, and agree with what the same restic prints
// about the same backup with --json. Without flags, it records the restic of the machine
// and keeps nothing.
//
//	make record RESTIC=/path/to/restic
//
// writes the recordings to testdata, into a directory named after the release.
package record
