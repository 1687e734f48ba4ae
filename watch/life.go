package watch

import (
	"context"

	"gorsyncd/journal"
)

// Life is told what the goroutine of Run does, for a watchdog: that it goes round,
// at least every second, and that it is in a call that may take any time, which is
// no reason to take it for one that hangs. Such are all calls that touch the
// source, whose file system may be that of a server that does not answer, and
// those that write to the index. Goroutines that read ahead make them, too.
type Life interface {
	Round()
	Enter() // a call begins that may take any time
	Leave() // it has ended
	Done()  // the loop has ended
}

// nobody is the Life of a tree without one.
type nobody struct{}

func (nobody) Round() {}
func (nobody) Enter() {}
func (nobody) Leave() {}
func (nobody) Done()  {}

// openRoot opens the source root for the goroutine of Run.
func (t *Tree) openRoot() (*handle, error) {
	t.o.Life.Enter()
	defer t.o.Life.Leave()
	h, err := openRoot(t.abs)
	if h != nil {
		h.life = t.o.Life
	}
	return h, err
}

// enter and leave enclose each system call on a handle.
func (h *handle) enter() {
	if h.life != nil {
		h.life.Enter()
	}
}

func (h *handle) leave() {
	if h.life != nil {
		h.life.Leave()
	}
}

func (h *handle) mountID() string {
	h.enter()
	defer h.leave()
	return mountID(h.fd)
}

// record, setRoot and endBaseline wait for the index.
func (t *Tree) record(ctx context.Context, obs []journal.Observation) ([]journal.Result, error) {
	t.o.Life.Enter()
	defer t.o.Life.Leave()
	return t.o.Index.Record(ctx, obs)
}

func (t *Tree) setRoot(ctx context.Context, id journal.RootID) error {
	t.o.Life.Enter()
	defer t.o.Life.Leave()
	return t.o.Roots.SetRoot(ctx, id)
}

func (t *Tree) endBaseline(ctx context.Context) error {
	t.o.Life.Enter()
	defer t.o.Life.Leave()
	return t.o.Roots.EndBaseline(ctx)
}

// slowNotifier is a notifier whose calls look paths up.
type slowNotifier struct {
	notifier
	life Life
}

func (n slowNotifier) Add(name string) error {
	n.life.Enter()
	defer n.life.Leave()
	return n.notifier.Add(name)
}

func (n slowNotifier) Remove(name string) error {
	n.life.Enter()
	defer n.life.Leave()
	return n.notifier.Remove(name)
}
