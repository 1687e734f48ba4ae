package watch

import (
	"context"
	"time"
)

const (
	// A stream begins when the loop was woken more than streamWakes times at more
	// than streamRate a second, and lasts as long as so many events a second come.
	streamWakes = 15
	streamRate  = 10
	// In a stream the loop rests for a restShare-th of the time that it has
	// lasted, at most loopRest, unless restEvents have gathered. So does the reader
	// of fanotify, for at most readRest.
	restShare  = 8
	loopRest   = 200 * time.Millisecond
	readRest   = 50 * time.Millisecond
	restEvents = 200
)

// pace notices that events come all the time, one after the other. A step of its
// own for each costs many times what looking at one path more costs in another
// step: threads are woken, the root is opened, a commit is written. Single events,
// and bursts, never wait for it. It has no clock: times are durations since any
// fixed moment. The zero value is no stream.
type pace struct {
	most   time.Duration // of a rest
	last   time.Duration // of the last wake
	level  float64       // wakes of late, less streamRate a second
	on     bool          // there is a stream
	since  time.Duration // when it began
	second time.Duration // the one that is counted
	events uint64        // in all, at its begin
}

// woken counts a wake. events is how many have come so far.
func (p *pace) woken(now time.Duration, events uint64) {
	p.roll(now, events)
	p.level = max(0, p.level-streamRate*(now-p.last).Seconds()) + 1
	p.last = now
	if !p.on && p.level > streamWakes {
		p.on, p.since, p.second, p.events = true, now, now, events
	}
}

// roll ends the stream after a second with few events.
func (p *pace) roll(now time.Duration, events uint64) {
	over := now - p.second
	if !p.on || over < time.Second {
		return
	}
	if over >= 2*time.Second || events-p.events < streamRate {
		p.on, p.level = false, 0
	}
	p.second, p.events = now, events
}

// rest is for how long to let more events gather.
func (p *pace) rest(now time.Duration, events uint64) time.Duration {
	p.roll(now, events)
	if !p.on {
		return 0
	}
	return min((now-p.since)/restShare, p.most)
}

// rest lets events gather in a stream of them. Nobody who asks the loop for
// something, or waits for a fence, waits for that.
func (t *Tree) rest(ctx context.Context) {
	t.mu.Lock()
	waited := len(t.fences) > 0
	t.mu.Unlock()
	t.events.mu.Lock()
	n := t.received + t.events.received
	t.events.mu.Unlock()
	t.pace.woken(t.now(), n)
	d := t.pace.rest(t.now(), n)
	if d <= 0 || waited {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select { // before a step, which heeds whatever ends it
	case <-ctx.Done():
	case <-t.events.many:
	case <-t.wake:
	case <-timer.C:
	}
}
