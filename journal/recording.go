package journal

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"regexp"
	"sync"
)

// A Recording is what journalctl printed earlier, or plain text. It follows the same
// rules of trust as a journal if its format has the necessary fields, as export and JSON
// do. In other formats, each line counts as written by the process that it names.
//
// These formats can be read, and are recognized by their content:
//
//   - export, json, json-pretty and json-seq (record them with --all, or long messages
//     are lost);
//   - short, short-iso, short-full, short-unix, their precise variants, and with-unit,
//     which has no identifiers;
//   - the files of syslog daemons;
//   - the output of "docker logs -t", and plain lines such as a program prints.
//
// verbose, short-monotonic, short-delta, json-sse and the output of --no-hostname are
// recognized and refused, as are export and JSON with --reverse.
//
// Only export and JSON have invocation IDs. A text log counts as the log of one unit. In
// it, an invocation begins with the manager's "Starting", or with "Started" for
// Type=simple. A time without a year is the last one that is not in the future; a time
// without a zone, or in a zone that is not known by its name, is local. Plain text is one
// invocation, without processes or a verdict.
type Recording struct {
	User bool // the unit belongs to a user manager; usually the content shows this

	r      io.ReadSeeker
	format format
	layout *layout // of the times in a text; nil if there are none
}

type format uint8

const (
	formatExport format = iota
	formatJSON
	formatText
	formatStamped // lines with nothing but a time before the message
	formatPlain
)

// Regular expressions are compiled when they are needed. To compile them all at start-up
// would take longer than to read a short run from the journal.
var (
	exportStart = lazily(`^[A-Z_][A-Z0-9_]{0,63}=`)
	jsonStart   = lazily(`^\{\s*"`)
)

func lazily(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}

// OpenRecording returns the recording in r. It reads r from the start now, and again in
// each call of a method. It returns ErrFormat if r has no format that can be read.
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
		return nil, fmt.Errorf("%w: it is empty; want %s", ErrFormat, Formats)
	case bytes.HasPrefix(head, []byte(fileSignature)):
		return nil, fmt.Errorf("%w: it is a journal file; read it with --journal", ErrFormat)
	case exportStart().Match(first) && bytes.Contains(head, []byte(realtime+"=")):
		rec.format = formatExport
	case (jsonStart().Match(bytes.TrimLeft(first, recordSeparator)) || string(first) == "{") && bytes.Contains(head, []byte(`"`+realtime+`"`)):
		rec.format = formatJSON
	case bytes.IndexByte(head, 0) >= 0:
		return nil, fmt.Errorf("%w: it is not text; want %s", ErrFormat, Formats)
	default:
		rec.format, rec.layout, err = textFormat(head)
		if err != nil {
			return nil, err
		}
	}
	if (rec.format == formatExport || rec.format == formatJSON) && isReversed(head) {
		return nil, fmt.Errorf("%w: it looks like journalctl --reverse, which prints the last entry first; want %s", ErrFormat, Formats)
	}
	return rec, nil
}

// isReversed reports whether each entry in head is earlier than the one before. In a log
// that is in order, some are later, even if the clock was set back.
func isReversed(head []byte) bool {
	steps, last := 0, ""
	for {
		_, after, found := bytes.Cut(head, []byte(realtime))
		if !found {
			return steps > 1
		}
		head = bytes.TrimLeft(after, `"=: `)
		end := bytes.IndexFunc(head, func(r rune) bool { return r < '0' || r > '9' })
		if end < 1 {
			return steps > 1
		}
		switch t := string(head[:end]); {
		case last == "" || t == last:
			last = t
		case len(t) > len(last) || len(t) == len(last) && t > last:
			return false
		default:
			steps, last = steps+1, t
		}
	}
}

// Formats are the formats in which to record, for messages.
const Formats = "the output of journalctl -o export, -o json --all or -o short-iso, or of restic"

// firstLine returns the first line that is neither empty nor a remark of journalctl's,
// such as "-- Boot 5bd2… --", nor the fence at the beginning of a pasted log.
func firstLine(head []byte) []byte {
	for line := range bytes.Lines(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))) {
		if line = bytes.TrimSpace(line); len(line) > 0 && !isRemark(line) {
			return line
		}
	}
	return nil
}

func isRemark(line []byte) bool {
	return bytes.HasPrefix(line, []byte("-- ")) || bytes.HasPrefix(line, []byte("```"))
}

// Plain reports whether r is plain text. Then nothing shows that it is a log at all.
func (r *Recording) Plain() bool { return r.format == formatPlain || r.format == formatStamped }

