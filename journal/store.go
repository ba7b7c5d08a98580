package journal

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"slices"
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

// A storeRow is a row of the store's answer: its fields, in the order of the answer.
type storeRow []nameValue

type nameValue struct{ name, value []byte }

// get returns the value of a field, "" if the row does not have it.
func (r storeRow) get(name string) string {
	for _, f := range r {
		if string(f.name) == name {
			return string(f.value)
		}
	}
	return ""
}

// parse appends the fields of a JSON object of strings as VictoriaLogs writes it: with bytes
// that are not UTF-8 as they are, which encoding/json would replace. The fields share the
// memory of line.
func (r storeRow) parse(line []byte) (storeRow, error) {
	rest, ok := bytes.CutPrefix(line, []byte("{"))
	for first := true; ok && string(rest) != "}"; first = false {
		if !first {
			rest, ok = bytes.CutPrefix(rest, []byte(","))
		}
		var f nameValue
		if ok {
			f.name, rest, ok = storeString(rest)
		}
		if ok {
			rest, ok = bytes.CutPrefix(rest, []byte(":"))
		}
		if ok {
			f.value, rest, ok = storeString(rest)
		}
		r = append(r, f)
	}
	if !ok {
		return r, fmt.Errorf("%.100q is not a JSON object of strings", line)
	}
	return r, nil
}

// storeString reads the JSON string that b begins with.
func storeString(b []byte) (s, rest []byte, ok bool) {
	if len(b) == 0 || b[0] != '"' {
		return nil, b, false
	}
	escaped := false
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			escaped = true
			i++
		case '"':
			if !escaped {
				return b[1:i], b[i+1:], true
			}
			s, ok = unescape(b[1:i])
			return s, b[i+1:], ok
		}
	}
	return nil, b, false
}

// unescape replaces the escapes of JSON, and nothing else.
func unescape(b []byte) (text []byte, ok bool) {
	for {
		n := bytes.IndexByte(b, '\\')
		if n < 0 {
			return append(text, b...), true
		}
		text, b = append(text, b[:n]...), b[n:]
		end := 0
		for end < len(b) && b[end] == '\\' { // two escapes can be one character, so decode them together
			if end+1 < len(b) && b[end+1] == 'u' {
				end += len(`\u0000`)
			} else {
				end += len(`\n`)
			}
		}
		var s string
		if end > len(b) || json.Unmarshal(slices.Concat([]byte{'"'}, b[:end], []byte{'"'}), &s) != nil {
			return nil, false
		}
		text, b = append(text, s...), b[end:]
	}
}
