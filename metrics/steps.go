package metrics

import (
	"maps"
	"time"

	"github.com/restic-exporter/restic-exporter/invocation"
	"github.com/restic-exporter/restic-exporter/parser"
)

var (
	backupDuration  = gauge("restic_backup_duration_seconds", "Time from the first to the last log line of the action in the last run.", thisRun, "action")
	stepDuration    = gauge("restic_step_duration_seconds", "Time from the first to the last log line of the step, summed over its processes.", keptUntilOfEach(stepRan), "step")
	stepSuccess     = gauge("restic_step_success", "Whether the step completed successfully (1) or not (0) when it last ran.", keptUntilOfEach(stepRan), "step")
	stepErrors      = gauge("restic_step_errors", "Number of errors that the step logged when it last ran.", keptUntilOfEach(stepRan), "step")
	stepRetries     = gauge("restic_step_retries", "Number of repository operations that the step retried when it last ran.", keptUntilOfEach(stepRan), "step")
	stepLastSuccess = gauge("restic_step_last_success_timestamp_seconds", "Unix time at which the step last completed successfully.", timeKeptUntilOfEach(stepSucceeded), "step")
)

// actions adds the durations of actions, which the shell exporter has, too.
func (b *builder) actions() {
	durations := make(map[string]time.Duration)
	for _, span := range b.run.Spans {
		if action, ok := b.options.Actions[span.Source]; ok && !span.Start.IsZero() {
			durations[action] += span.Duration()
		}
	}
	// The action of a script takes precedence, because it includes the restic that
	// the script calls.
	scripts := maps.Clone(durations)
	for _, p := range b.run.Processes {
		action := string(p.Command)
		_, given := b.options.Actions[p.Source]
		_, script := scripts[action]
		switch p.Command {
		case parser.CommandBackup, parser.CommandForget, parser.CommandPrune, parser.CommandCheck:
			if !given && !script && !p.Start.IsZero() {
				durations[action] += p.End.Sub(p.Start)
			}
		}
	}
	for action, d := range durations {
		b.set(backupDuration, elapsed(d), action)
	}
}

// A step sums up all processes of one command.
type step struct {
	bad, timed bool
	unclear    bool // something was not understood, which may have been an error
	duration   time.Duration
	end        time.Time
	errors     int
	retries    int
}

// steps adds the metrics of restic's commands.
func (b *builder) steps() {
	steps := make(map[parser.Command]*step)
	at := func(c parser.Command) *step {
		if steps[c] == nil {
			steps[c] = new(step)
		}
		return steps[c]
	}
	for _, p := range b.run.Processes {
		switch p.Command {
		case parser.CommandBackup, parser.CommandForget, parser.CommandPrune, parser.CommandCheck:
		case "":
			continue
		default:
			if !p.Done && p.Fatal == "" && !p.Unfinished {
				continue // not every release prints how these end
			}
		}
		if !p.Done && p.Fatal == "" && (p.SyntaxErrors > 0 ||
			b.run.Outcome == invocation.Succeeded && (p.Command != parser.CommandBackup || !p.Unfinished || b.run.Dropped > 0)) {
			// Whether it succeeded is unknown: it was quiet or not understood, or
			// journald dropped a part of the log.
			continue
		}
		if p.Command == parser.CommandCheck && keptOut(p.Cause) {
			continue // it never looked at the repository: a success of 0 would be taken for damage
		}
		s := at(p.Command)
		s.add(p, p.End)
		s.bad = s.bad || !p.Done
		if p.Command == parser.CommandPrune && p.Forget != nil {
			// "forget --prune" counts as a prune and as a forget.
			f := at(parser.CommandForget)
			until := p.Forget.End
			if until.IsZero() {
				until = p.End
			}
			f.add(parser.Process{Start: p.Start}, until)
			f.bad = f.bad || p.Forget.Failed > 0
		}
	}

	for c, s := range steps {
		name := string(c)
		b.happens(stepRan, name)
		if s.timed {
			b.set(stepDuration, elapsed(s.duration), name)
		}
		b.set(stepSuccess, truth(!s.bad), name)
		if !s.unclear {
			b.set(stepErrors, float64(s.errors), name)
		}
		b.set(stepRetries, float64(s.retries), name)
		if !s.bad {
			b.happens(stepSucceeded, name)
			b.setTime(stepLastSuccess, s.end, name)
		}
	}
}

// keptOut reports whether cause keeps a process out of the repository.
func keptOut(cause parser.Cause) bool {
	switch cause {
	case parser.CauseLocked, parser.CausePassword, parser.CauseNoRepository, parser.CauseNoAccess, parser.CauseNetwork:
		return true
	}
	return false
}

func (s *step) add(p parser.Process, end time.Time) {
	if !p.Start.IsZero() && !end.IsZero() {
		s.timed = true
		s.duration += end.Sub(p.Start)
	}
	if end.After(s.end) {
		s.end = end
	}
	s.unclear = s.unclear || p.SyntaxErrors > 0
	s.errors += p.Errors
	s.retries += p.Retries
}
