package journal

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// damagedLog is a log of which every line tells its place.
func damagedLog() log {
	l := log{manager(id1, starting, "Starting")}
	for i := range 200 {
		l = append(l, line(id1, 7, fmt.Sprintf("line %d %s", i, strings.Repeat("x", i))))
	}
	return append(l, manager(id1, succeeded, "ok"))
}

// TestDamage reads journal files that are cut off or have wrong bytes. What is
// read is some of what was written, unchanged and in order, or an error; it
// neither crashes nor hangs.
func TestDamage(t *testing.T) {
	whole, err := os.ReadFile(damagedLog().dir(t) + "/system.journal")
	require.NoError(t, err)
	used := len(whole)
	for used > 0 && whole[used-1] == 0 {
		used--
	}
	rng := rand.New(rand.NewPCG(1, 2))
	damages := map[string]func() []byte{
		"cut off": func() []byte { return whole[:rng.IntN(used)] },
		"wrong bytes": func() []byte {
			b := append([]byte(nil), whole...)
			for range 20 {
				b[300+rng.IntN(used-300)] ^= byte(1 + rng.IntN(255))
			}
			return b
		},
		"a wrong header": func() []byte {
			b := append([]byte(nil), whole...)
			b[rng.IntN(270)] ^= byte(1 + rng.IntN(255))
			return b
		},
	}
	for name, damage := range damages {
		t.Run(name, func(t *testing.T) {
			for range 60 {
				dir := t.TempDir()
				require.NoError(t, os.WriteFile(dir+"/system.journal", damage(), 0o644))
				r := Reader{Dir: dir}
				done := make(chan struct{})
				go func() {
					defer close(done)
					r.Latest(t.Context(), unit)
					last := -1
					got, _ := collect(r.Skim(t.Context(), unit, id1, func([]byte, func() int) bool { return false }))
					for _, e := range got {
						var n int
						if _, err := fmt.Sscanf(string(e.Message), "line %d", &n); err == nil && name == "cut off" {
							assert.Greater(t, n, last)
							assert.Equal(t, fmt.Sprintf("line %d %s", n, strings.Repeat("x", n)), string(e.Message))
							last = n
						}
					}
				}()
				select {
				case <-done:
				case <-time.After(20 * time.Second):
					require.Fail(t, "it hangs")
				}
			}
		})
	}
}

// TestManyFiles reads a run among a thousand journal files.
func TestManyFiles(t *testing.T) {
	dir := damagedLog().dir(t)
	other := log{line(id2, 9, "other", "_SYSTEMD_UNIT=other.service")}.dir(t)
	for i := range 1000 {
		require.NoError(t, os.Link(other+"/system.journal", fmt.Sprintf("%s/user-%d.journal", dir, i)))
	}
	got, err := collect(Reader{Dir: dir}.Entries(t.Context(), unit, id1))
	require.NoError(t, err)
	assert.Len(t, got, 202)
}

// TestLongFields are compressed in the journal.
func TestLongFields(t *testing.T) {
	l := log{line(id1, 7, strings.Repeat("compressible ", 5000))}
	for kind, source := range l.sources(t, false) {
		got, err := collect(source.Entries(t.Context(), unit, id1))
		require.NoError(t, err, kind)
		assert.Equal(t, []says{{Output, strings.Repeat("compressible ", 5000), 0, "", 0, 1}}, inShort(got), kind)
	}
}

// TestClock: the clock went back during the run. Order is that of the journal.
func TestClock(t *testing.T) {
	l := log{line(id1, 7, "first"), line(id1, 7, "second"), line(id1, 7, "third")}
	text := strings.NewReplacer(fmt.Sprint(t0.Add(time.Second).UnixMicro()), fmt.Sprint(t0.Add(-time.Hour).UnixMicro())).Replace(string(l.export()))
	r := Reader{Dir: journalDir(t, []byte(text))}
	got, err := collect(r.Entries(t.Context(), unit, id1))
	require.NoError(t, err)
	assert.Equal(t, []says{{Output, "first", 0, "", 0, 1}, {Output, "second", 0, "", 0, 1}, {Output, "third", 0, "", 0, 1}}, inShort(got))
}

// TestLeaks: a reader leaves neither memory nor files open.
func TestLeaks(t *testing.T) {
	n := 300
	if testing.Short() {
		n = 30
	}
	r := Reader{Dir: damagedLog().dir(t)}
	read := func() {
		id, err := r.Latest(t.Context(), unit)
		require.NoError(t, err)
		for range r.Skim(t.Context(), unit, id, func([]byte, func() int) bool { return false }) {
			break // the journal is closed here too
		}
		_, err = r.Extents(t.Context(), unit, id, []Origin{{}})
		require.NoError(t, err)
	}
	open := func() int {
		names, err := filepath.Glob("/proc/self/fd/*")
		require.NoError(t, err)
		return len(names)
	}
	for range 10 {
		read()
	}
	files, goroutines, memory := open(), runtime.NumGoroutine(), anonymous(t)
	for range n {
		read()
	}
	assert.LessOrEqual(t, open(), files+2)
	assert.LessOrEqual(t, runtime.NumGoroutine(), goroutines+2)
	assert.LessOrEqual(t, anonymous(t), memory+16<<10, "KiB")
}

// anonymous is the memory of its own that this process has, in KiB.
func anonymous(t *testing.T) int {
	runtime.GC()
	text, err := os.ReadFile("/proc/self/status")
	require.NoError(t, err)
	_, rest, _ := strings.Cut(string(text), "RssAnon:")
	n := 0
	_, err = fmt.Sscan(rest, &n)
	require.NoError(t, err)
	return n
}
