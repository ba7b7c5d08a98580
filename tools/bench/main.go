// Bench compares restic-exporter with journalctl, and with the kind of pipeline that
// people write, on a journal that it builds. With -machines, it measures how long
// restic-exporter takes with a store of many machines. make bench runs it.
package main

import (
	"bufio"
	"bytes"
	"cmp"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

var (
	lines  = flag.Int("lines", 300_000, "lines of the long run")
	others = flag.Int("others", 700_000, "entries of other units")
	rounds = flag.Int("rounds", 7, "runs of each command over the long run; ten times as many over the short one")
	keep   = flag.String("journal", "", "a directory in which to keep the journal, and to find it in the next time")
)

const (
	longID  = "11111111111111111111111111111111"
	shortID = "22222222222222222222222222222222"
	remote  = "/lib/systemd/systemd-journal-remote"
)

func main() {
	log.SetFlags(0)
	flag.Parse()
	if *machines {
		if err := collectMachines(); err != nil {
			log.Fatal(err)
		}
		return
	}
	dir := *keep
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("/var/tmp", "restic-exporter-bench-"); err != nil {
			log.Fatal(err)
		}
		defer os.RemoveAll(dir)
	}
	// Half of the entries of other units come before the runs, half during the long one.
	half := *others / 2
	journals := []journal{
		{filepath.Join(dir, "journal"), half, half},
		{filepath.Join(dir, "longer"), half + *others, half},
		{filepath.Join(dir, "denser"), half, half + *others},
		{filepath.Join(dir, "double"), 2 * half, 2 * half},
	}
	for _, j := range journals {
		if names, _ := filepath.Glob(j.dir + "/*.journal"); len(names) == 0 {
			if err := j.build(); err != nil {
				log.Fatal(err)
			}
		}
	}
	report(journals[0].dir)
	grow(journals)
}

// A journal has a number of entries of other units before the runs, and among them.
type journal struct {
	dir           string
	before, among int
}

func (j journal) build() error {
	if err := os.MkdirAll(j.dir, 0o755); err != nil {
		return err
	}
	cmd := exec.Command(remote, "--output="+j.dir+"/system.journal", "-")
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	w := bufio.NewWriterSize(pipe, 1<<20)
	to := writer{w: w, t: time.Now().Add(-time.Hour)}
	for range j.before {
		to.other()
	}
	to.manager("short", shortID, "7d4958e842da4a758f6c1cdc7b36dcc5", "Starting short.service - Backup...")
	for _, text := range slices.Concat(head, tail) {
		to.line("short", shortID, 4000, text)
	}
	to.manager("short", shortID, "7ad2d189f7e94e70a38c781354912448", "short.service: Deactivated successfully.")
	to.manager("long", longID, "7d4958e842da4a758f6c1cdc7b36dcc5", "Starting long.service - Backup...")
	for _, text := range head {
		to.line("long", longID, 5000, text)
	}
	for i := range *lines - len(head) - len(tail) {
		to.line("long", longID, 5000, fmt.Sprintf("unchanged /srv/data/customers/%03d/archive-of-last-year/document-%07d.pdf", i%1000, i))
		for range (i+1)*j.among/(*lines) - i*j.among/(*lines) {
			to.other()
		}
	}
	for _, text := range tail {
		to.line("long", longID, 5000, text)
	}
	to.manager("long", longID, "7ad2d189f7e94e70a38c781354912448", "long.service: Deactivated successfully.")
	if err := w.Flush(); err != nil {
		return err
	}
	pipe.Close()
	return cmd.Wait()
}

var (
	head = []string{"open repository", "repository 7a2bac9b opened (version 2, compression level auto)", "using parent snapshot 53f36d46", "load index files"}
	tail = []string{
		"Files:           7 new,     5 changed,   221 unmodified", "Dirs:            0 new,     8 changed,    19 unmodified",
		"Added to the repository: 1.051 MiB (1.033 MiB stored)", "processed 233 files, 8.662 MiB in 0:02", "snapshot 2564248e saved",
	}
)

