package journal

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restic-exporter/restic-exporter/internal/victorialogs"
)

var received = regexp.MustCompile(`(?m)^__REALTIME_TIMESTAMP=(\d+)$`)

// exportOf writes l as the journal of a host, from a time on.
func (l log) exportOf(host string, from time.Time) []byte {
	var own log
	for _, entry := range l {
		own = append(own, append(slices.Clone(entry), "_HOSTNAME="+host, "_MACHINE_ID="+host))
	}
	return received.ReplaceAllFunc(own.export(), func(line []byte) []byte {
		n, _ := strconv.ParseInt(strings.TrimPrefix(string(line), "__REALTIME_TIMESTAMP="), 10, 64)
		return fmt.Appendf(nil, "__REALTIME_TIMESTAMP=%d", n-t0.UnixMicro()+from.UnixMicro())
	})
}

// TestStoreUnits: what Hosts tells of units shows that there is something new, and saves asking.
func TestStoreUnits(t *testing.T) {
	at := victorialogs.Start(t, victorialogs.Flags...)
	s := Store{URL: at}
	refused := unnamed("be02cf6855d2428ba40df7e9d022f03d", "Dependency failed", "JOB_RESULT=dependency")
	run := log{
		manager(id1, starting, "Starting"), line(id1, 7, "hello"), manager(id1, succeeded, "ok"),
		of("restic-never.service", refused), of("other.service", line(id1, 7, "hello")),
		of("other.service", manager(id1, starting, "Starting")),
	}
	now := time.Now().UTC().Truncate(time.Second)
	today, before := now.Add(-time.Hour), now.Add(-72*time.Hour)
	victorialogs.Send(t, at, bytes.NewReader(run.exportOf("new", today)))
	victorialogs.Send(t, at, bytes.NewReader(run.exportOf("old", before)))
	units := func(since time.Time) []StoreUnit {
		units, err := s.units(t.Context(), since, []string{"restic-*"})
		require.NoError(t, err)
		for i := range units {
			assert.Equal(t, units[i].Host, units[i].Machine)
			units[i].Machine, units[i].since = "", time.Time{}
		}
		return units
	}
	at2 := func(from time.Time, seconds int) time.Time { return from.Add(time.Duration(seconds) * time.Second) }
	want := []StoreUnit{
		{Host: "new", Unit: unit, Run: id1, Began: today, Last: at2(today, 2), Entries: 3, Notes: 2},
		{Host: "new", Unit: "restic-never.service", Last: at2(today, 3)},
		{Host: "old", Unit: unit, Run: id1, Began: before, Last: at2(before, 2)},
		{Host: "old", Unit: "restic-never.service", Last: at2(before, 3)},
	}
	assert.Equal(t, want, units(now.Add(-1000*time.Hour)))
	assert.Equal(t, want[:2], units(now.Add(-50*time.Hour)))

	// A line comes late; then the manager refuses a start, and skips one.
	add := func(more ...fields) {
		before := len(run.exportOf("new", today))
		run = append(run, more...)
		victorialogs.Send(t, at, bytes.NewReader(run.exportOf("new", today)[before:]))
	}
	add(line(id1, 7, "more"))
	want[0].Entries++
	assert.Equal(t, want[:2], units(now.Add(-50*time.Hour)))
	add(refused)
	want[0] = StoreUnit{Host: "new", Unit: unit, Last: at2(today, 7)}
	assert.Equal(t, want[:2], units(now.Add(-50*time.Hour)))
	add(manager(id2, starting, "Starting"), manager(id2, skip, "Skipped"))
	want[0].Last = at2(today, 9)
	assert.Equal(t, want[:2], units(now.Add(-50*time.Hour)))

	// What is read is the same, known or not.
	for _, since := range []time.Time{{}, now.Add(-1000 * time.Hour)} {
		all, err := s.units(t.Context(), since, []string{"restic-*"})
		require.NoError(t, err)
		for _, u := range all {
			want, err := collectWhole(s.Host(u.Host).Entries(t.Context(), u.Unit, ID{}))
			require.NoError(t, err)
			got, err := collectWhole(s.Source(u).Entries(t.Context(), u.Unit, ID{}))
			require.NoError(t, err)
			assert.Equal(t, want, got, u)
			assert.NotEmpty(t, got, u)
		}
	}
}

// TestStoreNewStream has a store that cannot find the stream of a run yet, only its entries.
func TestStoreNewStream(t *testing.T) {
	at := victorialogs.Start(t, victorialogs.Flags...)
	run := log{manager(id1, starting, "Starting"), line(id1, 7, "hello"), manager(id1, succeeded, "ok")}
	victorialogs.Send(t, at, bytes.NewReader(run.exportOf("new", time.Now().Add(-time.Hour))))
	to, err := url.Parse(at)
	require.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(to)
	asked := 0
	store := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		assert.NoError(t, err)
		form, err := url.ParseQuery(string(body))
		assert.NoError(t, err)
		if strings.Contains(form.Get("query"), `{_HOSTNAME="new"}`) {
			asked++
			w.Header().Set("Content-Type", "application/stream+json")
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		proxy.ServeHTTP(w, r)
	}))
	defer store.Close()
	s := Store{URL: store.URL}
	hosts, err := s.Hosts(t.Context(), time.Unix(0, 0), "*")
	require.NoError(t, err)
	require.Len(t, hosts, 1)
	got, err := collectWhole(s.Source(hosts[0].Units[0]).Entries(t.Context(), unit, ID{}))
	require.NoError(t, err)
	assert.Len(t, got, len(run))
	assert.Equal(t, 1, asked)
}
