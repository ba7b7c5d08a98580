package parser

import (
	"bytes"
	"strings"
	"time"
)

// A form is what a line of restic's looks like, and what it means. Each
// command's file begins with its forms as restic prints them: a new release is
// read into them.
type form struct {
	// In a pattern # stands for a word and … for any text, also none. A blank
	// beside a # is one or more. The whole line must match: file names may hold
	// anything else.
	pattern string
	// opens is the command that prints the line early in its output. Where
	// there are no process IDs a command is told by it from the one before.
	opens Command
	// tells is the command that prints the line somewhere.
	tells Command
	// within is the command in whose output alone the line means this.
	within Command
	// ends says that the line gives a figure, or the end of a command.
	ends bool
	// failure says that no command prints the line after its own good end.
	failure bool
	// read takes what the line says. It is not called in the output of another
	// command than the one that the line tells, but for a backup's: what it
	// prints last is true, whatever stood in the names of files before.
	read func(*state, *line) error

	literal string // the pattern up to its first # or …
	rest    []part // the pattern from there
}

// A part of a pattern is # or …, and the text up to the next.
type part struct {
	word    bool
	blank   bool   // blanks stand before the literal, or at its end
	literal string // without blanks that stand beside a #
	bytes   []byte // the same
}

// A line is one that is being read.
type line struct {
	text []byte
	time time.Time
	word [4][]byte // what stands for each # and … of its form
}

// forms has those of all commands by the first byte of the lines, tails those
// that begin with any text by their last byte.
var forms, tails [256][]*form

func init() { // some forms are read with others
	forms, tails = index(backupForms, forgetForms, pruneForms, checkForms, otherForms, failureForms, jsonForms)
}

func index(tables ...[]form) (heads, tails [256][]*form) {
	for _, table := range tables {
		for i := range table {
			f := &table[i]
			f.compile()
			switch {
			case f.literal != "":
				heads[f.literal[0]] = append(heads[f.literal[0]], f)
			case f.rest[0].word: // a number
				for c := '0'; c <= '9'; c++ {
					heads[c] = append(heads[c], f)
				}
			default:
				last := f.pattern[len(f.pattern)-1]
				tails[last] = append(tails[last], f)
			}
		}
	}
	return heads, tails
}

func (f *form) compile() {
	cut := func(s string) (literal, wildcard, rest string) {
		i := strings.IndexAny(s, "#…")
		if i < 0 {
			return s, "", ""
		}
		if s[i] == '#' {
			return s[:i], "#", s[i+1:]
		}
		return s[:i], "…", s[i+len("…"):]
	}
	literal, wildcard, rest := cut(f.pattern)
	f.literal = literal
	for wildcard != "" {
		p := part{word: wildcard == "#"}
		p.literal, wildcard, rest = cut(rest)
		if p.word {
			p.blank = strings.HasPrefix(p.literal, " ")
			p.literal = strings.TrimPrefix(p.literal, " ")
		}
		p.bytes = []byte(p.literal)
		f.rest = append(f.rest, p)
	}
}

// find returns the form that the line has in the output of c, nil if it has none.
func (l *line) find(text []byte, t time.Time, c Command) *form {
	l.text, l.time = text, t
	for _, f := range forms[text[0]] {
		if (f.within == "" || f.within == c) && f.match(l) {
			return f
		}
	}
	for _, f := range tails[text[len(text)-1]] {
		if (f.within == "" || f.within == c) && f.match(l) {
			return f
		}
	}
	return nil
}

// match reports whether l has the form f, and takes its words.
func (f *form) match(l *line) bool {
	text := l.text
	if !has(text, f.literal) {
		return false
	}
	text = text[len(f.literal):]
	for i, p := range f.rest {
		last := i == len(f.rest)-1
		if !p.word {
			n := len(text) - len(p.literal)
			switch {
			case !last:
				n = bytes.Index(text, p.bytes)
			case n >= 0 && string(text[n:]) != p.literal:
				n = -1
			}
			if n < 0 {
				return false
			}
			l.word[i] = text[:n]
			text = text[n+len(p.literal):]
			continue
		}
		text = afterBlanks(text)
		n := bytes.IndexByte(text, ' ')
		if n < 0 {
			n = len(text)
		}
		if n == 0 {
			return false
		}
		l.word[i] = text[:n]
		text = text[n:]
		if p.blank {
			if len(text) == 0 {
				return false
			}
			text = afterBlanks(text)
		}
		if !has(text, p.literal) {
			return false
		}
		text = text[len(p.literal):]
	}
	clear(l.word[len(f.rest):])
	return len(text) == 0
}

func afterBlanks(text []byte) []byte {
	for len(text) > 0 && text[0] == ' ' {
		text = text[1:]
	}
	return text
}

func has(text []byte, prefix string) bool {
	return len(text) >= len(prefix) && string(text[:len(prefix)]) == prefix
}

// trim cuts what surrounds a line: its newline, the padding of restic's sizes,
// and what moves the cursor of a terminal before it.
func trim(text []byte) []byte {
	for len(text) > 0 {
		switch text[len(text)-1] {
		case '\n', '\r', ' ', '\t':
			text = text[:len(text)-1]
			continue
		}
		break
	}
	for len(text) > 0 {
		switch text[0] {
		case '\r':
			text = text[1:]
			continue
		case escape:
			if n := sequence(text); n > 0 {
				text = text[n:]
				continue
			}
		}
		break
	}
	return text
}

const escape = '\x1b'

// sequence returns the length of the control sequence that text begins with, 0
// if it begins with none. It is "ESC [", parameters, and a letter.
func sequence(text []byte) int {
	if len(text) < 3 || text[0] != escape || text[1] != '[' {
		return 0
	}
	for i, c := range text[2:] {
		if c >= '@' && c <= '~' {
			return i + 3
		}
	}
	return 0
}

// visible returns what a terminal would show of a line that holds an escape or
// a carriage return. Colours are always cut. What overwrites the line is obeyed
// only in a stream: the name of a file can hold these characters, too, and could
// leave of a line what it likes.
func visible(text []byte, stream bool) []byte {
	if bytes.IndexByte(text, escape) < 0 && (!stream || bytes.IndexByte(text, '\r') < 0) {
		return text
	}
	shown := make([]byte, 0, len(text))
	for len(text) > 0 {
		n := sequence(text)
		switch {
		case n > 0 && (text[n-1] == 'm' || stream && len(shown) == 0):
		case n > 0 && stream, text[0] == '\r' && stream:
			shown = shown[:0]
			n = max(n, 1)
		default:
			n = max(n, 1)
			shown = append(shown, text[:n]...)
		}
		text = text[n:]
	}
	return shown
}