// A writer writes the export format.
type writer struct {
	w io.Writer
	t time.Time
	n int
}

func (j *writer) entry(fields ...string) {
	j.n++
	j.t = j.t.Add(time.Millisecond)
	fmt.Fprintf(j.w, "__REALTIME_TIMESTAMP=%d\n__MONOTONIC_TIMESTAMP=%d\n_BOOT_ID=b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0\n_MACHINE_ID=a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0\n_HOSTNAME=host\nPRIORITY=6\n",
		j.t.UnixMicro(), j.n*1000)
	for _, f := range fields {
		fmt.Fprintln(j.w, f)
	}
	fmt.Fprintln(j.w)
}

func (j *writer) line(unit, id string, pid int, text string) {
	j.entry("MESSAGE="+text, "SYSLOG_FACILITY=3", "SYSLOG_IDENTIFIER=restic-backup.sh", fmt.Sprint("_PID=", pid), "_UID=0", "_GID=0", "_TRANSPORT=stdout",
		"_COMM=restic", "_EXE=/usr/bin/restic", "_CMDLINE=restic backup --verbose --verbose /srv/data", "_CAP_EFFECTIVE=1ffffffffff", "_STREAM_ID=c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0",
		"_SYSTEMD_CGROUP=/system.slice/"+unit+".service", "_SYSTEMD_UNIT="+unit+".service", "_SYSTEMD_SLICE=system.slice", "_SYSTEMD_INVOCATION_ID="+id)
}

func (j *writer) manager(unit, id, messageID, text string) {
	j.entry("MESSAGE="+text, "SYSLOG_IDENTIFIER=systemd", "_PID=1", "_COMM=systemd", "_SYSTEMD_UNIT=init.scope", "UNIT="+unit+".service",
		"INVOCATION_ID="+id, "MESSAGE_ID="+messageID)
}

func (j *writer) other() {
	j.entry(fmt.Sprintf("MESSAGE=request %d took %d ms", j.n, j.n%977), "SYSLOG_IDENTIFIER=web", fmt.Sprint("_PID=", 900+j.n%50), "_COMM=web", "_UID=33",
		fmt.Sprintf("_SYSTEMD_UNIT=web-%d.service", j.n%50), fmt.Sprintf("_SYSTEMD_INVOCATION_ID=%032x", j.n%50))
}

// A contestant is a command whose time is measured.
type contestant struct {
	name string
	args []string
	took []time.Duration
	anon int // peak of anonymous memory in KiB
}

func report(dir string) {
	pipeline := `journalctl -D ` + dir + ` --no-pager -o short-iso _SYSTEMD_INVOCATION_ID=%s > /dev/shm/bench.$$
for state in new changed unmodified; do grep '^.*Files:' /dev/shm/bench.$$ | tail -n 1 | grep -oE "[0-9]+ $state" | awk '{print $1}'; done
grep 'Added to the repo' /dev/shm/bench.$$ | tail -n 1 | awk '{print $8, $9}'; grep -c 'Fatal' /dev/shm/bench.$$; rm /dev/shm/bench.$$`
	for _, run := range []struct {
		unit, id string
		lines    int
		rounds   int
	}{
		{"long", longID, *lines, *rounds},
		{"short", shortID, len(head) + len(tail), 10 * *rounds},
	} {
		ours := []string{"--journal", dir, "--unit", run.unit, "--output", "-"}
		given := append(slices.Clone(ours), "--invocation", run.id)
		ctl := func(format string) []string {
			return []string{"journalctl", "-D", dir, "--no-pager", "-o", format, "_SYSTEMD_INVOCATION_ID=" + run.id}
		}
		contestants := []*contestant{
			{name: "restic-exporter", args: append([]string{"bin/restic-exporter"}, given...)},
			{name: "restic-exporter, of the latest run", args: append([]string{"bin/restic-exporter"}, ours...)},
			{name: "restic-exporter, static", args: append([]string{"bin/restic-exporter-static"}, given...)},
			{name: "journalctl -o cat", args: ctl("cat")},
			{name: "journalctl -o short-iso", args: ctl("short-iso")},
			{name: "journalctl -o export", args: ctl("export")},
			{name: "journalctl, grep and awk", args: []string{"bash", "-c", fmt.Sprintf(pipeline, run.id)}},
		}
		// Look at the memory first, because that slows the command down.
		want := contestants[0].watch()
		for _, c := range contestants[1:] {
			if out := c.watch(); strings.HasPrefix(c.name, "restic-exporter") && out != want {
				log.Fatalf("%s and %s differ:\n%s\n%s", contestants[0].name, c.name, want, out)
			}
		}
		for range run.rounds {
			for _, c := range contestants {
				c.run()
			}
		}
		cat, export := contestants[3].median(), contestants[5].median()
		fmt.Printf("\na run of %d lines, among %d of other units, median of %d\n\n", run.lines, *others, run.rounds)
		fmt.Println("| | ms | × journalctl -o cat | × journalctl -o export | anonymous MiB |\n|---|---:|---:|---:|---:|")
		for _, c := range contestants {
			m := c.median()
			fmt.Printf("| %s | %.1f | %.2f | %.2f | %.1f |\n", c.name, float64(m.Microseconds())/1e3, float64(m)/float64(cat), float64(m)/float64(export), float64(c.anon)/1024)
		}
	}
}

