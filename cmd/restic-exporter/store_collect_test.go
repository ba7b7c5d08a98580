package main

import (
	"fmt"
	"io"
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
	"syscall"
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
	return a.of(t, renamed(t, a.recording, a.unit, a.run))
}

// of returns the entries in text as the host has them.
func (a arrival) of(t testing.TB, text string) []string {
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
	assert.Equal(t, first, pass(3), "it goes on: it is asked whether the machine has been rebooted, and in which boot it is")
	assert.Equal(t, first, pass(1), "it goes on: only the boot is asked for")
	send(strings.Replace(bad[1], ";i=", ";i=e", 1))
	assert.Equal(t, first, pass(1), "a line more of it")
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
	assert.Contains(t, got.stderr, "reading all units again")
	assert.Equal(t, 0, got.code)
	assert.Equal(t, third, pass(0))
	limited := pass(3, "--max-age", "26h")
	assert.EqualValues(t, 26*3600, limited[value("restic_run_max_age_seconds", "restic-a")])
	pass(0, "--max-age", "26h")
	assert.Equal(t, limited, pass(3), "the limit stays")
	gamma, err = os.ReadFile(filepath.Join(dir, "gamma.prom"))
	require.NoError(t, err)

	// A file that is gone or damaged is made anew, of all units.
	require.NoError(t, os.Remove(filepath.Join(dir, "alpha.prom")))
	assert.Equal(t, first[b], pass(2)[b])
	require.NoError(t, os.WriteFile(filepath.Join(dir, "alpha.prom"), []byte("no metrics\n"), 0o644))
	send(arrive(goodRun, "alpha", "restic-a.service", time.Minute).entries(t)...)
	got = call(t, nil, "", "--store", store.URL, "--unit", "restic-*", "--output", dir)
	assert.Contains(t, got.stderr, "the values of earlier runs are lost")
	assert.Equal(t, first[b], pass(0)[b])

	unchanged, err := os.ReadFile(filepath.Join(dir, "gamma.prom"))
	require.NoError(t, err)
	assert.Equal(t, string(gamma), string(unchanged))
}

// TestStoreReboot: a run that the machine lost its power in is over once the next boot shows.
func TestStoreReboot(t *testing.T) {
	at := victorialogs.Start(t, victorialogs.Flags...)
	run := arrival{goodRun, "alpha", "restic-a.service", 1, time.Now().Add(-time.Hour)}.entries(t)
	send := func(entries ...string) { victorialogs.Send(t, at, strings.NewReader(strings.Join(entries, "")+"\n\n")) }
	dir := t.TempDir()
	pass := func() {
		t.Helper()
		require.Equal(t, result{}, call(t, nil, "", "--store", at, "--unit", "restic-*", "--output", dir))
	}
	send(run[:len(run)/2]...)
	pass()
	file := filepath.Join(dir, "alpha.prom")
	assert.NoFileExists(t, file, "it may go on")

	boot := regexp.MustCompile(`(?m)^_BOOT_ID=.*$`)
	next := arrival{goodRun, "alpha", "other.service", 2, time.Now().Add(-time.Minute)}.entries(t)
	for i := range next {
		next[i] = boot.ReplaceAllString(next[i], "_BOOT_ID="+strings.Repeat("b", 32))
	}
	send(next...)
	pass()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	want := map[string]float64{
		"restic_run_failure_reason{host=alpha,reason=killed}": 1, "restic_run_status{host=alpha,status=failed}": 1,
		"restic_run_consecutive_failures{host=alpha}": 1,
	}
	assert.Equal(t, want, metrictest.Pick(metrictest.Flat(t, string(text)), want))
}

