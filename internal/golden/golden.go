// Package golden compares what a test got with a file that a person has
// checked. "go test ./... -update" rewrites these files; each package's tests
// import this one, so that all of them know the flag.
package golden

import (
	"errors"
	"flag"
	"io/fs"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// Equal compares got with the content of the named file. If they differ, it writes got to
// a file whose name has ".got" added.
func Equal(t testing.TB, name, got string) {
	t.Helper()
	if *update {
		require.NoError(t, os.WriteFile(name, []byte(got), 0o644))
		return
	}
	want, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		err = errors.New(name + " is missing: make it with go test ./... -update, and check it by hand")
	}
	if err == nil && string(want) == got {
		os.Remove(name + ".got")
		return
	}
	assert.NoError(t, os.WriteFile(name+".got", []byte(got), 0o644))
	require.NoError(t, err)
	assert.Equal(t, string(want), got, "see %s.got", name)
}
