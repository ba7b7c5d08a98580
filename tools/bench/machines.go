package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

var (
	machines = flag.Bool("machines", false, "measure instead how long a call takes for a store of many machines")
	noise    = flag.Int("noise", 0, "entries of other units that each machine sends per day, with -machines")
)

const (
	units     = 3
	days      = 7
	recording = "testdata/0.16.5/second-run-prune.export"
)

// A fleet is a store, and the machines whose journals it has.
type fleet struct {
	at    string            // URL of the store
	text  string            // the recording
	first int64             // Unix time of the recording's first entry, in µs
	ids   map[string]string // names and IDs in text, which each run replaces with its own
	count int               // entries sent
}

// collectMachines measures how long a call takes with stores of many machines: the first
// call, one that finds nothing new, and one after ten units have run.
func collectMachines() error {
	store, err := victoriaLogs()
	if err != nil {
		return err
	}
	fmt.Printf("machines with %d units and %d days each, and %d entries of other units a day\n\n", units, days, *noise)
	fmt.Println("| machines | entries | sent, MB | stored, MB | first pass, s | processor time, s: ours | the store's | nothing new, s | ten new runs, s | ours, MiB | the store, MiB |")
	fmt.Println("|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
	var scrapes []string
	for _, n := range []int{10, 100, 1000} {
		rows, err := collectFrom(store, n)
		if err != nil {
			return err
		}
		scrapes = append(scrapes, rows...)
	}
	fmt.Print("\nbringing these files to Prometheus\n\n")
	fmt.Println("| machines | served by | targets | MB | all, ms | processor time, ms | the longest, ms | server, MiB |")
	fmt.Println("|---:|---|---:|---:|---:|---:|---:|---:|")
	for _, row := range scrapes {
		fmt.Println(row)
	}
	return nil
}

func victoriaLogs() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	names, _ := filepath.Glob(filepath.Join(cache, "restic-exporter-tools", "victoria-logs-*", "victoria-logs"))
	if len(names) == 0 {
		return "", fmt.Errorf("no VictoriaLogs below %s: go test ./journal builds it", cache)
	}
	return names[len(names)-1], nil
}

