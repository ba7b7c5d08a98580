//go:build cgo

package journal

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestAhead reads invocations of lengths at which one thread hands over to the
// other, with lines here and there that are not idle.
func TestAhead(t *testing.T) {
	sizes := []int{alone - 1, alone, alone + chunkSize, alone + chunkSize + 1, alone + 2*chunkSize - 1, alone + 2*chunkSize, alone + 2*chunkSize + 1, alone + 5*chunkSize + 7}
	idOf := func(i int) ID { return ID{15: byte(i + 1)} }
	matters := func(i int) bool { return i%1777 == 0 || i%chunkSize == 0 || i%chunkSize == chunkSize-1 || i%509 < 3 }
	var l log
	for n := range slices.Max(sizes) {
		for i, size := range sizes {
			if n < size {
				text := fmt.Sprintf("idle %d", n)
				if matters(n) {
					text = fmt.Sprintf("line %d", n)
				}
				l = append(l, line(idOf(i), 100+n%7, text))
			}
		}
	}
	r := Reader{Dir: l.dir(t)}
	for i, size := range sizes {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			var want []string
			for n := range size {
				if matters(n) {
					want = append(want, fmt.Sprintf("%d line %d", 100+n%7, n))
				}
			}
			first := fmt.Sprintf("%d line 0", 100)
			for ask := range 3 {
				seen := 1 // the first line is never asked about
				var got []string
				for e, err := range r.Skim(t.Context(), unit, idOf(i), func(text []byte, pid func() int) bool {
					if ask > 0 && seen%ask == 0 {
						assert.Equal(t, 100+seen%7, pid(), "%s", text)
					}
					var n int
					_, err := fmt.Sscanf(string(text[len("line "):]), "%d", &n)
					assert.NoError(t, err)
					assert.Equal(t, seen, n, "each line once, in order")
					seen++
					return bytes.HasPrefix(text, []byte("idle"))
				}) {
					require.NoError(t, err)
					got = append(got, fmt.Sprintf("%d %s", e.PID, e.Message))
				}
				assert.Equal(t, size, seen)
				assert.Equal(t, want, got)
				assert.Equal(t, first, got[0])
			}
		})
	}
	t.Run("a loop that ends early", func(t *testing.T) {
		n := 0
		for _, err := range r.Skim(t.Context(), unit, idOf(len(sizes)-1), func(text []byte, _ func() int) bool { return bytes.HasPrefix(text, []byte("idle")) }) {
			require.NoError(t, err)
			if n++; n == 40 {
				break
			}
		}
		assert.Equal(t, 40, n)
	})
}
