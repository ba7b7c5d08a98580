package record

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	_ "github.com/restic-exporter/restic-exporter/internal/golden" // go test ./... -update
	"github.com/restic-exporter/restic-exporter/internal/machine"
	"github.com/restic-exporter/restic-exporter/internal/testenv"
	"github.com/restic-exporter/restic-exporter/invocation"
	"github.com/restic-exporter/restic-exporter/journal"
	"github.com/restic-exporter/restic-exporter/parser"
)

var (
	restic = flag.String("restic", "", "the restic to record; by default that of the machine")
	to     = flag.String("to", "", "a directory to put RELEASE/SITUATION.export and .json into")
)

const unit = "restic-backup.service"

// known is what is known of a run without its log: RELEASE/SITUATION.json.
type known struct {
	Restic     string            `json:"restic"`
	Scenario   string            `json:"scenario"`
	Unit       string            `json:"unit"`
	Invocation journal.ID        `json:"invocation_id"`
	StartExit  int               `json:"start_exit"` // of systemctl start
	Backup     json.RawMessage   `json:"backup,omitempty"`
	Backups    []json.RawMessage `json:"backups,omitempty"`
}

func TestRecord(t *testing.T) {
	testenv.Long(t)
	m := machine.Boot(t)
	if *restic != "" {
		program, err := os.ReadFile(*restic)
		require.NoError(t, err)
		m.Write("/usr/local/bin/restic", string(program), 0o755)
	}
	printed := m.Run("restic version")
	require.Regexp(t, `^restic \d+\.\d+\.\d+`, printed)
	t.Logf("%s%s", printed, m.Run("systemctl --version | head -1"))
	release := strings.Fields(printed)[1]
	m.Run("useradd --system --no-create-home recorded")
	m.Run(made)

	for _, s := range situations {
		t.Run(s.name, func(t *testing.T) {
			if older(release, s.since) {
				t.Skipf("restic %s is older than %s", release, s.since)
			}
			m.Use(t)
			k := known{Restic: "v" + release, Scenario: s.name, Unit: unit}
			export := record(t, m, s, &k)
			check(t, export, k)
			if *to != "" {
				write(t, filepath.Join(*to, release, s.name), export, k)
			}
		})
	}
}

// environment is that of the restics outside of the unit, and in it.
const environment = "RESTIC_REPOSITORY=/srv/repo RESTIC_PASSWORD=x XDG_CACHE_HOME=/srv/cache"

const export = "export " + environment + "\n"

// made makes what each situation begins with. The source stays where it is: a copy
// has other inodes, and restic takes its files for changed.
const made = export + `cd /srv; mkdir data etc
for d in 0 1 2 3 4 5 6 7 8; do
  mkdir -p data/d$d/sub
  for f in 0 1 2 3 4 5 6 7 8; do
    head -c $((f * d * 1500 + 1)) /dev/urandom > data/d$d/f$f
    echo $d $f > "data/d$d/sub/Files: $f new"
  done
done
for f in 0 1 2 3 4 5 6 7 8; do echo $f > etc/f$f; done
restic init --quiet
restic backup --quiet --one-file-system --exclude-caches /srv/data /srv/etc
restic backup --quiet /srv/data
for f in 1 2 3 4 5; do echo changed >> data/d$f/f$f; done
for f in 1 2 3 4 5 6 7; do head -c $((f * 9000)) /dev/urandom > data/new-$f; done
mv repo made`

