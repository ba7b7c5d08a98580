package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/restic-exporter/restic-exporter/internal/journaltest"
	"github.com/restic-exporter/restic-exporter/internal/metrictest"
	"github.com/restic-exporter/restic-exporter/invocation"
	"github.com/restic-exporter/restic-exporter/journal"
	"github.com/restic-exporter/restic-exporter/metrics"
)

// An exported is a recording in the export format, with its texts apart.
type exported struct {
	entries []string // without their text
	texts   []string
}

func readExport(t testing.TB, name string) *exported {
	data, err := os.ReadFile(name)
	require.NoError(t, err)
	x := new(exported)
	var entry strings.Builder
	text := ""
	for len(data) > 0 {
		line, rest, _ := bytes.Cut(data, []byte("\n"))
		field, value, ok := strings.Cut(string(line), "=")
		if !ok && len(line) > 0 { // with its length, as it holds a line break or worse
			size := binary.LittleEndian.Uint64(rest)
			value, rest = string(rest[8:8+size]), rest[8+size+1:]
		}
		switch {
		case len(line) == 0 && entry.Len() > 0:
			x.entries, x.texts = append(x.entries, entry.String()), append(x.texts, text)
			entry.Reset()
		case field == "MESSAGE":
			text = value
		case len(line) > 0:
			entry.Write(data[:len(data)-len(rest)])
		}
		data = rest
	}
	return x
}

// output reports whether the i-th entry is what a process printed.
func (x *exported) output(i int) bool { return strings.Contains(x.entries[i], "_TRANSPORT=stdout\n") }

// dropped stands for a text that is not there.
const dropped = "\x00"

// write puts the recording together, with other texts.
func (x *exported) write(texts []string) []byte {
	var b bytes.Buffer
	for i, entry := range x.entries {
		if texts[i] == dropped {
			continue
		}
		b.WriteString(entry + "MESSAGE\n")
		binary.Write(&b, binary.LittleEndian, uint64(len(texts[i])))
		b.WriteString(texts[i] + "\n\n")
	}
	return b.Bytes()
}

// throughTee makes of the recording one whose output comes through tee, with one
// process ID for all.
func (x *exported) throughTee() *exported {
	var tee exported
	for i, entry := range x.entries {
		if x.output(i) {
			entry = processFields.ReplaceAllString(entry, "") + "_PID=7\n_COMM=tee\n_EXE=/usr/bin/tee\n"
		}
		tee.entries = append(tee.entries, entry)
	}
	tee.texts = x.texts
	return &tee
}

var processFields = regexp.MustCompile(`(?m)^(_PID|_COMM|_EXE)=.*\n`)

// figures returns the series that the recording gives, with other texts, and how many
// lines were not understood.
func (x *exported) figures(t testing.TB, texts []string) (map[string]float64, float64) {
	from, err := journal.OpenRecording(bytes.NewReader(x.write(texts)))
	require.NoError(t, err)
	run, err := invocation.Read(t.Context(), from, "restic-backup.service", journal.ID{}, invocation.Options{})
	require.NoError(t, err)
	mfs, err := metrics.Families(run, nil, metrics.Options{})
	require.NoError(t, err)
	series := metrictest.Series(mfs, "unit", "timestamp")
	unparsed := series["restic_exporter_unparsed_lines{}"]
	maps.DeleteFunc(series, func(name string, _ float64) bool {
		return strings.Contains(name, "timestamp") || strings.Contains(name, "duration") || strings.HasPrefix(name, "restic_exporter_")
	})
	return series, unparsed
}

// A mutation changes a line as a later release might.
type mutation struct {
	name   string
	change func(line string) string
}

