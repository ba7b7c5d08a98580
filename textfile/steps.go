package textfile

import (
	"maps"
	"time"

	"github.com/restic-exporter/restic-exporter/parser"
)

// actions makes the durations that the shell exporter has.
func (b *builder) actions() {
	durations := make(map[string]time.Duration)
	for _, span := range b.report.Spans {
		if action, ok := b.report.Actions[span.Source]; ok && !span.Start.IsZero() {
			durations[action] += span.Duration()
		}
	}
	// Actions of scripts go first: their lines are of the same restics.
	scripts := maps.Clone(durations)
	for _, run := range b.report.Processes {
		action := string(run.Command)
		_, given := b.report.Actions[run.Source]
		_, script := scripts[action]
		switch run.Command {
		case parser.CommandBackup, parser.CommandForget, parser.CommandPrune, parser.CommandCheck:
			if !given && !script && !run.Start.IsZero() {
				durations[action] += run.End.Sub(run.Start)
			}
		}
	}
	for action, d := range durations {
		b.set("restic_backup_duration_seconds", elapsed(d), action)
	}
}

type step struct {
	bad, timed bool
	duration   time.Duration
	end        time.Time
	errors     int
	retries    int
}

// steps makes the metrics of restic's commands.
func (b *builder) steps() {
	steps := make(map[parser.Command]*step)
	at := func(c parser.Command) *step {
		if steps[c] == nil {
			steps[c] = new(step)
		}
		return steps[c]
	}
	for _, run := range b.report.Processes {
		switch run.Command {
		case parser.CommandBackup, parser.CommandForget, parser.CommandPrune, parser.CommandCheck:
		case "":
			continue
		default:
			if !run.Done {
				continue // not every release says how these end
			}
		}
		if !run.Done && run.Fatal == "" && b.report.Verdict == Succeeded {
			continue // a quiet command, or a part of the log was dropped: unknown
		}
		s := at(run.Command)
		s.add(run, run.End)
		s.bad = s.bad || !run.Done
		if run.Command == parser.CommandPrune && run.Forget != nil {
			// "forget --prune" counts as prune, and has forgotten as well.
			f := at(parser.CommandForget)
			until := run.Forget.End
			if until.IsZero() {
				until = run.End
			}
			f.add(parser.Process{Start: run.Start}, until)
		}
	}

	for c, s := range steps {
		name := string(c)
		if s.timed {
			b.set("restic_step_duration_seconds", elapsed(s.duration), name)
		}
		b.set("restic_step_success", truth(!s.bad), name)
		b.set("restic_step_errors", float64(s.errors), name)
		b.set("restic_step_retries", float64(s.retries), name)
		if !s.bad {
			b.setTime("restic_step_last_success_timestamp_seconds", s.end, name)
		}
	}
	for _, family := range []string{
		"restic_step_duration_seconds", "restic_step_success", "restic_step_errors",
		"restic_step_retries", "restic_step_last_success_timestamp_seconds",
	} {
		b.keepSeries(family, func(labels []string) bool {
			s := steps[parser.Command(labels[0])]
			return s == nil || s.bad && family == "restic_step_last_success_timestamp_seconds"
		})
	}
}

func (s *step) add(run parser.Process, end time.Time) {
	if !run.Start.IsZero() && !end.IsZero() {
		s.timed = true
		s.duration += end.Sub(run.Start)
	}
	if end.After(s.end) {
		s.end = end
	}
	s.errors += run.Errors
	s.retries += run.Retries
}
