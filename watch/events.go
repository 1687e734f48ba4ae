package watch

import (
	"errors"
	"sync"
	"time"

	"github.com/fsnotify/fsnotify"
)

// maxEvents bounds the memory of events not yet taken. It is far above what
// comes in while one batch is journaled; beyond it the tree is scanned.
const maxEvents = 1 << 18

// event is one kernel event as received.
type event struct {
	name string
	op   fsnotify.Op
	mono time.Duration // since the Tree was made
	wall int64         // ns since 1970
}

// events collects what fsnotify sends. One goroutine reads both channels and
// does nothing but append: it never calls Add or Remove, because fsnotify can
// block on Errors while it holds the lock that these need, and it never waits
// for the journal, because the kernel's queue holds 16,384 events. Reading both
// in one place keeps an overflow in order with the events around it.
type events struct {
	base time.Time
	wake chan struct{} // capacity 1

	mu        sync.Mutex // guards the following
	list      []event
	overflows uint64
	errs      []error // others than overflow; at most a few
}

// taken is what came in since the last take.
type taken struct {
	list      []event
	overflows uint64
	errs      []error
}

func newEvents(base time.Time) *events {
	return &events{base: base, wake: make(chan struct{}, 1)}
}

// run reads until the watcher is closed.
func (q *events) run(w *fsnotify.Watcher) {
	evs, errs := w.Events, w.Errors
	for evs != nil || errs != nil {
		select {
		case ev, ok := <-evs:
			if !ok {
				evs = nil
				continue
			}
			q.push(ev)
		case err, ok := <-errs:
			if !ok {
				errs = nil
				continue
			}
			q.pushError(err)
		}
	}
}

func (q *events) push(ev fsnotify.Event) {
	q.mu.Lock()
	now := time.Now() // with the lock: before a take that does not return it, it cannot have been received
	e := event{ev.Name, ev.Op, now.Sub(q.base), now.UnixNano()}
	switch n := len(q.list); {
	case n > 0 && q.list[n-1].name == e.name && q.list[n-1].op == e.op:
		q.list[n-1] = e // fsnotify passes on every write of a file being written
	case n >= maxEvents:
		q.list = q.list[:0]
		q.overflows++
	default:
		q.list = append(q.list, e)
	}
	q.mu.Unlock()
	q.signal()
}

func (q *events) pushError(err error) {
	q.mu.Lock()
	if errors.Is(err, fsnotify.ErrEventOverflow) {
		q.overflows++
	} else if len(q.errs) < 16 {
		q.errs = append(q.errs, err)
	}
	q.mu.Unlock()
	q.signal()
}

func (q *events) signal() {
	select {
	case q.wake <- struct{}{}:
	default:
	}
}

// take hands over everything received so far. spare is a used list to fill
// next, so that a steady stream allocates nothing.
func (q *events) take(spare []event) taken {
	q.mu.Lock()
	defer q.mu.Unlock()
	t := taken{q.list, q.overflows, q.errs}
	q.list, q.overflows, q.errs = spare[:0], 0, nil
	return t
}
