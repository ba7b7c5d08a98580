package parser

import "bytes"

// Behind returns the length of what stands in text before a line of restic's, as
// where a wrapper puts a time or a name before each line; 0 if there is no such
// line. It looks for the lines of a backup's summary and of failures that are told
// from those of other programs.
func Behind(text []byte) int {
	text = trim(text)
	first := 0
	for _, f := range telling {
		n := bytes.Index(text, f.first)
		if n < 1 || first > 0 && n > first || isWord(text[n-1]) || isQuote(text[n-1]) {
			continue
		}
		l := line{text: text[n:]}
		if f.match(&l) && !isItem(text) && l.find(text, l.time, CommandBackup) == nil {
			first = n
		}
	}
	return first
}

// isQuote: a quoted line is another program's word about restic.
func isQuote(c byte) bool { return c == '\'' || c == '"' || c == '`' }

// telling are the forms of lines that no other program prints.
var telling []*form

func isWord(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c == '_'
}
