package invocation

import (
	"path"
	"slices"
	"strings"

	"github.com/restic-exporter/restic-exporter/journal"
	"github.com/restic-exporter/restic-exporter/parser"
)

// A speaker is the kind of program that wrote a line. It decides whether the line
// can be restic's.
type speaker uint8

const (
	// passer is a script, or a program such as tee, docker or a wrapper, which
	// forwards what others print. Several restics share its process ID.
	passer speaker = iota
	// nobody is a process that ended before journald looked at it: a restic that
	// failed at once, or any other short program.
	nobody
	restic
	// namer prints names of files. A name can hold any text, so nothing that it
	// prints counts as restic's.
	namer
)

// speakerOf returns who wrote e, according to the fields that journald adds: the
// path of the program or, where that is missing, the command name. A command name
// is cut to 15 bytes, and that of a script is the script's.
func speakerOf(e journal.Entry) speaker {
	if e.Exe == "" && e.Comm == "" {
		return nobody
	}
	program, known := programOf(e)
	switch {
	case isRestic(program) && !known && (e.Exe != "" || !hasVersion(program)):
		return passer // a script of that name
	case isRestic(program):
		return restic
	case namers[program]:
		return namer
	}
	return passer
}

// programOf returns the name of the program that wrote e, "" if it is unknown. known
// reports whether it is the name of the program's file, not the command name.
func programOf(e journal.Entry) (program string, known bool) {
	program = path.Base(strings.TrimSuffix(e.Exe, " (deleted)")) // an update replaced the file while it ran
	if e.Exe == "" || multiCall[program] {
		return e.Comm, false
	}
	return program, true
}

// programs are the names of restic's program in the journal.
var programs = []string{"restic", ".restic-wrapped"}

// isRestic reports whether name is that of a restic program. Downloaded releases are
// called "restic_0.19.1_linux_amd64", and NixOS calls it ".restic-wrapped".
func isRestic(name string) bool {
	switch {
	case slices.Contains(programs, name):
		return true
	case strings.HasPrefix(name, exporter):
		return false
	}
	rest, ok := strings.CutPrefix(name, "restic")
	return ok && len(rest) > 1 && strings.ContainsRune("-_.", rune(rest[0]))
}

// hasVersion reports whether a command name is "restic" alone or with a version.
// Other names that begin with restic are scripts, such as "restic-backup.s".
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
		"bfs", "eza", "exa", "lsd", "scp", "sftp", "rclone", "unlink", "readlink", "realpath", "getfacl", "setfacl", "lsattr", "chattr",
		"7z", "7za", "7zz", "unrar", "logrotate",
		"md5sum", "sha1sum", "sha224sum", "sha256sum", "sha384sum", "sha512sum", "b2sum", "b3sum", "cksum")
	// talkers are passers that print their own words, or what is in a file, and
	// hardly ever what another program says on its standard error.
	talkers = set("sh", "bash", "dash", "zsh", "ksh", "ksh93", "mksh", "ash", "fish", "cat", "head", "tail", "grep")
	// multiCall are single programs that contain many commands. The command name
	// says which one ran.
	multiCall = set("busybox", "toybox", "coreutils")
)

// relays reports whether the passer that wrote e may forward the standard error of others.
func relays(e journal.Entry) bool {
	program, known := programOf(e)
	return known && !talkers[program] // a command name alone may be that of a script
}

// author returns the process that printed the line, or 0 if a program such as tee
// forwarded it. Then several restics share one process ID.
func author(s speaker, pid int) int {
	if s == passer {
		return 0
	}
	return pid
}

// summaries are the commands that have summaries, which a file's name could forge.
var summaries = []parser.Command{parser.CommandBackup, parser.CommandForget, parser.CommandPrune, parser.CommandCheck}

// believed returns the processes without those that only look like restic. If a
// process known as restic printed the result of a command, no other process can
// have printed a result of the same command in that run. It can still have
// reported why it gave up.
//
// relayed reports whether a process forwards the standard error of others. It can
// complain for a restic whose standard output goes straight to the journal.
func believed(processes []parser.Process, known, relayed func(parser.Process) bool) []parser.Process {
	// Commands with a result from restic itself, and from any process that is not
	// a stream.
	var own, any []parser.Command
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
		case known(p):
			return false
		case onlyComplains(&p) && (p.Incomplete || p.Command == ""):
			return !relayed(p)
		case !slices.Contains(summaries, p.Command):
			return false
		case saysAll(p):
			return slices.Contains(own, p.Command)
		}
		// Without a result these are just lines about files, such as cat prints from
		// an old log.
		return p.Fatal == "" && slices.Contains(any, p.Command)
	})
}

// saysAll reports whether p printed a summary, or that its command succeeded. For a
// backup the latter is not enough, since that line can be in another stream.
func saysAll(p parser.Process) bool {
	return p.Done && (p.Command != parser.CommandBackup || p.DryRun) || p.Backup != nil || p.Forget != nil || p.Prune != nil || p.Check != nil
}
