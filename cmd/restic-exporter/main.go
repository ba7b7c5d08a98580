// Restic-exporter writes what the journal says about a restic backup as metrics
// for node_exporter's textfile collector.
//
// It reads the journal of one invocation of a backup unit: what restic printed,
// and what the service manager says of it. It needs no repository password,
// opens no port, never runs restic and is no daemon.
//
// # Usage
//
//	restic-exporter [flags] [LOG]
//
// See restic-exporter(1), or call it with --help.
//
// # Exit codes
//
// 0 once the metrics are written, 1 if they could not be, 2 for wrong usage.
// That a backup failed is a metric, not a failure of this program.
package main

import (
	"context"
	"os"
	"runtime/debug"
)

// memoryLimit makes the garbage collector work earlier: with a file of many
// thousand backups the program would else take twice the memory that it needs.
const memoryLimit = 48 << 20

func main() {
	debug.SetMemoryLimit(memoryLimit)
	// Signals are not waited for: to start with that takes a tenth of the time
	// of a short run, and what they interrupt leaves the metrics as they were.
	p := program{
		getenv: os.Getenv,
		stdin:  os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
		build: buildInfo(), service: byService(os.Getenv),
	}
	os.Exit(p.run(context.Background(), os.Args[1:]))
}