func collectFrom(store string, n int) (scrapes []string, err error) {
	dir, err := os.MkdirTemp("/var/tmp", "restic-exporter-machines-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := l.Addr().String()
	l.Close()
	server := exec.Command(store, "-httpListenAddr="+addr, "-storageDataPath="+dir+"/store", "-retentionPeriod=100y", "-loggerLevel=ERROR", "-journald.includeEntryMetadata")
	server.Stderr = os.Stderr
	if err := server.Start(); err != nil {
		return nil, err
	}
	defer func() { server.Process.Kill(); server.Wait() }()
	f, err := newFleet("http://" + addr)
	if err != nil {
		return nil, err
	}
	for range 300 {
		if resp, err := http.Get(f.at + "/health"); err == nil {
			resp.Body.Close()
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	sent, err := f.fill(n)
	if err != nil {
		return nil, err
	}
	time.Sleep(5 * time.Second) // the store merges what it received
	out := dir + "/out"
	if err := os.Mkdir(out, 0o755); err != nil {
		return nil, err
	}
	var took [3]time.Duration
	var ours int
	var used, usedByStore time.Duration // by the first pass
	for pass := range took {
		if pass == 2 {
			var runs bytes.Buffer
			for i := range 10 {
				f.run(&runs, i%n, i/n%units, days)
			}
			if err := f.send(&runs); err != nil {
				return nil, err
			}
			f.flush()
		}
		cmd := exec.Command("bin/restic-exporter", "--store", f.at, "--unit", "restic-*", "--output", out)
		cmd.Stderr = os.Stderr
		began, before := time.Now(), processorTime(server.Process.Pid)
		if err := cmd.Run(); err != nil {
			return nil, err
		}
		took[pass] = time.Since(began)
		if pass == 0 {
			used = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
			usedByStore = processorTime(server.Process.Pid) - before
		}
		ours = max(ours, int(cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss))
	}
	if names, _ := filepath.Glob(out + "/host*.prom"); len(names) != n {
		return nil, fmt.Errorf("%d files of %d machines", len(names), n)
	}
	fmt.Printf("| %d | %d | %d | %d | %.2f | %.2f | %.2f | %.2f | %.2f | %d | %d |\n", n, f.count, sent>>20, size(dir+"/store")>>20,
		took[0].Seconds(), used.Seconds(), usedByStore.Seconds(), took[1].Seconds(), took[2].Seconds(), ours>>10, resident(server.Process.Pid)>>10)
	for _, w := range ways {
		row, err := scrape(w, out)
		if err != nil {
			return nil, err
		}
		scrapes = append(scrapes, fmt.Sprintf("| %d %s", n, row))
	}
	return scrapes, nil
}

var fields = map[string]*regexp.Regexp{
	"host":    regexp.MustCompile(`(?m)^_HOSTNAME=(.*)$`),
	"machine": regexp.MustCompile(`(?m)^_MACHINE_ID=(.*)$`),
	"boot":    regexp.MustCompile(`(?m)^_BOOT_ID=(.*)$`),
	"run":     regexp.MustCompile(`(?m)^INVOCATION_ID=(.*)$`),
}

func newFleet(at string) (*fleet, error) {
	text, err := os.ReadFile(recording)
	if err != nil {
		return nil, err
	}
	f := &fleet{at: at, text: string(text), ids: make(map[string]string)}
	for name, re := range fields {
		f.ids[name] = re.FindStringSubmatch(f.text)[1]
	}
	f.first, err = strconv.ParseInt(realtime.FindStringSubmatch(f.text)[2], 10, 64)
	return f, err
}

var (
	realtime = regexp.MustCompile(`(?m)^(__REALTIME_TIMESTAMP|_SOURCE_REALTIME_TIMESTAMP)=(.*)$`)
	cursor   = regexp.MustCompile(`(?m)^__CURSOR=.*$`)
)

// run writes the run of one unit of a machine on one day.
func (f *fleet) run(w io.Writer, machine, unit, day int) {
	begin := time.Now().Truncate(24*time.Hour).AddDate(0, 0, day-days).Add(time.Duration(unit)*time.Hour + time.Duration(machine%3600)*time.Second)
	shift := begin.UnixMicro() - f.first
	text := strings.NewReplacer(
		"restic-backup.service", fmt.Sprintf("restic-data%02d.service", unit), "_HOSTNAME="+f.ids["host"], fmt.Sprintf("_HOSTNAME=host%05d.example.com", machine),
		f.ids["machine"], fmt.Sprintf("%032x", machine+1), f.ids["boot"], fmt.Sprintf("%032x", machine+1_000_000),
		f.ids["run"], fmt.Sprintf("%032x", ((machine+1)*100+day)*10+unit),
	).Replace(f.text)
	n := ((day*units)+unit)*10_000 + 1
	text = cursor.ReplaceAllStringFunc(text, func(string) string {
		n++
		f.count++
		return fmt.Sprintf("__CURSOR=s=%032x;i=%x;b=0;m=%x;t=0;x=0", machine+1, n, n)
	})
	io.WriteString(w, realtime.ReplaceAllStringFunc(text, func(line string) string {
		name, value, _ := strings.Cut(line, "=")
		at, _ := strconv.ParseInt(value, 10, 64)
		return fmt.Sprintf("%s=%d", name, at+shift)
	}))
	j := writer{w: w, t: begin}
	for range *noise / units {
		j.n++
		f.count++
		fmt.Fprintf(w, "__CURSOR=s=%032x;i=%x;b=0;m=1;t=0;x=0\n__REALTIME_TIMESTAMP=%d\n_MACHINE_ID=%032x\n_HOSTNAME=host%05d.example.com\nMESSAGE=request %d took %d ms\n"+
			"SYSLOG_IDENTIFIER=web\n_PID=900\n_COMM=web\n_SYSTEMD_UNIT=web-%d.service\n_SYSTEMD_INVOCATION_ID=%032x\n\n",
			machine+1, n+5000+j.n, begin.UnixMicro()+int64(j.n)*1_000_000, machine+1, machine, j.n, j.n%977, j.n%20, j.n%20)
	}
}

// fill sends the runs of all machines up to yesterday. It returns the number of bytes.
func (f *fleet) fill(n int) (sent int, err error) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, 2)
	for machine := range n {
		var text bytes.Buffer
		for day := range days {
			for unit := range units {
				f.run(&text, machine, unit, day)
			}
		}
		sent += text.Len()
		slots <- struct{}{}
		wg.Go(func() {
			if sendErr := f.send(&text); sendErr != nil {
				log.Print(sendErr)
			}
			<-slots
		})
	}
	wg.Wait()
	f.flush()
	return sent, nil
}

func (f *fleet) send(text io.Reader) error {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, f.at+"/insert/journald/upload", text)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/vnd.fdo.journal")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", f.at, resp.Status)
	}
	return nil
}

// flush makes what was sent visible.
func (f *fleet) flush() {
	if resp, err := http.Post(f.at+"/internal/force_flush", "", nil); err == nil {
		resp.Body.Close()
	}
}

func size(dir string) (n int64) {
	filepath.Walk(dir, func(_ string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().IsRegular() {
			n += info.Size()
		}
		return nil
	})
	return n
}

// processorTime returns the processor time that a process has used, user and system.
func processorTime(pid int) time.Duration {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest) // from the third on, see proc_pid_stat(5)
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * time.Second / 100
}

// resident returns the memory of a process, in KiB.
func resident(pid int) int {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	n := 0
	fmt.Sscan(rest, &n)
	return n
}
