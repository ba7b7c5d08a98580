package invocation

import (
	"path"
	"slices"
	"strings"

	"github.com/restic-exporter/restic-exporter/journal"
	"github.com/restic-exporter/restic-exporter/parser"
)

// A speaker is what kind of program wrote a line: that decides how far the line
// is believed to be restic's.
type speaker uint8

const (
	// passer passes on what others wrote, as tee, docker and wrappers do, or is a
	// script. Several restics share its process ID.
	passer speaker = iota
	// nobody is a process that ended before journald looked at it. It can be a
	// restic that failed at once, as well as a find.
	nobody
	restic
	// namer prints names of files, which can hold any text: it is never believed.
	namer
)

// speakerOf tells who wrote e, by what journald itself says of the process: by
// its program, and where that is missing by its command name, which is cut to 15
// bytes and for a script is the script's.
func speakerOf(e journal.Entry) speaker {
	program := path.Base(strings.TrimSuffix(e.Exe, " (deleted)")) // replaced while it ran
	switch {
	case e.Exe == "" && e.Comm == "":
		return nobody
	case e.Exe == "" || multiCall[program]:
		program = e.Comm
		if e.Exe == "" && isRestic(program) && !hasVersion(program) {
			return passer
		}
	}
	switch {
	case isRestic(program):
		return restic
	case namers[program]:
		return namer
	}
	return passer
}

// isRestic reports whether a program's name is restic's: also as its releases are
// named, such as "restic_0.19.1_linux_amd64", and NixOS wraps it.
func isRestic(name string) bool {
	switch {
	case name == "restic", name == ".restic-wrapped":
		return true
	case strings.HasPrefix(name, exporter):
		return false
	}
	rest, ok := strings.CutPrefix(name, "restic")
	return ok && len(rest) > 1 && strings.ContainsRune("-_.", rune(rest[0]))
}

// hasVersion reports whether a command name says which release of restic it is,
// if any: "restic-backup.s" is the beginning of a script's name.
func hasVersion(comm string) bool {
	rest, ok := strings.CutPrefix(comm, "restic")
	if !ok || rest == "" {
		return true
	}
	rest = strings.TrimPrefix(rest[1:], "v")
	return rest != "" && rest[0] >= '0' && rest[0] <= '9'
}

func set(names ...string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, name := range names {
		m[name] = true
	}
	return m
}

var (
	// namers are programs that print names of files.
	namers = set("find", "fd", "fdfind", "ls", "du", "tar", "bsdtar", "cpio", "zip", "unzip", "rsync", "rm", "cp", "mv", "ln", "stat", "tree",
		"install", "rmdir", "mkdir", "touch", "shred", "chmod", "chown", "chgrp", "wc", "file", "locate", "plocate",
		"md5sum", "sha1sum", "sha256sum", "sha512sum", "b2sum", "cksum")
	// multiCall are programs that are many in one: which one the command name says.
	multiCall = set("busybox", "toybox", "coreutils")
)

// author returns the process that printed the line, or 0 if another passed it
// on, such as tee: then several restics share one process ID.
func author(s speaker, pid int) int {
	if s == passer {
		return 0
	}
	return pid
}

// summaries are the commands whose summaries a file's name could forge.
var summaries = []parser.Command{parser.CommandBackup, parser.CommandForget, parser.CommandPrune, parser.CommandCheck}

// believed returns the processes without those that only claim to be restic's:
// what a process that is known as restic says of its command itself, nobody else
// can say of that command in the same run. Others can still say why they gave up.
func believed(processes []parser.Process, known func(parser.Process) bool) []parser.Process {
	var own, any []parser.Command // whose summaries restic itself printed, and some process that is not a stream
	for _, p := range processes {
		if !saysAll(p) || p.PID == 0 {
			continue
		}
		commands := []parser.Command{p.Command}
		if p.Forget != nil {
			commands = append(commands, parser.CommandForget)
		}
		any = append(any, commands...)
		if known(p) {
			own = append(own, commands...)
		}
	}
	return slices.DeleteFunc(processes, func(p parser.Process) bool {
		switch {
		case known(p) || !slices.Contains(summaries, p.Command):
			return false
		case saysAll(p):
			return slices.Contains(own, p.Command)
		}
		// Lines about files alone, as cat prints them from a file, are not a backup.
		return p.Fatal == "" && slices.Contains(any, p.Command)
	})
}

// saysAll reports whether p holds a summary, or the good end of its command. Of a
// backup the end alone can be the other stream's.
func saysAll(p parser.Process) bool {
	return p.Done && (p.Command != parser.CommandBackup || p.DryRun) || p.Backup != nil || p.Forget != nil || p.Prune != nil || p.Check != nil
}
