package journal

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

// unitTypes are the types of units (systemd.unit(5)).
var unitTypes = []string{"service", "socket", "device", "mount", "automount", "swap", "target", "path", "timer", "slice", "scope"}

// UnitType returns the type of the unit with this name, such as "service" for "a.service";
// "" if the name does not end in a type.
func UnitType(name string) string {
	if kind := strings.TrimPrefix(path.Ext(name), "."); slices.Contains(unitTypes, kind) {
		return kind
	}
	return ""
}

// Match reports whether name matches pattern in the way systemctl matches names of
// units: "*" is any text, "?" is any character, "[a-z]" is a character from a to z, and
// "[!a-z]" is any other. A backslash stands for itself, because names of units contain
// it, and so does a "[" without a "]".
func Match(pattern, name string) bool {
	return compile(pattern).MatchString(name)
}

// IsPattern reports whether s has one of the characters that make a pattern.
func IsPattern(s string) bool { return strings.ContainsAny(s, "*?[") }

// compile turns a pattern into a regular expression.
func compile(pattern string) *regexp.Regexp {
	var b strings.Builder
	b.WriteString(`(?s)\A`)
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; c {
		case '*':
			b.WriteString(`.*`)
		case '?':
			b.WriteByte('.')
		case '[':
			if class, n := classOf(pattern[i:]); n > 0 {
				b.WriteString(class)
				i += n - 1
				continue
			}
			fallthrough
		default:
			b.WriteString(regexp.QuoteMeta(pattern[i : i+1]))
		}
	}
	b.WriteString(`\z`)
	re, err := regexp.Compile(b.String())
	if err != nil { // a range such as [z-a] matches nothing
		return regexp.MustCompile(`\A\b\B`)
	}
	return re
}

// classOf returns the character class at the beginning of s, and its length in s; 0 if
// there is none.
func classOf(s string) (class string, n int) {
	body := 1
	if body < len(s) && (s[body] == '!' || s[body] == '^') {
		body++
	}
	// A "]" that comes first is part of the set.
	end := strings.IndexByte(s[min(body+1, len(s)):], ']')
	if end < 0 {
		return "", 0
	}
	end += body + 1
	set := strings.NewReplacer(`\`, `\\`, `[`, `\[`, `]`, `\]`, `^`, `\^`, `&`, `\&`, `~`, `\~`).Replace(s[body:end])
	if body == 2 {
		set = "^" + set
	}
	return "[" + set + "]", end + 1
}

// anyMatch returns a function that reports whether a name matches any of patterns.
func anyMatch(patterns []string) func(name string) bool {
	var all []*regexp.Regexp
	for _, p := range patterns {
		all = append(all, compile(p))
	}
	return func(name string) bool {
		return slices.ContainsFunc(all, func(re *regexp.Regexp) bool { return re.MatchString(name) })
	}
}
