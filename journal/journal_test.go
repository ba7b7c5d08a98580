package journal

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	_ "github.com/restic-exporter/restic-exporter/internal/golden" // go test ./... -update
	"github.com/restic-exporter/restic-exporter/internal/journaltest"
	"github.com/restic-exporter/restic-exporter/internal/testenv"
	"github.com/restic-exporter/restic-exporter/internal/victorialogs"
)

const unit = "restic-backup.service"

var (
	id1  = mustID("11111111111111111111111111111111")
	id2  = mustID("22222222222222222222222222222222")
	id3  = mustID("33333333333333333333333333333333")
	boot = mustID("b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0")
	t0   = time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
)

func mustID(s string) (id ID) {
	if err := id.UnmarshalText([]byte(s)); err != nil {
		panic(err)
	}
	return id
}

// A fields is an entry of a journal: "NAME=value", in order.
type fields []string

// log builds a journal, an entry each second.
type log []fields

// line is what a process of a unit logs.
func line(id ID, pid int, message string, more ...string) fields {
	return append(fields{
		"MESSAGE=" + message, "SYSLOG_IDENTIFIER=restic-backup.sh", "_COMM=restic", fmt.Sprint("_PID=", pid), "_UID=0",
		"_SYSTEMD_UNIT=" + unit, "_SYSTEMD_INVOCATION_ID=" + id.String(),
	}, more...)
}

// contained is a line that conmon logs for a container.
func contained(message string, more ...string) fields {
	l := line(id1, 7, message, more...)
	l[slices.Index(l, "_COMM=restic")] = "_COMM=conmon"
	return l
}

// late is a line that journald took after the unit had ended.
func late(message string, more ...string) fields {
	return append(fields{"MESSAGE=" + message, "SYSLOG_IDENTIFIER=restic-backup.sh", "_PID=8", "_UID=0", "_SYSTEMD_UNIT=" + unit}, more...)
}

// manager is what PID 1 says of a unit.
func manager(id ID, messageID, message string, more ...string) fields {
	return append(fields{
		"MESSAGE=" + message, "SYSLOG_IDENTIFIER=systemd", "_COMM=systemd", "_PID=1", "_UID=0", "_SYSTEMD_UNIT=init.scope",
		"_SYSTEMD_INVOCATION_ID=99999999999999999999999999999999",
		"UNIT=" + unit, "INVOCATION_ID=" + id.String(), "MESSAGE_ID=" + messageID,
	}, more...)
}

// dropped is journald's note.
func dropped(id ID, n int, more ...string) fields {
	return append(fields{
		"MESSAGE=Suppressed", "SYSLOG_IDENTIFIER=systemd-journald", "_PID=50", "_COMM=systemd-journal", "_UID=0",
		"_SYSTEMD_UNIT=systemd-journald.service", "MESSAGE_ID=a596d6fe7bfa4994828e72309e95d61e",
		"OBJECT_SYSTEMD_UNIT=" + unit, "OBJECT_SYSTEMD_INVOCATION_ID=" + id.String(), fmt.Sprint("N_DROPPED=", n),
	}, more...)
}

// notSpawned is what a process of systemd says if it cannot become a command of the unit.
func lastWordsOf(id ID, from ...string) fields {
	return append(fields{
		"MESSAGE=Failed at step EXEC spawning /usr/bin/x", "SYSLOG_IDENTIFIER=(x)", "_PID=8", "UNIT=" + unit,
		"INVOCATION_ID=" + id.String(), "MESSAGE_ID=641257651c1b4ec9a8624d7a40a9e1e7",
	}, from...)
}

func notSpawned(id ID, pid int) fields {
	return fields{
		"MESSAGE=Failed at step EXEC spawning /usr/bin/x", "SYSLOG_IDENTIFIER=(x)", fmt.Sprint("_PID=", pid), "_UID=0",
		"_SYSTEMD_UNIT=" + unit, "_SYSTEMD_INVOCATION_ID=" + id.String(), "MESSAGE_ID=641257651c1b4ec9a8624d7a40a9e1e7",
	}
}

const (
	starting  = "7d4958e842da4a758f6c1cdc7b36dcc5"
	started   = "39f53479d3a045ac8e11786248231fbf"
	exited    = "98e322203f7a4ed290d09fe03c09fe15"
	failed    = "d9b373ed55a64feb8242e02dbe79a49c"
	succeeded = "7ad2d189f7e94e70a38c781354912448"
	skip      = "0e4284a0caca4bfc81c0bb6786972673"
)

// export writes l in the journal export format.
func (l log) export() []byte {
	var b bytes.Buffer
	for i, entry := range l {
		fmt.Fprintf(&b, "__CURSOR=s=%s;i=%x;b=%s;m=%x;t=%x;x=%x\n", boot, i+1, boot, i+1, i+1, i+1)
		fmt.Fprintf(&b, "__REALTIME_TIMESTAMP=%d\n__MONOTONIC_TIMESTAMP=%d\n", t0.Add(time.Duration(i)*time.Second).UnixMicro(), 1e6*(i+1))
		if !slices.ContainsFunc(entry, func(f string) bool { return strings.HasPrefix(f, "_BOOT_ID=") }) {
			fmt.Fprintf(&b, "_BOOT_ID=%s\n", boot)
		}
		for _, field := range entry {
			name, value, _ := strings.Cut(field, "=")
			if strings.ContainsFunc(value, func(r rune) bool { return r == utf8.RuneError || r < ' ' && r != '\t' }) {
				b.WriteString(name + "\n")
				b.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(value))))
				b.WriteString(value + "\n")
			} else {
				b.WriteString(field + "\n")
			}
		}
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// dir makes a real journal file of l.
func (l log) dir(t testing.TB) string {
	return journaltest.Dir(t, l.export())
}

func recording(t testing.TB, text []byte) *Recording {
	r, err := OpenRecording(bytes.NewReader(text))
	require.NoError(t, err)
	return r
}

// collect reads the entries of a log that need not have its beginning, as is
// enough for most tests.
func collect(seq iter.Seq2[Entry, error]) ([]Entry, error) {
	entries, err := collectWhole(seq)
	if err == ErrIncomplete {
		err = nil
	}
	return entries, err
}

// collectWhole reads all entries; their messages are copied.
func collectWhole(seq iter.Seq2[Entry, error]) ([]Entry, error) {
	var entries []Entry
	for e, err := range seq {
		if err != nil {
			return entries, err
		}
		e.Message = bytes.Clone(e.Message)
		entries = append(entries, e)
	}
	return entries, nil
}

// sources are the ways to read l.
func (l log) sources(t *testing.T, user bool) map[string]Source {
	dir := l.dir(t)
	out, err := exec.Command(testenv.Tool(t, "journalctl"), "--directory="+dir, "--output=json", "--all", "--quiet").Output()
	require.NoError(t, err)
	fromExport, fromJSON := recording(t, l.export()), recording(t, out)
	fromExport.User, fromJSON.User = user, user
	reader := Reader{Dir: dir, User: user}
	sources := map[string]Source{"reader": reader, "journalctl": throughJournalctl{reader}, "export": fromExport, "json": fromJSON}
	if at, ok := victorialogs.Shared(t); ok && !user {
		sources["store"] = l.store(t, at)
	}
	return sources
}

func TestMain(m *testing.M) { victorialogs.Main(m) }

// hosts is how many logs have been sent to the store.
var hosts int

// store sends l to a store, as the journal of a host of its own.
func (l log) store(t testing.TB, at string) Source {
	hosts++
	host := fmt.Sprint("host", hosts)
	var own log
	for _, entry := range l {
		own = append(own, append(slices.Clone(entry), "_HOSTNAME="+host, fmt.Sprintf("_MACHINE_ID=%032x", hosts)))
	}
	if len(own) > 0 {
		victorialogs.Send(t, at, bytes.NewReader(own.export()))
	}
	return Store{URL: at}.Host(host)
}

// journalctlAt puts another program in the place of journalctl.
func journalctlAt(t *testing.T, path string) {
	before := journalctlPaths
	t.Cleanup(func() { journalctlPaths = before })
	journalctlPaths = []string{path}
}

// throughJournalctl is a Reader as it is without cgo.
type throughJournalctl struct{ r Reader }

func (s throughJournalctl) open(f func(backend) error) error { return s.r.openJournalctl(true, f) }

func (s throughJournalctl) Latest(ctx context.Context, unit string) (ID, error) {
	var id ID
	err := s.open(func(b backend) (err error) {
		id, err = latestIn(ctx, b, s.r.selector(unit))
		return err
	})
	return id, hint(unit, err)
}

func (s throughJournalctl) Entries(ctx context.Context, unit string, id ID) iter.Seq2[Entry, error] {
	return s.r.read(ctx, unit, id, nil, s.open)
}

func (s throughJournalctl) Skim(ctx context.Context, unit string, id ID, skip Skipper) iter.Seq2[Entry, error] {
	return s.r.read(ctx, unit, id, skip, s.open)
}

func (s throughJournalctl) Units(ctx context.Context, patterns ...string) iter.Seq2[string, error] {
	return s.r.units(ctx, patterns, s.open)
}

