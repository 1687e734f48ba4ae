package replicate

import (
	"context"
	"time"

	"gorsyncd/journal"
)

// PathState says where a path stands with a remote.
type PathState string

const (
	PathAcked    PathState = "acked" // nothing is known to differ
	PathQueued   PathState = "queued"
	PathInFlight PathState = "in_flight"
	PathFailing  PathState = "failing"   // in the retry set
	PathFullSync PathState = "full_sync" // a full sync has not passed it yet
)

// PathStatus is one path seen from one remote.
type PathStatus struct {
	Remote   string         `json:"remote"` // source/name
	State    PathState      `json:"state"`
	Position int            `json:"position"` // queued: 1 is next
	Queued   uint64         `json:"queued"`   // entries in all
	Batch    *BatchStatus   `json:"batch"`    // in flight
	Retry    *journal.Retry `json:"retry"`    // failing
	Sending  State          `json:"sending"`  // the remote's own state
	Error    *StatusError   `json:"error"`    // the remote's own trouble
}

// StaysAway tells whether a path is a directory that a remote without empty ones
// does not get yet.
func (d *Dispatcher) StaysAway(path string) bool {
	if !d.o.NoEmptyDirs || path == "" {
		return false
	}
	l, err := newLook(&d.o)
	return err == nil && l.isEmpty(path, d.o.Excluded)
}

// Explain tells where a path stands. A path that is not known to differ is
// acked, whether or not it exists.
func (d *Dispatcher) Explain(path string) PathStatus {
	p := PathStatus{Remote: d.o.Source + "/" + d.o.Name, State: PathAcked, Sending: StateStarting}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	// Without an answer the remote is not running, which Sending says.
	_ = d.do(ctx, func() { d.explain(path, &p) })
	return p
}

func (d *Dispatcher) explain(path string, p *PathStatus) {
	st, _ := d.status()
	p.Sending, p.Queued = st.State, st.LagEntries
	if d.breaker.open() {
		p.Error = st.Error
	}
	for _, b := range d.flights {
		for _, it := range b.Items {
			if it.Path == path {
				bs := b.status()
				p.State, p.Batch = PathInFlight, &bs
			}
		}
	}
	if e := d.retries.get(path); e != nil {
		rec := e.Retry
		p.Retry = &rec
		if p.State == PathAcked {
			p.State = PathFailing
		}
		return
	}
	if p.State != PathAcked {
		return
	}
	pos := 0
	for it := range d.queue.all() {
		pos++
		if it.Path == path {
			p.State, p.Position = PathQueued, pos
			return
		}
	}
	if d.full != nil && d.full.ahead(path) {
		p.State = PathFullSync
	}
}

// ahead tells whether a full sync has yet to pass a path.
func (f *fullSync) ahead(path string) bool {
	parent, _ := parentOf(path)
	return f.covers(path) && !f.rec.Links && (!f.rec.Begun || indexLess(f.rec.After, parent))
}

// indexLess is the order of the index: a directory comes before what is in
// it, and all of that before its next sibling.
func indexLess(a, b string) bool {
	for i := range min(len(a), len(b)) {
		x, y := a[i], b[i]
		if x == y {
			continue
		}
		return x == '/' || y != '/' && x < y
	}
	return len(a) < len(b)
}