var (
	word     = regexp.MustCompile(`[A-Za-z]{2,}`)
	number   = regexp.MustCompile(`\b\d+\b`)
	comma    = regexp.MustCompile(`, `)
	fraction = regexp.MustCompile(`(\d)\.(\d)`)
	sizes    = regexp.MustCompile(`\b\d+(\.\d+)? ([KMGT]i)?B\b`)
	jsonKey  = regexp.MustCompile(`"[a-z_]+":`)
	jsonPair = regexp.MustCompile(`,"[a-z_]+":("[^"]*"|[-0-9.e+]+|true|false|null)`)
	item     = regexp.MustCompile(`^(unchanged|new|modified) |, saved in `)
	plural   = regexp.MustCompile(`\b(\d+) ([a-z]+)s\b`)
	variable = regexp.MustCompile(`[0-9a-f]{8,}|\d+|/\S+`)

	// events are lines that come once for each thing that went wrong. Where such a line
	// is worded otherwise, the verdict and the reason may be less exact.
	events = regexp.MustCompile(`^(error: |ignoring error for |Fatal: |unable to create lock |error for tree |  )` +
		`|^(pack \S+ contains |Pack ID |lock was )|, skipping$`)
	verdict = regexp.MustCompile(`^restic_(run_|backup_failure|lock_age)`)
)

// nth changes the n-th part of a line that re matches.
func nth(re *regexp.Regexp, n int, change func(string) string) func(string) string {
	return func(line string) string {
		all := re.FindAllStringIndex(line, -1)
		if n >= len(all) {
			return line
		}
		at := all[n]
		return line[:at[0]] + change(line[at[0]:at[1]]) + line[at[1]:]
	}
}

// mutations returns what can become of a line, and of others like it.
func mutations(line string) []mutation {
	if line[0] == '{' || line[0] == '[' && strings.HasSuffix(line, "]") {
		return jsonMutations(line)
	}
	ms := []mutation{
		{"dropped", func(string) string { return dropped }},
		{"a field at the end", func(s string) string { return s + ", 7 more" }},
		{"a field in brackets", func(s string) string { return s + " (7 KiB more)" }},
		{"a field in front", func(s string) string { return "7 " + s }},
		{"a full stop", func(s string) string { return s + "." }},
		{"a prefix", func(s string) string { return "info: " + s }},
		{"colours", func(s string) string { return "\x1b[32m" + s + "\x1b[0m" }},
		{"numbers in colours", func(s string) string { return number.ReplaceAllString(s, "\x1b[1;32m$0\x1b[0m") }},
		{"a blank in front", func(s string) string { return " " + s }},
		{"wide blanks", func(s string) string { return strings.ReplaceAll(s, " ", "  ") }},
		{"a clause at the end", func(s string) string { return s + ", see restic help" }},
		{"a clause before a colon", func(s string) string { return strings.Replace(s, ": ", " by restic: ", 1) }},
		{"in another language", func(s string) string {
			return word.ReplaceAllStringFunc(s, translate)
		}},
		{"in one of one", func(s string) string { return plural.ReplaceAllString(s, "$1 $2") }},
		{"with the unit first", func(s string) string { return sizes.ReplaceAllStringFunc(s, unitFirst) }},
		{"a percentage", func(s string) string { return number.ReplaceAllString(s, "$0 (100%)") }},
		{"decimal commas", func(s string) string { return fraction.ReplaceAllString(s, "$1,$2") }},
		{"fields in another order", func(s string) string {
			label, rest, ok := strings.Cut(s, ": ")
			if !ok {
				label, rest = "", s
			} else {
				label += ": "
			}
			fields := strings.Split(rest, ", ")
			slices.Reverse(fields)
			return label + strings.Join(fields, ", ")
		}},
	}
	add := func(name string, n int, re *regexp.Regexp, change func(string) string) {
		ms = append(ms, mutation{fmt.Sprintf("%s %d", name, n), nth(re, n, change)})
	}
	for n := range min(12, len(word.FindAllString(line, -1))) {
		add("another word", n, word, func(s string) string { return "re" + s })
		add("another case, word", n, word, func(s string) string {
			if upper := strings.ToUpper(s); upper != s {
				return upper
			}
			return strings.ToLower(s)
		})
	}
	for n := range min(6, strings.Count(line, ", ")) {
		add("a field after comma", n, comma, func(string) string { return ", 7 more, " })
	}
	for n := range min(7, len(number.FindAllString(line, -1))) {
		for _, sep := range []string{",", ".", "'", " "} {
			add("thousands with "+strconv.Quote(sep)+", number", n, number, func(s string) string {
				if len(s) > 3 {
					return s[:len(s)-3] + sep + s[len(s)-3:]
				}
				return "1" + sep + fmt.Sprintf("%03s", s)
			})
		}
		add("in k, number", n, number, func(s string) string { return s + "k" })
		add("in brackets, number", n, number, func(s string) string { return "(" + s + ")" })
		add("about, number", n, number, func(s string) string { return "~" + s })
		if !strings.HasSuffix(line, " ago)") { // clocks differ
			add("below zero, number", n, number, func(s string) string { return "-" + s })
		}
	}
	for n := range min(3, len(sizes.FindAllString(line, -1))) {
		for _, unit := range []string{"kB", "MB", "K", "bytes", "Ki", "Mibit"} {
			add("in "+unit+", size", n, sizes, func(s string) string {
				value, _, _ := strings.Cut(s, " ")
				return value + " " + unit
			})
		}
		add("without a blank, size", n, sizes, func(s string) string { return strings.ReplaceAll(s, " ", "") })
		add("without a unit, size", n, sizes, func(s string) string {
			value, _, _ := strings.Cut(s, " ")
			return value
		})
	}
	return ms
}