func (s throughJournalctl) Spoke(ctx context.Context, unit, program string) (bool, error) {
	return s.r.spoke(ctx, unit, program, s.open)
}

func (s throughJournalctl) Sync(ctx context.Context, unit string) error { return s.r.Sync(ctx, unit) }

// says is an entry in short.
type says struct {
	Kind    Kind
	Message string
	Event   Event
	Result  Result
	Dropped uint64
	Parts   int
}

func inShort(entries []Entry) []says {
	var short []says
	for _, e := range entries {
		short = append(short, says{e.Kind, string(e.Message), e.Event, e.Result, e.Dropped, e.Parts})
	}
	return short
}

func TestEntries(t *testing.T) {
	const nobody = "_UID=65534"
	long := strings.Repeat("x", 500)
	forger := fields{
		"_PID=666", nobody, "_COMM=logger", "_SYSTEMD_UNIT=user@65534.service",
		"_SYSTEMD_INVOCATION_ID=" + id2.String(), "MESSAGE=Files: 1 new",
	}
	tests := map[string]struct {
		log  log
		want []says
	}{
		"a run": {
			log{
				manager(id1, starting, "Starting"), line(id1, 7, "hello"),
				manager(id1, exited, "exited", "COMMAND=ExecStart", "EXIT_CODE=exited", "EXIT_STATUS=3"),
				manager(id1, failed, "Failed", "UNIT_RESULT=exit-code"),
			},
			[]says{
				{Manager, "Starting", EventStarting, "", 0, 1}, {Output, "hello", 0, "", 0, 1},
				{Manager, "exited", EventExited, "", 0, 1}, {Manager, "Failed", EventFailed, ExitCode, 0, 1},
			},
		},
		"what somebody does to it": {
			log{
				manager(id1, starting, "Starting"), manager(id1, "d34d037fff1847e6ae669a370e694725", "Reloading"),
				manager(id1, "7b05ebc668384222baa8881179cfda54", "Reload failed"),
				manager(id1, "", unit+": Sent signal SIGTERM to control process 7 (a) on client request."),
				manager(id1, "", unit+": Sent signal SIGTERM to main process 7 (a) on client request."),
			},
			[]says{
				{Manager, "Starting", EventStarting, "", 0, 1}, {Manager, "Reloading", EventReloading, "", 0, 1},
				{Manager, "Reload failed", EventReloaded, "", 0, 1},
				{Manager, unit + ": Sent signal SIGTERM to control process 7 (a) on client request.", EventOther, "", 0, 1},
				{Manager, unit + ": Sent signal SIGTERM to main process 7 (a) on client request.", EventSignalled, "", 0, 1},
			},
		},
		"another invocation, another unit": {
			log{
				line(id2, 7, "other"), line(id1, 7, "hello"), manager(id2, succeeded, "other"),
				{"MESSAGE=other", "_PID=8", "_SYSTEMD_UNIT=other.service", "_SYSTEMD_INVOCATION_ID=" + id1.String()},
			},
			[]says{{Output, "hello", 0, "", 0, 1}},
		},
		"an ID that is none, a note without a number": {
			log{
				line(id1, 7, "hello"), manager(id1, succeeded, "ok"), append(late("x"), "_SYSTEMD_INVOCATION_ID=x"),
				{
					"MESSAGE=Suppressed", "_PID=50", "_SYSTEMD_UNIT=systemd-journald.service",
					"OBJECT_SYSTEMD_UNIT=" + unit, "OBJECT_SYSTEMD_INVOCATION_ID=" + id1.String(),
				},
			},
			[]says{{Output, "hello", 0, "", 0, 1}, {Manager, "ok", EventSucceeded, Success, 0, 1}},
		},
		"forged as the unit's line": {
			log{line(id1, 7, "hello"), append(slices.Clone(forger), "INVOCATION_ID="+id1.String(), "UNIT="+unit)},
			[]says{{Output, "hello", 0, "", 0, 1}},
		},
		"forged as the manager's": {
			log{
				line(id1, 7, "hello"), append(slices.Clone(forger), "INVOCATION_ID="+id1.String(), "UNIT="+unit, "MESSAGE_ID="+succeeded,
					"UNIT_RESULT=success", "SYSLOG_IDENTIFIER=systemd"),
			},
			[]says{{Output, "hello", 0, "", 0, 1}},
		},
		"forged by the unit's own processes": {
			log{line(id1, 7, "hello", "UNIT="+unit, "INVOCATION_ID="+id1.String(), "MESSAGE_ID="+succeeded)},
			[]says{{Output, "hello", 0, "", 0, 1}},
		},
		"forged as journald's note": {
			log{
				line(id1, 7, "hello"), append(slices.Clone(forger), "OBJECT_SYSTEMD_UNIT="+unit,
					"OBJECT_SYSTEMD_INVOCATION_ID="+id1.String(), "N_DROPPED=99", "SYSLOG_IDENTIFIER=systemd-journald"),
			},
			[]says{{Output, "hello", 0, "", 0, 1}},
		},
		"dropped": {
			log{line(id1, 7, "hello"), dropped(id1, 4711), dropped(id2, 1)},
			[]says{{Output, "hello", 0, "", 0, 1}, {Dropped, "Suppressed", 0, "", 4711, 1}},
		},
		"binary": {
			log{line(id1, 7, "a\xff\x00\nb")},
			[]says{{Output, "a\xff\x00\nb", 0, "", 0, 1}},
		},
		"a line in parts, another between": {
			log{
				line(id1, 7, long, "_STREAM_ID=1", "_LINE_BREAK=line-max"), line(id1, 8, "between", "_STREAM_ID=2"),
				line(id1, 7, long, "_STREAM_ID=1", "_LINE_BREAK=line-max"), line(id1, 7, "end", "_STREAM_ID=1"),
			},
			[]says{{Output, "between", 0, "", 0, 1}, {Output, long + long + "end", 0, "", 0, 3}},
		},
		"two lines in parts at once": {
			log{
				line(id1, 7, long+"1", "_STREAM_ID=1", "_LINE_BREAK=line-max"),
				line(id1, 8, long+"2", "_STREAM_ID=2", "_LINE_BREAK=line-max"),
				line(id1, 7, "end1", "_STREAM_ID=1"), line(id1, 8, "end2", "_STREAM_ID=2"),
			},
			[]says{{Output, long + "1end1", 0, "", 0, 2}, {Output, long + "2end2", 0, "", 0, 2}},
		},
		"a line in parts by conmon, one of standard error between": {
			log{
				contained("be", "PRIORITY=6", "CONTAINER_PARTIAL_MESSAGE=true"),
				contained("between\n", "PRIORITY=3"),
				contained("gin, ", "PRIORITY=6", "CONTAINER_PARTIAL_MESSAGE=true"),
				contained("end\n", "PRIORITY=6"),
			},
			[]says{{Output, "between\n", 0, "", 0, 1}, {Output, "begin, end\n", 0, "", 0, 3}},
		},
		"a line whose end never came": {
			log{line(id1, 7, long, "_STREAM_ID=1", "_LINE_BREAK=line-max")},
			[]says{{Output, long, 0, "", 0, 1}},
		},
		"empty message": {
			log{line(id1, 7, "")},
			[]says{{Output, "", 0, "", 0, 1}},
		},
		"nothing": {log: log{line(id2, 7, "other")}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for kind, source := range tt.log.sources(t, false) {
				got, err := collect(source.Entries(t.Context(), unit, id1))
				require.NoError(t, err, kind)
				assert.Equal(t, tt.want, inShort(got), kind)
			}
		})
	}
}

