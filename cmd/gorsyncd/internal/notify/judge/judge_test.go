package judge

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"gorsyncd/cmd/gorsyncd/internal/notify"
	"gorsyncd/cmd/gorsyncd/internal/sink"
	"gorsyncd/cmd/gorsyncd/internal/status"
	"gorsyncd/replicate"
	"gorsyncd/watch"
)

// healthy is a status of one source, two remotes and a sink.
func healthy() *status.Status {
	s := status.New(time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC), status.FromDaemon)
	s.Daemon = &status.Daemon{UptimeSeconds: 3600}
	s.Journal.MaxBytes = 1000
	s.Sources = []status.Source{{Name: "www", Status: watch.Status{State: watch.StateWatching}}}
	s.Remotes = []replicate.Status{{Name: "www/nas", Source: "www", Remote: "nas", State: replicate.StateInSync}, {Name: "www/dr", Source: "www", Remote: "dr", State: replicate.StateSyncing}}
	s.Sinks = []sink.Status{{Name: "www/hook", Source: "www", Sink: "hook", State: replicate.StateInSync}}
	return &s
}

// ill lists what is wrong, as "subject kind"; what cannot be told has a ?.
func ill(v notify.View) string {
	var out []string
	for _, s := range v.Sights {
		switch s.Health {
		case notify.Ill:
			out = append(out, s.Subject+" "+string(s.Condition.Kind))
		case notify.Unknown:
			out = append(out, s.Subject+" "+s.Aspect+"?")
		}
	}
	return strings.Join(out, ", ")
}

func TestWhatIsWrong(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 30, 11, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		change func(*status.Status)
		want   string
		beat   string // why it is withheld
	}{
		"nothing":  {func(*status.Status) {}, "", ""},
		"retrying": {func(s *status.Status) { s.Remotes[0].State = replicate.StateRetrying }, "www/nas retrying", ""},
		"failing":  {func(s *status.Status) { s.Remotes[0].State = replicate.StateFailing }, "www/nas failing", "www/nas is failing"},
		"held": {func(s *status.Status) {
			s.Remotes[0].State, s.Remotes[0].Held = replicate.StateHeld, &replicate.HeldStatus{Reason: "G-MAXDELETE would delete 9 paths", Since: at}
		}, "www/nas held, www/nas lag?", "www/nas is held"},
		"diverged": {func(s *status.Status) {
			s.Remotes[0].State, s.Remotes[0].Error = replicate.StateFailing, &replicate.StatusError{ID: "E-DIVERGED", Message: "3 paths differ"}
		}, "www/nas diverged", "www/nas is failing"},
		"lagging":            {func(s *status.Status) { s.Remotes[1].LagSeconds = 601 }, "www/dr lagging", "www/dr is further behind than max_lag"},
		"not lagging":        {func(s *status.Status) { s.Remotes[1].LagSeconds = 599 }, "", ""},
		"paused":             {func(s *status.Status) { s.Remotes[0].State = replicate.StatePaused }, "www/nas state?, www/nas lag?", ""},
		"paused for long":    {func(s *status.Status) { s.Remotes[0].State, s.Remotes[0].LagSeconds = replicate.StatePaused, 1e6 }, "www/nas state?, www/nas lag?", "www/nas is further behind than max_lag"},
		"outside its window": {func(s *status.Status) { s.Remotes[0].State, s.Remotes[0].LagSeconds = replicate.StateWaiting, 1e6 }, "www/nas state?, www/nas lag?", ""},
		"starting":           {func(s *status.Status) { s.Remotes[0].State = replicate.StateStarting }, "www/nas state?, www/nas lag?", "www/nas is starting"},
		"first scan":         {func(s *status.Status) { s.Sources[0].State = watch.StateScanning }, "www watch?", "source www is being scanned for the first time since the start"},
		"later scan":         {func(s *status.Status) { s.Sources[0].State, s.Sources[0].Scans = watch.StateScanning, 1 }, "www watch?", ""},
		"full sync":          {func(s *status.Status) { s.Remotes[0].State = replicate.StateFullSync }, "", ""},
		"source held": {func(s *status.Status) { s.Sources[0].State, s.Sources[0].Held = watch.StateHeld, "the source is empty" },
			"www/nas state?, www/nas lag?, www/dr state?, www/dr lag?, www/hook lag?, www held", "source www is held"},
		"sink":         {func(s *status.Status) { s.Sinks[0].State = replicate.StateFailing }, "www/hook sink", ""},
		"sink lagging": {func(s *status.Status) { s.Sinks[0].LagSeconds = 700 }, "www/hook lagging", ""},
		"unwatched":    {func(s *status.Status) { s.Sources[0].Unwatched = 7 }, "www watch", ""},
		"journal full": {func(s *status.Status) { s.Journal.Waiting = "no space left on device" }, "journal journal", "nothing can be journaled"},
		"journal near": {func(s *status.Status) { s.Journal.SizeBytes = 901 }, "journal journal", ""},
		"reload":       {func(s *status.Status) { s.Daemon.LastReloadError, s.Daemon.LastReload = "g.yaml:1:1: what?\nline", &at }, "gorsyncd reload", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := healthy()
			c.change(s)
			v := New(Options{MaxLag: 10 * time.Minute}).Look(0, s, Daemon{})
			if got := ill(v); got != c.want {
				t.Errorf("wrong is %q, want %q", got, c.want)
			}
			if v.Beat.OK != (c.beat == "") || v.Beat.Why != c.beat {
				t.Errorf("heartbeat %+v, want %q", v.Beat, c.beat)
			}
		})
	}
}

