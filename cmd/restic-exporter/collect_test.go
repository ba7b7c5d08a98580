package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restic-exporter/restic-exporter/internal/metrictest"
	"github.com/restic-exporter/restic-exporter/internal/victorialogs"
	"github.com/restic-exporter/restic-exporter/textfile"
)

var times = regexp.MustCompile(`(?m)^(__REALTIME_TIMESTAMP|_SOURCE_REALTIME_TIMESTAMP)=(\d+)$`)

// An arrival is a run of a unit as a host of a store has it.
type arrival struct {
	recording, host, unit string
	run                   int
	began                 time.Time
}

// entries returns those of a run in the export format.
func (a arrival) entries(t testing.TB) []string {
	text := renamed(t, a.recording, a.unit, a.run)
	text = hostLine.ReplaceAllString(text, "_HOSTNAME="+a.host)
	text = machineLine.ReplaceAllString(text, fmt.Sprintf("_MACHINE_ID=%032x", len(a.host)))
	first, err := strconv.ParseInt(times.FindStringSubmatch(text)[2], 10, 64)
	require.NoError(t, err)
	text = times.ReplaceAllStringFunc(text, func(line string) string {
		name, value, _ := strings.Cut(line, "=")
		n, err := strconv.ParseInt(value, 10, 64)
		require.NoError(t, err)
		return fmt.Sprintf("%s=%d", name, n-first+a.began.UnixMicro())
	})
	n := 0
	text = regexp.MustCompile(`(?m)^__CURSOR=.*$`).ReplaceAllStringFunc(text, func(string) string {
		n++
		return fmt.Sprintf("__CURSOR=s=%032x;i=%x", len(a.host), a.run*1000+n)
	})
	return strings.SplitAfter(strings.TrimSuffix(text, "\n\n"), "\n\n")
}

// A counter counts what a store is asked.
type counter struct {
	*httptest.Server
	asked atomic.Int64
}

func countFor(t testing.TB, at string) *counter {
	to, err := url.Parse(at)
	require.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(to)
	c := new(counter)
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.asked.Add(1)
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(c.Close)
	return c
}

