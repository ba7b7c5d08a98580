package journal

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

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