// TestLate reads lines that journald took when it could tell no more which
// invocation they were of.
func TestLate(t *testing.T) {
	at := func(second float64) string {
		return fmt.Sprint("_SOURCE_REALTIME_TIMESTAMP=", t0.Add(time.Duration(second*float64(time.Second))).UnixMicro())
	}
	uid := strconv.Itoa(os.Getuid())
	long := strings.Repeat("x", 500)
	tests := map[string]struct {
		log  log
		user bool
		want map[ID][]string
	}{
		"three runs": {log: log{
			late("of a run that is not here"),
			manager(id1, starting, "Starting 1"),
			line(id1, 7, "early"),
			manager(id1, exited, "exited", "COMMAND=ExecStart", "EXIT_CODE=exited", "EXIT_STATUS=1", at(3)),
			late(long, "_STREAM_ID=1", "_LINE_BREAK=line-max"),
			late("end", "_STREAM_ID=1"),
			manager(id1, failed, "Failed", "UNIT_RESULT=exit-code", at(3)),
			{"MESSAGE=another unit's", "_PID=8", "_SYSTEMD_UNIT=other.service"},
			{"MESSAGE=forged", "_PID=8", "_SYSTEMD_UNIT=user@65534.service", "UNIT=" + unit, "INVOCATION_ID=" + id1.String()},
			line(id1, 7, "left behind"),
			late("last"),
			late(long, "_STREAM_ID=1", "_LINE_BREAK=line-max"),
			manager(id2, starting, "Starting 2"),
			line(id1, 7, "left behind still"),
			manager(id2, failed, "Failed", "UNIT_RESULT=exit-code"),
			late("only"),
		}, want: map[ID][]string{
			id1: {"Failed", "Starting 1", "early", "exited", "last", "left behind", "left behind still", long, long + "end"},
			id2: {"Failed", "Starting 2", "only"},
		}},
		// journald alternates between the sockets.
		"all of a run at once": {log: log{
			manager(id1, starting, "Starting 1"), line(id1, 7, "early"), manager(id1, succeeded, "ok"),
			late("only of 2"), manager(id2, starting, "Starting 2", at(2.5)),
			manager(id2, failed, "Failed", "UNIT_RESULT=exit-code", at(2.9)),
		}, want: map[ID][]string{id1: {"Starting 1", "early", "ok"}, id2: {"Failed", "Starting 2", "only of 2"}}},
		// What journald takes it dates by when it woke up.
		"dated before the verdict": {log: log{
			manager(id1, starting, "Starting 1", at(0)), late("only"), manager(id1, failed, "Failed", "UNIT_RESULT=exit-code", at(1.1)),
		}, want: map[ID][]string{id1: {"Failed", "Starting 1", "only"}}},
		"skipped": {log: log{
			manager(id1, starting, "Starting 1"), line(id1, 7, "not now"), manager(id1, skip, "Skipped"), late("late"),
		}, want: map[ID][]string{id1: {"Skipped", "Starting 1", "late", "not now"}}},
		"a simple unit": {log: log{
			manager(id1, started, "Started 1"), line(id1, 7, "early"), manager(id1, failed, "Failed", "UNIT_RESULT=signal"), late("late 1"),
			manager(id2, started, "Started 2"), manager(id2, failed, "Failed", "UNIT_RESULT=signal"), late("late 2"),
		}, want: map[ID][]string{id1: {"Failed", "Started 1", "early", "late 1"}, id2: {"Failed", "Started 2", "late 2"}}},
		"fields of the manager's in the unit's own lines": {log: log{
			manager(id1, starting, "Starting 1"), line(id1, 7, "early", "UNIT=x.mount", "USER_UNIT=x", "INVOCATION_ID="+id2.String()),
			manager(id1, succeeded, "ok"), late("late"),
		}, want: map[ID][]string{id1: {"Starting 1", "early", "late", "ok"}}},
		"another machine": {log: log{
			manager(id1, starting, "Starting 1"), line(id1, 7, "early"), manager(id1, failed, "Failed", "UNIT_RESULT=exit-code"),
			late("of another machine", "_BOOT_ID="+id3.String()), manager(id2, starting, "Starting 2", "_BOOT_ID="+id3.String()),
			late("late"),
		}, want: map[ID][]string{id1: {"Failed", "Starting 1", "early", "late"}, id2: {"Starting 2"}}},
		"a user's unit": {user: true, log: log{
			own(uid, "", "of a run that is not here"),
			ofUser(uid, "init.scope", id1, starting), own(uid, id1.String(), "early"),
			ofUser(uid, "init.scope", id1, succeeded), own(uid, "", "late"),
		}, want: map[ID][]string{id1: {succeeded, starting, "early", "late"}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			sources := tt.log.sources(t, tt.user)
			r := sources["reader"].(Reader)
			sources["skim"], sources["journalctl, skim"] = skimming{r}, skimmingJournalctl{throughJournalctl{r}}
			for kind, source := range sources {
				got := make(map[ID][]string)
				for id := range tt.want {
					entries, err := collectWhole(source.Entries(t.Context(), unit, id))
					require.NoError(t, err, kind)
					for _, e := range entries {
						assert.Equal(t, id, e.Invocation)
						got[id] = append(got[id], string(e.Message))
					}
					slices.Sort(got[id])
				}
				assert.Equal(t, tt.want, got, kind)
			}
		})
	}
}

// TestRunsInText: a user's manager does not say that a unit of Type=simple has ended well. The next run of it begins with
// "Started". In a run that began with "Starting", that is no new one. And a job that times out does not end its run.
func TestRunsInText(t *testing.T) {
	text := func(said ...string) string {
		var b strings.Builder
		for i, words := range said {
			fmt.Fprintf(&b, "2026-11-25T01:30:%02d+0000 machine %s\n", i, words)
		}
		return b.String()
	}
	const starting, started = "systemd[500]: Starting " + unit + " - Backup...", "systemd[500]: Started " + unit + " - Backup."
	for name, tt := range map[string]struct {
		log  string
		want []string
	}{
		"simple": {text(started, "sh[7]: first", started, "sh[8]: second"), []string{"Started " + unit + " - Backup.", "second"}},
		"a line before it": {
			text("sh[7]: first", started, "sh[7]: second", "systemd[500]: Stopping "+unit+" - Backup..."),
			[]string{"first", "Started " + unit + " - Backup.", "second", "Stopping " + unit + " - Backup..."},
		},
		"notify": {
			text(starting, "sh[7]: first", started, "sh[7]: second"),
			[]string{"Starting " + unit + " - Backup...", "first", "Started " + unit + " - Backup.", "second"},
		},
		"a job that timed out": {
			text(starting, "systemd[500]: Timed out starting "+unit+" - Backup.", "sh[7]: first", starting, "sh[8]: second"),
			[]string{"Starting " + unit + " - Backup...", "second"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			recording, err := OpenRecording(strings.NewReader(tt.log))
			require.NoError(t, err)
			recording.User = true
			entries, err := collectWhole(recording.Entries(t.Context(), unit, ID{}))
			require.NoError(t, err)
			var got []string
			for _, e := range entries {
				got = append(got, string(e.Message))
			}
			assert.Equal(t, tt.want, got)
		})
	}
}

// skimming is a Reader that leaves nothing out.
type skimming struct{ Reader }

func (s skimming) Entries(ctx context.Context, unit string, id ID) iter.Seq2[Entry, error] {
	return s.Skim(ctx, unit, id, keepAll)
}

// TestWholeEntries compares every field of entries, in each way to read them.
func TestWholeEntries(t *testing.T) {
	l := log{
		line(id1, 7, "hello"),
		manager(id1, exited, "Main process exited", "COMMAND=ExecStart", "EXIT_CODE=killed", "EXIT_STATUS=KILL",
			fmt.Sprint("_SOURCE_REALTIME_TIMESTAMP=", t0.UnixMicro())),
		dropped(id1, 12),
		manager(id1, exited, "of ExecStart=-, at LogLevel=debug", "COMMAND=ExecStart", "EXIT_CODE=exited", "EXIT_STATUS=1", "PRIORITY=7"),
	}
	want := []Entry{
		{
			Kind: Output, Time: t0, Identifier: "restic-backup.sh", PID: 7, Comm: "restic", Message: []byte("hello"),
			Parts: 1, Invocation: id1, Boot: boot,
		},
		{
			Kind: Manager, Time: t0.Add(time.Second), Sent: t0, Identifier: "systemd", PID: 1, Comm: "systemd",
			Message: []byte("Main process exited"),
			Parts:   1, Invocation: id1, Boot: boot, Event: EventExited, Exit: &Exit{"ExecStart", 137},
		},
		{
			Kind: Dropped, Time: t0.Add(2 * time.Second), Identifier: "systemd-journald", PID: 50, Comm: "systemd-journal",
			Message: []byte("Suppressed"),
			Parts:   1, Invocation: id1, Boot: boot, Dropped: 12,
		},
		{
			Kind: Manager, Time: t0.Add(3 * time.Second), Identifier: "systemd", PID: 1, Comm: "systemd",
			Message: []byte("of ExecStart=-, at LogLevel=debug"), Parts: 1, Invocation: id1, Boot: boot,
		},
	}
	for kind, source := range l.sources(t, false) {
		got, err := collect(source.Entries(t.Context(), unit, id1))
		require.NoError(t, err, kind)
		if kind == "reader" {
			got[0].Boot = boot // not asked for where it is of no use
		}
		assert.Equal(t, want, got, kind)
	}
}

// own is what a process of a user's unit logs, ofUser what claims to come from the
// user's manager, in the scope.
func own(uid, id, message string) fields {
	f := fields{"MESSAGE=" + message, "_PID=7", "_UID=" + uid, "_SYSTEMD_UNIT=user@" + uid + ".service", "_SYSTEMD_USER_UNIT=" + unit}
	if id != "" {
		f = append(f, "_SYSTEMD_INVOCATION_ID="+id)
	}
	return f
}

func ofUser(uid, scope string, id ID, messageID string) fields {
	return fields{
		"MESSAGE=" + messageID, "_PID=700", "_UID=" + uid, "_SYSTEMD_UNIT=user@" + uid + ".service", "_SYSTEMD_USER_UNIT=" + scope,
		"_SYSTEMD_INVOCATION_ID=99999999999999999999999999999999", "USER_UNIT=" + unit, "USER_INVOCATION_ID=" + id.String(),
		"MESSAGE_ID=" + messageID,
	}
}

