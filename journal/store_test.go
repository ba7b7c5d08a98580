package journal_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/restic-exporter/restic-exporter/internal/victorialogs"
	"github.com/restic-exporter/restic-exporter/journal"
)

const storeUnit = "restic-backup.service"

// sent returns a recording as the journal of another machine.
func sent(t testing.TB, host, machine string) string {
	text, err := os.ReadFile("../testdata/0.16.5/first-run.export")
	require.NoError(t, err)
	s := strings.ReplaceAll(string(text), "_HOSTNAME=t1\n", "_HOSTNAME="+host+"\n")
	require.NotEqual(t, string(text), s)
	return strings.ReplaceAll(s, "_MACHINE_ID=", "_MACHINE_ID="+machine+"\nX_WAS=")
}

// readStore returns how many entries the latest run of a host has.
func readStore(t testing.TB, s journal.Store, host string) (int, error) {
	n := 0
	for _, err := range s.Host(host).Entries(t.Context(), storeUnit, journal.ID{}) {
		if err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func TestStoreWithoutCursor(t *testing.T) {
	at := victorialogs.Start(t)
	victorialogs.Send(t, at, strings.NewReader(sent(t, "a", "1")))
	n, err := readStore(t, journal.Store{URL: at}, "a")
	assert.Zero(t, n)
	assert.ErrorIs(t, err, journal.ErrStoreEntries)
	assert.ErrorContains(t, err, "-journald.includeEntryMetadata")
}

func TestStoreTrust(t *testing.T) {
	at := victorialogs.Start(t, victorialogs.Flags...)
	for _, s := range []struct{ host, machine, sender string }{
		{"good", "1", "good"}, {"victim", "2", "mallory"}, {"two", "3", "two"}, {"two", "4", "two"}, {`q"uote`, "5", `q"uote`},
	} {
		victorialogs.Send(t, at, strings.NewReader(sent(t, s.host, s.machine)), "sender="+s.sender)
	}
	vouched := journal.Store{URL: at, SenderField: "sender"}

	n, err := readStore(t, vouched, "good")
	require.NoError(t, err)
	assert.Positive(t, n)
	n, err = readStore(t, vouched, `q"uote`)
	require.NoError(t, err)
	assert.Positive(t, n)
	_, err = readStore(t, vouched, "victim")
	assert.ErrorIs(t, err, journal.ErrNotFound, "a forged run")
	_, err = readStore(t, journal.Store{URL: at}, "victim")
	assert.NoError(t, err, "nobody vouches")
	_, err = readStore(t, vouched, "two")
	assert.ErrorIs(t, err, journal.ErrStoreEntries)
	_, err = readStore(t, vouched, `good" or _HOSTNAME:="victim`)
	assert.ErrorIs(t, err, journal.ErrNotFound)

	hosts, err := vouched.Hosts(t.Context(), time.Unix(0, 0), "restic-*")
	require.NoError(t, err)
	var got []string
	for _, h := range hosts {
		host := fmt.Sprintf("%s: %v", h.Name, h.Err)
		for _, u := range h.Units {
			assert.NotZero(t, u.Run)
			assert.True(t, u.Last.After(u.Began))
			host += fmt.Sprint(", ", u.Host, " ", u.Unit, " ", u.Machine)
		}
		got = append(got, host)
	}
	assert.Equal(t, []string{
		"good: <nil>, good restic-backup.service 1", `q"uote: <nil>, q"uote restic-backup.service 5`,
		"two: two machines, 3 and 4, have this name; give each a name of its own",
		`victim: "mallory" sent entries in the name of this host; they are not believed`,
	}, got)
}

// TestStoreAnswers has stores whose answer is not what was asked for.
func TestStoreAnswers(t *testing.T) {
	at := victorialogs.Start(t, victorialogs.Flags...)
	victorialogs.Send(t, at, strings.NewReader(sent(t, "a", "1")))
	whole, err := readStore(t, journal.Store{URL: at}, "a")
	require.NoError(t, err)
	require.Positive(t, whole)

	half := func(w http.ResponseWriter, body []byte) {
		w.Header().Set("Content-Type", "application/stream+json")
		w.Write(body[:len(body)/2])
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}
	for name, answer := range map[string]func(http.ResponseWriter, []byte){
		"html": func(w http.ResponseWriter, _ []byte) { w.Write([]byte("<html>log in</html>")) },
		"503":  func(w http.ResponseWriter, _ []byte) { w.WriteHeader(http.StatusServiceUnavailable) },
		"half": half,
		"half, and a good end": func(w http.ResponseWriter, body []byte) {
			w.Header().Set("Content-Type", "application/stream+json")
			w.Write(body[:len(body)-len(body)/3])
		},
		"trouble after rows": func(w http.ResponseWriter, body []byte) {
			w.Header().Set("Content-Type", "application/stream+json")
			w.Write(append(bytes.Clone(body), "cannot read from a storage node\n"...))
		},
	} {
		t.Run(name, func(t *testing.T) {
			proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.ParseForm() != nil || r.Form.Get("query") == "" {
					t.Error("no query")
				}
				resp, err := http.PostForm(at+r.URL.Path, r.Form)
				if err != nil {
					t.Error(err)
					return
				}
				defer resp.Body.Close()
				var body bytes.Buffer
				body.ReadFrom(resp.Body)
				answer(w, body.Bytes())
			}))
			defer proxy.Close()
			_, err := readStore(t, journal.Store{URL: proxy.URL}, "a")
			assert.ErrorIs(t, err, journal.ErrStoreAnswer)
		})
	}
}

func TestStoreHeader(t *testing.T) {
	var got http.Header
	var host string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { got, host = r.Header, r.Host }))
	defer server.Close()
	s := journal.Store{URL: server.URL, Header: http.Header{"accountid": {"7"}, "Authorization": {"Bearer x"}, "Host": {"logs"}}}
	_, err := readStore(t, s, "a")
	assert.ErrorIs(t, err, journal.ErrStoreAnswer, "no content type")
	assert.Equal(t, []string{"7", "Bearer x", "logs"}, []string{got.Get("AccountID"), got.Get("Authorization"), host})

	// A server that redirects must not make others get the header.
	got = nil
	redirecting := httptest.NewServer(http.RedirectHandler(server.URL, http.StatusTemporaryRedirect))
	defer redirecting.Close()
	s.URL = redirecting.URL
	_, err = readStore(t, s, "a")
	assert.ErrorContains(t, err, "307")
	assert.Nil(t, got)
}
