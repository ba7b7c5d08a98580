package invocation

import (
	"bytes"
	"cmp"
	"context"
	"regexp"
	"slices"
	"strings"

	"github.com/restic-exporter/restic-exporter/journal"
	"github.com/restic-exporter/restic-exporter/parser"
)

// A PrefixError reports that nothing of a backup was understood because a wrapper
// puts a prefix before each line of restic's.
type PrefixError struct {
	Strip *regexp.Regexp // cuts the prefix, see [Options.Strip]; has no backslash
}

func (e *PrefixError) Error() string {
	return "no backup was understood, because each line of restic's has a prefix; this regular expression cuts it: " + e.Strip.String()
}

// A prefix is what stands before restic's lines in the output of a run.
type prefix struct {
	last  []byte // of the last such line
	shape string // of all of them, as a regular expression
	mixed bool   // they have no common shape, or one that cannot be cut safely
}

func (p *prefix) add(text []byte) {
	if p.mixed {
		return
	}
	text = parser.Bare(text)
	n := parser.Prefix(text)
	if n == 0 || bytes.Equal(text[:n], p.last) {
		return
	}
	shape := shapeOf(string(text[:n]))
	p.mixed = shape == "" || p.shape != "" && p.shape != shape
	p.last, p.shape = append(p.last[:0], text[:n]...), shape
}

// missing returns a *PrefixError if r, which was read without Strip, would be understood
// with it; else nil. To find out, it reads the run again.
func (p *prefix) missing(ctx context.Context, r *Run, from journal.Source, id journal.ID, o Options) error {
	if p.shape == "" || p.mixed || slices.ContainsFunc(r.Processes, telling) {
		return nil
	}
	strip, err := regexp.Compile(p.shape)
	if err != nil {
		return nil
	}
	o.Strip, o.Warn = strip, nil
	cut, _, err := read(ctx, from, r.Unit, cmp.Or(r.ID, id), o)
	if err != nil || cut.Unparsed > r.Unparsed || !slices.ContainsFunc(cut.Processes, telling) {
		return nil
	}
	return &PrefixError{strip}
}

// telling reports whether p says how a backup ended, or why restic gave up.
func telling(p parser.Process) bool {
	return p.Backup != nil || p.Cause != parser.CauseNone && p.Cause != parser.CauseOther
}

const longestPrefix = 128

var (
	tokens = regexp.MustCompile(`[0-9A-Za-z]+|[ \t]+|.`)
	dates  = set("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
		"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
	levels = set("TRACE", "DEBUG", "INFO", "NOTICE", "WARN", "WARNING", "ERROR", "CRITICAL", "FATAL")
)

const (
	digits  = "0123456789"
	letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

// shapeOf returns a regular expression for prefixes that differ from this one in their
// times, numbers, and names of levels and streams. It matches no beginning of a line
// that restic prints without a prefix. It has no backslash, so that it can be copied into
// a unit as into a shell. It is "" if no expression is safe.
func shapeOf(prefix string) string {
	if len(prefix) > longestPrefix || strings.ContainsAny(prefix, `\'%$^`) {
		return ""
	}
	found := tokens.FindAllString(prefix, -1)
	var shape strings.Builder
	shape.WriteByte('^')
	certain := false // words alone could be restic's
	for i, token := range found {
		switch c := token[0]; {
		case c < ' ' || c > '~':
			return ""
		case c == ' ' && (i+1 < len(found) && found[i+1] == "|" || i > 0 && dates[found[i-1]]):
			shape.WriteString(" +") // columns
		case c == ' ':
			shape.WriteString(token)
		case !strings.ContainsRune(digits+letters, rune(c)):
			shape.WriteString("[" + token + "]")
			certain = true
		case strings.Trim(token, digits) == "":
			shape.WriteString("[0-9]+")
		case strings.Trim(strings.TrimSuffix(token, "Z"), digits) == "": // of a time
			shape.WriteString("[0-9]+Z")
		case strings.ContainsAny(token, digits):
			shape.WriteString("[A-Za-z]*[0-9][0-9A-Za-z]*")
		case dates[token]:
			shape.WriteString("[A-Z][a-z][a-z]")
		case levels[token]:
			shape.WriteString("[A-Z]+")
		case token == "stdout", token == "stderr":
			shape.WriteString("std(out|err)")
		default:
			shape.WriteString(token)
		}
	}
	if !certain {
		return ""
	}
	return shape.String()
}