// TestStoreClock has a machine whose clock was ahead, so that later runs look like earlier ones.
func TestStoreClock(t *testing.T) {
	at := victorialogs.Start(t, victorialogs.Flags...)
	for host, began := range map[string]time.Time{"ahead": time.Now().Add(26 * time.Hour), "good": time.Now().Add(time.Minute)} {
		run := arrival{goodRun, host, "restic-a.service", 1, began}.entries(t)
		victorialogs.Send(t, at, strings.NewReader(strings.Join(run, "")+"\n\n"))
	}
	dir := t.TempDir()
	for range 2 {
		got := call(t, nil, "", "--store", at, "--unit", "restic-*", "--output", dir)
		assert.Equal(t, 1, got.code)
		assert.Contains(t, got.stderr, `host "ahead": its clock is or was 26h0m0s ahead`)
		assert.Contains(t, got.stderr, "1 of 2 hosts failed")
	}
}

// TestStoreMixed has a store that was started with the flag only after the first runs had come.
// They are named, and the others are read.
func TestStoreMixed(t *testing.T) {
	data := "-storageDataPath=" + t.TempDir()
	began := time.Now().Add(-time.Hour)
	send := func(node *victorialogs.Node, unit string, run int) {
		entries := arrival{goodRun, "alpha", unit, run, began}.entries(t)
		victorialogs.Send(t, node.URL, strings.NewReader(strings.Join(entries, "")+"\n\n"))
	}
	node := victorialogs.StartNode(t, data)
	send(node, "restic-a.service", 1)
	node.Stop(t)
	node = victorialogs.StartNode(t, append([]string{data}, victorialogs.Flags...)...)
	send(node, "restic-b.service", 2)
	dir := t.TempDir()
	got := call(t, nil, "", "--store", node.URL, "--unit", "restic-*", "--output", dir)
	assert.Equal(t, 1, got.code)
	assert.Contains(t, got.stderr, `host "alpha": reading restic-a.service: the entries in the store cannot be used`)
	assert.Contains(t, got.stderr, "-journald.includeEntryMetadata")
	files := promFiles(t, dir)
	assert.Contains(t, files["alpha.prom"], `unit="restic-b.service"`)
	assert.NotContains(t, files["alpha.prom"], "restic-a.service")
	assert.Contains(t, files["_collector.prom"], `restic_exporter_failed{host="alpha",unit="restic-a.service"} 1`)
}

// TestStoreHangs has a store that does not answer any more in mid-pass. One host waits for it,
// not all; what was read before counts.
func TestStoreHangs(t *testing.T) {
	at := victorialogs.Start(t, victorialogs.Flags...)
	const hosts = 40
	for i := range hosts {
		run := arrival{goodRun, fmt.Sprintf("a%0*d", i+1, 0), "restic-a.service", i + 1, time.Now().Add(-time.Hour)}.entries(t)
		victorialogs.Send(t, at, strings.NewReader(strings.Join(run, "")+"\n\n"))
	}
	to, err := url.Parse(at)
	require.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(to)
	var n atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) > 3+10 {
			io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	defer server.Close()
	dir := t.TempDir()
	var stderr strings.Builder
	p := program{getenv: os.Getenv, stderr: &stderr, client: &http.Client{Timeout: time.Second}}
	began := time.Now()
	code := p.run(t.Context(), []string{"--store", server.URL, "--unit", "restic-*", "--output", dir})
	assert.Less(t, time.Since(began), hosts/readAtOnce*time.Second/2)
	assert.Equal(t, 1, code)
	files, err := filepath.Glob(filepath.Join(dir, "a*.prom"))
	require.NoError(t, err)
	assert.NotEmpty(t, files)
	failed := hosts - len(files)
	assert.Contains(t, stderr.String(), fmt.Sprintf("error: %d of 40 hosts failed\n", failed))
	assert.LessOrEqual(t, strings.Count(stderr.String(), "\n"), 1+readAtOnce, stderr.String())
	assert.Contains(t, promFiles(t, dir)["_collector.prom"], fmt.Sprintf(`restic_exporter_failed_hosts{unit="restic-*"} %d`, failed))
}

