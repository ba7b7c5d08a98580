package journal

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restic-exporter/restic-exporter/internal/journaltest"
)

// seeds adds the beginning of each recording.
func seeds(f *testing.F, add func(text []byte)) {
	for _, name := range journaltest.Recordings(f) {
		text, err := os.ReadFile(name)
		require.NoError(f, err)
		add(text[:min(len(text), 16<<10)])
	}
}

// bounded fails if f allocates more than input of that length can need: a
// buffer, and each byte a few times over.
func bounded(t *testing.T, length int, f func()) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	assert.LessOrEqual(t, after.TotalAlloc-before.TotalAlloc, uint64(4<<20+64*length), "bytes allocated for %d", length)
}

// FuzzExport: a whole entry is read as it was written, with any bytes, whatever
// stands behind it; and no length that lies makes the reader allocate.
func FuzzExport(f *testing.F) {
	seeds(f, func(text []byte) { f.Add([]byte("hello"), text) })
	f.Add([]byte("a\xff\x00\nb"), []byte("MESSAGE\n\xff\xff\xff\xff\xff\xff\xff\x7fabc"))
	f.Add([]byte(""), []byte("MESSAGE\n"+string(binary.LittleEndian.AppendUint64(nil, maxField))+"abc"))
	f.Fuzz(func(t *testing.T, message, tail []byte) {
		text := bytes.Join([][]byte{log{line(id1, 7, string(message))}.export(), tail}, nil)
		var got []Entry
		bounded(t, len(text), func() {
			for rec, err := range readExport(bytes.NewReader(text)) {
				if err != nil {
					break
				}
				kind, id, _ := selectorOf(unit, false).kind(rec)
				e := rec.entry(kind, id)
				e.Message = bytes.Clone(e.Message)
				got = append(got, e)
			}
		})
		require.NotEmpty(t, got)
		want := Entry{
			Kind: Output, Time: t0, Identifier: "restic-backup.sh", PID: 7, Comm: "restic", Message: bytes.Clone(message),
			Parts: 1, Invocation: id1, Boot: boot,
		}
		if len(message) == 0 {
			want.Message = nil
		}
		if len(got[0].Message) == 0 {
			got[0].Message = nil
		}
		assert.Equal(t, want, got[0])
	})
}

// FuzzJSON: a line that is no entry costs itself alone, and any message is read
// as journalctl writes it.
func FuzzJSON(f *testing.F) {
	f.Add([]byte("hello"), []byte(`{"MESSAGE":`))
	f.Add([]byte("a\xff\n"), []byte(`{"MESSAGE":[1,2,"x"],"_PID":{}}`))
	f.Add([]byte(""), []byte(`[[[[[[[[[[`))
	f.Add([]byte(""), []byte(`{"MESSAGE":`+strings.Repeat("[", 9000)+`"`+strings.Repeat("x", 10000)+`"`+strings.Repeat("]", 9000)+`}`))
	f.Add([]byte(""), []byte(`{"_SYSTEMD_UNIT":"restic-backup.service","_SYSTEMD_INVOCATION_ID":[49,49]}`))
	f.Fuzz(func(t *testing.T, message, broken []byte) {
		if bytes.ContainsRune(broken, '\n') {
			t.Skip("that would be several lines")
		}
		entry := func(message []byte) []byte {
			ints := make([]int, len(message))
			for i, c := range message {
				ints[i] = int(c)
			}
			text, err := json.Marshal(map[string]any{
				"__REALTIME_TIMESTAMP": fmt.Sprint(t0.UnixMicro()), "MESSAGE": ints, "_SYSTEMD_UNIT": unit, "_SYSTEMD_INVOCATION_ID": id1,
			})
			require.NoError(t, err)
			return append(text, '\n')
		}
		text := bytes.Join([][]byte{entry(message), broken, []byte("\n"), entry([]byte("last"))}, nil)
		var got []Entry
		bounded(t, len(text), func() {
			var err error
			got, err = collect(entries(t.Context(), readJSON(bytes.NewReader(text)), selectorOf(unit, false), id1))
			require.NoError(t, err)
		})
		require.GreaterOrEqual(t, len(got), 2)
		first, last := got[0], got[len(got)-1]
		assert.Equal(t, string(message), string(first.Message))
		assert.Equal(t, "last", string(last.Message))
	})
}

// FuzzShortISO: lines that are none are left out, and those that are one are
// read, whatever stands between them.
func FuzzShortISO(f *testing.F) {
	seeds(f, func(text []byte) { f.Add("hello", string(text)) })
	f.Add("a: b[7]: c", "2026-11-23T00:00:00+0000 host a[1]")
	f.Add("", "2026-11-23T00:00:00+0000 host systemd[1]: Starting restic-backup.service...")
	f.Add("", "2026-11-23T00:00:00+0000 host a[1]: b\n                                   c")
	f.Fuzz(func(t *testing.T, message, between string) {
		if strings.ContainsAny(message, "\r\n") {
			t.Skip("that would be several lines")
		}
		const head = "2026-11-23T01:00:00+0100 host "
		text := head + "systemd[1]: Starting restic-backup.service - x...\n" + head + "a[7]: " + message + "\n" + between +
			"\n" + head + "a[7]: last\n"
		r := &Recording{r: strings.NewReader(text), format: formatText, layout: &layouts[0]}
		var lines []string
		bounded(t, len(text), func() {
			for l, err := range r.textEntries(t.Context(), unit) {
				require.NoError(t, err)
				lines = append(lines, string(l.Message))
			}
		})
		require.GreaterOrEqual(t, len(lines), 3)
		assert.True(t, strings.HasPrefix(lines[1], message), "%q", lines[1])
		assert.Equal(t, "last", lines[len(lines)-1])
		if !strings.Contains(between, "systemd[1]") {
			got, err := collect(r.Entries(t.Context(), unit, ID{}))
			require.NoError(t, err)
			assert.Equal(t, "last", string(got[len(got)-1].Message))
		}
	})
}
