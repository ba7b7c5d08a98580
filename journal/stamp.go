package journal

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A layout is a format of the time at the beginning of a line.
type layout struct {
	start func() *regexp.Regexp // the time and the blank after it
	parse func(string) (time.Time, bool)
}

// layouts are the layouts of journalctl and of syslog daemons.
var layouts = []layout{
	{ // short-iso, short-iso-precise; rsyslog's default since 8.2
		lazily(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d) `),
		parseISO,
	},
	{ // short, short-precise; rsyslog's old files
		lazily(`^(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ \d]\d \d\d:\d\d:\d\d(?:\.\d{1,9})? `),
		parseWithoutYear,
	},
	{ // short-full, with-unit
		lazily(`^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) \d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{1,9})? \S+ `),
		parseFull,
	},
	{ // short-unix
		lazily(`^\d{9,11}\.\d{6} `),
		parseUnix,
	},
}

// layoutOf returns the layout of the time at the beginning of line; nil if there is none.
func layoutOf(line []byte) *layout {
	for i := range layouts {
		if layouts[i].start().Match(line) {
			return &layouts[i]
		}
	}
	return nil
}

// cut returns the time at the beginning of line, and the rest of the line.
func (l *layout) cut(line []byte) (time.Time, []byte, bool) {
	stamp := l.start().Find(line)
	if stamp == nil {
		return time.Time{}, nil, false
	}
	t, ok := l.parse(string(bytes.TrimSpace(stamp)))
	return t, line[len(stamp):], ok
}

// parseISO reads a time with an offset. systemd prints the offset without a colon before
// release 255, and with one since.
func parseISO(s string) (time.Time, bool) {
	s = strings.Replace(s, ",", ".", 1)
	for _, layout := range []string{"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05Z0700"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// parseWithoutYear reads a local time. It chooses the last year in which that time is not
// in the future, as syslog tools do.
func parseWithoutYear(s string) (time.Time, bool) {
	now := time.Now()
	for year := now.Year() + 1; year > now.Year()-8; year-- { // 29 February
		t, err := time.ParseInLocation("2006 Jan _2 15:04:05", strconv.Itoa(year)+" "+s, time.Local)
		if err == nil && t.Before(now.Add(24*time.Hour)) { // clocks differ
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

// parseFull reads a time with the name of its zone, or its offset in hours where the
// zone has no name. It treats every other zone as the local one.
func parseFull(s string) (time.Time, bool) {
	i := strings.LastIndexByte(s, ' ')
	const layout = "Mon 2006-01-02 15:04:05"
	for _, offset := range []string{"-07", "-0700"} {
		if t, err := time.Parse(layout+" "+offset, s); err == nil {
			return t.UTC(), true
		}
	}
	local, err := time.ParseInLocation(layout, s[:i], time.Local)
	if err != nil {
		return time.Time{}, false
	}
	name := s[i+1:]
	// In the hour that comes twice in autumn, the zone's name says which of the two it is.
	for _, t := range []time.Time{local, local.Add(time.Hour), local.Add(-time.Hour)} {
		if zone, _ := t.Zone(); zone == name && t.Format(layout) == s[:i] {
			return t.UTC(), true
		}
	}
	if offset, ok := zones[name]; ok {
		t, err := time.ParseInLocation(layout, s[:i], time.FixedZone(name, offset*3600))
		return t.UTC(), err == nil
	}
	return local.UTC(), true
}

// zones are names of zones that mean one offset everywhere, in hours.
var zones = map[string]int{
	"UTC": 0, "GMT": 0, "WET": 0, "WEST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3, "MSK": 3, "SAST": 2,
	"EST": -5, "EDT": -4, "CDT": -5, "MDT": -6, "PST": -8, "PDT": -7, "AKST": -9, "AKDT": -8, "HST": -10,
	"JST": 9, "KST": 9, "AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13,
}

func parseUnix(s string) (time.Time, bool) {
	seconds, micro, _ := strings.Cut(s, ".")
	sec, err := strconv.ParseInt(seconds, 10, 64)
	us, err2 := strconv.ParseInt(micro, 10, 64)
	return time.Unix(sec, us*1000).UTC(), err == nil && err2 == nil
}

var (
	hostAndIdentifier = lazily(`^[^\s:]+ [^\s:]\S*\[\d+\]: ?`)
	hostAndName       = lazily(`^([^\s:]+) [^\s:\[\]]+: `) // of a program that gave no process ID
	identifierAlone   = lazily(`^[^\s:\[]\S*\[\d+\]: ?`)
)

// textFormat returns the format of a text log, and the layout of its times.
func textFormat(head []byte) (format, *layout, error) {
	l := layoutOf(firstLine(head))
	if l == nil {
		return formatPlain, nil, refused(head)
	}
	bare, host := false, []byte(nil)
	for line := range bytes.Lines(head) {
		_, rest, ok := l.cut(line)
		switch {
		case !ok:
		case hostAndIdentifier().Match(rest):
			return formatText, l, nil
		case identifierAlone().Match(rest):
			return 0, nil, fmt.Errorf("%w: it looks like journalctl --no-hostname, whose lines do not say where the identifier begins; want %s", ErrFormat, Formats)
		case bytes.HasPrefix(rest, []byte("[s=")):
			return 0, nil, fmt.Errorf("%w: it looks like journalctl -o verbose; want %s", ErrFormat, Formats)
		default:
			m := hostAndName().FindSubmatch(rest)
			bare = bare || m == nil || host != nil && !bytes.Equal(m[1], host)
			if m != nil {
				host = bytes.Clone(m[1])
			}
		}
	}
	if bare {
		return formatStamped, l, nil // docker logs -t
	}
	return formatText, l, nil
}

var refusals = []struct {
	start func() *regexp.Regexp
	name  string
}{
	{lazily(`^\[ *\d+\.\d{6}( <[^>]*>)? *\] [^\s:]+ \S+: `), "journalctl -o short-monotonic or short-delta, which has no wall clock"},
	{lazily(`^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) \d{4}-\d\d-\d\d \S+ \S+ \[s=`), "journalctl -o verbose"},
	{lazily(`^data: \{`), "journalctl -o json-sse"},
}

// refused returns an error for a format that is recognized but cannot be read; nil for
// any other text.
func refused(head []byte) error {
	first := firstLine(head)
	for _, r := range refusals {
		if r.start().Match(first) {
			return fmt.Errorf("%w: it looks like %s; want %s", ErrFormat, r.name, Formats)
		}
	}
	return nil
}
