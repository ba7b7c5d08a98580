package parser

import "bytes"

// Bare returns text without the newline, and without the control sequences that colour
// it or move the cursor before it.
func Bare(text []byte) []byte { return trim(visible(trim(text), false)) }

// Prefix returns the length in bytes of what stands in text before a line of restic's,
// such as a time or a name that a wrapper puts before each line. It returns 0 if there is
// no such line, or nothing before it. text must be as [Bare] returns it. Prefix looks only
// for lines that no other program prints: those of a backup's summary, and of failures.
func Prefix(text []byte) int {
	first := 0
	for _, f := range unique {
		n := bytes.Index(text, f.literal)
		if n < 1 || first > 0 && n > first || isWord(text[:n]) || isQuote(text[n-1]) {
			continue
		}
		l := line{text: text[n:]}
		if f.match(&l) && !isItem(text) && l.find(text, l.time, CommandBackup) == nil {
			first = n
		}
	}
	return first
}

// isQuote reports whether c is a quotation mark. A line in quotation marks is what another
// program says about restic.
func isQuote(c byte) bool { return c == '\'' || c == '"' || c == '`' }

// unique are the forms of lines that no other program prints.
var unique []*form

// isWord reports whether text ends in a character of a word, so that no line begins after
// it. The Z at the end of a time is not such a character.
func isWord(text []byte) bool {
	c := text[len(text)-1]
	if n := len(text); c == 'Z' && n > 1 && text[n-2] >= '0' && text[n-2] <= '9' {
		return false
	}
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '_'
}