// TestStoreNews: only what is new is read, and what is not read stays.
func TestStoreNews(t *testing.T) {
	at := victorialogs.Start(t, victorialogs.Flags...)
	store := countFor(t, at)
	now := time.Now().Truncate(time.Second)
	dir := t.TempDir()
	send := func(entries ...string) { victorialogs.Send(t, at, strings.NewReader(strings.Join(entries, "")+"\n\n")) }
	runs := 0
	arrive := func(recording, host, unit string, ago time.Duration) arrival {
		runs++
		return arrival{recording, host, unit, runs, now.Add(-ago)}
	}
	const questions = 3 // of each pass
	pass := func(read int, more ...string) map[string]float64 {
		t.Helper()
		store.asked.Store(0)
		got := call(t, nil, "", append([]string{"--store", store.URL, "--unit", "restic-*", "--output", dir}, more...)...)
		require.Equal(t, result{}, got)
		assert.EqualValues(t, questions+read, store.asked.Load(), "questions")
		text, err := os.ReadFile(filepath.Join(dir, "alpha.prom"))
		require.NoError(t, err)
		mfs, err := textfile.Decode(strings.NewReader(string(text)))
		require.NoError(t, err)
		return metrictest.Series(mfs, "timestamp")
	}
	value := func(name, unit string) string { return name + "{host=alpha,unit=" + unit + ".service}" }
	entries, failures := value("restic_exporter_log_entries", "restic-a"), value("restic_run_consecutive_failures", "restic-a")

	good := arrive(goodRun, "alpha", "restic-a.service", 3*time.Hour).entries(t)
	send(good...)
	send(arrive(goodRun, "alpha", "restic-b.service", 3*time.Hour).entries(t)...)
	send(arrive(goodRun, "beta", "restic-a.service", 1000*time.Hour).entries(t)...) // silent for a long time
	send(arrive(failedRun, "gamma", "restic-a.service", 3*time.Hour).entries(t)...)
	first := pass(3)
	assert.EqualValues(t, len(good), first[entries])
	assert.NoFileExists(t, filepath.Join(dir, "beta.prom"))
	gamma, err := os.ReadFile(filepath.Join(dir, "gamma.prom"))
	require.NoError(t, err)

	assert.Equal(t, first, pass(0), "nothing is new")

	// The host that has been silent keeps its file.
	require.NoError(t, os.WriteFile(filepath.Join(dir, "beta.prom"), gamma, 0o644))
	assert.Equal(t, first, pass(0))
	assert.FileExists(t, filepath.Join(dir, "beta.prom"))

	// A run is read once it has ended.
	bad := arrive(failedRun, "alpha", "restic-a.service", time.Hour).entries(t)
	send(bad[:len(bad)-2]...)
	assert.Equal(t, first, pass(1), "it goes on")
	send(bad[len(bad)-2:]...)
	second := pass(1)
	assert.EqualValues(t, 1, second[failures])
	b := value("restic_exporter_log_entries", "restic-b")
	assert.Equal(t, first[b], second[b])

	// More of it comes; sent twice it counts once.
	late := strings.Replace(bad[1], ";i=", ";i=f", 1)
	send(late)
	send(late)
	third := pass(1)
	assert.Equal(t, second[entries]+1, third[entries])
	assert.EqualValues(t, 1, third[failures])
	assert.Equal(t, third, pass(0))

	// Without the note, with one that is odd, or with other flags, all is read again.
	note := filepath.Join(dir, ".restic-exporter-seen.json")
	require.NoError(t, os.Remove(note))
	assert.Equal(t, third, pass(3))
	require.NoError(t, os.WriteFile(note, []byte(`{"about":"x","units":[]}`), 0o644))
	got := call(t, nil, "", "--store", store.URL, "--unit", "restic-*", "--output", dir)
	assert.Contains(t, got.stderr, "every unit is read anew")
	assert.Equal(t, 0, got.code)
	assert.Equal(t, third, pass(0))
	assert.EqualValues(t, 26*3600, pass(3, "--max-age", "26h")[value("restic_run_max_age_seconds", "restic-a")])
	pass(0, "--max-age", "26h")
	assert.Equal(t, third, pass(3))

	// A file that is gone or damaged is made anew, of all units.
	require.NoError(t, os.Remove(filepath.Join(dir, "alpha.prom")))
	assert.Equal(t, first[b], pass(2)[b])
	require.NoError(t, os.WriteFile(filepath.Join(dir, "alpha.prom"), []byte("no metrics\n"), 0o644))
	send(arrive(goodRun, "alpha", "restic-a.service", time.Minute).entries(t)...)
	got = call(t, nil, "", "--store", store.URL, "--unit", "restic-*", "--output", dir)
	assert.Contains(t, got.stderr, "nothing is kept of what the file held before")
	assert.Equal(t, first[b], pass(0)[b])

	unchanged, err := os.ReadFile(filepath.Join(dir, "gamma.prom"))
	require.NoError(t, err)
	assert.Equal(t, string(gamma), string(unchanged))
}

// TestStoreTrouble: a store that does not answer as it should leaves every file as it is.
func TestStoreTrouble(t *testing.T) {
	at := victorialogs.Start(t, victorialogs.Flags...)
	a := arrival{goodRun, "alpha", "restic-a.service", 1, time.Now().Add(-time.Hour)}
	victorialogs.Send(t, at, strings.NewReader(strings.Join(a.entries(t), "")+"\n\n"))
	dir := t.TempDir()
	args := func(at string) []string { return []string{"--store", at, "--unit", "restic-*", "--output", dir} }
	require.Equal(t, result{}, call(t, nil, "", args(at)...))
	require.NoError(t, os.Remove(filepath.Join(dir, ".restic-exporter-seen.json")))
	before := promFiles(t, dir)

	elsewhere := countFor(t, at)
	for name, answer := range map[string]func(w http.ResponseWriter, n int64){
		"at once":         func(w http.ResponseWriter, _ int64) { w.WriteHeader(http.StatusServiceUnavailable) },
		"in the middle":   func(w http.ResponseWriter, n int64) { w.WriteHeader(http.StatusServiceUnavailable) },
		"to another host": func(w http.ResponseWriter, _ int64) { w.Header().Set("Location", elsewhere.URL); w.WriteHeader(307) },
	} {
		t.Run(name, func(t *testing.T) {
			to, err := url.Parse(at)
			require.NoError(t, err)
			proxy := httputil.NewSingleHostReverseProxy(to)
			var n atomic.Int64
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if n.Add(1) <= 3 && name == "in the middle" {
					proxy.ServeHTTP(w, r)
					return
				}
				answer(w, n.Load())
			}))
			defer server.Close()
			got := call(t, nil, "", args(server.URL)...)
			assert.Equal(t, 1, got.code)
			assert.Contains(t, got.stderr, "the answer of the store is not complete")
			after := promFiles(t, dir)
			delete(after, ".restic-exporter-seen.json")
			assert.Equal(t, before, after)
		})
	}
	assert.Zero(t, elsewhere.asked.Load())
}
