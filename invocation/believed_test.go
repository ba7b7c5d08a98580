package invocation

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/restic-exporter/restic-exporter/parser"
)

// TestBelieved: who else's word counts beside that of restic itself.
func TestBelieved(t *testing.T) {
	backup := func(pid int) parser.Process {
		return parser.Process{PID: pid, Command: parser.CommandBackup, Done: true, Backup: &parser.Backup{}}
	}
	const own = 7 // the process that is known as restic
	items := parser.Process{Command: parser.CommandBackup}
	gaveUp := parser.Process{Command: parser.CommandBackup, Fatal: "Fatal: wrong password or no key found"}
	check := parser.Process{PID: 9, Command: parser.CommandCheck, Done: true}
	tests := map[string]struct{ processes, want []parser.Process }{
		"a stream alone":                  {[]parser.Process{backup(0)}, []parser.Process{backup(0)}},
		"a process that nobody saw":       {[]parser.Process{backup(8)}, []parser.Process{backup(8)}},
		"restic, and a stream":            {[]parser.Process{backup(0), backup(own)}, []parser.Process{backup(own)}},
		"restic, and one that nobody saw": {[]parser.Process{backup(own), backup(8)}, []parser.Process{backup(own)}},
		"another command":                 {[]parser.Process{backup(own), check}, []parser.Process{backup(own), check}},
		"a reason to give up":             {[]parser.Process{gaveUp, backup(own)}, []parser.Process{gaveUp, backup(own)}},
		"names of files in a stream":      {[]parser.Process{items, backup(8)}, []parser.Process{backup(8)}},
		"names of files, nobody saw whose": {
			[]parser.Process{{PID: 6, Command: parser.CommandBackup}, backup(8)}, []parser.Process{backup(8)},
		},
		"names of files, and nothing else":   {[]parser.Process{items}, []parser.Process{items}},
		"a summary in a stream, and another": {[]parser.Process{backup(0), backup(0)}, []parser.Process{backup(0), backup(0)}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			known := func(p parser.Process) bool { return p.PID == own }
			relayed := func(p parser.Process) bool { return p.Source == "wrapper" }
			assert.Equal(t, tt.want, believed(tt.processes, known, relayed))
		})
	}
}
