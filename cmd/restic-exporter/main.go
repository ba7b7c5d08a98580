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
