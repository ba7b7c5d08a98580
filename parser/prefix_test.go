package parser

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestPrefix(t *testing.T) {
	for text, want := range map[string]int{
		"[restic] Files:           7 new,     5 changed,   221 unmodified\n": len("[restic] "),
		"a: Fatal: unable to create lock in backend: repository is locked":   len("a: "),
		`x|{"message_type":"exit_error","code":1,"message":"Fatal: x"}`:      len("x|"),
		"Files:           7 new,     5 changed,   221 unmodified":            0,
		"2026-11-25T10:00:00.5ZFatal: x":                                     len("2026-11-25T10:00:00.5Z"),
		"MyFiles: 7 new, 5 changed, 221 unmodified":                          0,
		"a: Files: 7 new, 5 changed, 221 unmodified, all in all":             0,
		"error: lstat /srv/Fatal: x: permission denied":                      0, // restic's own, from its first byte
		"unchanged /srv/Fatal: x":                                            0,
		`[(1, 'Fatal: wrong password or no key found\n')]`:                   0,
		"backup is done": 0,
		"":               0,
	} {
		assert.Equal(t, want, Prefix(Bare([]byte(text))), text)
	}
}