func TestConditionsSayWhatToDo(t *testing.T) {
	t.Parallel()
	s := healthy()
	s.Remotes[0].State, s.Remotes[0].Held = replicate.StateHeld, &replicate.HeldStatus{Reason: "G-MAXDELETE would delete 9 paths", Since: s.Time.Add(-time.Hour)}
	s.Remotes[1].State, s.Remotes[1].Error = replicate.StateFailing, &replicate.StatusError{ID: "E-DEST-PERM", Message: "Permission\ndenied \x1b[2J", Hint: "chmod it", Path: "a\x1b/b", Attempts: 7}
	s.Remotes[1].Failing = 3
	v := New(Options{}).Look(0, s, Daemon{})
	if c := v.Sights[0].Condition; c.ID != "G-MAXDELETE" || c.Text != "would delete 9 paths" || c.Command != "gorsyncd approve www/nas" || !c.Since.Equal(s.Time.Add(-time.Hour)) {
		t.Errorf("%+v", c)
	}
	c := v.Sights[2].Condition
	if c.ID != "E-DEST-PERM" || c.Hint != "chmod it" || strings.ContainsAny(c.Text, "\n\x1b") || !strings.Contains(c.Text, "3 paths failing") {
		t.Errorf("%+v", c)
	}
}

// TestOverflow: events were lost once, which a scan has made good: it is told, and is
// over after a while.
func TestOverflow(t *testing.T) {
	t.Parallel()
	j, s := New(Options{}), healthy()
	s.Sources[0].Overflows = 5 // before anybody looked
	at := func(elapsed time.Duration) string { return ill(j.Look(elapsed, s, Daemon{})) }
	if got := at(0) + at(time.Minute); got != "" {
		t.Errorf("at first %s", got)
	}
	s.Sources[0].Overflows = 6
	if got := at(time.Second); got != "www watch" {
		t.Errorf("then %q", got)
	}
	if got := at(settled - time.Second); got != "www watch" {
		t.Errorf("a while later %q", got)
	}
	if got := at(time.Minute); got != "" {
		t.Errorf("at last %q", got)
	}
}

func TestCrash(t *testing.T) {
	t.Parallel()
	s := healthy()
	s.Daemon.UptimeSeconds = 5
	v := New(Options{}).Look(0, s, Daemon{Crashed: "it was killed"})
	if got := ill(v); got != "gorsyncd crash" || !v.Sights[len(v.Sights)-1].Condition.AtOnce {
		t.Errorf("%s %+v", got, v.Sights)
	}
	s.Daemon.UptimeSeconds = 3600
	if got := ill(New(Options{}).Look(0, s, Daemon{Crashed: "it was killed"})); got != "" {
		t.Errorf("an hour later: %s", got)
	}
}