// translate returns another word of the same length.
func translate(word string) string {
	b := []byte(word)
	slices.Reverse(b)
	return string(b)
}

func unitFirst(size string) string {
	value, unit, _ := strings.Cut(size, " ")
	return unit + " " + value
}

func jsonMutations(line string) (ms []mutation) {
	add := func(name string, n int, re *regexp.Regexp, change func(string) string) {
		ms = append(ms, mutation{fmt.Sprintf("%s %d", name, n), nth(re, n, change)})
	}
	for n := range min(50, len(jsonKey.FindAllString(line, -1))) {
		add("another name, key", n, jsonKey, func(s string) string { return s[:len(s)-2] + `_v2":` })
		add("one more, before key", n, jsonKey, func(s string) string { return `"more":7,` + s })
	}
	for n := range min(50, len(jsonPair.FindAllString(line, -1))) {
		add("dropped, key", n, jsonPair, func(string) string { return "" })
		add("a text, key", n, jsonPair, func(s string) string { return s[:strings.IndexByte(s, ':')] + `:"7 KiB"` })
		add("an object, key", n, jsonPair, func(s string) string {
			key, value, _ := strings.Cut(s, ":")
			return key + `:{"total":` + value + `}`
		})
	}
	return ms
}

// shape returns what a line has in common with others of its kind.
func shape(line string) string {
	switch {
	case strings.HasPrefix(line, "error: "):
		return "error: "
	case line[0] == '{' || line[0] == '[':
		return strings.Join(jsonKey.FindAllString(line, -1), "")
	}
	return variable.ReplaceAllString(line, "#")
}

// TestMutations changes each kind of line in each release's recordings, as a later
// release might print it. A figure stays what it was or is left out, and it
// is not left out without a line that counts as not understood.
func TestMutations(t *testing.T) {
	byRelease := make(map[string][]string)
	for _, recording := range journaltest.Recordings(t) {
		release, _, _ := strings.Cut(journaltest.Title(recording), "/")
		byRelease[release] = append(byRelease[release], recording)
	}
	for release, recordings := range byRelease {
		t.Run(release, func(t *testing.T) {
			t.Parallel()
			m := mutator{T: t, seen: make(map[string]bool)}
			for _, recording := range recordings {
				m.recording(recording)
			}
			t.Log(m.tried)
		})
	}
}

type mutator struct {
	*testing.T
	seen  map[string]bool
	tried int
}

