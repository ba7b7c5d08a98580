package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
)

// A targetGroup is a list of targets in the format that Prometheus reads from files and
// web servers (file_sd_configs, http_sd_configs).
type targetGroup struct {
	Targets []string `json:"targets"`
}

// writeTargets writes targets.json, which makes each host with a file in the directory a
// target of Prometheus, even hosts that have fallen silent. The file that says when they
// were collected is a target, too.
func writeTargets(dir string) error {
	names, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	all := targetGroup{Targets: []string{}}
	for _, n := range names {
		if host, ok := strings.CutSuffix(n.Name(), ".prom"); ok && (isDNSName(host) || host == collected) {
			all.Targets = append(all.Targets, host)
		}
	}
	text, err := json.Marshal([]targetGroup{all})
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "targets.json")
	if was, err := os.ReadFile(file); err == nil && bytes.Equal(was, text) {
		return nil // Prometheus need not read it again
	}
	return replace(file, text, 0o644)
}

// dnsName is compiled when it is first used: only calls for a store need it.
var dnsName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?)*$`)
})

func isDNSName(name string) bool { return len(name) <= 253 && dnsName().MatchString(name) }
