package journal

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A store returns the entries of a run in any order, so they are sorted here. A verbose
// restic logs a line for each file: such a run is read page by page.

// maxPage is the number of entries above which a run is read in pages of about that size,
// so that memory does not grow with the log.
const maxPage = 4000

// pageStep is the shortest time that a page can cover.
const pageStep = 10 * time.Millisecond

// A numbered is a record with its place in the journal of its machine.
type numbered struct {
	record
	source string // the sequence of numbers, s= in __CURSOR
	number uint64 // the number in that sequence, i= in __CURSOR
}

// records returns the records in the store since a time, each once and in the order of the
// journal. The zero time means from the beginning.
func (h storeHost) records(ctx context.Context, m match, since time.Time) (records, error) {
	all := span{from: since}
	stream := ""
	if h.known != nil && h.known.Entries > 0 {
		// To search only the streams of this host is half the work.
		stream = "{_HOSTNAME=" + strconv.Quote(h.host) + "} "
	}
	found, err := h.find(ctx, stream, m, all, maxPage+1)
	if err == nil && stream != "" && len(found) <= maxPage && h.count(found) < h.known.Entries {
		// The store finds a new stream some seconds after the entries in it, and
		// -journald.streamFields can leave the host's name out.
		found, err = h.find(ctx, "", m, all, maxPage+1)
	}
	if err != nil {
		return nil, err
	}
	pages := []span{all}
	if len(found) > maxPage {
		found = nil
		if pages, err = h.pages(ctx, m, all); err != nil {
			return nil, err
		}
	}
	return func(yield func(*record, error) bool) {
		split := false
		for _, page := range pages {
			if found == nil {
				var err error
				if found, err = h.find(ctx, "", m, page, 0); err != nil {
					yield(nil, err)
					return
				}
			}
			for _, r := range inOrder(found) {
				split = split || r.part()
				r.split = split
				if !yield(&r.record, nil) {
					return
				}
			}
			found = nil
		}
	}, nil
}

// count returns the number of entries that [StoreUnit.Entries] counts.
func (h storeHost) count(found []*numbered) (n uint64) {
	s := selectorOf(h.known.Unit, false)
	for _, r := range found {
		if kind, id, ok := s.kind(&r.record); ok && id == h.known.Run && (kind == Output || kind == Manager) {
			n++
		}
	}
	return n
}

// find returns the records that m matches in a span, in the order of the store's answer. If
// stream is not "", it finds only those in the streams that this filter selects. It returns
// at most limit records, or all if limit is 0.
func (h storeHost) find(ctx context.Context, stream string, m match, of span, limit int) ([]*numbered, error) {
	query := of.filter() + " " + stream + h.query(m) + " | fields _time, " + cursor + ", " + machine
	for _, name := range fieldNames {
		query += ", " + storeField(name)
	}
	if limit > 0 {
		query += " | limit " + strconv.Itoa(limit)
	}
	var found []*numbered
	var from string
	for row, err := range h.store.ask(ctx, query) {
		if err != nil {
			return nil, err
		}
		r, err := numberedOf(row)
		if err != nil {
			return nil, err
		}
		if from, err = h.sameMachine(from, row); err != nil {
			return nil, err
		}
		found = append(found, r)
	}
	return found, nil
}

// sameMachine returns the machine of a row. It returns an error if known is a different one.
func (h storeHost) sameMachine(known string, row storeRow) (string, error) {
	of := row.get(machine)
	if known != "" && of != known {
		return "", fmt.Errorf("%w: two machines, %s and %s, have the host name %q; give each a name of its own", ErrStoreEntries, known, of, h.host)
	}
	return of, nil
}

