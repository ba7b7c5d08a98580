package textfile

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// FuzzUpdate: whatever is in a file, to read it takes neither much memory nor long. If the
// file is refused, or cannot be written, it stays as it was, and nothing else is left
// behind. What can be read and written comes back equal.
func FuzzUpdate(f *testing.F) {
	for _, text := range []string{
		"", "\n", "# EOF\n", "a 1", "a 1\na 1\n", "a 1 1700000000000\n", "a{b=\"c\",b=\"d\"} 1\n", "a NaN\nb -Inf\nc 0x1p-2\n",
		"# HELP a b\\nc \\\\ d\n# TYPE a gauge\na{b=\"\\\"\\\\\\n\"} 1\n",
		"# TYPE a histogram\na_bucket{le=\"1\"} 1\na_bucket{le=\"+Inf\"} 2\na_sum 3\na_count 2\n",
		"# TYPE a summary\na{quantile=\"0.5\"} 1\na_sum 3\na_count 2\n",
		"# TYPE a counter\n# TYPE a gauge\na 1\n", "# HELP a b\nb 1\n# TYPE a gauge\na 1\n",
		"a{" + strings.Repeat("b=\"c\",", 70) + "} 1\n",
		strings.Repeat("x", maxLine+1), strings.Repeat("a{b=\"c\"} 1\n", 7000), "a{\x00=\"\xff\"} 1\n",
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		dir := t.TempDir()
		name := filepath.Join(dir, "a.prom")
		require.NoError(t, os.WriteFile(name, content, 0o644))
		holds := func(want []byte, when string) {
			got, err := os.ReadFile(name)
			require.NoError(t, err)
			assert.Equal(t, string(want), string(got), when)
			files, err := os.ReadDir(dir)
			require.NoError(t, err)
			assert.Len(t, files, 1, when)
		}

		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		began := time.Now()
		mfs, err := Decode(bytes.NewReader(content))
		assert.Less(t, time.Since(began), 10*time.Second)
		runtime.ReadMemStats(&after)
		assert.LessOrEqual(t, after.TotalAlloc-before.TotalAlloc, uint64(1<<20+1024*len(content)), "bytes allocated for %d", len(content))

		refused := errors.New("refused")
		assert.Equal(t, refused, Update(name, func(old []*dto.MetricFamily, oldErr error) ([]*dto.MetricFamily, error) {
			assert.Equal(t, err == nil, oldErr == nil, "%v, %v", err, oldErr)
			assert.Len(t, old, len(mfs))
			return old, refused
		}))
		holds(content, "refused")
		if err != nil || slices.ContainsFunc(mfs, hasParts) {
			return
		}

		if WriteFile(name, mfs) != nil {
			holds(content, "what cannot be written")
			return
		}
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		got, err := Decode(bytes.NewReader(text))
		require.NoError(t, err)
		require.Len(t, got, len(mfs))
		for i := range mfs {
			assert.Equal(t, minusZero.ReplaceAllString(mfs[i].String(), "value:0$1"), got[i].String())
		}
		require.NoError(t, WriteFile(name, got))
		holds(text, "written again")
	})
}

// hasParts reports whether a family is a histogram or a summary. One that lacks its sum and
// count is written with 0.
func hasParts(mf *dto.MetricFamily) bool {
	return mf.GetType() == dto.MetricType_HISTOGRAM || mf.GetType() == dto.MetricType_SUMMARY
}

// minusZero is a value that is written as 0.
var minusZero = regexp.MustCompile(`value:-0([ }])`)