func (m *mutator) recording(name string) {
	x := readExport(m, name)
	straight := m.original(x)
	tee := m.original(x.throughTee())
	kinds := make([]string, len(x.texts)) // "" for the manager's
	for i, text := range x.texts {
		if x.output(i) {
			kinds[i] = shape(text)
		}
	}
	for i, text := range x.texts {
		kind := kinds[i]
		if !x.output(i) || m.seen[kind] {
			continue
		}
		m.seen[kind] = true
		event := events.MatchString(text)
		for _, mut := range mutations(text) {
			switch {
			case event && (mut.name == "dropped" || mut.name == "in another language"):
				continue
			case mut.name == "dropped, key 9" && strings.HasPrefix(journaltest.Title(name), "0.17.3/") &&
				strings.Contains(text, `"data_added_packed":`):
				continue // then it is the line of 0.16
			}
			texts := slices.Clone(x.texts)
			for j, other := range texts {
				if x.output(j) && kinds[j] == kind && (mut.name != "dropped" || i == j) {
					texts[j] = mut.change(other)
				}
			}
			what := fmt.Sprintf("%s, %q, %s", journaltest.Title(name), text, mut.name)
			m.try(straight, what, texts, event)
			// A part of them through tee, too. In a stream names can be anything, and what is in unknown words may be another's.
			if m.tried%4 == 0 && !event && text[0] != '{' && !othersWords.MatchString(text) &&
				!strings.HasSuffix(name, "hostile-names.export") {
				m.try(tee, "tee, "+what, texts, event)
			}
		}
		// Later in the output of the process, and earlier.
		for what, j := range map[string]int{"first": x.edge(i, 1), "last": x.edge(i, -1)} {
			// A line about a file after the summary shows that the summary was in a name.
			forges := what == "last" && item.MatchString(text)
			if j >= 0 && j != i && !forges && !event && !events.MatchString(x.texts[j]) {
				m.try(straight, fmt.Sprintf("%s, %q %s", journaltest.Title(name), text, what), x.moved(i, j), false)
			}
		}
		if next := x.next(i); next >= 0 && !event && !events.MatchString(x.texts[next]) {
			texts := slices.Clone(x.texts)
			texts[i], texts[next] = texts[next], texts[i]
			m.try(straight, fmt.Sprintf("%s, %q after %q", journaltest.Title(name), text, x.texts[next]), texts, false)
		}
	}
}

var othersWords = regexp.MustCompile(`^(Warning: |created restic )`)

// next returns the entry that the process of the i-th printed next, -1 if there is none.
func (x *exported) next(i int) int {
	pid := processID.FindString(x.entries[i])
	for j := i + 1; j < len(x.entries); j++ {
		if x.output(j) && processID.FindString(x.entries[j]) == pid {
			return j
		}
	}
	return -1
}

// edge returns the first entry of the i-th's process, or with step -1 the last.
func (x *exported) edge(i, step int) int {
	pid := processID.FindString(x.entries[i])
	j := 0
	if step < 0 {
		j = len(x.entries) - 1
	}
	for ; j >= 0 && j < len(x.entries); j += step {
		if x.output(j) && processID.FindString(x.entries[j]) == pid {
			return j
		}
	}
	return -1
}

// moved returns the texts with the i-th at the place of the j-th, and what was between
// them one place on.
func (x *exported) moved(i, j int) []string {
	pid := processID.FindString(x.entries[i])
	step := 1
	if j < i {
		step = -1
	}
	texts := slices.Clone(x.texts)
	at := i
	for k := i; k != j; {
		k += step
		if x.output(k) && processID.FindString(x.entries[k]) == pid {
			texts[at], at = x.texts[k], k
		}
	}
	texts[j] = x.texts[i]
	return texts
}

var processID = regexp.MustCompile(`(?m)^_PID=.*\n`)

// An original is a recording, and what it gives.
type original struct {
	*exported
	want   map[string]float64
	before float64 // lines that were not understood
}

func (m *mutator) original(x *exported) original {
	want, before := x.figures(m, x.texts)
	return original{x, want, before}
}

// try compares what a recording gives with other texts.
func (m *mutator) try(x original, what string, texts []string, event bool) {
	m.tried++
	if slices.Equal(texts, x.texts) || testing.Short() && m.tried%40 != 0 {
		return
	}
	got, unparsed := x.figures(m, texts)
	for name, v := range got {
		if w, ok := x.want[name]; (!ok || w != v) && !(event && verdict.MatchString(name)) {
			m.Errorf("WRONG %s: %s is %v, not %v", what, name, v, w)
		}
	}
	for name := range x.want {
		if _, ok := got[name]; !ok && unparsed == x.before && !(event && verdict.MatchString(name)) {
			m.Errorf("LOST %s: %s is not there, and nothing is said", what, name)
		}
	}
}
