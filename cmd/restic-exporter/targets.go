package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
)

// A targetGroup is one of those that Prometheus reads from a file or a web server
// (file_sd_configs, http_sd_configs).
type targetGroup struct {
	Targets []string `json:"targets"`
}

// writeTargets names the hosts that have a file in a directory, silent ones too, to
// Prometheus: each is a target of its own there.
func writeTargets(dir string) error {
	names, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	all := targetGroup{Targets: []string{}}
	for _, n := range names {
		if host, ok := strings.CutSuffix(n.Name(), ".prom"); ok && isDNSName(host) {
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
