package parser

import "bytes"

const escape = '\x1b'

// sequence returns the length of the control sequence at the start of text, or 0.
// It is "ESC [", parameters and a letter; "ESC ]", a title and its end; or one
// character after ESC, or after ESC and a parenthesis.
func sequence(text []byte) int {
	if len(text) < 2 || text[0] != escape {
		return 0
	}
	switch c := text[1]; {
	case c == '[':
		for i, c := range text[2:] {
			if c >= '@' && c <= '~' {
				return i + 3
			}
		}
		return 0
	case c == ']':
		for i, c := range text[2:] {
			switch {
			case c == '\a':
				return i + 3
			case c == '\\' && text[i+1] == escape:
				return i + 3
			}
		}
		return 0
	case c == '(' || c == ')':
		return min(3, len(text))
	case c >= '7' && c <= '~':
		return 2
	}
	return 0
}

// overwrites reports whether a control sequence moves the cursor or erases the line, so
// that a terminal shows what comes next in place of the line so far.
func overwrites(sequence []byte) bool {
	if sequence[1] != '[' {
		return false
	}
	switch last := sequence[len(sequence)-1]; last {
	case 'A', 'B', 'E', 'F', 'G', 'H', 'f':
		return true
	case 'J', 'K':
		return sequence[len(sequence)-2] == '1' || sequence[len(sequence)-2] == '2'
	}
	return false
}

// visible returns what a terminal shows of a line with escapes or carriage returns.
// It always removes colours. It lets text overwrite the line only in a stream:
// elsewhere, such characters in a file's name could turn it into any line.
func visible(text []byte, stream bool) []byte {
	if bytes.IndexByte(text, escape) < 0 && (!stream || bytes.IndexByte(text, '\r') < 0) {
		return text
	}
	shown := make([]byte, 0, len(text))
	over := false // what comes next overwrites the line
	for len(text) > 0 {
		n := sequence(text)
		switch {
		case n > 0 && stream:
			over = over || overwrites(text[:n])
		case n > 0 && text[1] == '[' && text[n-1] == 'm':
		case text[0] == '\r' && stream:
			over, n = true, 1
		default:
			if over && text[0] != '\n' {
				shown, over = shown[:0], false
			}
			n = max(n, 1)
			shown = append(shown, text[:n]...)
		}
		text = text[n:]
	}
	return shown
}
