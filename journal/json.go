package journal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
)

// recordSeparator stands before each line of journalctl -o json-seq (RFC 7464).
const recordSeparator = "\x1e"

// readJSON reads the entries that journalctl prints with -o json or json-seq, one per
// line, or with json-pretty, each from a line "{" to a line "}". It leaves out an entry
// that cannot be read, but reports an error if it is the last one: then the recording
// is cut off.
func readJSON(r io.Reader) records {
	return func(yield func(*record, error) bool) {
		var rec record
		var broken error
		n := 0
		var pretty []byte // an entry over several lines, so far
		for line, err := range lines(r) {
			n++
			if err != nil {
				yield(nil, err)
				return
			}
			if line = bytes.TrimSpace(bytes.TrimLeft(line, recordSeparator)); len(line) == 0 || isRemark(line) {
				continue
			}
			if line[0] == '{' {
				pretty = nil // the entry before has no end
			}
			if len(pretty) > 0 || string(line) == "{" {
				if len(pretty)+len(line) < maxKept {
					pretty = append(append(pretty, line...), '\n')
				}
				if string(line) != "}" {
					broken = errCutOff
					continue
				}
				line, pretty = pretty, nil
			}
			broken = nil
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

// maxSeveral bounds an array of several values. Decoding one takes many times its size
// in memory.
const maxSeveral = 1 << 20

// jsonValue reads a field: a value, or an array of several values of which the first
// counts, as in the other formats. lost reports that there was a value that cannot be
// read.
func jsonValue(raw json.RawMessage) (value []byte, lost bool) {
	if len(raw) == 0 {
		return nil, false
	}
	value, ok := oneValue(raw)
	var several []json.RawMessage
	if !ok && len(raw) <= maxSeveral && json.Unmarshal(raw, &several) == nil && len(several) > 0 {
		value, ok = oneValue(several[0])
	}
	return value, !ok
}

// oneValue reads a value: a string, or an array of bytes if it is not printable. A
// value that journalctl found too long is null, and cannot be read.
func oneValue(raw json.RawMessage) ([]byte, bool) {
	switch raw[0] {
	case '"':
		var s string
		if json.Unmarshal(raw, &s) == nil {
			return []byte(s), true
		}
	case '[':
		b := make([]byte, 0, len(raw)/4)
		for number := range bytes.SplitSeq(raw[1:len(raw)-1], []byte{','}) {
			n, err := strconv.ParseUint(string(bytes.TrimSpace(number)), 10, 8)
			if err != nil {
				return nil, false
			}
			b = append(b, byte(n))
		}
		return b, true
	}
	return nil, false
}