func TestSelection(t *testing.T) {
	t.Parallel()
	s := healthy()
	for i := range 3 {
		name := fmt.Sprintf("bbs/nas%d", i)
		s.Remotes = append(s.Remotes, replicate.Status{Name: name, Source: "bbs", Remote: name[4:], State: replicate.StateFailing})
	}
	s.Sources = append(s.Sources, status.Source{Name: "bbs", Status: watch.Status{State: watch.StateHeld, Held: "why"}})
	for patterns, want := range map[string]string{
		"":             "bbs/nas0 failing, bbs/nas0 lag?, bbs/nas1 failing, bbs/nas1 lag?, bbs/nas2 failing, bbs/nas2 lag?, bbs held",
		"www/*":        "",
		"bbs/nas1":     "bbs/nas1 failing, bbs/nas1 lag?, bbs held",
		"bbs":          "bbs/nas0 failing, bbs/nas0 lag?, bbs/nas1 failing, bbs/nas1 lag?, bbs/nas2 failing, bbs/nas2 lag?, bbs held",
		"nas2":         "bbs/nas2 failing, bbs/nas2 lag?, bbs held",
		"*/nas0 www/*": "bbs/nas0 failing, bbs/nas0 lag?, bbs held",
		"*/nas*":       "bbs/nas0 failing, bbs/nas0 lag?, bbs/nas1 failing, bbs/nas1 lag?, bbs/nas2 failing, bbs/nas2 lag?, bbs held",
	} {
		if got := ill(New(Options{Remotes: strings.Fields(patterns)}).Look(0, s, Daemon{})); got != want {
			t.Errorf("%s: %q, want %q", patterns, got, want)
		}
	}
}

// TestNoBeatOfWhatIsNotKnown: a status may be what was known long ago.
func TestNoBeatOfWhatIsNotKnown(t *testing.T) {
	t.Parallel()
	s := healthy()
	look := func(o Options, why string) notify.Beat {
		return New(o).Look(0, s, Daemon{Unknown: func(source string) string {
			if source == "www" {
				return why
			}
			return ""
		}}).Beat
	}
	if b := look(Options{}, ""); !b.OK {
		t.Errorf("all is known: %+v", b)
	}
	if b := look(Options{}, "the daemon hangs"); b.OK || b.Starting || b.Why != "www/nas is not known: the daemon hangs" {
		t.Errorf("it hangs: %+v", b)
	}
	s.Remotes = append(s.Remotes, replicate.Status{Name: "bbs/nas", Source: "bbs", Remote: "nas", State: replicate.StateInSync})
	if b := look(Options{Remotes: []string{"bbs/*"}}, "source www does not answer"); !b.OK {
		t.Errorf("that one is known: %+v", b)
	}
	if b := look(Options{Remotes: []string{"ww/*"}}, ""); b.OK {
		t.Errorf("a heartbeat of nothing: %+v", b)
	}
}

// TestWhatAWantOfInstancesNeeds: nobody can approve that.
func TestWhatAWantOfInstancesNeeds(t *testing.T) {
	t.Parallel()
	s := healthy()
	s.Sources[0].State, s.Sources[0].Held, s.Sources[0].Hints = watch.StateHeld, "no inotify instance: too many open files", []string{"raise it"}
	for _, sight := range New(Options{}).Look(0, s, Daemon{}).Sights {
		if c := sight.Condition; sight.Subject == "www" && sight.Health == notify.Ill && (c.Hint != "raise it" || c.Command != "gorsyncd doctor") {
			t.Errorf("%+v", c)
		}
	}
	s.Sources[0].Held = "its root is empty"
	for _, sight := range New(Options{}).Look(0, s, Daemon{}).Sights {
		if c := sight.Condition; sight.Subject == "www" && sight.Health == notify.Ill && c.Command != "gorsyncd approve 'www/*'" {
			t.Errorf("%+v", c)
		}
	}
}