func TestUserUnit(t *testing.T) {
	uid := strconv.Itoa(os.Getuid())
	l := log{
		line(id1, 7, "the system's"), own(uid, id1.String(), "hello"), ofUser(uid, "evil.service", id1, succeeded),
		ofUser(uid, "init.scope", id1, succeeded),
	}
	want := []says{{Output, "hello", 0, "", 0, 1}, {Manager, succeeded, EventSucceeded, Success, 0, 1}}
	for kind, source := range l.sources(t, true) {
		got, err := collect(source.Entries(t.Context(), unit, id1))
		require.NoError(t, err, kind)
		assert.Equal(t, want, inShort(got), kind)
		id, err := source.Latest(t.Context(), unit)
		require.NoError(t, err, kind)
		assert.Equal(t, id1, id, kind)
	}

	t.Run("another user's", func(t *testing.T) {
		dir := slices.Concat(l, log{own("4242", id1.String(), "another user's unit of that name")}).dir(t)
		for _, entries := range []func(context.Context, string, ID) iter.Seq2[Entry, error]{
			Reader{Dir: dir, User: true}.Entries, throughJournalctl{Reader{Dir: dir, User: true}}.Entries,
		} {
			got, err := collect(entries(t.Context(), unit, id1))
			require.NoError(t, err)
			assert.Equal(t, want, inShort(got))
		}
	})

	t.Run("without saying so", func(t *testing.T) {
		l := l[1:] // nothing of the system's unit of that name
		got, err := collect(recording(t, l.export()).Entries(t.Context(), unit, ID{}))
		require.NoError(t, err)
		assert.Equal(t, want, inShort(got))
	})
}

func TestLatest(t *testing.T) {
	tests := map[string]struct {
		log  log
		want ID
		err  error
	}{
		"the last": {
			log{manager(id1, starting, "Starting"), line(id1, 7, "a"), manager(id2, starting, "Starting"), line(id2, 8, "b")}, id2, nil,
		},
		"a leftover process": {
			log{
				manager(id1, starting, "Starting"), manager(id2, starting, "Starting"), manager(id2, succeeded, "ok"), line(id1, 7, "late"),
			}, id2, nil,
		},
		"a silent manager":  {log{line(id1, 7, "a"), line(id2, 8, "b")}, id2, nil},
		"silenced later":    {log{manager(id1, starting, "Starting"), line(id1, 7, "a"), line(id2, 8, "b")}, id2, nil},
		"a note comes late": {log{manager(id1, starting, "Starting"), manager(id2, starting, "Starting"), dropped(id1, 3)}, id2, nil},
		"skipped": {
			log{manager(id1, starting, "Starting"), manager(id2, starting, "Starting"), manager(id2, skip, "Skipped")}, id1, nil,
		},
		"all skipped": {
			log{
				manager(id1, starting, "Starting"), manager(id1, skip, "Skipped"), manager(id2, starting, "Starting"),
				manager(id2, skip, "Skipped"),
			}, id2, nil,
		},
		"skipped, then not due": {
			log{
				manager(id1, starting, "Starting"), manager(id2, starting, "Starting"), manager(id2, skip, "Skipped"),
				manager(id2, started, "x was skipped because of an unmet condition check"),
			}, id1, nil,
		},
		// ExecCondition= itself could not be executed.
		"not spawned": {
			log{
				manager(id1, starting, "Starting"), manager(id2, starting, "Starting"), notSpawned(id2, 8),
				manager(id2, skip, "Skipped"),
			}, id2, nil,
		},
		"not spawned, then skipped": {
			log{
				manager(id1, starting, "Starting"), manager(id2, starting, "Starting"), notSpawned(id2, 8),
				manager(id2, skip, "Skipped"), manager(id3, starting, "Starting"), manager(id3, skip, "Skipped"),
			}, id2, nil,
		},
		// journald did not see in time whose process it was.
		"not spawned, and gone": {
			log{
				manager(id1, starting, "Starting"), manager(id2, starting, "Starting"), lastWordsOf(id2, "_UID=0"),
				manager(id2, skip, "Skipped"),
			}, id2, nil,
		},
		"not spawned, says a user": {
			log{
				manager(id1, starting, "Starting"), manager(id2, starting, "Starting"), lastWordsOf(id2, "_UID=1000"),
				manager(id2, skip, "Skipped"),
			}, id1, nil,
		},
		"not spawned, says another unit": {
			log{
				manager(id1, starting, "Starting"), manager(id2, starting, "Starting"),
				lastWordsOf(id2, "_UID=0", "_SYSTEMD_UNIT=x.service"), manager(id2, skip, "Skipped"),
			}, id1, nil,
		},
		"a second one not spawned": {
			log{
				manager(id1, starting, "Starting"), manager(id2, starting, "Starting"), line(id2, 7, "go on"),
				notSpawned(id2, 8), manager(id2, skip, "Skipped"),
			}, id2, nil,
		},
		"forged": {
			log{
				manager(id1, starting, "Starting"), {
					"_PID=666", "_SYSTEMD_UNIT=x.service", "UNIT=" + unit, "INVOCATION_ID=" + id2.String(),
					"MESSAGE_ID=" + starting, "MESSAGE=Starting",
				},
			}, id1, nil,
		},
		"never": {
			log{{"MESSAGE=x", "_PID=9", "_SYSTEMD_UNIT=other.service", "_SYSTEMD_INVOCATION_ID=" + id2.String()}}, ID{}, ErrNotFound,
		},
		"a name as a beginning": {
			log{{"MESSAGE=x", "_PID=9", "_SYSTEMD_UNIT=" + unit + "x", "_SYSTEMD_INVOCATION_ID=" + id2.String()}}, ID{}, ErrNotFound,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for kind, source := range tt.log.sources(t, false) {
				got, err := source.Latest(t.Context(), unit)
				assert.ErrorIs(t, err, tt.err, kind)
				assert.Equal(t, tt.want, got, kind)
			}
		})
	}
}

func TestReaderErrors(t *testing.T) {
	testenv.Tool(t, "journalctl") // the reader itself without cgo
	empty := t.TempDir()
	foreign := t.TempDir()
	require.NoError(t, os.WriteFile(foreign+"/x.log", nil, 0o600))
	broken := t.TempDir()
	require.NoError(t, os.WriteFile(broken+"/system.journal", []byte("LPKSHHRH, and no more"), 0o600))
	tests := map[string]struct {
		dir  string
		want error
	}{
		"no directory":     {filepath.Join(empty, "none"), fs.ErrNotExist},
		"empty directory":  {empty, ErrFormat},
		"nothing of ours":  {foreign, ErrFormat},
		"a broken journal": {broken, ErrNotFound}, // as journalctl has it: what cannot be read is not there
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := Reader{Dir: tt.dir}.Latest(t.Context(), unit)
			assert.ErrorIs(t, err, tt.want)
		})
	}
	t.Run("canceled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		r := Reader{Dir: log{line(id1, 7, "a")}.dir(t)}
		_, err := collect(r.Entries(ctx, unit, id1))
		assert.ErrorIs(t, err, context.Canceled)
		_, err = collect(throughJournalctl{r}.Entries(ctx, unit, id1))
		assert.ErrorIs(t, err, context.Canceled)
	})
	t.Run("no journalctl", func(t *testing.T) {
		journalctlAt(t, empty+"/journalctl")
		r := Reader{Dir: log{line(id1, 7, "a")}.dir(t)}
		_, err := collect(throughJournalctl{r}.Entries(t.Context(), unit, id1))
		assert.ErrorIs(t, err, ErrUnavailable)
	})
	t.Run("journalctl is killed", func(t *testing.T) {
		real := testenv.Tool(t, "journalctl")
		bin := t.TempDir()
		script := "#!/bin/sh\n" + real + " \"$@\" --lines=1\nkill -KILL $$\n"
		require.NoError(t, os.WriteFile(bin+"/journalctl", []byte(script), 0o700))
		journalctlAt(t, bin+"/journalctl")
		r := Reader{Dir: log{line(id1, 7, "a"), line(id1, 7, "b")}.dir(t)}
		got, err := collect(throughJournalctl{r}.Entries(t.Context(), unit, id1))
		assert.EqualError(t, err, "journalctl: signal: killed")
		assert.Len(t, got, 1)
	})
	for script, want := range map[string]string{
		"echo 'Failed to open: x' >&2; exit 1": "journalctl: exit status 1: Failed to open: x",
		"exit 2":                               "journalctl: exit status 2",
		"echo what else":                       "recording in export format, byte 0: not a field of an entry",
	} {
		t.Run("journalctl, "+script, func(t *testing.T) {
			bin := t.TempDir()
			require.NoError(t, os.WriteFile(bin+"/journalctl", []byte("#!/bin/sh\n"+script+"\n"), 0o700))
			journalctlAt(t, bin+"/journalctl")
			_, err := collect(throughJournalctl{Reader{Dir: log{line(id1, 7, "a")}.dir(t)}}.Entries(t.Context(), unit, id1))
			assert.EqualError(t, err, want)
		})
	}
	t.Run("a loop that ends early", func(t *testing.T) {
		r := Reader{Dir: log{line(id1, 7, "a"), line(id1, 7, "b")}.dir(t)}
		for _, source := range []Source{r, throughJournalctl{r}} {
			for e, err := range source.Entries(t.Context(), unit, id1) {
				require.NoError(t, err)
				assert.Equal(t, "a", string(e.Message))
				break
			}
		}
	})
}

