package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// A way is a server that brings the files of a directory to Prometheus.
type way struct {
	name    string
	command func(addr, dir string) (*exec.Cmd, error)
	targets func(dir string) []string // what Prometheus asks for
}

var ways = []way{
	{
		"node_exporter", func(addr, dir string) (*exec.Cmd, error) {
			return exec.Command("prometheus-node-exporter", "--collector.disable-defaults", "--collector.textfile",
				"--collector.textfile.directory="+dir, "--web.listen-address="+addr, "--log.level=error"), nil
		},
		func(string) []string { return []string{"metrics"} },
	},
	{
		"nginx", func(addr, dir string) (*exec.Cmd, error) {
			conf := dir + "/nginx.conf"
			return exec.Command("/usr/sbin/nginx", "-c", conf, "-e", "stderr"), os.WriteFile(conf, fmt.Appendf(nil, `daemon off; master_process off; user root;
pid %[2]s/nginx.pid; events {} http { access_log off; server { listen %[1]s; root %[2]s; types { } default_type "text/plain; version=0.0.4"; } }`, addr, dir), 0o644)
		},
		func(dir string) (names []string) {
			files, _ := filepath.Glob(dir + "/*.prom")
			for _, name := range files {
				names = append(names, filepath.Base(name))
			}
			return names
		},
	},
}

// scrape asks for all metrics in a directory as Prometheus would, and returns a row of a
// table: the second of two scrapes counts.
func scrape(w way, dir string) (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	addr := l.Addr().String()
	l.Close()
	server, err := w.command(addr, dir)
	if err != nil {
		return "", err
	}
	server.Stderr = os.Stderr
	if err := server.Start(); err != nil {
		return "", err
	}
	defer func() { server.Process.Kill(); server.Wait() }()
	for range 100 {
		if conn, err := net.Dial("tcp", addr); err == nil {
			conn.Close()
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	targets := w.targets(dir)
	var took, longest, used time.Duration
	var bytes int64
	for range 2 {
		took, longest, bytes = 0, 0, 0
		before := processorTime(server.Process.Pid)
		for _, name := range targets {
			began := time.Now()
			reply, err := http.Get("http://" + addr + "/" + name)
			if err != nil {
				return "", err
			}
			n, err := io.Copy(io.Discard, reply.Body)
			reply.Body.Close()
			if err != nil {
				return "", fmt.Errorf("%s: %w", w.name, err)
			}
			if reply.StatusCode != http.StatusOK {
				return "", fmt.Errorf("%s answers %s", w.name, reply.Status)
			}
			bytes += n
			took += time.Since(began)
			longest = max(longest, time.Since(began))
		}
		used = processorTime(server.Process.Pid) - before
	}
	return fmt.Sprintf("| %s | %d | %d | %d | %d | %d | %d |", w.name, len(targets), bytes>>20,
		took.Milliseconds(), used.Milliseconds(), longest.Milliseconds(), resident(server.Process.Pid)>>10), nil
}
