package status

import (
	"strings"
	"testing"
	"time"

	"gorsyncd/replicate"
	"gorsyncd/watch"
)

func TestCheck(t *testing.T) {
	remote := func(name string, st replicate.State, lag float64) replicate.Status {
		return replicate.Status{Name: name, State: st, LagSeconds: lag, LagEntries: uint64(lag)}
	}
	with := func(change func(*Status), rs ...replicate.Status) Status {
		s := New(time.Unix(0, 0), FromDaemon)
		s.Remotes = append(s.Remotes, rs...)
		if change != nil {
			change(&s)
		}
		return s
	}
	failing := remote("a/nas", replicate.StateFailing, 1)
	failing.Error = &replicate.StatusError{ID: "E-AUTH", Message: "auth | failed\non module"}
	heldOne := remote("a/dr", replicate.StateHeld, 1)
	heldOne.Held = &replicate.HeldStatus{Reason: "G-MAXDELETE"}
	for _, c := range []struct {
		name string
		s    Status
		want Level
		text string
	}{
		{"in sync", with(nil, remote("a/x", replicate.StateInSync, 0)), LevelOK, "OK - "},
		{"a little behind", with(nil, remote("a/x", replicate.StateSyncing, 59)), LevelOK, "'a/x lag'=59.0s;60;600;0 'a/x entries'=59;;;0"},
		{"behind", with(nil, remote("a/x", replicate.StateRetrying, 60)), LevelWarning, "WARNING - a/x 1m behind"},
		{"far behind", with(nil, remote("a/x", replicate.StateSyncing, 600)), LevelCritical, "CRITICAL - a/x 10m behind"},
		{"outside of its window", with(nil, remote("a/x", replicate.StateWaiting, 36000)), LevelOK, "OK - "},
		{"paused", with(nil, remote("a/x", replicate.StatePaused, 0)), LevelWarning, "a/x paused"},
		{"failing", with(nil, remote("a/x", replicate.StatePaused, 0), failing), LevelCritical, "CRITICAL - a/nas failing (E-AUTH auth / failed on module); a/x paused |"},
		{"held", with(nil, heldOne), LevelCritical, "a/dr held (G-MAXDELETE)"},
		{"a source is held", with(func(s *Status) { s.Sources = []Source{{Name: "a", Status: watch.Status{State: held}}} }), LevelCritical, "a held"},
		{"down", with(func(s *Status) { s.From = FromJournal }, remote("a/x", replicate.StateInSync, 0)), LevelCritical, "not running"},
		{"full", with(func(s *Status) { s.Journal.Waiting = "no space" }), LevelCritical, "no space"},
		{"nothing", with(nil), LevelOK, "no remotes"},
		{"a quote", with(nil, remote("a/x'y", replicate.StateInSync, 0)), LevelOK, "'a/x''y lag'"},
	} {
		level, line := c.s.Check(time.Minute, 10*time.Minute)
		if level != c.want || !strings.Contains(line, c.text) || strings.ContainsAny(line, "\n") || strings.Count(line, "|") > 1 {
			t.Errorf("%s: %v, %s, want %v with %s", c.name, level, line, c.want, c.text)
		}
	}
}
