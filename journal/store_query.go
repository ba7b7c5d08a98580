package journal

import (
	"strconv"
	"strings"
	"time"
)

// query returns a query for the entries of the host that m matches.
func (h storeHost) query(m match) string {
	var or []string
	for _, and := range m {
		or = append(or, "("+storeFilter(and)+")")
	}
	return h.filter() + " (" + strings.Join(or, " or ") + ")"
}

// filter returns a filter for the entries of the host that are trusted.
func (h storeHost) filter() string {
	and := []string{"_HOSTNAME=" + h.host}
	if h.store.SenderField != "" {
		and = append(and, h.store.SenderField+"="+h.host)
	}
	since := ""
	if h.known != nil {
		since = sinceFilter(h.known.since) + " "
	}
	return since + storeFilter(and)
}

// storeFilter translates a conjunction of FIELD=value to the language of VictoriaLogs.
func storeFilter(and []string) string {
	var q []string
	for _, term := range and {
		field, value, _ := strings.Cut(term, "=")
		q = append(q, strconv.Quote(storeField(field))+":="+strconv.Quote(value))
	}
	return strings.Join(q, " ")
}

const (
	cursor  = "__CURSOR"
	machine = "_MACHINE_ID"
)

// storeField returns the name that VictoriaLogs gives to a field of the journal.
func storeField(name string) string {
	if name == fieldNames[fieldMessage] {
		return "_msg"
	}
	return name
}

// storeFields has the number of each field by the name that VictoriaLogs gives it.
var storeFields = func() map[string]int {
	m := make(map[string]int, fieldCount)
	for i, name := range fieldNames {
		m[storeField(name)] = i
	}
	return m
}()

// noMessage is what VictoriaLogs stores for an entry without a message.
const noMessage = "missing _msg field; see https://docs.victoriametrics.com/victorialogs/keyconcepts/#message-field"

// A span of time begins at from, and ends before to. A zero time means no limit.
type span struct{ from, to time.Time }

func (s span) filter() string {
	q := sinceFilter(s.from)
	if !s.to.IsZero() {
		q += " _time:<" + s.to.UTC().Format(time.RFC3339Nano)
	}
	return q
}

func sinceFilter(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return "_time:>=" + t.UTC().Format(time.RFC3339Nano)
}

// patternFilter returns a filter for entries whose field matches any of patterns.
func patternFilter(field string, patterns []string) string {
	var or []string
	for _, p := range patterns {
		or = append(or, field+":~"+strconv.Quote(compile(p).String()))
	}
	return "(" + strings.Join(or, " or ") + ")"
}
