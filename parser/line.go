package parser

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"strings"
	"time"
)

// A form describes a line that restic prints: what it looks like and what it
// means. The file of each command begins with its forms. To support a new
// release, add what it prints there.
type form struct {
	// pattern is what the line looks like. # stands for one word, and … for any
	// text or none. A blank next to a # matches one or more blanks. The whole
	// line must match, because a file name can hold anything else.
	pattern string
	// opens is the command that begins with this line, or prints it early. Where
	// there are no process IDs, such a line separates the command from the one
	// before.
	opens Command
	// tells is the command that prints the line, anywhere in its output. A form that
	// sets opens need not set it.
	tells Command
	// within restricts the form to the output of this command.
	within Command
	// ends reports that the line has a figure, or is the end of a command. Such a line
	// does not count while restic waits to retry: a server's message can quote it. It is
	// an error if another command prints it.
	ends bool
	// failure reports that no command prints the line after it has succeeded.
	failure bool
	// complaint reports that a backup prints the line about sources, on standard error.
	complaint bool
	// unique reports that no other program prints the line: see Prefix.
	unique bool
	// read evaluates the line. If opens or tells names a command, read is called only
	// for a process that runs it. A line of a backup is the exception, because
	// what looked like another command before it may have been a file's name.
	read func(*state, *line) error

	literal []byte // the pattern up to its first # or …
	rest    []part // the pattern from there on
}

// A candidate is a form in an index. Its head and mask rule it out for most lines, without
// a look at the form.
type candidate struct {
	head uint64 // of the form's literal
	mask uint64 // which bytes of a line's head to compare
	form *form
}

// headOf returns the first eight bytes of a text, padded with zeros.
func headOf(text []byte) (head uint64) {
	if len(text) >= 8 {
		return binary.LittleEndian.Uint64(text)
	}
	for i, c := range text {
		head |= uint64(c) << (8 * i)
	}
	return head
}

// A part of a pattern is a # or …, and the text up to the next one.
type part struct {
	word    bool   // it is a #
	blank   bool   // a blank follows the #
	literal []byte // the text, without blanks next to a #
}

// A line is the line being read, and what matched each # and … of its form.
type line struct {
	text   []byte
	time   time.Time
	number int       // counted over the whole log
	words  int       // how many # and … its form has
	at     [4]extent // where in text each of them matched
}

// An extent is where a word stands in the text. It has indices and not a slice, because
// pointers cost more to write.
type extent struct{ from, to int }

// word returns what matched the # or … with index i of the line's form; nil if it has
// fewer.
func (l *line) word(i int) []byte {
	if i >= l.words {
		return nil
	}
	return l.text[l.at[i].from:l.at[i].to]
}

// forms has the forms of all commands by the first byte of the line. tails has
// those whose pattern begins with …, by the last byte of the line.
var forms, tails [256][]candidate

func init() { // not in the declaration: the forms refer to functions that use forms
	forms, tails = index(backupForms, jsonForms, forgetForms, pruneForms, checkForms, otherForms, failureForms)
}

func index(tables ...[]form) (heads, tails [256][]candidate) {
	for _, table := range tables {
		for i := range table {
			f := &table[i]
			f.compile()
			if f.unique {
				unique = append(unique, f)
			}
			c := candidate{headOf(f.literal), ^uint64(0) >> (64 - 8*min(len(f.literal), 8)), f}
			switch {
			case len(f.literal) > 0:
				heads[f.literal[0]] = append(heads[f.literal[0]], c)
			case f.rest[0].word: // a number
				for digit := '0'; digit <= '9'; digit++ {
					heads[digit] = append(heads[digit], c)
				}
			default:
				last := f.pattern[len(f.pattern)-1]
				tails[last] = append(tails[last], c)
			}
		}
	}
	return heads, tails
}

// compile divides the pattern. It makes little garbage, because each start of a program
// compiles all forms.
func (f *form) compile() {
	f.tells = cmp.Or(f.tells, f.opens)
	left := []byte(f.pattern)
	next := func() (literal []byte, wildcard string) {
		i := bytes.IndexAny(left, "#…")
		if i < 0 {
			return left, ""
		}
		literal, wildcard = left[:i], "#"
		if left[i] != '#' {
			wildcard = "…"
		}
		left = left[i+len(wildcard):]
		return literal, wildcard
	}
	var wildcard string
	if f.literal, wildcard = next(); wildcard != "" {
		f.rest = make([]part, 0, strings.Count(f.pattern, "#")+strings.Count(f.pattern, "…"))
	}
	for wildcard != "" {
		p := part{word: wildcard == "#"}
		p.literal, wildcard = next()
		if p.word {
			p.literal, p.blank = bytes.CutPrefix(p.literal, []byte(" "))
		}
		f.rest = append(f.rest, p)
	}
}

// find returns the form of the line in the output of command c; nil if it has none.
func (l *line) find(text []byte, t time.Time, c Command) *form {
	l.text, l.time = text, t
	head := headOf(text)
	for _, might := range forms[text[0]] {
		if f := might.form; head&might.mask == might.head && (f.within == "" || f.within == c) && f.match(l) {
			return f
		}
	}
	for _, might := range tails[text[len(text)-1]] {
		if f := might.form; (f.within == "" || f.within == c) && f.match(l) {
			return f
		}
	}
	return nil
}

// mayHaveForm reports whether a line begins or ends like one that has a form or is an
// item. A colour, which ends in m, may hide how the line ends.
func mayHaveForm(text []byte) bool {
	if len(text) == 0 {
		return false
	}
	last := text[len(text)-1]
	return len(forms[text[0]]) > 0 || len(tails[last]) > 0 || last == 'm' || last == ')'
}

// match reports whether l has the form f. If so, it sets the words of l. The caller has
// compared the first eight bytes of the form's literal.
func (f *form) match(l *line) bool {
	text := l.text
	if len(f.literal) > 8 && !bytes.HasPrefix(text, f.literal) {
		return false
	}
	text = text[len(f.literal):]
	for i := range f.rest {
		p := &f.rest[i]
		last := i == len(f.rest)-1
		if p.word {
			text = afterBlanks(text)
		}
		from, n := len(l.text)-len(text), 0
		switch {
		case p.word:
			if n = bytes.IndexByte(text, ' '); n < 0 {
				n = len(text)
			}
			if n == 0 {
				return false
			}
		case last:
			if n = len(text) - len(p.literal); n < 0 || !bytes.Equal(text[n:], p.literal) {
				return false
			}
		default:
			if n = bytes.Index(text, p.literal); n < 0 {
				return false
			}
		}
		l.at[i] = extent{from, from + n}
		text = text[n:]
		if p.blank {
			if len(text) == 0 {
				return false
			}
			text = afterBlanks(text)
		}
		if !bytes.HasPrefix(text, p.literal) {
			return false
		}
		text = text[len(p.literal):]
	}
	l.words = len(f.rest)
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

// trim removes what surrounds a line: the newline, the blanks with which restic
// pads sizes, and the control sequences with which it moves the cursor.
func trim(text []byte) []byte {
	for n := len(text); n > 0 && isBlank(text[n-1]); n = len(text) {
		text = text[:n-1]
	}
	for len(text) > 0 && text[0] <= escape {
		n := sequence(text)
		if text[0] == '\r' {
			n = 1
		}
		if n == 0 {
			break
		}
		text = text[n:]
	}
	return text
}

func isBlank(c byte) bool {
	return c <= ' ' && (c == ' ' || c == '\n' || c == '\t' || c == '\r')
}
