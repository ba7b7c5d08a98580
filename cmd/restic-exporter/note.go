package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	dto "github.com/prometheus/client_model/go"

	"github.com/restic-exporter/restic-exporter/metrics"
	"github.com/restic-exporter/restic-exporter/textfile"
)

// byService reports whether this process belongs to a systemd service, such as the backup
// unit or a handler. If not, a person has called it.
func byService(getenv func(string) string) bool {
	cgroup, err := os.ReadFile("/proc/self/cgroup")
	return err == nil && getenv("INVOCATION_ID") != "" && inService(cgroup)
}

// inService reports whether a process in these control groups belongs to a service. A
// user's manager is itself a service, but that does not count.
func inService(cgroup []byte) bool {
	for line := range bytes.Lines(cgroup) {
		fields := strings.SplitN(strings.TrimSpace(string(line)), ":", 3)
		if len(fields) < 3 || fields[0] != "0" && fields[1] != "name=systemd" {
			continue
		}
		if slices.ContainsFunc(strings.Split(fields[2], "/"), func(group string) bool {
			return strings.HasSuffix(group, ".service") && !strings.HasPrefix(group, "user@")
		}) {
			return true
		}
	}
	return false
}

// note returns the name of the file that says that a call for the unit failed; "" if the
// metrics do not go to a file.
func (o options) note() string {
	output, err := o.target()
	if err != nil || output == "-" {
		return ""
	}
	note := filepath.Join(filepath.Dir(output), strings.TrimSuffix(o.unit, ".service")+".exporter.prom")
	if note == filepath.Clean(output) {
		return ""
	}
	return note
}

// leaveNote writes a file next to that of the unit which says that this call failed.
// Otherwise nobody would notice: ExecStopPost=- hides the exit status, and the unit's file
// still has the metrics of the run before.
func (p *program) leaveNote(o options) {
	note := o.note()
	if note == "" {
		return
	}
	err := textfile.Update(note, func(old []*dto.MetricFamily, err error) ([]*dto.MetricFamily, error) {
		if err == nil && len(old) > 0 && !isNote(old, o.unit) {
			return nil, errors.New("it is the file of another unit")
		}
		return metrics.Failed(o.unit, metrics.Options{Labels: o.labels}), nil
	})
	if err != nil {
		p.say("warning", "cannot record in %s that this call failed: %v", note, err)
	}
}

// removeNote removes the note of an earlier call that failed.
func (p *program) removeNote(o options) {
	note := o.note()
	if _, err := os.Lstat(note); note == "" || err != nil {
		return
	}
	looked := errors.New("looked at")
	ours := false
	err := textfile.Update(note, func(old []*dto.MetricFamily, err error) ([]*dto.MetricFamily, error) {
		ours = err == nil && isNote(old, o.unit)
		return nil, looked
	})
	if errors.Is(err, looked) && ours {
		err = os.Remove(note)
	}
	if err != nil && !errors.Is(err, looked) && !errors.Is(err, os.ErrNotExist) {
		p.say("warning", "cannot remove %s, the note of an earlier call that failed: %v", note, err)
	}
}

// isNote reports whether a file holds nothing but the note of a unit. It may also be the
// file of a unit whose name ends in ".exporter".
func isNote(mfs []*dto.MetricFamily, unit string) bool {
	if len(mfs) != 1 || mfs[0].GetName() != metrics.Failed(unit, metrics.Options{})[0].GetName() {
		return false
	}
	return !slices.ContainsFunc(mfs[0].Metric, func(m *dto.Metric) bool {
		return !slices.ContainsFunc(m.Label, func(l *dto.LabelPair) bool { return l.GetName() == "unit" && l.GetValue() == unit })
	})
}