// grow prints how much longer it takes if other units log more: before the runs, among
// them, or twice as much everywhere.
func grow(journals []journal) {
	fmt.Printf("\nthe same runs when others log %d entries more\n\n| run | ms | before it: ms | × | during it: ms | × | half each: ms | × |\n|---|---:|---:|---:|---:|---:|---:|---:|\n", *others)
	for _, run := range []struct{ unit, id string }{{"long", longID}, {"short", shortID}} {
		contestants := make([]contestant, len(journals))
		for range 3 * *rounds {
			for i, j := range journals {
				contestants[i].args = []string{"bin/restic-exporter", "--journal", j.dir, "--unit", run.unit, "--invocation", run.id, "--output", "-"}
				contestants[i].run()
			}
		}
		base := contestants[0].median()
		fmt.Printf("| %s | %.1f ", run.unit, float64(base.Microseconds())/1e3)
		for _, c := range contestants[1:] {
			fmt.Printf("| %.1f | %.2f ", float64(c.median().Microseconds())/1e3, float64(c.median())/float64(base))
		}
		fmt.Println("|")
	}
}

// run measures the time of one run.
func (c *contestant) run() {
	cmd := exec.Command(c.args[0], c.args[1:]...)
	cmd.Stderr = os.Stderr
	began := time.Now()
	err := cmd.Run()
	c.took = append(c.took, time.Since(began))
	if err != nil {
		log.Fatalf("%s: %v", strings.Join(c.args, " "), err)
	}
}

// watch measures the memory of one run, and returns its output.
func (c *contestant) watch() string {
	cmd := exec.Command(c.args[0], c.args[1:]...)
	var out bytes.Buffer
	if strings.HasPrefix(c.name, "restic-exporter") {
		cmd.Stdout = &out
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		log.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		for tick := time.Tick(time.Millisecond); ; {
			select {
			case <-done:
				return
			case <-tick:
				c.anon = max(c.anon, anonymous(cmd.Process.Pid))
			}
		}
	}()
	err := cmd.Wait()
	close(done)
	if err != nil {
		log.Fatalf("%s: %v", strings.Join(c.args, " "), err)
	}
	return out.String()
}

func (c *contestant) median() time.Duration {
	slices.SortFunc(c.took, func(a, b time.Duration) int { return cmp.Compare(a, b) })
	return c.took[len(c.took)/2]
}

// anonymous returns the size of the anonymous memory of a process, in KiB.
func anonymous(pid int) int {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, rest, _ := strings.Cut(string(text), "RssAnon:")
	n := 0
	fmt.Sscan(rest, &n)
	return n
}