// TestStoreBeheaded: a run whose beginning the store does not have is not passed over in
// silence, and a unit that is no backup is no trouble.
func TestStoreBeheaded(t *testing.T) {
	at := victorialogs.Start(t, victorialogs.Flags...)
	send := func(entries ...string) { victorialogs.Send(t, at, strings.NewReader(strings.Join(entries, "")+"\n\n")) }
	now := time.Now()
	whole := arrival{goodRun, "alpha", "restic-a.service", 1, now.Add(-time.Hour)}.entries(t)
	other := arrival{goodRun, "alpha", "restic-c.service", 4, now.Add(-time.Hour)}.entries(t)
	send(whole[len(whole)/2:]...)
	send(other[len(other)/2:]...)
	send(arrival{goodRun, "alpha", "restic-b.service", 2, now.Add(-time.Hour)}.entries(t)...)
	send(arrival{host: "alpha", run: 3, began: now.Add(-time.Hour)}.of(t,
		words("restic-notes.service", 3, 0, "line half of it", succeededWord)+words("restic-misspelt.service", 0, 9, "warned"))...)
	dir := t.TempDir()
	const marked = `restic_exporter_failed{host="alpha",site="x",unit="restic-a.service"} 1
restic_exporter_failed{host="alpha",site="x",unit="restic-c.service"} 1
# HELP restic_exporter_failed_hosts `
	pass := func() (code int, stderr, about string) {
		t.Helper()
		got := call(t, nil, "", "--store", at, "--unit", "restic-*", "--output", dir, "--label", "site=x")
		text, err := os.ReadFile(filepath.Join(dir, "_collector.prom"))
		require.NoError(t, err)
		return got.code, got.stderr, string(text)
	}
	for range 2 { // as long as nothing changes
		code, stderr, about := pass()
		assert.Equal(t, 1, code)
		assert.Contains(t, stderr, `host "alpha": reading restic-a.service: the beginning of the run is not in the journal`)
		assert.NotContains(t, stderr, "restic-notes")
		assert.Contains(t, about, marked)
		assert.Equal(t, 2, strings.Count(about, "restic_exporter_failed{"))
		assert.Contains(t, about, `restic_exporter_failed_hosts{site="x",unit="restic-*"} 1`)
	}
	text, err := os.ReadFile(filepath.Join(dir, "alpha.prom"))
	require.NoError(t, err)
	assert.NotContains(t, string(text), "restic-a.service")
	assert.Contains(t, string(text), "restic-b.service")

	send(whole[:len(whole)/2]...)
	send(other[:len(other)/2]...)
	code, stderr, about := pass()
	assert.Equal(t, result{}, result{code: code, stderr: stderr})
	assert.NotContains(t, about, "restic_exporter_failed{")
	assert.Contains(t, about, `restic_exporter_failed_hosts{site="x",unit="restic-*"} 0`)
}

