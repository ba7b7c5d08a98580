package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/restic-exporter/restic-exporter/metrics"
)

// directories are the places where node_exporter's packages and configuration modules
// look for text files.
var directories = []string{
	"/var/lib/node-exporter",
	"/var/lib/prometheus/node-exporter",
	"/var/lib/node_exporter/textfile_collector",
	"/var/lib/node_exporter",
	"/var/lib/prometheus-node-exporter-textfiles",
	"/var/lib/prometheus-node-exporter",
	"/run/node_exporter",
}

// target returns the name of the file to write; "-" for standard output.
func (o options) target() (string, error) {
	if o.output != "" && !isDir(o.output) && !strings.HasSuffix(o.output, "/") {
		return o.output, nil
	}
	if o.output == "" && o.log != "" {
		return "-", nil
	}
	dir, err := o.directory()
	return filepath.Join(dir, strings.TrimSuffix(o.unit, ".service")+".prom"), err
}

// directory returns the directory for the files.
func (o options) directory() (string, error) {
	if o.output != "" && !isDir(o.output) {
		return "", fmt.Errorf("--output: the directory %s does not exist; create it, or name another", o.output)
	}
	for _, dir := range append([]string{o.output}, directories...) {
		if dir != "" && isDir(dir) {
			return dir, nil
		}
	}
	return "", fmt.Errorf("no textfile directory: none of %s exists; make one and have node_exporter read it with --collector.textfile.directory, or name one with --output", strings.Join(directories, ", "))
}

func isDir(name string) bool {
	st, err := os.Stat(name)
	return err == nil && st.IsDir()
}

// writeHint returns what to do about an error of writing the file.
func writeHint(err error, output string) string {
	switch {
	case errors.Is(err, metrics.ErrNewer):
		return "; to write the earlier run all the same, use another --output"
	case errors.Is(err, metrics.ErrOtherUnit):
		return "; give each unit an --output of its own, or delete the file if that unit is gone"
	case errors.Is(err, fs.ErrPermission):
		return "; run as a user who may write to " + filepath.Dir(output) + ", or use another --output"
	case errors.Is(err, fs.ErrNotExist):
		return "; create the directory, or use another --output"
	}
	return ""
}