// pages divides a span so that each part has about maxPage records. If the clock was set
// back during it, the records can only be ordered all at once, and pages returns the whole
// span.
func (h storeHost) pages(ctx context.Context, m match, whole span) ([]span, error) {
	type place struct {
		step   int64 // of time
		source string
	}
	type numbers struct {
		count       int
		first, last uint64
	}
	steps := make(map[place]numbers)
	sources := make(map[string]string) // each text once
	var from string
	for row, err := range h.store.ask(ctx, whole.filter()+" "+h.query(m)+" | fields _time, "+cursor+", "+machine) {
		if err != nil {
			return nil, err
		}
		var r numbered
		if err := r.place(row); err != nil {
			return nil, err
		}
		if from, err = h.sameMachine(from, row); err != nil {
			return nil, err
		}
		source, ok := sources[r.source]
		if !ok {
			source, sources[r.source] = r.source, r.source
		}
		at := place{int64(r.usec) / pageStep.Microseconds(), source}
		n, ok := steps[at]
		if !ok {
			n.first = r.number
		}
		steps[at] = numbers{n.count + 1, min(n.first, r.number), max(n.last, r.number)}
	}
	var pages []span
	page, count := whole, 0
	last := make(map[string]uint64)
	for _, at := range slices.SortedFunc(maps.Keys(steps), func(a, b place) int { return cmp.Compare(a.step, b.step) }) {
		n := steps[at]
		if n.first <= last[at.source] {
			return []span{whole}, nil
		}
		last[at.source] = n.last
		// Records of the same step stay together.
		begin := time.UnixMicro(at.step * pageStep.Microseconds())
		if count > 0 && count+n.count > maxPage && begin.After(page.from) {
			page.to = begin
			pages = append(pages, page)
			page, count = span{begin, whole.to}, 0
		}
		count += n.count
	}
	return append(pages, page), nil
}

func numberedOf(row storeRow) (*numbered, error) {
	r := new(numbered)
	if err := r.place(row); err != nil {
		return nil, err
	}
	size := 0
	for _, f := range row {
		size += len(f.value)
	}
	values := make([]byte, 0, size)
	for _, f := range row {
		i, ok := storeFields[string(f.name)]
		if !ok || len(f.value) == 0 || i == fieldMessage && string(f.value) == noMessage {
			continue
		}
		from := len(values)
		values = append(values, f.value...)
		r.fields[i] = values[from:len(values):len(values)]
	}
	return r, nil
}

// place sets the time of a row and its place in the journal.
func (r *numbered) place(row storeRow) error {
	r.source, r.number = parseCursor(row.get(cursor))
	if r.source == "" || r.number == 0 {
		return fmt.Errorf("%w: they have no %s, so their order is unknown; start VictoriaLogs with -journald.includeEntryMetadata, "+
			"which affects only what is sent from then on", ErrStoreEntries, cursor)
	}
	t, err := time.Parse(time.RFC3339Nano, row.get("_time"))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrStoreAnswer, err)
	}
	r.usec = uint64(t.UnixMicro())
	return nil
}

// parseCursor returns the sequence of an entry, and its number in that sequence.
func parseCursor(cursor string) (source string, number uint64) {
	for part := range strings.SplitSeq(cursor, ";") {
		name, value, _ := strings.Cut(part, "=")
		switch name {
		case "s":
			source = value
		case "i":
			number, _ = strconv.ParseUint(value, 16, 64)
		}
	}
	return source, number
}

// inOrder removes entries that were sent twice, and sorts the others: by number within a
// sequence, and by time between sequences.
func inOrder(found []*numbered) []*numbered {
	sequences := make(map[string][]*numbered)
	for _, r := range found {
		sequences[r.source] = append(sequences[r.source], r)
	}
	var heads [][]*numbered
	for _, seq := range sequences {
		slices.SortFunc(seq, func(a, b *numbered) int { return cmp.Compare(a.number, b.number) })
		heads = append(heads, slices.CompactFunc(seq, func(a, b *numbered) bool { return a.number == b.number }))
	}
	slices.SortFunc(heads, func(a, b []*numbered) int { return cmp.Compare(a[0].source, b[0].source) })
	ordered := make([]*numbered, 0, len(found))
	for len(heads) > 0 {
		next := 0
		for i := range heads {
			if heads[i][0].usec < heads[next][0].usec {
				next = i
			}
		}
		ordered = append(ordered, heads[next][0])
		if heads[next] = heads[next][1:]; len(heads[next]) == 0 {
			heads = slices.Delete(heads, next, next+1)
		}
	}
	return ordered
}
