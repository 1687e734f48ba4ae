package daemon

import (
	"testing"
	"time"
)

// fullClock asks a fullRounds round by round, as upkeep does.
type fullClock struct {
	f        fullRounds
	now      time.Time
	schedule string
	ended    time.Time
	running  bool
	started  []time.Duration // since the beginning
	begun    time.Time
}

func newFullClock(schedule string) *fullClock {
	begun := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	return &fullClock{now: begun, begun: begun, schedule: schedule}
}

func (c *fullClock) run(d time.Duration) {
	for end := c.now.Add(d); c.now.Before(end); {
		c.now = c.now.Add(upkeepEvery)
		if c.f.due("www/nas", c.schedule, c.now, func() (time.Time, bool) { return c.ended, c.running }) {
			c.started = append(c.started, c.now.Sub(c.begun).Round(time.Minute))
			c.ended = c.now
			c.f.served("www/nas", c.schedule, c.now)
		}
	}
}

func (c *fullClock) want(t *testing.T, list ...time.Duration) {
	t.Helper()
	if len(c.started) != len(list) {
		t.Fatalf("started after %v, want %v", c.started, list)
	}
	for i := range list {
		if c.started[i] != list[i] {
			t.Errorf("started after %v, want %v", c.started, list)
		}
	}
}

// TestFullSyncEvery: an interval, which no single round contains.
func TestFullSyncEvery(t *testing.T) {
	c := newFullClock("@every 12h")
	c.run(37 * time.Hour)
	c.want(t, 12*time.Hour, 24*time.Hour, 36*time.Hour)
}

func TestFullSyncAtATime(t *testing.T) {
	c := newFullClock("30 14 * * *")
	c.run(28 * time.Hour)
	c.want(t, 150*time.Minute, 24*time.Hour+150*time.Minute)
}

// TestFullSyncMissed: what fell due while nobody ran is made up for, once.
func TestFullSyncMissed(t *testing.T) {
	c := newFullClock("30 2 * * *")
	c.ended = c.begun.Add(-80 * time.Hour)
	c.run(time.Hour)
	c.want(t, 0)
	c = newFullClock("@every 24h")
	c.ended = c.begun.Add(-23 * time.Hour)
	c.run(2 * time.Hour)
	c.want(t, time.Hour)
}

// TestFullSyncUnderWay serves for what falls due meanwhile.
func TestFullSyncUnderWay(t *testing.T) {
	c := newFullClock("@every 1h")
	c.running = true
	c.run(90 * time.Minute)
	c.want(t)
	c.running = false
	c.run(time.Hour)
	c.want(t, 2*time.Hour)
}

func TestFullSyncScheduleChanges(t *testing.T) {
	c := newFullClock("@every 10h")
	c.run(time.Hour)
	c.schedule = "@every 1h"
	c.run(90 * time.Minute)
	c.want(t, 2*time.Hour)
	c.schedule = ""
	c.run(5 * time.Hour)
	c.want(t, 2*time.Hour)
}

func TestFullSyncClockSetBack(t *testing.T) {
	c := newFullClock("@every 1h")
	c.run(30 * time.Minute)
	c.now = c.now.Add(-365 * 24 * time.Hour)
	c.begun = c.now
	c.run(70 * time.Minute)
	c.want(t, time.Hour)
}
