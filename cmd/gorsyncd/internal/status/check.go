package status

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"gorsyncd/replicate"
)

// Level is what a plugin of Nagios, Icinga or Zabbix returns.
type Level int

const (
	LevelOK       Level = 0
	LevelWarning  Level = 1
	LevelCritical Level = 2
	LevelUnknown  Level = 3
)

func (l Level) String() string {
	return [...]string{"OK", "WARNING", "CRITICAL", "UNKNOWN"}[l]
}

// Check judges a Status for monitoring, as one line with performance data behind
// a bar (nagios-plugins.org/doc/guidelines). What needs a person is critical, and
// so are a lag of crit or more, a full journal and a daemon that does not run. A
// lag of warn or more is a warning, and so is a pause: somebody may have forgotten
// it. Outside of its window a remote may lag as it likes.
func (s Status) Check(warn, crit time.Duration) (Level, string) {
	level, problems := s.checkAll(warn, crit)
	text := "no remotes"
	switch {
	case len(problems) > 0:
		text = strings.Join(problems, "; ")
	case len(s.Remotes)+len(s.Sinks) > 0:
		text = s.Verdict().String()
	}
	// The bar begins the performance data.
	text = strings.NewReplacer("|", "/", "\n", " ").Replace(text)
	return level, fmt.Sprintf("GORSYNCD %s - %s%s", level, text, s.performance(warn, crit))
}

func (s Status) checkAll(warn, crit time.Duration) (Level, []string) {
	level := LevelOK
	var problems []string
	found := func(l Level, format string, args ...any) {
		text := fmt.Sprintf(format, args...)
		if l > level {
			level = l
			problems = slices.Insert(problems, 0, text) // the worst first
		} else {
			problems = append(problems, text)
		}
	}
	if s.From == FromJournal {
		found(LevelCritical, "the daemon is not running")
	}
	if s.Journal.Waiting != "" {
		found(LevelCritical, "nothing can be journaled: %s", s.Journal.Waiting)
	}
	for _, src := range s.Sources {
		if src.State == held {
			found(LevelCritical, "%s held", src.Name)
		}
	}
	for _, r := range s.rows() {
		lag := seconds(r.LagSeconds)
		switch {
		case r.State == replicate.StateFailing || r.State == replicate.StateHeld:
			found(LevelCritical, "%s %s%s", r.Name, r.State, why(r))
		case r.State == replicate.StateWaiting: // as it was told to
		case lag >= crit:
			found(LevelCritical, "%s %s behind%s", r.Name, Duration(lag), why(r))
		case lag >= warn:
			found(LevelWarning, "%s %s behind%s", r.Name, Duration(lag), why(r))
		case r.State == replicate.StatePaused:
			found(LevelWarning, "%s paused", r.Name)
		}
	}
	return level, problems
}

func why(r replicate.Status) string {
	switch {
	case r.Held != nil:
		return " (" + r.Held.Reason + ")"
	case r.Error != nil:
		return " (" + r.Error.ID + " " + r.Error.Message + ")"
	}
	return ""
}

// performance is what graphs are drawn from.
func (s Status) performance(warn, crit time.Duration) string {
	var b strings.Builder
	for _, r := range s.rows() {
		if b.Len() == 0 {
			b.WriteString(" |")
		}
		name := strings.ReplaceAll(r.Name, "'", "''")
		fmt.Fprintf(&b, " '%s lag'=%.1fs;%.0f;%.0f;0 '%s entries'=%d;;;0", name, r.LagSeconds, warn.Seconds(), crit.Seconds(), name, r.LagEntries)
	}
	return b.String()
}
