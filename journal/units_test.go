package journal

import (
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// of makes an entry of another unit.
func of(name string, f fields) fields {
	f = slices.Clone(f)
	for i, field := range f {
		for _, key := range []string{"UNIT=", "_SYSTEMD_UNIT=", "USER_UNIT=", "_SYSTEMD_USER_UNIT="} {
			if field == key+unit {
				f[i] = key + name
			}
		}
	}
	return f
}

func TestUnits(t *testing.T) {
	const startFailed = "be02cf6855d2428ba40df7e9d022f03d"
	l := log{
		manager(id1, starting, "Starting"), line(id1, 7, "hello"), of("restic-a@b.service", line(id2, 7, "hello")),
		of("restic-never.service", unnamed(startFailed, "Dependency failed", "JOB_RESULT=dependency")),
		of("restic-silent.service", manager(id2, starting, "Starting")), of("other.service", line(id2, 7, "hello")),
		{"MESSAGE=forged", "_PID=666", "_SYSTEMD_UNIT=x.service", "UNIT=restic-forged.service", "MESSAGE_ID=" + starting},
		{"MESSAGE=forged", "_PID=666", "_SYSTEMD_UNIT=x.service", "UNIT=restic-\nforged.service", "MESSAGE_ID=" + starting},
		of(`restic-mnt-a\x2db.service`, line(id3, 7, "hello")), of("restic.timer", manager(id3, started, "Started")),
	}
	tests := map[string]struct{ patterns, want []string }{
		"all of restic": {[]string{"restic-*.service"}, []string{
			"restic-a@b.service", unit, `restic-mnt-a\x2db.service`, "restic-never.service", "restic-silent.service",
		}},
		"several":           {[]string{"other.*", "restic-[!a-n]*.service"}, []string{"other.service", "restic-silent.service"}},
		"a name":            {[]string{`restic-mnt-a\x2db.service`}, []string{`restic-mnt-a\x2db.service`}},
		"not a beginning":   {[]string{"restic-"}, nil},
		"nothing":           {[]string{"x?.service"}, nil},
		"no pattern at all": {nil, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for kind, source := range l.sources(t, false) {
				var got []string
				for name, err := range source.Units(t.Context(), tt.patterns...) {
					require.NoError(t, err, kind)
					got = append(got, name)
				}
				assert.Equal(t, tt.want, got, kind)
			}
		})
	}
}

func TestUnitsOfUser(t *testing.T) {
	uid := strconv.Itoa(os.Getuid())
	l := log{
		line(id1, 7, "the system's"), of("a.service", own(uid, id1.String(), "hello")),
		of("b.service", ofUser(uid, "init.scope", id2, starting)),
		of("c.service", ofUser(uid, "evil.service", id1, succeeded)),
	}
	for kind, source := range l.sources(t, true) {
		var got []string
		for name, err := range source.Units(t.Context(), "*") {
			require.NoError(t, err, kind)
			got = append(got, name)
		}
		assert.Equal(t, []string{"a.service", "b.service", "init.scope"},
			slices.DeleteFunc(got, func(s string) bool { return s == "evil.service" }), kind)
	}
}

func TestSpoke(t *testing.T) {
	l := log{
		line(id1, 7, "hello"), of("b.service", fields{
			"MESSAGE=x", "_PID=9", "SYSLOG_IDENTIFIER=restic", "_SYSTEMD_UNIT=" + unit, "_SYSTEMD_INVOCATION_ID=" + id1.String(),
		}),
		of("c.service", fields{
			"MESSAGE=x", "_PID=9", "SYSLOG_IDENTIFIER=sh", "_COMM=sh", "_SYSTEMD_UNIT=" + unit, "_SYSTEMD_INVOCATION_ID=" + id1.String(),
		}),
		{"MESSAGE=forged", "_COMM=restic", "_PID=666", "_SYSTEMD_UNIT=x.service", "UNIT=c.service"},
	}
	want := map[string]bool{unit: true, "b.service": true, "c.service": false, "none.service": false}
	for kind, source := range l.sources(t, false) {
		got := make(map[string]bool)
		for name := range want {
			some, err := source.Spoke(t.Context(), name, "restic")
			require.NoError(t, err, kind)
			got[name] = some
		}
		assert.Equal(t, want, got, kind)
	}
}

// TestMatch: fnmatch(3) has the same answers, with FNM_NOESCAPE.
func TestMatch(t *testing.T) {
	tests := map[string]struct{ yes, no []string }{
		"restic-*.service": {
			[]string{"restic-.service", "restic-a@b.service"}, []string{"restic-a.timer", "xrestic-a.service", "restic-a.services"},
		},
		"a?c":         {[]string{"abc", "a?c"}, []string{"ac", "abbc"}},
		"[a-c]x":      {[]string{"ax", "cx"}, []string{"dx", "[a-c]x", "-x"}},
		"[!a-c]x":     {[]string{"dx"}, []string{"ax", "x"}},
		"[^a-c]x":     {[]string{"dx"}, []string{"ax"}},
		"[]a]x":       {[]string{"]x", "ax"}, []string{"bx"}},
		"[":           {[]string{"["}, []string{"", "a"}},
		"a[b":         {[]string{"a[b"}, []string{"ab"}},
		"[a-":         {[]string{"[a-"}, []string{"a"}},
		"[!]":         {[]string{"[!]"}, []string{"a"}},
		`a\x2db*`:     {[]string{`a\x2dbc`}, []string{"a-bc", "ax2dbc"}},
		`[\]x`:        {[]string{`\x`}, []string{"x"}},
		"a.c":         {[]string{"a.c"}, []string{"abc"}},
		"(a|b)+$^{2}": {[]string{"(a|b)+$^{2}"}, []string{"a"}},
		"[z-a]":       {nil, []string{"a", "z", "m", ""}},
		"":            {[]string{""}, []string{"a"}},
		"*":           {[]string{"", "a\nb", "\xff"}, nil},
	}
	for pattern, tt := range tests {
		for _, name := range tt.yes {
			assert.True(t, Match(pattern, name), "%q matches %q", pattern, name)
		}
		for _, name := range tt.no {
			assert.False(t, Match(pattern, name), "%q does not match %q", pattern, name)
		}
	}
}
