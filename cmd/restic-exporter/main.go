package main

import (
	"context"
	"os"
	"runtime/debug"
)

// memoryLimit makes the garbage collector run earlier. Without it, the program would take
// twice the memory that it needs for a file with many thousand backups.
const memoryLimit = 48 << 20

func main() {
	debug.SetMemoryLimit(memoryLimit)
	// There is no handler for signals. To set one up takes a tenth of the time of a
	// short run, and an interrupted call leaves the metrics as they were anyway.
	p := program{
		getenv: os.Getenv,
		stdin:  os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
		build: buildInfo(), service: byService(os.Getenv),
	}
	os.Exit(p.run(context.Background(), os.Args[1:]))
}
