package replicate

import (
	"context"
	"fmt"
	"time"
)

// Pause stops sending until Resume or, unless it is zero, until the given
// time. What is under way ends by itself. The journal goes on.
func (d *Dispatcher) Pause(ctx context.Context, reason string, until time.Time) error {
	return d.persist(ctx, func() {
		d.state.Paused, d.state.PauseReason, d.state.PausedUntil = true, reason, until
		d.update.state = true
		d.log.Info("paused", "reason", reason)
	})
}

// Resume ends a pause. It is no error when there is none.
func (d *Dispatcher) Resume(ctx context.Context) error {
	return d.persist(ctx, d.resume)
}

func (d *Dispatcher) resume() {
	if !d.state.Paused {
		return
	}
	d.state.Paused, d.state.PauseReason, d.state.PausedUntil = false, "", time.Time{}
	d.update.state = true
	d.log.Info("resumed")
}

func (d *Dispatcher) resumeWhenDue(now time.Time) {
	if u := d.state.PausedUntil; d.state.Paused && !u.IsZero() && !now.Before(u) {
		d.resume()
	}
}

// hold stops sending until Approve.
func (d *Dispatcher) hold(reason string, now time.Time) {
	if d.state.Held == "" {
		d.state.HeldSince = now
		d.o.Observer.Health(now, "G-MAXDELETE")
		d.log.Error("held", "error_id", "G-MAXDELETE", "message", reason)
	}
	if d.state.Held != reason {
		d.state.Held = reason
		d.update.state = true
	}
}

// maxDeleteReason counts what may have been moved as removed until that is known.
func maxDeleteReason(n, limit uint64) string {
	return fmt.Sprintf("G-MAXDELETE would delete %d paths within a minute (limit %d)", n, limit)
}

// Approve lets a held remote go on: all removals journaled up to now pass the
// guard, and so do those of a full sync under way. A local target that is at
// another place than before (E-PLACE) is accepted as it is. It is no error when
// there is nothing to approve.
func (d *Dispatcher) Approve(ctx context.Context) error {
	place := presentPlace(d.o.Target) // may wait for a disk, which Run must not
	return d.persist(ctx, func() {
		d.state.Held, d.state.HeldSince = "", time.Time{}
		d.state.Approved = max(d.state.Approved, d.o.Feed.Head())
		d.guard.reset()
		if d.full != nil {
			d.full.allowed = true
		}
		d.acceptPlace(place, time.Now())
		d.update.state = true
		d.log.Info("approved", "seq", d.state.Approved)
	})
}

// RetryNow ends the back-off of the remote and of the given paths with all
// below them; no paths means all, and another look at what the remote keeps.
func (d *Dispatcher) RetryNow(paths []string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	// The only error is that Run is not running, and then nothing waits.
	_ = d.do(ctx, func() { d.retryNow(paths, time.Now()) })
}

func (d *Dispatcher) retryNow(paths []string, now time.Time) {
	if d.breaker.open() {
		d.breaker.until = now
	}
	if d.full != nil {
		d.full.hurry(paths, now)
	}
	if len(paths) == 0 {
		d.probeSoon(now)
	}
	for _, e := range d.retries.byPath {
		if len(paths) == 0 || within(e.Path, paths) {
			rec := e.Retry
			rec.Next = now
			d.keepRetry(rec)
		}
	}
}

// within tells whether a path is one of the given ones or below one.
func within(path string, paths []string) bool {
	for _, p := range paths {
		if path == p || isBelow(path, p) {
			return true
		}
	}
	return false
}
