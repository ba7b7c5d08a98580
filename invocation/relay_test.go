package invocation

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestRelayed: a wrapper forwards restic's standard error, and its standard output goes
// straight to the journal.
func TestRelayed(t *testing.T) {
	const (
		missing = "wrapper /srv/a does not exist, skipping"
		failed  = "wrapper error: open /srv/b: permission denied"
		warning = "wrapper Warning: at least one source file could not be read"
		own     = "wrapper backup on profile 'default': exit status 3"
	)
	summary := func(id string) []string {
		var lines []string
		for line := range strings.Lines(strings.ReplaceAll(good, "2564248e", id)) {
			lines = append(lines, "restic-"+id+" "+strings.TrimSpace(line))
		}
		return lines
	}
	one, two := summary("11111111"), summary("22222222")
	log := func(parts ...any) (lines []string) {
		for _, p := range parts {
			switch p := p.(type) {
			case string:
				lines = append(lines, p)
			case []string:
				lines = append(lines, p...)
			}
		}
		return lines
	}
	shell := func(line string) string { return strings.Replace(line, "wrapper", "bash", 1) }
	for name, tt := range map[string]struct {
		lines      []string
		status     Status
		unreadable []int // of each backup; -1 if unknown
	}{
		"good":          {log(one, two), StatusSuccess, []int{0, 0}},
		"of the first":  {log(one[:3], failed, one[3:], warning, own, two), StatusPartial, []int{1, 0}},
		"of the second": {log(one, two[:3], failed, two[3:], warning, own), StatusPartial, []int{0, 1}},
		"of both": {
			log(missing, one[:3], failed, one[3:], warning, own, missing, two, warning),
			StatusPartial, []int{2, 1},
		},
		"both the same": {
			log(one[:3], failed, one[3:], warning, two[:3], failed, two[3:], warning),
			StatusPartial, []int{1, -1},
		},
		"after the summary":              {log(one, failed, warning, two), StatusPartial, []int{1, 0}},
		"a release that does not warn":   {log(one, missing, two), StatusPartial, []int{0, 1}},
		"before both, without a warning": {log(missing, one, strings.Replace(missing, "/a", "/c", 1), two), StatusPartial, []int{2, -1}},
		"a script's own word":            {log(shell(missing), one), StatusSuccess, []int{0}},
		"an old log":                     {log(shell(failed), shell(warning), one), StatusSuccess, []int{0}},
		"errors of something else":       {log(one, failed, two), StatusSuccess, []int{0, 0}},
		"after all backups":              {log(one, missing), StatusSuccess, []int{0}},
		"restic says it, and a log of it": {log(one[:3], strings.Replace(failed, "wrapper", "restic-11111111", 1), one[3:],
			strings.Replace(warning, "wrapper", "restic-11111111", 1), failed, warning), StatusPartial, []int{1}},
	} {
		t.Run(name, func(t *testing.T) {
			var text strings.Builder
			pids := map[string]int{}
			for i, line := range tt.lines {
				who, words, _ := strings.Cut(line, " ")
				if pids[who] == 0 {
					pids[who] = 100 + len(pids)
				}
				program, _, _ := strings.Cut(who, "-")
				printed := printed(time.Duration(i)*time.Millisecond, program, pids[who], words)
				text.WriteString(strings.Replace(printed, "IDENTIFIER="+program, "IDENTIFIER=wrapper", 1))
			}
			run, err := readLog(t, text.String()+said(time.Second, succeeded), Options{})
			require.NoError(t, err)
			var unreadable []int
			for _, p := range run.Processes {
				require.NotNil(t, p.Backup, "%+v", p)
				n := -1
				if p.Backup.Unreadable != nil {
					n = int(*p.Backup.Unreadable)
				}
				unreadable = append(unreadable, n)
			}
			assert.Equal(t, tt.unreadable, unreadable)
			assert.Equal(t, []any{tt.status, uint64(0)}, []any{run.Status(), run.Unparsed})
		})
	}
}