func TestSyncElsewhere(t *testing.T) {
	assert.NoError(t, Reader{Dir: t.TempDir()}.Sync(t.Context(), unit), "journal files elsewhere are as they are")
}

func TestOpenRecording(t *testing.T) {
	export := log{line(id1, 7, "a")}.export()
	tests := map[string]struct {
		text string
		want format
		err  string
	}{
		"export":           {text: string(export), want: formatExport},
		"json":             {text: `{"__REALTIME_TIMESTAMP":"1","MESSAGE":"a"}` + "\n", want: formatJSON},
		"short-iso":        {text: "2026-11-23T00:00:00+0000 host a[1]: b\n", want: formatText},
		"short-iso of 255": {text: "2026-11-23T00:00:00+00:00 host a[1]: b\n", want: formatText},
		"behind a remark":  {text: "-- Journal begins at Mon 2026-11-23 --\n2026-11-23T00:00:00+0000 host a[1]: b\n", want: formatText},
		"short":            {text: "Nov 23 00:00:00 host a[1]: b\n", want: formatText},
		"short-precise":    {text: "Nov  3 00:00:00.123456 host a[1]: b\n", want: formatText},
		"short-full":       {text: "Mon 2026-11-23 00:00:00 UTC host a[1]: b\n", want: formatText},
		"with-unit":        {text: "Mon 2026-11-23 00:00:00 UTC host a.service[1]: b\n", want: formatText},
		"short-unix":       {text: "1795392558.123456 host a[1]: b\n", want: formatText},
		"rsyslog":          {text: "2026-11-23T00:00:00.123456+00:00 host a[1]: b\n", want: formatText},
		"json-seq":         {text: "\x1e" + `{"__REALTIME_TIMESTAMP":"1","MESSAGE":"a"}` + "\n", want: formatJSON},
		"json-pretty":      {text: "{\n\t\"__REALTIME_TIMESTAMP\" : \"1\",\n\t\"MESSAGE\" : \"a\"\n}\n", want: formatJSON},
		"docker logs -t":   {text: "2026-11-23T00:00:00.123456789Z no parent snapshot found, will read all files\n", want: formatStamped},
		"--no-hostname": {text: "Nov 23 00:00:00 a[1]: b\n", err: "no known recording format: it looks like journalctl --no-hostname, " +
			"whose lines do not say where the identifier begins; want " + Formats},
		"short-delta, its first line": {text: "[  123.456789                ] host a[1]: b\n",
			err: "no known recording format: it looks like journalctl -o short-monotonic " +
				"or short-delta, which has no wall clock; want " + Formats},
		"short-monotonic": {text: "[  123.456789] host a[1]: b\n",
			err: "no known recording format: it looks like journalctl -o short-monotonic " +
				"or short-delta, which has no wall clock; want " + Formats},
		"short-delta": {text: "[  123.456789 <    0.1 >] host a[1]: b\n", err: "no known recording format: it looks like journalctl " +
			"-o short-monotonic or short-delta, which has no wall clock; want " + Formats},
		"json-sse": {text: "data: {\"__CURSOR\"", err: "no known recording format: it looks like journalctl -o json-sse; want " + Formats},
		"verbose": {text: "Mon 2026-11-23 00:00:00.123456 UTC [s=1;i=2]\n    _PID=1\n",
			err: "no known recording format: it looks like journalctl -o verbose; want " + Formats},
		"reversed": {
			text: "__REALTIME_TIMESTAMP=13\nMESSAGE=a\n\n__REALTIME_TIMESTAMP=12\nMESSAGE=b\n\n__REALTIME_TIMESTAMP=9\nMESSAGE=c\n",
			err: "no known recording format: it looks like journalctl --reverse, which prints the last entry first; want " +
				Formats},
		"reversed JSON": {
			text: `{"__REALTIME_TIMESTAMP":"13"}` + "\n" + `{"__REALTIME_TIMESTAMP":"12"}` + "\n" + `{"__REALTIME_TIMESTAMP":"11"}` + "\n",
			err: "no known recording format: it looks like journalctl --reverse, which prints the last entry first; want " +
				Formats},
		"the clock was set back": {text: "__REALTIME_TIMESTAMP=13\nMESSAGE=a\n\n__REALTIME_TIMESTAMP=11\nMESSAGE=b\n\n" +
			"__REALTIME_TIMESTAMP=12\nMESSAGE=c\n\n__REALTIME_TIMESTAMP=5\nMESSAGE=c\n", want: formatExport},
		"restic's own":       {text: "no parent snapshot found, will read all files\n", want: formatPlain},
		"restic's own JSON":  {text: `{"message_type":"summary"}` + "\n", want: formatPlain},
		"a name, and no end": {text: "A=b", want: formatPlain},
		"empty":              {err: "no known recording format: it is empty; want " + Formats},
		"blank":              {text: "\n \n\n", err: "no known recording format: it is empty; want " + Formats},
		"remarks only":       {text: "-- No entries --\n", err: "no known recording format: it is empty; want " + Formats},
		"a journal file": {
			text: "LPKSHHRH\x00\x00", err: "no known recording format: it is a journal file; read it with --journal",
		},
		"no text": {text: "\x7fELF\x00\x01", err: "no known recording format: it is not text; want " + Formats},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r, err := OpenRecording(strings.NewReader(tt.text))
			if tt.err != "" {
				assert.EqualError(t, err, tt.err)
				assert.ErrorIs(t, err, ErrFormat)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tt.want, r.format)
		})
	}
	t.Run("cannot be read", func(t *testing.T) {
		dir, err := os.Open(t.TempDir())
		require.NoError(t, err)
		defer dir.Close()
		_, err = OpenRecording(dir)
		assert.Error(t, err)
	})
}

// TestBadRecording reads recordings that are no good from some place on.
func TestBadRecording(t *testing.T) {
	good := log{line(id1, 7, "hello")}.export()
	length := func(n uint64) string { return string(binary.LittleEndian.AppendUint64(nil, n)) }
	tests := map[string]struct {
		text string
		want error
		says string
	}{
		"cut off in an entry":   {string(good) + "__REALTIME_TIMESTAMP=1\nMESSAGE=a\n", errCutOff, "cut off"},
		"cut off in a name":     {string(good) + "MESS", errCutOff, "cut off"},
		"cut off in a length":   {string(good) + "MESSAGE\n\x01\x00", errCutOff, "cut off"},
		"cut off in a value":    {string(good) + "MESSAGE\n" + length(100) + "abc", errCutOff, "cut off"},
		"a length that lies":    {string(good) + "MESSAGE\n" + length(1<<62) + "abc\n\n", errTooLarge, "byte 3"},
		"a length that is less": {string(good) + "MESSAGE\n" + length(2) + "abc\n\n", errNoField, "not a field"},
		"no name of a field":    {string(good) + "not a field\n\n", errNoField, "not a field"},
		"a name too long":       {string(good) + strings.Repeat("A", 70) + "=x\n\n", errNoField, "not a field"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := collect(recording(t, []byte(tt.text)).Entries(t.Context(), unit, id1))
			assert.ErrorIs(t, err, tt.want)
			assert.ErrorContains(t, err, tt.says)
			assert.Equal(t, []says{{Output, "hello", 0, "", 0, 1}}, inShort(got), "what stands before is read")
		})
	}
}

func TestJSON(t *testing.T) {
	entry := func(message string) string {
		return `{"__REALTIME_TIMESTAMP":"1795392000000000","_SYSTEMD_UNIT":"` + unit + `","_SYSTEMD_INVOCATION_ID":"` + id1.String() +
			`","MESSAGE":` + message + "}\n"
	}
	tests := map[string]struct {
		text string
		want []says
		lost bool
		err  bool
	}{
		"text":                 {text: entry(`"a\tb"`), want: []says{{Output, "a\tb", 0, "", 0, 1}}},
		"bytes":                {text: entry(`[97,255,10]`), want: []says{{Output, "a\xff\n", 0, "", 0, 1}}},
		"several":              {text: entry(`["a","b"]`), want: []says{{Output, "a", 0, "", 0, 1}}},
		"several of bytes":     {text: entry(`[[97],[98]]`), want: []says{{Output, "a", 0, "", 0, 1}}},
		"too long without all": {text: entry(`null`), want: []says{{Output, "", 0, "", 0, 1}}, lost: true},
		"a part too long": {
			text: strings.Replace(entry(`"a"`), "{", `{"_LINE_BREAK":"line-max",`, 1) + entry(`null`),
			want: []says{{Output, "a", 0, "", 0, 2}}, lost: true,
		},
		"no byte": {text: entry(`[256]`), want: []says{{Output, "", 0, "", 0, 1}}, lost: true},
		"broken in the middle": {
			text: entry(`"a"`) + "{broken\n" + entry(`"b"`), want: []says{{Output, "a", 0, "", 0, 1}, {Output, "b", 0, "", 0, 1}},
		},
		"cut off":           {text: entry(`"a"`) + `{"__REALTIME`, want: []says{{Output, "a", 0, "", 0, 1}}, err: true},
		"blank and remarks": {text: "\n-- Boot x --\n" + entry(`"a"`) + "\r\n", want: []says{{Output, "a", 0, "", 0, 1}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := collect(recording(t, []byte(tt.text)).Entries(t.Context(), unit, id1))
			assert.Equal(t, tt.err, err != nil, "%v", err)
			assert.Equal(t, tt.want, inShort(got))
			assert.Equal(t, tt.lost, slices.ContainsFunc(got, func(e Entry) bool { return e.Lost }))
		})
	}
}

