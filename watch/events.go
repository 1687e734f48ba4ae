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

// event is one kernel event as received: of a name in a directory, or with ""
// of the directory itself.
type event struct {
	dir   fileKey // from fanotify; zero from inotify, then name is an absolute path
	name  string
	hints hint
	mono  time.Duration // since the Tree was made
	wall  int64         // ns since 1970
}

// same tells whether two events say the same.
func (e *event) same(o *event) bool {
	return e.dir == o.dir && e.name == o.name && e.hints == o.hints
}

// events collects what fsnotify sends, and a fanotify group. One goroutine reads
// both channels of fsnotify and does nothing but append: it never calls Add or
// Remove, because fsnotify can block on Errors while it holds the lock that these
// need, and it never waits for the journal, because the kernel's queue holds
// 16,384 events. Reading both in one place keeps an overflow in order with the
// events around it.
type events struct {
	base time.Time
	wake chan struct{} // capacity 1
	many chan struct{} // likewise: restEvents have gathered

	mu    sync.Mutex // guards the following
	taken            // since the last take
}

// taken is what came in since the last take.
type taken struct {
	list      []event
	received  uint64 // events, those that are one in the list as well
	overflows uint64
	errs      []error // others than overflow; at most a few
	nameless  bool    // a file was written that has no name here
}

func newEvents(base time.Time) *events {
	return &events{base: base, wake: make(chan struct{}, 1), many: make(chan struct{}, 1)}
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
	q.append(event{name: ev.Name, hints: hintOf(ev.Op)}, time.Now())
	n := len(q.list)
	q.mu.Unlock()
	q.signal(n)
}

// pushBatch appends what one read of the fanotify group has for this tree.
func (q *events) pushBatch(b *fanBatch) {
	q.mu.Lock()
	now := time.Now()
	for _, e := range b.list {
		q.append(e, now)
	}
	if b.lost {
		q.overflows++
	}
	q.nameless = q.nameless || b.nameless
	n := len(q.list)
	if b.lost {
		n = restEvents
	}
	q.mu.Unlock()
	q.signal(n)
}

// append is called with the lock, and now was read with it: before a take that
// does not return it, an event cannot have been received.
func (q *events) append(e event, now time.Time) {
	e.mono, e.wall = now.Sub(q.base), now.UnixNano()
	q.received++
	switch n := len(q.list); {
	case n > 0 && q.list[n-1].same(&e):
		q.list[n-1] = e // every write of a file being written is passed on
	case n >= maxEvents:
		q.list = q.list[:0]
		q.overflows++
	default:
		q.list = append(q.list, e)
	}
}

func (q *events) pushError(err error) {
	q.mu.Lock()
	if errors.Is(err, fsnotify.ErrEventOverflow) {
		q.overflows++
	} else if len(q.errs) < 16 {
		q.errs = append(q.errs, err)
	}
	q.mu.Unlock()
	q.signal(restEvents)
}

// signal wakes the loop; one that rests only if n is enough for that.
func (q *events) signal(n int) {
	notify(q.wake)
	if n >= restEvents {
		notify(q.many)
	}
}

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// drop takes back the signals of what the next take returns.
func (q *events) drop() {
	for _, c := range []chan struct{}{q.wake, q.many} {
		select {
		case <-c:
		default:
		}
	}
}

// take hands over everything received so far. spare is a used list to fill
// next, so that a steady stream allocates nothing.
func (q *events) take(spare []event) taken {
	q.mu.Lock()
	defer q.mu.Unlock()
	t := q.taken
	q.taken = taken{list: spare[:0]}
	return t
}
