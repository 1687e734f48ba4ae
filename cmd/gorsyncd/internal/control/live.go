package control

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// Rhythm of the live status.
const (
	liveEvery = time.Second
	lagTicks  = 10 // of it between two events lag
	// backlog is how many events a client may leave unread. One that is further
	// behind is dropped: it comes again and begins with the whole.
	backlog = 8
)

// live makes the events of the live status while somebody listens, once for all.
type live struct {
	api   API
	every time.Duration

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu        sync.Mutex
	listeners map[*listener]bool // guarded by mu
	running   bool               // guarded by mu: somebody makes events
	now       *parts             // guarded by mu: what the listeners have; nil for nothing yet
}

// listener is one client.
type listener struct {
	texts chan []byte // closed when it is dropped, or when there will be no more
	whole bool        // it has been given the whole
}

func newLive(api API, every time.Duration) *live {
	ctx, cancel := context.WithCancel(context.Background())
	return &live{api: api, every: every, ctx: ctx, cancel: cancel, listeners: map[*listener]bool{}}
}

func (l *live) close() {
	l.cancel()
	l.wg.Wait()
}

// join adds a listener, which leave takes away.
func (l *live) join() *listener {
	me := &listener{texts: make(chan []byte, backlog)}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ctx.Err() != nil {
		close(me.texts)
		return me
	}
	l.listeners[me] = true
	if l.now != nil {
		l.give(me, l.now.whole())
		me.whole = true
	}
	if !l.running {
		l.running = true
		l.wg.Go(l.run)
	}
	return me
}

func (l *live) leave(me *listener) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop(me)
}

// drop ends a listener. The caller holds mu.
func (l *live) drop(me *listener) {
	if l.listeners[me] {
		delete(l.listeners, me)
		close(me.texts)
	}
}

// give hands an event over, or drops who does not read. The caller holds mu.
func (l *live) give(to *listener, text []byte) {
	select {
	case to.texts <- text:
	default:
		l.drop(to)
	}
}

// run makes events until nobody listens any more.
func (l *live) run() {
	tick := time.NewTicker(l.every)
	defer tick.Stop()
	for n := 0; ; n++ {
		if !l.step(n) {
			return
		}
		select {
		case <-l.ctx.Done():
		case <-tick.C:
		}
	}
}

// step makes the events of one moment, and tells whether to go on.
func (l *live) step(n int) bool {
	next, failure := l.look()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.listeners) == 0 || l.ctx.Err() != nil {
		for me := range l.listeners {
			l.drop(me)
		}
		l.running, l.now = false, nil
		return false
	}
	if failure != nil {
		for me := range l.listeners {
			l.give(me, failure)
		}
		return true
	}
	l.tell(next, n)
	return true
}

// look reads the status without holding anybody up.
func (l *live) look() (next *parts, failure []byte) {
	ctx, cancel := context.WithTimeoutCause(l.ctx, lookLimit, tooSlow(lookLimit))
	defer cancel()
	st, err := l.api.Status(ctx)
	if err == nil {
		next, err = split(st)
	}
	if err != nil {
		return nil, event("problem", "", mustJSON(ErrorDocument{Classify(cause(ctx, err))}))
	}
	return next, nil
}

// tell gives each listener what it does not have. The caller holds mu.
func (l *live) tell(next *parts, n int) {
	var delta, whole []byte
	before := l.now
	if before != nil {
		delta = next.since(before)
	}
	l.now = next
	var lag []byte
	if n%lagTicks == 0 {
		lag = event("lag", "", next.lag())
	}
	for me := range l.listeners {
		switch {
		case !me.whole:
			if whole == nil {
				whole = next.whole()
			}
			l.give(me, whole)
			me.whole = true
		case delta != nil:
			l.give(me, delta)
		}
		if lag != nil {
			l.give(me, lag)
		}
	}
}

// liveStatus serves the live status.
func (s *door) liveStatus(w http.ResponseWriter, r *http.Request) {
	me := s.live.join()
	defer s.live.leave(me)
	out := newSSE(w)
	if out.begin() == nil {
		_ = out.feed(r.Context(), me.texts) // the client is gone, or will come again
	}
}