func TestShortISO(t *testing.T) {
	const head = "2026-11-23T01:00:00+0100 host "
	text := func(lines ...string) string { return head + strings.Join(lines, "\n"+head) + "\n" }
	tests := map[string]struct {
		text string
		want []says
	}{
		"a run": {
			text("systemd[1]: Starting restic-backup.service - Run backup job...", "restic-backup.sh[7]: hello: there",
				"systemd[1]: restic-backup.service: Main process exited, code=exited, status=3/NOTIMPLEMENTED",
				"systemd[1]: restic-backup.service: Failed with result 'exit-code'.",
				"systemd[1]: Failed to start restic-backup.service - Run backup job."),
			[]says{
				{Manager, "Starting restic-backup.service - Run backup job...", EventStarting, "", 0, 1},
				{Output, "hello: there", 0, "", 0, 1},
				{Manager, "restic-backup.service: Main process exited, code=exited, status=3/NOTIMPLEMENTED", EventExited, "", 0, 1},
				{Manager, "restic-backup.service: Failed with result 'exit-code'.", EventFailed, ExitCode, 0, 1},
				{Manager, "Failed to start restic-backup.service - Run backup job.", EventStartFailed, "", 0, 1},
			},
		},
		"what somebody does to it": {
			text("systemd[1]: Reloading restic-backup.service - x...", "systemd[1]: Reload failed for restic-backup.service - x.",
				"systemd[1]: Reloading restic-backup.service - x...", "systemd[1]: Reloaded restic-backup.service - x.",
				"systemd[1]: restic-backup.service: Sent signal SIGUSR1 to main process 7 (a) on client request.",
				"systemd[1]: restic-backup.service: Sent signal SIGINT to main process 7 (a) on client request."),
			[]says{
				{Manager, "Reloading restic-backup.service - x...", EventReloading, "", 0, 1},
				{Manager, "Reload failed for restic-backup.service - x.", EventReloaded, "", 0, 1},
				{Manager, "Reloading restic-backup.service - x...", EventReloading, "", 0, 1},
				{Manager, "Reloaded restic-backup.service - x.", EventReloaded, "", 0, 1},
				{Manager, "restic-backup.service: Sent signal SIGUSR1 to main process 7 (a) on client request.", EventOther, "", 0, 1},
				{Manager, "restic-backup.service: Sent signal SIGINT to main process 7 (a) on client request.", EventSignalled, "", 0, 1},
			},
		},
		"of an old systemd": {
			text("systemd[1]: Starting Run backup job...", "restic-backup.sh[7]: hello", "systemd[1]: restic-backup.service: Succeeded.",
				"systemd[1]: Finished Run backup job."),
			[]says{
				{Manager, "Starting Run backup job...", EventStarting, "", 0, 1}, {Output, "hello", 0, "", 0, 1},
				{Manager, "restic-backup.service: Succeeded.", EventSucceeded, Success, 0, 1},
				{Manager, "Finished Run backup job.", EventStarted, Success, 0, 1},
			},
		},
		"the last of two": {
			text("systemd[1]: Starting restic-backup.service - x...", "a[7]: one",
				"systemd[1]: restic-backup.service: Deactivated successfully.",
				"systemd[1]: Starting restic-backup.service - x...", "a[8]: two",
				"systemd[1]: restic-backup.service: Deactivated successfully."),
			[]says{
				{Manager, "Starting restic-backup.service - x...", EventStarting, "", 0, 1}, {Output, "two", 0, "", 0, 1},
				{Manager, "restic-backup.service: Deactivated successfully.", EventSucceeded, Success, 0, 1},
			},
		},
		"a line that came late, and one that overtook": {
			text("systemd[1]: Starting restic-backup.service - x...", "a[7]: one",
				"systemd[1]: restic-backup.service: Deactivated successfully.", "a[7]: late", "a[8]: early",
				"systemd[1]: Starting restic-backup.service - x...", "a[8]: two"),
			[]says{
				{Output, "early", 0, "", 0, 1}, {Manager, "Starting restic-backup.service - x...", EventStarting, "", 0, 1},
				{Output, "two", 0, "", 0, 1},
			},
		},
		"a line that overtook": {
			text("a[8]: early", "systemd[1]: Starting restic-backup.service - x...", "a[8]: two"),
			[]says{
				{Output, "early", 0, "", 0, 1}, {Manager, "Starting restic-backup.service - x...", EventStarting, "", 0, 1},
				{Output, "two", 0, "", 0, 1},
			},
		},
		"several lines in one": {
			text("a[7]: one\n                                    two\n                                      three", "a[7]: four"),
			[]says{{Output, "one", 0, "", 0, 1}, {Output, "four", 0, "", 0, 1}},
		},
		"another unit's": {
			text("a[7]: hello", "systemd[1]: other.service: Deactivated successfully.",
				"systemd[1]: Starting other.service - x...", "kernel: oops"),
			[]says{{Output, "hello", 0, "", 0, 1}},
		},
		"suppressed": {
			text("a[7]: hello", "systemd-journald[50]: Suppressed 4711 messages from restic-backup.service",
				"systemd-journald[50]: Suppressed 1 messages from other.service"),
			[]says{{Output, "hello", 0, "", 0, 1}, {Dropped, "Suppressed 4711 messages from restic-backup.service", 0, "", 4711, 1}},
		},
		"forged by the unit": {
			text("a[7]: hello", "systemd[7]: restic-backup.service: Deactivated successfully."),
			[]says{{Output, "hello", 0, "", 0, 1}},
		},
	}
	// The lines of a longer message are indented to where it begins.
	multi := tests["several lines in one"]
	indent := strings.Repeat(" ", len(head+"a[7]: "))
	multi.text = text("a[7]: one\n"+indent+"two\n"+indent+"  three", "a[7]: four")
	multi.want[0].Message = "one\ntwo\n  three"
	tests["several lines in one"] = multi

	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			r := recording(t, []byte(tt.text))
			id, err := r.Latest(t.Context(), unit)
			require.NoError(t, err)
			got, err := collect(r.Entries(t.Context(), unit, id))
			require.NoError(t, err)
			assert.Equal(t, tt.want, inShort(got))
			for _, e := range got {
				assert.Equal(t, t0, e.Time)
			}
			again, err := collect(r.Entries(t.Context(), unit, id))
			require.NoError(t, err)
			assert.Equal(t, got, again, "a recording is read as often as asked")
		})
	}
	t.Run("with an ID", func(t *testing.T) {
		got, err := collect(recording(t, []byte(text("a[7]: hello"))).Entries(t.Context(), unit, id1))
		assert.NoError(t, err)
		assert.Empty(t, got, "the format has none")
	})
}

// TestStamps reads the times of texts that have no year, or a zone by name. The local
// zone is Berlin's.
func TestStamps(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	local := time.Local
	time.Local = berlin
	t.Cleanup(func() { time.Local = local })
	for stamp, want := range map[string]string{
		"Mon 2026-11-23 01:00:00 CET":   "2026-11-23T00:00:00Z",
		"Sun 2026-10-25 02:30:00 CEST":  "2026-10-25T00:30:00Z", // twice in that night
		"Sun 2026-10-25 02:30:00 CET":   "2026-10-25T01:30:00Z",
		"Mon 2026-11-23 01:00:00 UTC":   "2026-11-23T01:00:00Z",
		"Mon 2026-11-23 01:00:00 EST":   "2026-11-23T06:00:00Z",
		"Mon 2026-11-23 01:00:00 -03":   "2026-11-23T04:00:00Z",
		"Mon 2026-11-23 01:00:00 +0530": "2026-11-22T19:30:00Z",
		"Mon 2026-11-23 01:00:00 XYZ":   "2026-11-23T00:00:00Z", // not known: as if it were local
	} {
		got, err := collect(recording(t, []byte(stamp+" host a[1]: b\n")).Entries(t.Context(), unit, ID{}))
		require.NoError(t, err)
		require.Len(t, got, 1)
		assert.Equal(t, want, got[0].Time.Format(time.RFC3339), stamp)
	}
	read := func(at time.Time) time.Duration {
		text := at.In(berlin).Format("Jan _2 15:04:05") + " host a[1]: b\n"
		got, err := collect(recording(t, []byte(text)).Entries(t.Context(), unit, ID{}))
		require.NoError(t, err)
		require.Len(t, got, 1)
		return time.Since(got[0].Time)
	}
	assert.InDelta(t, 48, read(time.Now().Add(-48*time.Hour)).Hours(), 2, "the day before yesterday")
	assert.Greater(t, read(time.Now().Add(48*time.Hour)).Hours(), 360.0*24, "the day after tomorrow, a year ago")
	leap, err := collect(recording(t, []byte("Feb 29 12:00:00 host a[1]: b\n")).Entries(t.Context(), unit, ID{}))
	require.NoError(t, err)
	require.Len(t, leap, 1)
	assert.Zero(t, leap[0].Time.Year()%4)
	assert.True(t, leap[0].Time.Before(time.Now()))
}

