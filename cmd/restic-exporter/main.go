package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

// memoryLimit makes the garbage collector run earlier. Without it, the program would take
// twice the memory that it needs for a file with many thousand backups.
const memoryLimit = 48 << 20

func main() {
	debug.SetMemoryLimit(memoryLimit)
	// There is no handler for signals. To set one up takes a tenth of the time of a
	// short call, and an interrupted call leaves the metrics as they were anyway.
	p := program{
		getenv: os.Getenv,
		stdin:  os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
		build: buildInfo(), service: byService(os.Getenv),
	}
	os.Exit(p.run(context.Background(), os.Args[1:]))
}

// A program is the command with its environment.
type program struct {
	getenv         func(string) string
	stdin          io.Reader
	stdout, stderr io.Writer
	build          build
	service        bool         // a systemd service runs this process
	client         *http.Client // asks the store; nil: journal's own
	saying         sync.Mutex
}

// say prints a line to standard error. voice is "error" or "warning". It replaces control
// characters, because parts of the line can come from a log or from the name of a file.
func (p *program) say(voice, format string, args ...any) {
	line := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return utf8.RuneError
		}
		return r
	}, strings.ReplaceAll(fmt.Sprintf(format, args...), "\n", "; "))
	p.saying.Lock()
	defer p.saying.Unlock()
	fmt.Fprintf(p.stderr, "restic-exporter: %s: %s\n", voice, line)
}

// version is the version of the next release. The revision distinguishes builds.
const version = "0.1.0"

type build struct{ version, revision, goVersion string }

func buildInfo() build {
	b := build{version, "unknown", runtime.Version()}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				b.revision = s.Value[:min(len(s.Value), 12)]
			}
		}
	}
	return b
}