// record runs the unit and returns its journal.
func record(t *testing.T, m *machine.Machine, s situation, k *known) string {
	m.Run(`systemctl reset-failed; cd /srv; rm -rf $(ls | grep -vxE 'data|etc|made'); cp -a made repo; mkdir dumps
touch --date='40 days ago' dumps/db-2021-01-01.sql.gz`)
	if s.before != "" {
		m.Run(export + s.before)
	}
	if len(s.twins) > 0 {
		m.Run("cp -a /srv/repo /srv/twin")
	}

	exec := s.exec
	for _, script := range s.scripts {
		m.Write("/usr/local/sbin/"+script[0], "#!/bin/bash\nset -e\n"+script[1], 0o755)
		exec += "ExecStart=/usr/local/sbin/" + script[0] + "\n"
	}
	m.Write("/etc/systemd/system/"+unit, `[Unit]
Description=Run backup job
[Service]
Type=oneshot
Environment=`+environment+`
LogRateLimitIntervalSec=1s
LogRateLimitBurst=100000000
TimeoutStopSec=5s
`+s.section+"\n"+exec, 0o644)
	_, _, k.StartExit = m.Try("systemctl daemon-reload && systemctl start " + unit)
	m.Run("journalctl --sync; pkill -x sleep || true; pkill -x restic || true\n" + s.after)

	id := m.Run("journalctl -q -o cat --output-fields=INVOCATION_ID -n 1 _PID=1 UNIT=" + unit +
		" MESSAGE_ID=7d4958e842da4a758f6c1cdc7b36dcc5")
	require.NoError(t, k.Invocation.UnmarshalText([]byte(strings.TrimSpace(id))))

	for _, args := range s.twins {
		out := m.Run(export + "restic --repo /srv/twin backup --json " + args)
		at := strings.LastIndex(out, `{"message_type":"summary"`)
		require.GreaterOrEqual(t, at, 0, "no summary in what the twin said:\n%s", out)
		k.Backups = append(k.Backups, json.RawMessage(strings.TrimSpace(out[at:])))
	}
	return m.Run("journalctl -q -o export _SYSTEMD_INVOCATION_ID=" + k.Invocation.String() +
		" + _PID=1 INVOCATION_ID=" + k.Invocation.String())
}

// check compares what the packages understand of a recording with what is known.
func check(t *testing.T, export string, k known) {
	recording, err := journal.OpenRecording(strings.NewReader(export))
	require.NoError(t, err)
	run, err := invocation.Read(t.Context(), recording, unit, journal.ID{}, invocation.Options{
		Warn: func(err error) { assert.NoError(t, err) },
	})
	require.NoError(t, err)
	assert.Equal(t, k.Invocation, run.ID)
	assert.Equal(t, k.StartExit == 0, run.Outcome == invocation.Succeeded, "%s after status %d", run.Outcome, k.StartExit)
	assert.Zero(t, run.Unparsed)

	if len(k.Backups) == 0 {
		return
	}
	var got []parser.Backup
	for _, p := range run.Processes {
		if p.Backup != nil {
			got = append(got, parser.Backup{
				Files: p.Backup.Files, Dirs: p.Backup.Dirs, ProcessedFiles: p.Backup.ProcessedFiles,
			})
		}
	}
	var want []parser.Backup
	for _, text := range k.Backups {
		p, err := parser.Parse(func(yield func([]byte) bool) { yield(append(text, '\n')) })
		require.NoError(t, err)
		require.Len(t, p, 1)
		b := p[0].Backup
		want = append(want, parser.Backup{Files: b.Files, Dirs: b.Dirs, ProcessedFiles: b.ProcessedFiles})
	}
	assert.Equal(t, want, got, "as the twins say")
}

// write puts a recording into the directory of its release.
func write(t *testing.T, path, export string, k known) {
	if len(k.Backups) == 1 {
		k.Backup, k.Backups = k.Backups[0], nil
	}
	text, err := json.MarshalIndent(k, "", " ")
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path+".export", []byte(export), 0o644))
	require.NoError(t, os.WriteFile(path+".json", append(text, '\n'), 0o644))
}

// older reports whether a release comes before another.
func older(release, than string) bool {
	if than == "" {
		return false
	}
	a, b := strings.FieldsFunc(release, dotOrDash), strings.FieldsFunc(than, dotOrDash)
	for i := range b {
		x, _ := strconv.Atoi(a[i])
		y, _ := strconv.Atoi(b[i])
		if x != y {
			return x < y
		}
	}
	return false
}

func dotOrDash(r rune) bool { return r == '.' || r == '-' }