func TestPlain(t *testing.T) {
	got, err := collect(recording(t, []byte("one\r\n\ntwo")).Entries(t.Context(), unit, ID{}))
	require.NoError(t, err)
	assert.Equal(t, []Entry{{Message: []byte("one"), Parts: 1}, {Message: []byte("two"), Parts: 1}}, got)
}

func TestID(t *testing.T) {
	var id ID
	require.NoError(t, id.UnmarshalText([]byte("01234567-89ab-cdef-0123-456789ABCDEF")))
	text, err := id.MarshalText()
	require.NoError(t, err)
	assert.Equal(t, "0123456789abcdef0123456789abcdef", string(text))
	for _, bad := range []string{
		"", "x", "0123456789abcdef0123456789abcde", "0123456789abcdef0123456789abcdef0", "0123456789abcdef0123456789abcdeg", "--------",
	} {
		before := id
		assert.Error(t, id.UnmarshalText([]byte(bad)), bad)
		assert.Equal(t, before, id)
	}
}

func TestBoot(t *testing.T) {
	id, err := Boot()
	require.NoError(t, err)
	assert.NotEqual(t, ID{}, id)
}

// foreign is a line of another unit with the ID of an invocation.
func foreign(id ID, message string) fields {
	return append(line(id, 7, message)[:5:5], "_SYSTEMD_UNIT=user@1000.service", "_SYSTEMD_USER_UNIT="+unit,
		"_SYSTEMD_INVOCATION_ID="+id.String())
}

// TestSkim: what is skimmed is what is read, but for the lines that were left
// out; whether libsystemd or journalctl reads it.
func TestSkim(t *testing.T) {
	long := strings.Repeat("x", 500)
	logs := map[string]log{
		"plain": {
			manager(id1, starting, "Starting"), line(id1, 7, "first"), line(id1, 7, "idle 1"),
			line(id2, 9, "other"), line(id1, 8, "idle 2"),
			line(id1, 7, "keep"), dropped(id1, 3), line(id1, 7, "idle 3"), manager(id1, succeeded, "ok"),
			{"MESSAGE=forged", "_PID=666", "_SYSTEMD_UNIT=x.service", "UNIT=" + unit, "INVOCATION_ID=" + id1.String()},
		},
		"in parts": {
			line(id1, 7, "first"), line(id1, 7, long, "_STREAM_ID=1", "_LINE_BREAK=line-max"), line(id1, 7, "end", "_STREAM_ID=1"),
		},
		"in parts by conmon": {
			contained("fir", "CONTAINER_PARTIAL_MESSAGE=true"), contained("st"),
			contained("idle 1"),
		},
		"nothing": {line(id2, 7, "other")},
		// A user's unit can have any ID.
		"another unit with its ID": {
			foreign(id1, "idle 0"), line(id1, 7, "first"), foreign(id1, "idle 1"), foreign(id1, "keep 1"), foreign(id1, "idle 2"),
			line(id1, 7, "idle 3"), foreign(id1, "last"),
		},
		"other invocations of the unit": {
			line(id2, 6, "idle 0"), line(id1, 7, "first"), line(id2, 6, "a left-over process"), line(id2, 6, "idle 1"),
			line(id1, 7, "idle 2"), line(id1, 7, "last"),
			line(id2, 8, "no parent"), line(id2, 8, "idle 3"), line(id2, 8, "saved"),
		},
	}
	// Few entries are read whole, and many in another way.
	for name, l := range maps.Clone(logs) {
		long := slices.Clone(l)
		for n := range fewEntries {
			long = append(long, line(id1, 7, fmt.Sprintf("more %03d", n)))
		}
		logs["long, "+name] = long
	}
	delete(logs, "long, nothing")
	for n := fewEntries - 1; n <= fewEntries+1; n++ {
		many := slices.Clone(logs["plain"])
		many = append(many, logs["in parts"]...)
		const notOurs = 2 // in plain
		for len(many) < n+notOurs {
			many = append(many, line(id1, 7, fmt.Sprintf("line %03d", len(many))))
		}
		logs[fmt.Sprint(n)] = many
	}
	for name, l := range logs {
		t.Run(name, func(t *testing.T) {
			r := Reader{Dir: l.dir(t)}
			sorted := func(entries []Entry) []Entry {
				slices.SortStableFunc(entries, func(a, b Entry) int { return a.Time.Compare(b.Time) })
				for i := range entries {
					entries[i].Boot = ID{} // not of every entry
				}
				return entries
			}
			all, err := collect(r.Entries(t.Context(), unit, id1))
			require.NoError(t, err)

			pids := make(map[string]int)
			got, err := collect(r.Skim(t.Context(), unit, id1, skipper(func(message []byte, pid func() int) bool {
				pids[string(message)] = pid()
				return false
			})))
			require.NoError(t, err)
			assert.Equal(t, sorted(all), sorted(got))
			for _, e := range all {
				if pid, ok := pids[string(e.Message)]; ok {
					assert.Equal(t, e.PID, pid)
				}
			}

			left := 0
			got, err = collect(r.Skim(t.Context(), unit, id1, skipper(func(message []byte, _ func() int) bool {
				if idle := strings.HasPrefix(string(message), "idle"); !idle {
					return false
				}
				left++
				return true
			})))
			require.NoError(t, err)
			parts := 0
			for _, e := range got {
				parts += e.Parts
			}
			for _, e := range all {
				parts -= e.Parts
			}
			assert.Zero(t, parts, "none is of others")
			got = slices.DeleteFunc(got, func(e Entry) bool { return e.Message == nil && left > 0 })
			assert.Len(t, got, len(all)-left)
			if len(pids) > 0 { // journalctl leaves nothing out
				assert.Equal(t, map[string]int{"long, plain": 2, "long, another unit with its ID": 1}[name], left)
			}
			idle := func(e Entry) bool { return strings.HasPrefix(string(e.Message), "idle") }
			assert.Equal(t, sorted(slices.DeleteFunc(all, idle)), sorted(slices.DeleteFunc(got, idle)))

			got, err = collect(skimmingJournalctl{throughJournalctl{r}}.Entries(t.Context(), unit, id1))
			require.NoError(t, err)
			want, err := collect(r.Entries(t.Context(), unit, id1))
			require.NoError(t, err)
			assert.Equal(t, sorted(want), sorted(got))
		})
	}
}

// skimmingJournalctl is a Reader that skims without cgo.
type skimmingJournalctl struct{ throughJournalctl }

func (s skimmingJournalctl) Entries(ctx context.Context, unit string, id ID) iter.Seq2[Entry, error] {
	return s.r.read(ctx, unit, id, keepAll, s.open)
}

// asking counts how often a journal is asked.
type asking struct {
	backend
	times *int
}

func (a asking) read(ctx context.Context, s selector, m match, since time.Time) records {
	*a.times++
	return a.backend.read(ctx, s, m, since)
}

func (a asking) backwards(ctx context.Context, s selector, m match) records {
	*a.times++
	return a.backend.backwards(ctx, s, m)
}

// TestSkimTimes: what is left out moves the times of its process, and is counted. The
// journal is not asked about each of very many processes.
func TestSkimTimes(t *testing.T) {
	type whose struct {
		identifier string
		pid        int
	}
	type seen struct{ First, Last time.Time }
	by := func(identifier string, pid int, message string) fields {
		f := line(id1, pid, message)
		f[1] = "SYSLOG_IDENTIFIER=" + identifier
		return f
	}
	begin := log{
		manager(id1, starting, "Starting"), by("a", 7, "keep"), by("a", 8, "idle"), by("b", 9, "idle"), by("b", 9, "keep"),
		by("a", 8, "keep"), by("d", 7, "idle"), by("d", 7, "keep"), by("c", 10, "idle, and never noticed"),
	}
	var fill, processes log
	for range fewEntries {
		fill = append(fill, by("a", 7, "idle"))
	}
	for pid := 1000; pid < 1000+2*maxOrigins; pid++ {
		processes = append(processes, by("e", pid, "keep"), by("e", pid+1, "idle"))
	}
	end := log{by("b", 9, "idle"), by("a", 8, "keep"), by("a", 7, "idle"), line(id2, 7, "of another run")}
	times := func(entries []Entry) (map[whose]seen, int) {
		got, parts := make(map[whose]seen), 0
		for _, e := range entries {
			parts += e.Parts
			if e.Kind != Output || e.Identifier == "c" { // through journalctl it is noticed
				continue
			}
			for _, w := range []whose{{e.Identifier, e.PID}, {e.Identifier, 0}, {}} {
				s, ok := got[w]
				if !ok || e.Time.Before(s.First) {
					s.First = e.Time
				}
				if e.Time.After(s.Last) {
					s.Last = e.Time
				}
				got[w] = s
			}
		}
		delete(got, whose{"e", 1000 + 2*maxOrigins}) // the last was idle
		return got, parts
	}
	for name, l := range map[string]log{
		"few processes":                slices.Concat(begin, fill, end),
		"very many processes":          slices.Concat(begin, fill, processes, end),
		"very many processes at first": slices.Concat(begin, processes, fill, end),
	} {
		t.Run(name, func(t *testing.T) {
			r := Reader{Dir: l.dir(t)}
			all, err := collectWhole(r.Entries(t.Context(), unit, id1))
			require.NoError(t, err)
			want, parts := times(all)
			asked := 0
			idle := skipper(func(message []byte, _ func() int) bool { return strings.HasPrefix(string(message), "idle") })
			skimmed, err := collectWhole(r.read(t.Context(), unit, id1, idle, func(f func(backend) error) error {
				return r.open(func(b backend) error { return f(asking{b, &asked}) })
			}))
			require.NoError(t, err)
			got, skimmedParts := times(skimmed)
			assert.Equal(t, want, got)
			assert.Equal(t, parts, skimmedParts)
			assert.Equal(t, len(all), parts)
			assert.Less(t, asked, 50)
		})
	}
}

