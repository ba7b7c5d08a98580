package journal

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// readExport reads the journal export format, which systemd's JOURNAL_EXPORT_FORMATS
// describes. It stops at the first error: after a wrong length, it cannot tell where
// the next field begins.
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
	errNoField  = errors.New("not a field of an entry")
	errTooLarge = errors.New("a field is larger than the journal can hold")
)

// next reads an entry. It returns false at the end.
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
			// An entry can have a field twice. journald's own comes first.
			if x.spans[field].to == 0 {
				x.spans[field].from, x.spans[field].to = from, len(x.arena)
			}
		}
	}
}

const (
	unknownField  = -1
	realtimeField = -2

	maxName = 64 // the longest name of a field that journald accepts
)

// name reads the name of a field and what follows it: '=' or '\n'. An empty name
// ends an entry, and returns 0 as sep.
func (x *exportReader) name() (field int, sep byte, err error) {
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

// rest reads a value up to the end of its line.
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

// sized reads a value that is preceded by its length. It does not trust the length,
// and allocates memory only for what it has read.
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
			return cmp.Or(err, errCutOff)
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
