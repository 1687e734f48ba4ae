package watch

import (
	"runtime"
	"sync/atomic"
)

// A scan spends most of its time in the kernel, so directories that are due next
// are read by other goroutines while one is compared. What is read ahead is older
// than the moment it is used, and holds all the same:
//
//   - A directory is handed out twice: to be opened, and when the goroutine of Run
//     has let its events in, to be listed, by the rule of watch first, then scan.
//     What changes after it was read causes an event, whose look comes after the
//     scan or makes what was read void; see readAhead.touch.
//   - Times of observation are those of the reading, so that a later event is not
//     taken for one that the observation has answered.
//   - Only that a name looks as the index has it, that the index does not know it,
//     or that a file was written to, is taken from what was read. All else is looked
//     at anew, through handles that are opened and compared anew: a removal is never
//     concluded from what was read ahead.
//   - As long as the directory is not compared, a look at a name in it must not
//     count on events: what had changed before they were let in is not known yet.
//     See node.unread.
//   - A directory that was opened and is dropped from the tree before its events are
//     let in is not entered: where one stands in its place, that is opened.
//   - Readers close a directory when it is read and wait for nobody, and none stays
//     open while the goroutine of Run waits for the journal, so that its file
//     system can be unmounted.
const (
	aheadDirs  = 32      // listed ahead of a scan, and as many more are opened
	aheadKept  = 128     // at the same time; others came before the scans of some
	aheadNames = 1 << 15 // whose attributes are kept, of all directories
)

// readAhead is the directories that are read before their scan is due. It belongs
// to the goroutine of Run but for what the readers share.
type readAhead struct {
	tasks *tasks              // nil: nobody reads
	of    map[string]*entered // by path
	count uint64              // of all
	stuck int                 // the place in the stack of one that must wait for its turn, -1 for none
	names *atomic.Int64       // whose attributes are kept
}

// readers starts the goroutines that read ahead; stop ends them.
func (t *Tree) readers(start func(func())) (stop func()) {
	q := newTasks()
	t.ahead = readAhead{tasks: q, of: map[string]*entered{}, names: new(atomic.Int64)}
	for range min(max(runtime.GOMAXPROCS(0), 2), 4) {
		start(q.run)
	}
	return func() {
		t.ahead.clear()
		t.ahead.tasks = nil
		q.close()
	}
}

// usable says that a scan is read ahead.
func (sc *scan) usable() bool { return sc.ahead != nil && !sc.ahead.void }

// spoilt says that a scan was read ahead in vain. It is read in its turn: a busy
// directory would be read again and again.
func (sc *scan) spoilt() bool { return sc.begun && !sc.usable() }

// listing says that nothing is left to be handed out for a scan.
func (sc *scan) listing() bool {
	return sc.spoilt() || sc.usable() && (sc.ahead.over || sc.ahead.node != nil)
}

// lookAhead hands out the directories that are due next, where there is more than
// one.
func (t *Tree) lookAhead() {
	s := t.scans.stack
	top := len(s) - 1
	if t.ahead.tasks == nil || top < 1 {
		return
	}
	low := max(top-aheadDirs/2, 0)
	if s[top].listing() && (s[low].listing() || t.ahead.stuck >= low) {
		return // enough for now
	}
	if !s[top].usable() && s[top-1].usable() {
		return // it is scanned now
	}
	h, err := t.openAccepted()
	if err != nil {
		return // the next scan finds out why
	}
	root := shared(h)
	defer root.release()
	for i := top; i >= 0 && i > top-2*aheadDirs; i-- {
		if sc := &s[i]; !sc.usable() && !sc.begun && t.ahead.of[sc.rel] == nil {
			t.handOut(root, sc)
		}
	}
	t.ahead.stuck = -1
	for i := top; i >= 0 && i > top-aheadDirs; i-- {
		if sc := &s[i]; !sc.listing() && !t.letInAhead(root, sc) {
			t.ahead.stuck = i
			return
		}
	}
}

// handOut has a directory opened. Of those that are kept the oldest gives way: its
// scan is below many others.
func (t *Tree) handOut(root *sharedRoot, sc *scan) {
	a := &t.ahead
	if len(a.of) >= aheadKept {
		oldest, found := "", false
		for rel, e := range a.of {
			if !found || e.nth < a.of[oldest].nth {
				oldest, found = rel, true
			}
		}
		a.drop(oldest)
	}
	a.count++
	e := &entered{nth: a.count, room: a.names, parent: t.w.find(dirOf(sc.rel)), root: root}
	rel := sc.rel
	root.hold()
	open := func() {
		defer root.release()
		e.open(t, root.handle, rel)
	}
	a.tasks.push(e.opening.set(open, func() { e.dir.close() }))
	sc.ahead, a.of[rel] = e, e
}

// letInAhead lets the events of a directory in that was handed out, and has it
// listed. false means that it has to wait for its turn, with all behind it: it is
// another one by now, or it must be looked for first where it was before.
func (t *Tree) letInAhead(root *sharedRoot, sc *scan) bool {
	e := sc.ahead
	if !sc.usable() {
		return false
	}
	if _, held := t.isHeld(sc.rel); held || len(t.placesBefore(*sc)) > 0 {
		return false
	}
	if sc.rel != "" && t.w.find(dirOf(sc.rel)) != e.parent {
		t.ahead.drop(sc.rel)
		return false
	}
	e.opening.finish()
	if t.letIn(root.handle, sc, e); e.over {
		delete(t.ahead.of, sc.rel)
		return true
	}
	e.node.unread = e.node.unread || !sc.followed
	t.ahead.tasks.push(e.listing.set(e.read, func() { e.room.Add(-e.taken) }))
	return true
}

// claim returns what was read ahead for a scan, nil if there is nothing that can
// be relied on: if the directory may be another one by now, or anything in it was
// observed since.
func (t *Tree) claim(sc *scan) *entered {
	if !sc.usable() {
		sc.ahead = nil
		return nil
	}
	e := sc.ahead
	sc.ahead = nil
	if e.over {
		return e
	}
	delete(t.ahead.of, sc.rel)
	if n := t.w.find(sc.rel); e.node == nil || n != e.node || n.stale || n.added != e.added {
		e.forget()
		return nil
	}
	e.listing.finish()
	e.forget()
	if e.full {
		return nil
	}
	return e
}

// touch says that a path is observed. What was read ahead of it, or of the names
// beside it, is older than that and must not be recorded behind it.
func (a *readAhead) touch(path string) {
	if len(a.of) == 0 {
		return
	}
	a.drop(path)
	if path != "" {
		a.drop(dirOf(path))
	}
}

func (a *readAhead) drop(rel string) {
	if e := a.of[rel]; e != nil {
		delete(a.of, rel)
		e.forget()
	}
}

// letGo closes what was opened and is not handed out to be listed: the journal may
// take its time.
func (a *readAhead) letGo() {
	for rel, e := range a.of {
		if e.node == nil {
			a.drop(rel)
		}
	}
}

func (a *readAhead) clear() {
	for rel := range a.of {
		a.drop(rel)
	}
}