// TestBareName: the name of a unit without its type is none, and the error says so.
func TestBareName(t *testing.T) {
	const says = `not in the journal: "restic-backup" is not the whole name of a unit, want "restic-backup.service"`
	l := log{manager(id1, starting, "Starting"), line(id1, 7, "a")}
	sources := l.sources(t, false)
	iso := recording(t, []byte("2026-11-23T00:00:00+0000 host systemd[1]: other.service: Deactivated successfully.\n"))
	for kind, source := range sources {
		_, err := source.Latest(t.Context(), "restic-backup")
		assert.EqualError(t, err, says, kind)
		assert.ErrorIs(t, err, ErrNotFound, kind)
		for _, id := range []ID{{}, id1} {
			_, err := collect(source.Entries(t.Context(), "restic-backup", id))
			assert.EqualError(t, err, says, kind)
			_, err = collect(source.Skim(t.Context(), "restic-backup", id, keepAll))
			assert.EqualError(t, err, says, kind)
		}
	}
	_, err := collect(iso.Entries(t.Context(), "restic-backup", ID{}))
	assert.EqualError(t, err, says)
}

// unnamed is what the manager says of a start that has no invocation.
func unnamed(messageID, message string, more ...string) fields {
	f := manager(id1, messageID, message, more...)
	return slices.DeleteFunc(f, func(field string) bool { return strings.HasPrefix(field, "INVOCATION_ID=") || field == "MESSAGE_ID=" })
}

// TestRefused: what the manager says of starts after the latest run follows it, also
// if it names no invocation, but is no part of a run that was asked for by its ID.
func TestRefused(t *testing.T) {
	const startFailed = "be02cf6855d2428ba40df7e9d022f03d"
	dependency := unnamed(startFailed, "Dependency failed for x.", "JOB_RESULT=dependency")
	limit := unnamed("", unit+": Start request repeated too quickly.")
	notDue := unnamed(started, "x was skipped because of an unmet condition check")
	other := unnamed("", "x.service: Unit configuration has a weak spot")
	forged := fields{
		"MESSAGE=forged", "_PID=666", "_SYSTEMD_UNIT=x.service", "UNIT=" + unit, "MESSAGE_ID=" + startFailed, "JOB_RESULT=dependency",
	}
	run := log{manager(id1, starting, "Starting"), line(id1, 7, "hello"), manager(id1, succeeded, "ok")}
	whole := []says{
		{Manager, "Starting", EventStarting, "", 0, 1}, {Output, "hello", 0, "", 0, 1}, {Manager, "ok", EventSucceeded, Success, 0, 1},
	}
	refused := []says{
		{Manager, "Dependency failed for x.", EventStartFailed, "", 0, 1},
		{Manager, unit + ": Start request repeated too quickly.", EventStartLimit, "", 0, 1},
		{Manager, "x was skipped because of an unmet condition check", EventNotDue, "", 0, 1},
	}
	after := log{dependency, other, limit, notDue, forged}
	afterReboot := slices.Clone(after)
	for i := range afterReboot {
		afterReboot[i] = append(slices.Clone(afterReboot[i]), "_BOOT_ID="+id3.String())
	}
	tests := map[string]struct {
		log      log
		id       ID
		want     []says
		notFound bool
	}{
		"after a run":         {log: slices.Concat(run, after), want: slices.Concat(whole, refused)},
		"by its ID":           {log: slices.Concat(run, after), id: id1, want: whole},
		"before a run":        {log: slices.Concat(after, run), want: whole},
		"after a reboot":      {log: slices.Concat(run, afterReboot), want: slices.Concat(whole, refused)},
		"the machine crashed": {log: slices.Concat(run[:2], afterReboot), want: slices.Concat(whole[:2], refused)},
		"never a run":         {log: after, want: refused},
		"nothing of it":       {log: log{other, forged}, notFound: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for kind, source := range tt.log.sources(t, false) {
				for _, entries := range []iter.Seq2[Entry, error]{
					source.Entries(t.Context(), unit, tt.id), source.Skim(t.Context(), unit, tt.id, keepAll),
				} {
					got, err := collect(entries)
					assert.Equal(t, tt.notFound, errors.Is(err, ErrNotFound), "%s: %v", kind, err)
					assert.Equal(t, tt.want, inShort(got), kind)
				}
			}
		})
	}
}

// TestZeroID: it stands for the latest invocation.
func TestZeroID(t *testing.T) {
	l := log{
		manager(id1, starting, "Starting"), line(id1, 7, "one"), manager(id2, starting, "Starting"), line(id2, 9, "two"),
		line(id1, 7, "left behind"),
	}
	for kind, source := range l.sources(t, false) {
		want, err := collect(source.Entries(t.Context(), unit, id2))
		require.NoError(t, err, kind)
		require.Len(t, want, 2, kind)
		for _, entries := range []iter.Seq2[Entry, error]{
			source.Entries(t.Context(), unit, ID{}), source.Skim(t.Context(), unit, ID{}, keepAll),
		} {
			got, err := collect(entries)
			require.NoError(t, err, kind)
			assert.Equal(t, want, got, kind)
		}
		_, err = collect(source.Entries(t.Context(), "none.service", ID{}))
		assert.ErrorIs(t, err, ErrNotFound, kind)
	}
}

// TestJSONArrays: an array of several values that does not hold what it should costs
// no more than a few times its size.
func TestJSONArrays(t *testing.T) {
	const size = 8 << 20
	text := `{"__REALTIME_TIMESTAMP":"1","_SYSTEMD_UNIT":"` + unit + `","_SYSTEMD_INVOCATION_ID":"` + id1.String() + `","MESSAGE":[` +
		strings.Repeat("1,", size/2) + "\"x\"]}\n"
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := collect(recording(t, []byte(text)).Entries(t.Context(), unit, id1))
	require.NoError(t, err)
	runtime.ReadMemStats(&after)
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(40*size))
}

// TestManyOrphans: late lines are bounded by their number, too, for each takes memory
// beside its text.
func TestManyOrphans(t *testing.T) {
	o := orphans{id: id1, of: map[ID]ID{{}: id1}}
	held, released := 0, 0
	for range 3 * maxOrphans {
		released += len(o.add(Entry{Message: []byte("x")}, new(record)))
		held = max(held, len(o.entries))
	}
	assert.Equal(t, []int{maxOrphans - 1, 3 * maxOrphans}, []int{held, released + len(o.end())})
}

// TestBounds: what is held is bounded, and the last of it counts.
func TestBounds(t *testing.T) {
	var j joiner
	part := record{}
	part.fields[fieldLineBreak] = []byte("line-max")
	passed := 0
	for n := range maxStreams + 3 {
		part.fields[fieldStream] = fmt.Append(nil, n)
		if _, whole := j.add(Entry{Message: []byte("x")}, &part); whole {
			passed++
		}
	}
	assert.Equal(t, []int{3, maxStreams}, []int{passed, len(slices.Collect(j.rest()))})

	var l log
	for n := range maxRefused + 3 {
		l = append(l, unnamed("be02cf6855d2428ba40df7e9d022f03d", fmt.Sprint("refused ", n), "JOB_RESULT=dependency"))
	}
	got, err := collect(recording(t, l.export()).Entries(t.Context(), unit, ID{}))
	require.NoError(t, err)
	require.Len(t, got, maxRefused)
	assert.Equal(t, "refused 3", string(got[0].Message))

	var lengths []int
	for line, err := range lines(strings.NewReader("a\n" + strings.Repeat("x", maxKept+7) + "\nb")) {
		require.NoError(t, err)
		lengths = append(lengths, len(line))
	}
	assert.Equal(t, []int{2, maxKept, 1}, lengths)
}
