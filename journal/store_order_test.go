package journal

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restic-exporter/restic-exporter/internal/victorialogs"
)

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestStorePages has long runs, which are read page by page. If the clock was set back in one,
// only the numbers of its entries tell their order, so that is read as a whole.
func TestStorePages(t *testing.T) {
	at := victorialogs.Start(t, victorialogs.Flags...)
	asked := 0
	client := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		asked++
		return http.DefaultTransport.RoundTrip(r)
	})}

	const lines = 2*maxPage + maxPage/2
	from := time.Now().Add(-5 * time.Hour).Truncate(time.Second)
	for host, tt := range map[string]struct {
		lines, asked int
		clock        func(i int, t int64) int64 // µs
	}{
		"short":   {maxPage - 20, 1, func(_ int, t int64) int64 { return t }},
		"long":    {lines, 2 + 3, func(_ int, t int64) int64 { return t }},
		"at once": {lines, 2 + 2, func(i int, t int64) int64 { return t - int64(min(i, 2*maxPage))*1e6 }},
		"set back": {lines, 2 + 1, func(i int, t int64) int64 {
			if i > lines/2 {
				return t - 3600*1e6
			}
			return t
		}},
	} {
		t.Run(host, func(t *testing.T) {
			run := log{manager(id1, starting, "Starting")}
			for i := range tt.lines {
				run = append(run, line(id1, 7, fmt.Sprint("line ", i)))
			}
			run = append(run, manager(id1, succeeded, "ok"))
			i := -1
			text := received.ReplaceAllFunc(run.exportOf(host, from), func(line []byte) []byte {
				var usec int64
				_, err := fmt.Sscanf(string(line), "__REALTIME_TIMESTAMP=%d", &usec)
				assert.NoError(t, err)
				i++
				return fmt.Appendf(nil, "__REALTIME_TIMESTAMP=%d", tt.clock(i, usec))
			})
			want, err := collectWhole(recording(t, text).Entries(t.Context(), unit, id1))
			require.NoError(t, err)
			require.Len(t, want, len(run))

			entries := bytes.SplitAfter(text, []byte("\n\n"))
			rand.Shuffle(len(entries), func(i, j int) { entries[i], entries[j] = entries[j], entries[i] })
			entries = slices.Concat(entries, entries[:10]) // some are sent twice
			victorialogs.Send(t, at, bytes.NewReader(bytes.Join(entries, nil)))
			asked = 0
			got, err := collectWhole(Store{URL: at, Client: client}.Host(host).Entries(t.Context(), unit, id1))
			require.NoError(t, err)
			assert.True(t, slices.EqualFunc(want, got, func(a, b Entry) bool { return assert.ObjectsAreEqual(a, b) }))
			assert.Equal(t, tt.asked, asked)
		})
	}
}
