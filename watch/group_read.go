package watch

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// fanBuffer holds what is read at once, some thousand events.
	fanBuffer = 256 << 10
	// freeLists is how many lists of events are kept for the next read.
	freeLists = 4
)

// After fanCalm reads in a row without an event that is wanted the reader pauses
// for fanPause before each: it takes longer to be woken than to read an event,
// and where much happens elsewhere on the file system the kernel may collect it.
// After fanCalmer reads the pause is fanLonger.
const (
	fanCalm   = 16
	fanPause  = time.Millisecond
	fanCalmer = 500
	fanLonger = 3 * time.Millisecond
)

var errStopped = errors.New("stopped")

// run reads until stop, and closes the group then. Like the reader of fsnotify it
// waits for nobody.
func (g *fanGroup) run() {
	defer close(g.done)
	defer g.close()
	buf := make([]byte, fanBuffer)
	for calm := 0; ; {
		g.wait(calmPause(calm))
		n, waited, err := g.read(buf)
		if err == errStopped {
			return
		}
		if err == nil {
			err = parseEvents(buf[:n], g)
		}
		if err != nil {
			g.failed(err)
		}
		if calm++; g.pass() {
			calm = 0
			if waited {
				g.pace.woken(time.Since(g.base), g.wanted)
			}
		}
		if err != nil {
			select { // while this lasts the trees are scanned again and again
			case <-g.stopped:
			case <-time.After(tickEvery):
			}
		}
	}
}

// calmPause is how long to wait before a read after calm reads in vain.
func calmPause(calm int) time.Duration {
	switch {
	case calm > fanCalmer:
		return fanLonger
	case calm > fanCalm:
		return fanPause
	}
	return 0
}

// read waits for events, or for stop, which is errStopped, and tells whether there
// were none at first. In a stream of events it lets some gather, unless somebody
// is in a hurry.
func (g *fanGroup) read(buf []byte) (n int, waited bool, err error) {
	for !g.isStopped() {
		n, err := unix.Read(g.fd, buf)
		switch err {
		case unix.EINTR:
		case unix.EAGAIN:
			waited = true
			if err := g.bell.wait(); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
				return 0, true, err
			}
			g.rest()
		default:
			return n, waited, err
		}
	}
	return 0, waited, errStopped
}

// rest lets events gather in a stream of them, unless a tree with a single change
// would wait for that of another.
func (g *fanGroup) rest() {
	d := g.pace.rest(time.Since(g.base), g.wanted)
	if d <= 0 {
		return
	}
	g.mu.Lock()
	alone := len(g.members) == 1
	g.mu.Unlock()
	if alone {
		g.wait(d)
	}
}

// wait ends when somebody is in a hurry.
func (g *fanGroup) wait(d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-g.hurry:
	case <-timer.C:
	}
}

// pass hands each member what the last read has for it, and tells whether there
// was anything.
func (g *fanGroup) pass() bool {
	for i, f := range g.touched {
		g.wanted += uint64(len(f.batch.list))
		f.q.pushBatch(&f.batch)
		clear(f.batch.list) // of names
		if len(g.free) < freeLists {
			g.free = append(g.free, f.batch.list[:0])
		}
		f.batch, g.touched[i] = fanBatch{}, nil
	}
	any := len(g.touched) > 0
	g.touched = g.touched[:0]
	return any
}

// fanBatch is what one read returned for one tree. The reader owns it.
type fanBatch struct {
	list     []event
	lost     bool // the kernel dropped events, or they could not be understood
	nameless bool // a file was written that has no name here
}

func (b *fanBatch) empty() bool { return len(b.list) == 0 && !b.lost && !b.nameless }

func (g *fanGroup) touch(f *fanotify) *fanBatch {
	if f.batch.empty() {
		g.touched = append(g.touched, f)
		if n := len(g.free); n > 0 {
			f.batch.list, g.free = g.free[n-1], g.free[:n-1]
		}
	}
	return &f.batch
}

// named is for whoever watches the directory; most events are for nobody.
func (g *fanGroup) named(dir handleID, name []byte, hints hint) {
	first, more := g.handles.find(dir)
	if first.to == nil {
		return
	}
	e := event{hints: hints}
	if string(name) != "." {
		e.name = string(name)
	}
	e.dir = first.key
	b := g.touch(first.to)
	b.list = append(b.list, e)
	for _, s := range more {
		e.dir = s.key
		b := g.touch(s.to)
		b.list = append(b.list, e)
	}
}

func (g *fanGroup) nameless(on fsid) {
	for _, f := range g.all(&on) {
		g.touch(f).nameless = true
	}
}

func (g *fanGroup) lost() {
	for _, f := range g.all(nil) {
		g.touch(f).lost = true
	}
}

// failed is for events that could not be read: whatever the queue gave is lost.
func (g *fanGroup) failed(err error) {
	g.lost()
	for _, f := range g.all(nil) {
		f.q.pushError(fmt.Errorf("read fanotify: %w", err))
	}
}