// Latest implements [Source]. In a format without invocation IDs it returns the
// zero ID.
func (r *Recording) Latest(ctx context.Context, unit string) (ID, error) {
	r = r.ofItsManager(unit)
	rs, err := r.records()
	if rs == nil || err != nil {
		return ID{}, err
	}
	id, err := latest(ctx, rs, selectorOf(unit, r.User))
	return id, hint(unit, err)
}

// ofItsManager returns r. If only a user's manager has a unit of this name in r, and not
// the system's, it returns a copy with User set. In a text log any process can call
// itself systemd, but only the system's manager has the process ID 1.
func (r *Recording) ofItsManager(unit string) *Recording {
	if r.User || r.Plain() {
		return r
	}
	users := false
	for system := range r.managers(unit) {
		if system {
			return r
		}
		users = true
	}
	if !users {
		return r
	}
	own := *r
	own.User = true
	return &own
}

// managers yields, for each record about unit, whether its manager is the system's and
// not a user's. It stops at an error, which the caller meets again when it reads r.
func (r *Recording) managers(unit string) iter.Seq[bool] {
	return func(yield func(system bool) bool) {
		rs, err := r.records()
		if rs == nil || err != nil {
			r.textManagers(unit, yield)
			return
		}
		system, user := selectorOf(unit, false), selectorOf(unit, true)
		for rec, err := range rs {
			if err != nil {
				return
			}
			_, _, ofSystem := system.kind(rec)
			_, _, ofUser := user.kind(rec)
			if (ofSystem || ofUser) && !yield(ofSystem) {
				return
			}
		}
	}
}

// records returns the records from the start; nil if the format has no fields.
func (r *Recording) records() (records, error) {
	if _, err := r.r.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	switch r.format {
	case formatExport:
		return readExport(r.r), nil
	case formatJSON:
		return readJSON(r.r), nil
	}
	return nil, nil
}

// Entries implements [Source].
func (r *Recording) Entries(ctx context.Context, unit string, id ID) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		r := r.ofItsManager(unit)
		some := false
		for e, err := range r.entries(ctx, unit, id) {
			some = true
			if err != nil {
				yield(Entry{}, hint(unit, err))
				return
			}
			if !yield(e, nil) {
				return
			}
		}
		if r.Plain() || some {
			return
		}
		if err := hint(unit, nil); err != nil {
			yield(Entry{}, err)
		}
	}
}

func (r *Recording) entries(ctx context.Context, unit string, id ID) iter.Seq2[Entry, error] {
	failed := func(err error) iter.Seq2[Entry, error] {
		return func(yield func(Entry, error) bool) { yield(Entry{}, err) }
	}
	rs, err := r.records()
	switch {
	case err != nil:
		return failed(err)
	case rs == nil && id != (ID{}):
		return func(func(Entry, error) bool) {}
	case r.format == formatText:
		return r.text(ctx, unit)
	case rs == nil:
		return r.plain(ctx)
	case id == (ID{}):
		return r.latestEntries(ctx, unit)
	}
	return entries(ctx, rs, selectorOf(unit, r.User), id)
}

// latestEntries yields the entries of the latest run, and those about later starts that
// were refused or not due.
func (r *Recording) latestEntries(ctx context.Context, unit string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		id, err := r.Latest(ctx, unit)
		if err != nil && !errors.Is(err, ErrNotFound) {
			yield(Entry{}, err)
			return
		}
		rs, err := r.records()
		if err != nil {
			yield(Entry{}, err)
			return
		}
		latestEntries(ctx, rs, selectorOf(unit, r.User), id)(yield)
	}
}

func (r *Recording) plain(ctx context.Context) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for line, err := range lines(r.r) {
			if err := cmp.Or(err, ctx.Err()); err != nil {
				yield(Entry{}, err)
				return
			}
			line = bytes.TrimRight(line, "\r\n")
			e := Entry{Message: line, Parts: 1}
			if r.layout != nil {
				if t, rest, ok := r.layout.cut(line); ok {
					e.Time, e.Message = t, rest
				}
			}
			if len(e.Message) > 0 && !yield(e, nil) {
				return
			}
		}
	}
}

// Skim implements [Source]. It leaves out nothing.
func (r *Recording) Skim(ctx context.Context, unit string, id ID, _ Skipper) iter.Seq2[Entry, error] {
	return r.Entries(ctx, unit, id)
}

// Sync implements [Source]. It does nothing, because a recording does not change.
func (r *Recording) Sync(context.Context, string) error { return nil }

// maxField bounds a field of a recording. It is journald's own limit (journald.conf(5),
// and DATA_SIZE_MAX in systemd's sources).
const maxField = 768 << 20

// maxKept bounds what is kept of a field or a line in memory. The rest is cut.
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