// TestStoreTrouble: a store that does not answer as it should leaves every file as it is.
func TestStoreTrouble(t *testing.T) {
	front, storage := victorialogs.StartCluster(t, "-search.maxQueryDuration=1s")
	at := front.URL
	began := time.Now().Add(-time.Hour)
	host := func(name string, run int) arrival { return arrival{goodRun, name, "restic-a.service", run, began} }
	victorialogs.Send(t, at, strings.NewReader(strings.Join(host("alpha", 1).entries(t), "")+"\n\n"))
	for _, node := range storage {
		victorialogs.Flush(t, node.URL)
	}
	dir := t.TempDir()
	args := func(at string) []string { return []string{"--store", at, "--unit", "restic-*", "--output", dir} }
	require.Equal(t, result{}, call(t, nil, "", args(at)...))
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		return string(text)
	}
	before, collected := read("alpha.prom"), read("_collector.prom")
	// fails collects all anew, and wants the error and every file as it was.
	fails := func(t *testing.T, at, says string) {
		t.Helper()
		os.Remove(filepath.Join(dir, ".restic-exporter-seen.json"))
		began := time.Now()
		got := call(t, nil, "", args(at)...)
		assert.Equal(t, 1, got.code)
		assert.Contains(t, got.stderr, says)
		assert.Less(t, time.Since(began), 20*time.Second)
		assert.True(t, before == read("alpha.prom"), "the file")
		pass := read("_collector.prom")
		assert.True(t, pass == collected || strings.Contains(pass, "\nrestic_exporter_failed_hosts{unit=\"restic-*\"} 1\n"), pass)
		collected = pass
		names, err := filepath.Glob(filepath.Join(dir, "[^.]*"))
		require.NoError(t, err)
		assert.Equal(t, []string{dir + "/_collector.prom", dir + "/alpha.prom", dir + "/targets.json"}, names)
	}
	const badAnswer = "bad answer from the store"

	elsewhere := countFor(t, at)
	const good = 3 // questions are answered first, those about all hosts
	status := func(code int) func(http.ResponseWriter, []byte) {
		return func(w http.ResponseWriter, _ []byte) { w.WriteHeader(code) }
	}
	for name, tt := range map[string]struct {
		good   int64
		answer func(w http.ResponseWriter, answer []byte)
	}{
		"503 at once":       {0, status(http.StatusServiceUnavailable)},
		"503 later":         {good, status(http.StatusServiceUnavailable)},
		"too many requests": {good, status(http.StatusTooManyRequests)},
		"to another host": {0, func(w http.ResponseWriter, _ []byte) {
			w.Header().Set("Location", elsewhere.URL)
			w.WriteHeader(http.StatusTemporaryRedirect)
		}},
		"html": {good, func(w http.ResponseWriter, _ []byte) { w.Write([]byte("<html>log in</html>")) }},
		"half": {good, func(w http.ResponseWriter, answer []byte) {
			w.Header().Set("Content-Type", "application/stream+json")
			w.Write(answer[:len(answer)/2])
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			to, err := url.Parse(at)
			require.NoError(t, err)
			proxy := httputil.NewSingleHostReverseProxy(to)
			var n atomic.Int64
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if n.Add(1) <= tt.good {
					proxy.ServeHTTP(w, r)
					return
				}
				whole := httptest.NewRecorder()
				proxy.ServeHTTP(whole, r)
				tt.answer(w, whole.Body.Bytes())
			}))
			defer server.Close()
			fails(t, server.URL, badAnswer)
		})
	}
	assert.Zero(t, elsewhere.asked.Load())

	t.Run("a limit of the server", func(t *testing.T) {
		limited := victorialogs.Start(t, append([]string{"-search.maxQueryTimeRange=1d"}, victorialogs.Flags...)...)
		fails(t, limited, badAnswer)
	})
	t.Run("full", func(t *testing.T) {
		// It takes nothing more, and says so to the sender, who keeps it; what it has is read.
		flags := append([]string{"-storageDataPath=" + t.TempDir()}, victorialogs.Flags...)
		full := victorialogs.StartNode(t, flags...)
		victorialogs.Send(t, full.URL, strings.NewReader(strings.Join(host("alpha", 1).entries(t), "")+"\n\n"))
		full.Stop(t)
		full = victorialogs.StartNode(t, append(flags, "-storage.minFreeDiskSpaceBytes=1000TB")...)
		resp, err := http.Post(full.URL+"/insert/journald/upload", "application/vnd.fdo.journal",
			strings.NewReader(strings.Join(host("beta", 2).entries(t), "")+"\n\n"))
		require.NoError(t, err)
		resp.Body.Close()
		assert.GreaterOrEqual(t, resp.StatusCode, 400)
		require.NoError(t, os.Remove(filepath.Join(dir, "alpha.prom")))
		assert.Equal(t, result{}, call(t, nil, "", args(full.URL)...))
		assert.Equal(t, before, read("alpha.prom"))
		collected = read("_collector.prom")
		assert.NoFileExists(t, filepath.Join(dir, "beta.prom"))
	})
	t.Run("slow", func(t *testing.T) {
		storage[0].Signal(t, syscall.SIGSTOP)
		defer storage[0].Signal(t, syscall.SIGCONT)
		fails(t, at, badAnswer)
	})
	t.Run("a storage node is down", func(t *testing.T) {
		storage[1].Kill()
		fails(t, at, badAnswer)
	})
	t.Run("all of it is down", func(t *testing.T) {
		front.Kill()
		fails(t, at, "connection refused")
	})
}
