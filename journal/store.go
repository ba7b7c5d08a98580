package journal

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// A Store is a VictoriaLogs that keeps the journals of many machines, as
// systemd-journal-upload sends them. Only units of the system's manager are read.
//
// VictoriaLogs does not check which machine sends an entry. Without SenderField, anyone
// who can send to the store can forge the runs of any host.
type Store struct {
	URL    string       // address of the store, such as https://logs.example.com:9428
	Header http.Header  // sent with each query, for authorization or a tenant
	Client *http.Client // nil: a client that follows no redirects and waits up to a minute for each answer

	// SenderField is the field in which a proxy in front of the store records who sent
	// an entry. Entries whose sender is not their host are not trusted. If it is "", all
	// entries are trusted.
	SenderField string
}

// Host returns the journal of one host in the store. name is the host name in the journal.
func (s Store) Host(name string) Source { return storeHost{store: s, host: name} }

// ErrStoreAnswer is returned if the answer of a store is an error, is incomplete or cannot be
// read.
var ErrStoreAnswer = errors.New("bad answer from the store")

// ErrStoreEntries is returned if the entries in a store cannot be told apart or ordered.
var ErrStoreEntries = errors.New("the entries in the store cannot be used")

// ask yields the rows of the store's answer to a query. Each is valid until the next.
func (s Store) ask(ctx context.Context, query string) iter.Seq2[storeRow, error] {
	return func(yield func(storeRow, error) bool) {
		body, err := s.post(ctx, query)
		if err != nil {
			yield(nil, fmt.Errorf("asking the store: %w", err))
			return
		}
		defer body.Close()
		var row storeRow
		for line, err := range lines(body) {
			if err == nil {
				row, err = row[:0].parse(bytes.TrimSpace(line))
			}
			if err != nil {
				yield(nil, fmt.Errorf("%w: %w", ErrStoreAnswer, err))
				return
			}
			if !yield(row, nil) {
				return
			}
		}
	}
}

// storeClient is the default client. It follows no redirects, because the target could be
// anyone's server, and would get the header.
var storeClient = sync.OnceValue(func() *http.Client {
	c := &http.Client{Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if t, ok := http.DefaultTransport.(*http.Transport); ok {
		t = t.Clone()
		t.MaxIdleConnsPerHost = 16 // many units are read at once
		c.Transport = t
	}
	return c
})

// post sends a query. It returns a body of JSON lines.
func (s Store) post(ctx context.Context, query string) (io.ReadCloser, error) {
	at, err := url.Parse(s.URL)
	if err != nil {
		return nil, err
	}
	// In a cluster, return an error if a storage node is down, not a partial answer.
	form := url.Values{"query": {query}, "allow_partial_response": {"0"}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, at.JoinPath("select/logsql/query").String(), strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	for name, values := range s.Header {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	req.Host = req.Header.Get("Host") // net/http does not send it from Header; "" means that of the URL
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	client := s.Client
	if client == nil {
		client = storeClient()
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	kind, _, _ := strings.Cut(resp.Header.Get("Content-Type"), ";")
	if resp.StatusCode == http.StatusOK && kind == "application/stream+json" {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(resp.Body, 300))
	return nil, fmt.Errorf("%w: %s, %s: %q", ErrStoreAnswer, resp.Status, cmp.Or(kind, "no content type"), said)
}
