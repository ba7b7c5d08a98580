package journal

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"regexp"
	"strconv"
	"sync"
)

// A Recording is what journalctl printed earlier, or plain text. Who speaks in
// it is told by the same rules as in a journal, as far as its format carries
// what they need: export and JSON do; in short-iso a line is believed to be of
// the process that it names.
//
// The formats are those of "journalctl -o export", "-o json" (with --all, or
// long messages are lost), "-o short-iso" and plain lines, such as the output
// of a program. Which one it is shows from the content.
//
// Short-iso and plain text have no invocation IDs. Short-iso is taken for the
// log of one unit, and holds an invocation from each "Starting" of the manager
// on; plain text holds one invocation, without times, processes or a verdict.
type Recording struct {
	User bool // the unit is one of a user manager's

	r      io.ReadSeeker
	format format
}

type format uint8

const (
	formatExport format = iota
	formatJSON
	formatShortISO
	formatPlain
)

// Compiled when a recording is read: to do it at start-up would cost readers of
// the journal more than reading a short run.
var (
	exportStart   = lazily(`^[A-Z_][A-Z0-9_]{0,63}=`)
	jsonStart     = lazily(`^\{\s*"`)
	shortISOStart = lazily(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d) `)
)

func lazily(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}

// OpenRecording returns the recording that r holds. It reads r from the start,
// once for each call of a method.
func OpenRecording(r io.ReadSeeker) (*Recording, error) {
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	head := make([]byte, 64<<10)
	n, err := io.ReadFull(r, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, err
	}
	head = head[:n]
	rec := &Recording{r: r}
	first := firstLine(head)
	switch {
	case len(first) == 0:
		return nil, fmt.Errorf("%w: it is empty; want %s", ErrFormat, formats)
	case bytes.HasPrefix(head, []byte("LPKSHHRH")):
		return nil, fmt.Errorf("%w: it is a file of a journal; read the directory that it is in with --journal", ErrFormat)
	case exportStart().Match(first) && bytes.Contains(head, []byte(realtime+"=")):
		rec.format = formatExport
	case jsonStart().Match(first) && bytes.Contains(head, []byte(`"`+realtime+`"`)):
		rec.format = formatJSON
	case bytes.IndexByte(head, 0) >= 0:
		return nil, fmt.Errorf("%w: it is no text; want %s", ErrFormat, formats)
	case shortISOStart().Match(first):
		rec.format = formatShortISO
	default:
		rec.format = formatPlain
	}
	return rec, nil
}

const formats = "the output of journalctl -o export, -o json or -o short-iso, or of restic"

// firstLine returns the first line that is not empty and not a remark of
// journalctl's, such as "-- Boot 5bd2… --".
func firstLine(head []byte) []byte {
	for line := range bytes.Lines(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))) {
		if line = bytes.TrimSpace(line); len(line) > 0 && !isRemark(line) {
			return line
		}
	}
	return nil
}

func isRemark(line []byte) bool { return bytes.HasPrefix(line, []byte("-- ")) }

// Plain reports whether r is plain text: then nothing shows that it is a log at
// all.
func (r *Recording) Plain() bool { return r.format == formatPlain }

// Latest implements [Source]. In a format without invocation IDs it returns the
// zero ID.
func (r *Recording) Latest(ctx context.Context, unit string) (ID, error) {
	if _, err := r.r.Seek(0, io.SeekStart); err != nil {
		return ID{}, err
	}
	switch r.format {
	case formatExport:
		return latest(ctx, readExport(r.r), selector{unit, r.User})
	case formatJSON:
		return latest(ctx, readJSON(r.r), selector{unit, r.User})
	}
	return ID{}, nil
}

// Entries implements [Source]. In a format without invocation IDs the entries
// of the zero ID are those of the last invocation.
func (r *Recording) Entries(ctx context.Context, unit string, id ID) iter.Seq2[Entry, error] {
	if _, err := r.r.Seek(0, io.SeekStart); err != nil {
		return func(yield func(Entry, error) bool) { yield(Entry{}, err) }
	}
	switch r.format {
	case formatExport:
		return entries(ctx, readExport(r.r), selector{unit, r.User}, id)
	case formatJSON:
		return entries(ctx, readJSON(r.r), selector{unit, r.User}, id)
	case formatShortISO:
		return r.shortISO(ctx, unit, id)
	}
	return func(yield func(Entry, error) bool) {
		if id != (ID{}) {
			return
		}
		for line, err := range lines(r.r) {
			if err := cmpErr(err, ctx.Err()); err != nil {
				yield(Entry{}, err)
				return
			}
			if line = bytes.TrimRight(line, "\r\n"); len(line) > 0 && !yield(Entry{Message: line, Parts: 1}, nil) {
				return
			}
		}
	}
}

// maxField bounds a field or a line of a recording: journald itself takes no
// more (journald.conf(5), and DATA_SIZE_MAX in systemd's sources).
const maxField = 768 << 20

// maxKept bounds what is kept of a field in memory; what is longer is cut.
const maxKept = 64 << 20

// lines yields the lines of r, cut to maxKept, each valid until the next.
func lines(r io.Reader) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		br := bufio.NewReaderSize(r, 64<<10)
		var long []byte
		for {
			part, err := br.ReadSlice('\n')
			line := part
			if err == bufio.ErrBufferFull || len(long) > 0 {
				long = append(long, part[:min(len(part), maxKept-len(long))]...)
				line = long
			}
			if err == bufio.ErrBufferFull {
				continue
			}
			if err != nil && err != io.EOF {
				yield(nil, err)
				return
			}
			if len(line) > 0 && !yield(line, nil) || err == io.EOF {
				return
			}
			long = long[:0]
		}
	}
}

// readExport reads the journal export format, as systemd's JOURNAL_EXPORT_FORMATS
// describes it. An error ends it: behind a length that lies nothing can be told.
func readExport(r io.Reader) records {
	return func(yield func(*record, error) bool) {
		x := exportReader{br: bufio.NewReaderSize(r, 64<<10)}
		for {
			more, err := x.next()
			if err != nil {
				yield(nil, fmt.Errorf("recording in export format, byte %d: %w", x.offset, err))
				return
			}
			if !more || !yield(&x.rec, nil) {
				return
			}
		}
	}
}

type exportReader struct {
	br     *bufio.Reader
	offset int64
	rec    record
	arena  []byte // what the fields of rec point into
	spans  [fieldCount]struct{ from, to int }
}

var (
	errCutOff   = fmt.Errorf("the recording is cut off: %w", io.ErrUnexpectedEOF)
	errNoField  = errors.New("no field of an entry")
	errTooLarge = errors.New("a field is larger than the journal can hold")
)

// next reads an entry; false is the end.
func (x *exportReader) next() (bool, error) {
	x.rec.reset()
	x.arena = x.arena[:0]
	x.spans = [fieldCount]struct{ from, to int }{}
	some := false
	for {
		field, sep, err := x.name()
		switch {
		case err == io.EOF && !some:
			return false, nil
		case err == io.EOF:
			// journalctl ends each entry with an empty line.
			return false, errCutOff
		case err != nil:
			return false, err
		case sep == 0 && !some:
			continue
		case sep == 0:
			for i, s := range x.spans {
				if s.to > s.from {
					x.rec.fields[i] = x.arena[s.from:s.to:s.to]
				}
			}
			return true, nil
		}
		some = true
		from := len(x.arena)
		keep := field != unknownField
		if sep == '=' {
			err = x.rest(keep)
		} else {
			err = x.sized(keep)
		}
		if err == io.EOF {
			err = errCutOff
		}
		if err != nil {
			return false, err
		}
		switch {
		case field == realtimeField:
			x.rec.usec, _ = strconv.ParseUint(string(x.arena[from:]), 10, 64)
		case keep:
			// A field can be there more than once; journald's own come first.
			if x.spans[field].to == 0 {
				x.spans[field].from, x.spans[field].to = from, len(x.arena)
			}
		}
	}
}

const (
	unknownField  = -1
	realtimeField = -2

	maxName = 64 // of a field's name, journald takes no more
)

// name reads the name of a field and what follows it: '=' or '\n'. No name is
// the end of an entry, and gives 0.
func (x *exportReader) name() (field int, sep byte, err error) {
	// What is buffered is enough, as a rule.
	head, err := x.br.Peek(maxName + 1)
	if len(head) == 0 {
		return 0, 0, err
	}
	n := 0
	for n < len(head) && (head[n] >= 'A' && head[n] <= 'Z' || head[n] == '_' || head[n] >= '0' && head[n] <= '9') {
		n++
	}
	switch {
	case n == len(head) && n <= maxName:
		return 0, 0, errCutOff
	case n == len(head), head[n] != '\n' && (head[n] != '=' || n == 0):
		return 0, 0, errNoField
	case n > 0:
		sep = head[n]
		field = unknownField
		if string(head[:n]) == realtime {
			field = realtimeField
		} else if i, ok := fieldByName[string(head[:n])]; ok {
			field = i
		}
	}
	x.br.Discard(n + 1)
	x.offset += int64(n + 1)
	return field, sep, nil
}

// rest reads a value to the end of its line.
func (x *exportReader) rest(keep bool) error {
	for {
		part, err := x.br.ReadSlice('\n')
		x.offset += int64(len(part))
		ended := err == nil
		if ended {
			part = part[:len(part)-1]
		}
		if keep {
			x.arena = append(x.arena, part[:max(0, min(len(part), maxKept-len(x.arena)))]...)
		}
		if ended {
			return nil
		}
		if err != bufio.ErrBufferFull {
			return err
		}
	}
}

// sized reads a value that its length stands before. No more is allocated than
// is really there.
func (x *exportReader) sized(keep bool) error {
	var length [8]byte
	n, err := io.ReadFull(x.br, length[:])
	x.offset += int64(n)
	if err != nil {
		return errCutOff
	}
	left := binary.LittleEndian.Uint64(length[:])
	if left > maxField {
		return fmt.Errorf("%w: %d bytes", errTooLarge, left)
	}
	for left > 0 {
		part, err := x.br.Peek(int(min(left, uint64(x.br.Size()))))
		if len(part) == 0 {
			return cmpErr(err, errCutOff)
		}
		if keep {
			x.arena = append(x.arena, part[:max(0, min(len(part), maxKept-len(x.arena)))]...)
		}
		x.br.Discard(len(part))
		x.offset += int64(len(part))
		left -= uint64(len(part))
	}
	c, err := x.br.ReadByte()
	if err != nil {
		return err
	}
	x.offset++
	if c != '\n' {
		return errNoField
	}
	return nil
}

// readJSON reads entries as journalctl -o json prints them, one a line. A line
// that cannot be read ends it only if it is the last: then the recording is
// cut off; in the middle it costs itself.
func readJSON(r io.Reader) records {
	return func(yield func(*record, error) bool) {
		var rec record
		var broken error
		n := 0
		for line, err := range lines(r) {
			n++
			if err != nil {
				yield(nil, err)
				return
			}
			broken = nil
			if line = bytes.TrimSpace(line); len(line) == 0 || isRemark(line) {
				continue
			}
			var fields map[string]json.RawMessage
			if err := json.Unmarshal(line, &fields); err != nil {
				broken = fmt.Errorf("recording in JSON, line %d: %w", n, err)
				continue
			}
			rec.fromJSON(fields)
			if !yield(&rec, nil) {
				return
			}
		}
		if broken != nil {
			yield(nil, broken)
		}
	}
}

func (r *record) fromJSON(fields map[string]json.RawMessage) {
	r.reset()
	for i, name := range fieldNames {
		raw, ok := fields[name]
		if !ok {
			continue
		}
		var lost bool
		r.fields[i], lost = jsonValue(raw)
		if i == fieldMessage {
			r.lost = lost
		}
	}
	if v, _ := jsonValue(fields[realtime]); v != nil {
		r.usec, _ = strconv.ParseUint(string(v), 10, 64)
	}
}

// jsonValue reads a field: one value, or an array of several, of which the first
// counts as in the other formats. What is lost is known to have been there.
func jsonValue(raw json.RawMessage) (value []byte, lost bool) {
	if len(raw) == 0 {
		return nil, false
	}
	value, ok := oneValue(raw)
	var several []json.RawMessage
	if !ok && json.Unmarshal(raw, &several) == nil && len(several) > 0 {
		value, ok = oneValue(several[0])
	}
	return value, !ok
}

// oneValue reads a string, or an array of the bytes of what is not printable.
// What is too long is null, and no value.
func oneValue(raw json.RawMessage) ([]byte, bool) {
	switch raw[0] {
	case '"':
		var s string
		if json.Unmarshal(raw, &s) == nil {
			return []byte(s), true
		}
	case '[':
		var ints []uint8asInt
		if json.Unmarshal(raw, &ints) == nil {
			b := make([]byte, len(ints))
			for i, v := range ints {
				b[i] = byte(v)
			}
			return b, true
		}
	}
	return nil, false
}

// A uint8asInt is a byte that JSON has as a number; []byte would be base64.
type uint8asInt uint8

func (v *uint8asInt) UnmarshalJSON(b []byte) error {
	n, err := strconv.ParseUint(string(b), 10, 8)
	*v = uint8asInt(n)
	return err
}
