package watch

import (
	"slices"
	"sync"
	"sync/atomic"
)

// task is something that a reader does ahead, unless it is needed before: then who
// needs it does it, or waits.
type task struct {
	state atomic.Int32
	do    func()
	undo  func() // gives back what was got; called once if it was done in vain
	done  chan struct{}
}

// States of a task.
const (
	waiting = iota + 1
	running
	ready
	forgotten
)

// set says what is to be done.
func (k *task) set(do, undo func()) *task {
	k.do, k.undo, k.done = do, undo, make(chan struct{})
	k.state.Store(waiting)
	return k
}

func (k *task) run() {
	if !k.state.CompareAndSwap(waiting, running) {
		return
	}
	k.do()
	if !k.state.CompareAndSwap(running, ready) {
		k.undo()
	}
	close(k.done)
}

// finish returns when the task is done.
func (k *task) finish() {
	k.run()
	<-k.done
}

// forget says that nobody needs what was done, or will be. It returns whether
// nobody has begun with it, nor will.
func (k *task) forget() (untouched bool) {
	was := k.state.Swap(forgotten)
	if was == ready {
		k.undo()
	}
	return was == waiting
}

// tasks are those that nobody has begun with, in order, and some that are done.
type tasks struct {
	mu     sync.Mutex // guards the following
	more   sync.Cond
	list   []*task
	closed bool
}

func newTasks() *tasks {
	q := &tasks{}
	q.more.L = &q.mu
	return q
}

func (q *tasks) push(k *task) {
	q.mu.Lock()
	if len(q.list) >= 4*aheadKept { // what was done meanwhile is of no use to readers
		q.list = slices.DeleteFunc(q.list, func(k *task) bool { return k.state.Load() != waiting })
	}
	q.list = append(q.list, k)
	q.mu.Unlock()
	q.more.Signal()
}

// run does what is pushed until close.
func (q *tasks) run() {
	for {
		q.mu.Lock()
		for len(q.list) == 0 && !q.closed {
			q.more.Wait()
		}
		if q.closed {
			q.mu.Unlock()
			return
		}
		k := q.list[0]
		q.list[0] = nil
		q.list = q.list[1:]
		q.mu.Unlock()
		k.run()
	}
}

func (q *tasks) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.more.Broadcast()
}

// sharedRoot is the root as several tasks use it; the last one closes it.
type sharedRoot struct {
	*handle
	users atomic.Int32
}

func shared(h *handle) *sharedRoot {
	r := &sharedRoot{handle: h}
	r.hold()
	return r
}

func (r *sharedRoot) hold() { r.users.Add(1) }

func (r *sharedRoot) release() {
	if r.users.Add(-1) == 0 {
		r.handle.close()
	}
}
