package replicate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// answerTime is how long a wait that is over asks what was in its way. A remote
// whose source hangs does not answer.
const answerTime = 2 * time.Second

// BlockedError says what is in the way of a wait.
type BlockedError struct {
	Remote  string       // source/name
	State   State        // of the remote
	Pending uint64       // entries, or paths among those asked for, not there yet
	Failing int          // of them, in the retry set
	Paths   []string     // some of them
	Last    *StatusError // the remote's or one path's trouble, or nil
	Reason  string       // held, paused or full sync, in words; "" otherwise
	Cause   error        // why the wait ended: the context's error
}

func (e *BlockedError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %d entries behind", e.Remote, e.Pending)
	if e.Reason != "" {
		fmt.Fprintf(&b, ", %s", e.Reason)
	}
	if e.Last != nil {
		fmt.Fprintf(&b, ", %s %s", e.Last.ID, e.Last.Message)
	}
	if len(e.Paths) > 0 {
		fmt.Fprintf(&b, " (%q)", e.Paths)
	}
	return b.String()
}

func (e *BlockedError) Unwrap() error { return e.Cause }

// waiter is a wait under way.
type waiter struct {
	seq    uint64
	paths  []string
	met    bool   // everything is done; only the commit is awaited
	commit uint64 // number of that commit
	done   chan error
	gone   atomic.Bool // nobody waits any more
}

// WaitFor returns nil as soon as everything journaled up to seq is durably
// acknowledged, or just the given paths with all below them: nothing of it is
// queued, in flight or in the retry set, and no full sync that could touch it
// is needed. When ctx ends first it returns a *BlockedError.
func (d *Dispatcher) WaitFor(ctx context.Context, seq uint64, paths []string) error {
	w := &waiter{seq: seq, paths: paths, done: make(chan error, 1)}
	blocked := d.unanswered()
	if err := d.do(ctx, func() { d.waiters = append(d.waiters, w) }); err != nil {
		blocked.Cause = err
		return blocked
	}
	select {
	case err := <-w.done:
		return err
	case <-d.stopped:
		blocked.Cause = ErrStopped
		return blocked
	case <-ctx.Done():
	}
	// What is in the way is asked for after the deadline, hence without it.
	ask, cancel := context.WithTimeout(context.WithoutCancel(ctx), answerTime)
	defer cancel()
	err := d.do(ask, func() { blocked = d.blocked(w) })
	w.gone.Store(true)
	if err != nil {
		blocked = d.unanswered()
	}
	blocked.Cause = ctx.Err()
	if errors.Is(err, ErrStopped) {
		blocked.Cause = err
	}
	select {
	case err := <-w.done:
		return err
	default:
		return blocked
	}
}

// unanswered is what can be said of a wait without asking the goroutine of Run.
func (d *Dispatcher) unanswered() *BlockedError {
	e := &BlockedError{Remote: d.o.Source + "/" + d.o.Name, State: StateStarting}
	if s := d.last.Load(); s != nil {
		e.State, e.Pending, e.Failing, e.Last = s.State, s.LagEntries, s.Failing, s.Error
	}
	return e
}

// answerWaiters ends the waits that are over.
func (d *Dispatcher) answerWaiters() {
	d.waiters = slices.DeleteFunc(d.waiters, func(w *waiter) bool {
		if w.gone.Load() {
			return true
		}
		if !w.met && !d.clear(w) {
			return false
		}
		if !w.met {
			w.met, w.commit = true, d.update.settled()
		}
		if d.update.finished < w.commit {
			return false
		}
		w.done <- nil
		return true
	})
}

// clear tells whether nothing is in the way of a wait.
func (d *Dispatcher) clear(w *waiter) bool {
	// An entry that was waited for may have been replaced by a newer one before
	// it was read, so that only the newest tell whether anything is left of it.
	if d.ledger.read < max(w.seq, d.o.Feed.Head()) {
		return false
	}
	if d.full != nil && (len(w.paths) == 0 || slices.ContainsFunc(w.paths, d.full.touches)) {
		return false
	}
	if len(w.paths) == 0 && (d.retries.len() > 0 || d.probe.running) {
		return false
	}
	n, _ := d.inTheWay(w, 1)
	return n == 0
}

// touches tells whether a full sync may still change something at, below or
// above a path.
func (f *fullSync) touches(path string) bool { return f.covers(path) || isBelow(f.rec.Sub, path) }

// inTheWay lists the paths a wait is for that are not there yet, up to a limit.
func (d *Dispatcher) inTheWay(w *waiter, limit int) (n uint64, failing int) {
	for it := range d.unacked() {
		if it.First <= w.seq && w.concerns(it.Path) {
			if n++; int(n) >= limit {
				return n, failing
			}
		}
	}
	for path := range d.retries.byPath {
		if w.concerns(path) {
			failing++
			if n++; int(n) >= limit {
				return n, failing
			}
		}
	}
	return n, failing
}

// concerns tells whether a path matters to a wait: those asked for, those
// below, and those above, which may have to be made first.
func (w *waiter) concerns(path string) bool {
	if len(w.paths) == 0 {
		return true
	}
	return slices.ContainsFunc(w.paths, func(p string) bool {
		return p == path || isBelow(path, p) || isBelow(p, path)
	})
}

// unacked yields the items that are queued or in flight.
func (d *Dispatcher) unacked() func(yield func(*Item) bool) {
	return func(yield func(*Item) bool) {
		for it := range d.queue.all() {
			if !yield(it) {
				return
			}
		}
		for _, b := range d.flights {
			for _, it := range b.Items {
				if !b.Retry && !yield(it) {
					return
				}
			}
		}
	}
}

// blocked describes what is in the way.
func (d *Dispatcher) blocked(w *waiter) *BlockedError {
	const sample = 5
	st, _ := d.status()
	e := &BlockedError{Remote: st.Name, State: st.State, Last: st.Error}
	e.Pending, e.Failing = d.inTheWay(w, 1<<30)
	if head := d.o.Feed.Head(); w.seq > d.ledger.read && len(w.paths) == 0 {
		e.Pending += min(w.seq, head) - min(d.ledger.read, head)
	}
	for path := range d.retries.byPath {
		if len(e.Paths) < sample && w.concerns(path) {
			e.Paths = append(e.Paths, path)
		}
	}
	for it := range d.unacked() {
		if len(e.Paths) < sample && it.First <= w.seq && w.concerns(it.Path) {
			e.Paths = append(e.Paths, it.Path)
		}
	}
	switch {
	case d.state.Paused:
		e.Reason = "paused: " + d.state.PauseReason
	case d.state.Held != "":
		e.Reason = "held: " + d.state.Held
	case st.State == StateWaiting && st.Opens != nil:
		e.Reason = "outside of its window, which opens " + st.Opens.Format(time.RFC3339)
	case d.full != nil:
		e.Reason = fmt.Sprintf("full sync %d of %d directories", d.full.rec.Done, d.full.rec.Total)
	case d.probe.running:
		e.Reason = "being probed"
	}
	return e
}
