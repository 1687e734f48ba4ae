package watch

import (
	"context"
	"time"

	"golang.org/x/sys/unix"
)

// Intervals and sizes of the loop.
const (
	tickEvery  = time.Second           // root, mounts, requests of rounds
	roundEvery = 10 * time.Second      // looks at what has no watch; at least, see round
	batchSize  = 1000                  // observations passed to the index at once
	maxFlaps   = 20                    // a second, for one directory
	scanTurn   = 50 * time.Millisecond // that scans get of a step with looks, at most
)

// requests are what other goroutines ask of the loop.
type requests struct {
	rescan  []string
	approve bool
}

func (t *Tree) signal() { notify(t.wake) }

// loop runs steps while there is something to do and sleeps until an event, a
// request or the next due time.
func (t *Tree) loop(ctx context.Context) error {
	defer t.endFences()
	defer t.o.Life.Done()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		t.o.Life.Round()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		busy, err := t.step(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return err
		}
		t.publish()
		if busy {
			continue
		}
		left := max(t.nextDue()-t.now(), 0)
		if left < runtimeTick {
			t.doze(ctx, left)
			continue
		}
		timer.Reset(left)
		select {
		case <-ctx.Done():
		case <-t.events.wake:
			t.rest(ctx)
		case <-t.wake:
		case <-timer.C:
		}
	}
}

// runtimeTick is what Go's runtime rounds shorter waits up to where nothing else
// runs: it waits for them in epoll_wait(2), by the millisecond (netpoll in
// runtime/netpoll_epoll.go). A file that was closed is due in half of that.
const runtimeTick = time.Millisecond

// doze waits for less than runtimeTick. Nothing ends it early; what would have is
// heeded after it, or the wakes of a stream of events would not show.
func (t *Tree) doze(ctx context.Context, d time.Duration) {
	if d > 0 {
		ts := unix.NsecToTimespec(int64(d))
		_ = unix.Nanosleep(&ts, nil) // a signal ends it: then the loop comes here again
	}
	select {
	case <-t.events.wake:
		t.rest(ctx)
	default:
	}
}

// nextDue is when step has something to do if nothing happens before.
func (t *Tree) nextDue() time.Duration {
	next := t.nextTick
	if t.heldRoot != "" {
		return next
	}
	if at, ok := t.co.next(); ok {
		next = min(next, at)
	}
	if t.doubt.raised {
		next = min(next, max(t.doubt.next, 0))
	}
	if at, ok := t.confirms.next(); ok {
		next = min(next, at)
	}
	return next
}

// step does a bounded piece of work: what is due to be looked at, then a part
// of a pending scan, so that live changes overtake a long scan.
func (t *Tree) step(ctx context.Context) (busy bool, err error) {
	if err := t.takeEvents(); err != nil {
		return false, err
	}
	if err := t.takeRequests(ctx); err != nil {
		return false, err
	}
	if t.now() >= t.nextTick {
		if err := t.tick(ctx); err != nil {
			return false, err
		}
		t.nextTick = t.now() + untilTick(time.Now())
	}
	if t.heldRoot != "" {
		t.settleFences()
		return false, nil
	}
	t.answerDoubt()
	start := t.now()
	looked, err := t.looks(ctx)
	if err != nil {
		return false, err
	}
	scanned, err := t.scanFor(ctx, min(t.now()-start, scanTurn))
	if err != nil {
		return false, err
	}
	confirmed, err := t.confirm(ctx)
	if err != nil {
		return false, err
	}
	t.settleFences()
	if !looked && !scanned && t.co.pending == 0 && !t.scans.busy() {
		t.away.idle(t.again)
	}
	return looked || scanned || confirmed, nil
}

// untilTick is the time until the next full second. The ticks of all trees of a
// process fall together, so that it sleeps in between however many there are.
func untilTick(now time.Time) time.Duration {
	d := tickEvery - time.Duration(now.Nanosecond())
	if d < tickEvery/10 {
		d += tickEvery // a timer that fired a little early
	}
	return d
}

// takeRequests serves Rescan and Approve.
func (t *Tree) takeRequests(ctx context.Context) error {
	t.mu.Lock()
	r := t.requests
	t.requests = requests{}
	t.mu.Unlock()
	if r.approve {
		if err := t.approve(ctx); err != nil {
			return err
		}
	}
	if t.heldRoot != "" {
		return nil // the release scans everything
	}
	for _, p := range r.rescan {
		if p == "" {
			t.lostScan(suspects{})
			continue
		}
		if n := t.w.find(p); n != nil {
			n.stale = true
		}
		t.co.addNow(p, hintName, t.now(), 0)
	}
	return nil
}

// tick does what no event tells: the root and the mounts are compared, and
// from time to time what has no watch is scanned.
func (t *Tree) tick(ctx context.Context) error {
	clear(t.flaps)
	if err := t.checkRoot(ctx); err != nil || t.heldRoot != "" {
		return err
	}
	if err := t.checkMounts(ctx); err != nil || t.heldRoot != "" {
		return err
	}
	if err := t.rememberMounts(ctx); err != nil {
		return err
	}
	if t.now() >= t.nextRound {
		t.round()
	}
	return nil
}

// round looks again at everything whose changes cause no events here:
// directories above the limit of watches, file systems of other hosts, and
// paths that could not be read.
func (t *Tree) round() {
	t.nextRound = t.now() + t.every
	if len(t.w.missing)+len(t.polled)+len(t.again)+len(t.links) == 0 {
		return
	}
	if t.scans.busy() {
		return // of this round or of a full scan
	}
	if len(t.links) > 0 {
		t.fullScan(suspects{})
	}
	t.scanSilent(func(took time.Duration) {
		t.nextRound = max(t.nextRound, t.now()+10*took) // at most a tenth of the time
	})
}

// scanSilent scans the directories whose changes cause no events here, and
// looks again at what could not be judged.
func (t *Tree) scanSilent(done func(took time.Duration)) {
	g := t.scans.group(done, t.now())
	for n := range t.w.missing {
		t.scans.push(scan{rel: n.path(), key: n.key, group: g})
	}
	for p := range t.polled {
		if n := t.w.find(p); n != nil {
			t.scans.push(scan{rel: p, key: n.key, deep: true, group: g})
		}
	}
	if len(t.again) >= maxAgain {
		t.fullScan(suspects{}) // there were more
	}
	for p := range t.again {
		t.co.addNow(p, hintName, t.now(), 0)
		if n := t.w.find(p); n != nil {
			n.stale = true
		}
	}
	clear(t.again)
	g.close(t.now())
}
