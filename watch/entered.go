package watch

import (
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// entered is a directory that is opened, let in and listed for a scan. What the
// goroutine of Run does not do itself belongs to that of the task until it is done.
type entered struct {
	parent *node  // when it was handed out
	nth    uint64 // of readAhead.count
	over   bool   // there is nothing to scan, and what was needed was done
	void   bool   // it must not be used

	opening task
	root    *sharedRoot
	dir     *handle
	begun   time.Duration // before it was opened

	node  *node // once its events are let in
	added int64 // when its watch was added for this

	listing task
	at      int64 // when it was listed
	st      unix.Stat_t
	names   []string
	seen    []seenName // in step with names; nil if they were not looked at
	full    bool       // it has too many names to be kept
	room    *atomic.Int64
	taken   int64  // from room
	op      string // that failed
	err     error
}

// seenName is what lstat said of a name, at a time.
type seenName struct {
	st  unix.Stat_t
	at  int64
	err error
}

// open opens the directory, and asks for what its events are reported under.
func (e *entered) open(t *Tree, root *handle, rel string) {
	e.begun = t.now()
	if e.dir, e.err = root.openToList(rel); e.err == nil && t.fan != nil {
		e.dir.name()
	}
}

// list reads the attributes of the directory and its names, in order.
func (e *entered) list() {
	e.at = time.Now().UnixNano()
	if e.err = e.dir.stat(); e.err != nil {
		e.op = "stat"
		return
	}
	e.st = e.dir.st
	if e.names, e.err = e.dir.names(); e.err != nil {
		e.op = "read directory"
		return
	}
	slices.Sort(e.names)
}

// read lists the directory, looks at all names and closes it. One with very many
// is listed in its turn.
func (e *entered) read() {
	defer e.dir.close()
	e.dir.enter() // once for all names: this is where a scan spends its time
	defer e.dir.leave()
	if e.full = e.room.Load() >= aheadNames; e.full {
		return
	}
	if e.list(); e.err != nil {
		return
	}
	e.taken = int64(len(e.names))
	if e.full = e.room.Add(e.taken) > aheadNames; e.full {
		e.room.Add(-e.taken)
		e.names, e.taken = nil, 0
		return
	}
	e.seen = make([]seenName, len(e.names))
	for i := range e.seen {
		if i%256 == 0 && e.listing.state.Load() == forgotten {
			return
		}
		s := &e.seen[i]
		s.at = time.Now().UnixNano()
		s.err = fstatat(e.dir.fd, e.names[i], &s.st)
	}
}

// forget gives back what is held for a directory that was handed out.
func (e *entered) forget() {
	e.void = true
	if e.node == nil {
		if e.opening.forget() {
			e.root.release()
		}
	} else if e.listing.forget() {
		e.dir.close()
	}
}
