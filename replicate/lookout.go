package replicate

import (
	"sync"

	"gorsyncd/journal"
)

// mark says what is about to happen, or has happened, to a path of the remote.
type mark uint8

const (
	markSelf  mark = 1 << iota // the path itself
	markChild                  // something directly in it: its times are not what they will be
	markTree                   // everything below as well
	markLevel                  // everything directly in it as well
	markFail                   // the path is in the retry set and needs a person
)

// lookout finds out which of some paths are about to change on the remote, or
// did since it was begun. The goroutine of Run fills it in while it is attached,
// that of the verify reads it, then as well. Its size is that of the candidates,
// whatever goes on beside them.
type lookout struct {
	mu    sync.Mutex         // guards the following
	marks map[string]mark    // by the paths that matter: those asked about, and all above
	fulls []journal.FullSync // the full syncs that were under way
}

func newLookout(cands []*candidate) *lookout {
	p := &lookout{marks: map[string]mark{}}
	add := func(path string) {
		for ok := true; ok; path, ok = parentOf(path) {
			if _, known := p.marks[path]; known {
				return
			}
			p.marks[path] = 0
		}
	}
	for _, c := range cands {
		add(c.path)
		for _, n := range c.names {
			add(n)
		}
	}
	return p
}

func (p *lookout) mark(path string, m mark) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if was, ok := p.marks[path]; ok {
		p.marks[path] = was | m
	}
	if parent, ok := parentOf(path); ok {
		if was, ok := p.marks[parent]; ok {
			p.marks[parent] = was | markChild
		}
	}
}

func (p *lookout) lock(l Lock) {
	switch l.Scope {
	case ScopeTree:
		p.mark(l.Path, markSelf|markTree)
	case ScopeDir, ScopeStamp, ScopeWithin:
		p.mark(l.Path, markSelf)
	default:
		p.mark(l.Path, markSelf|markChild|markLevel)
	}
}

// batch takes in what a run writes to.
func (p *lookout) batch(b *Batch) {
	for _, l := range b.Locks {
		p.lock(l)
	}
	for _, dir := range b.Parents {
		p.mark(dir, markSelf)
	}
	for _, dir := range b.Restamp {
		p.mark(dir, markSelf)
	}
}

// item takes in a path that is to be sent.
func (p *lookout) item(it *Item, failed bool) {
	m := markSelf
	if it.Op == journal.OpRemove || it.Count > 0 {
		m |= markTree
	}
	if failed {
		m |= markFail
	}
	p.mark(it.Path, m)
}

// touches tells whether something happens to a candidate, and whether that is
// in the way of it for longer: a path that has failed.
func (p *lookout) touches(c *candidate) (touched, failing bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	touched, failing = p.touchesPath(c.path)
	for _, n := range c.names {
		t, f := p.touchesPath(n)
		touched, failing = touched || t, failing || f
	}
	if c.dir && p.marks[c.path]&markChild != 0 || p.aheadOf(c) {
		touched = true
	}
	if parent, ok := parentOf(c.path); ok && c.leftover && p.marks[parent]&markChild != 0 {
		touched = true
	}
	return touched, failing
}

// touchesPath and aheadOf need mu.
func (p *lookout) touchesPath(path string) (touched, failing bool) {
	m := p.marks[path]
	touched, failing = m&markSelf != 0, m&markFail != 0
	parent, ok := parentOf(path)
	touched = touched || ok && p.marks[parent]&markLevel != 0
	for ; ok; parent, ok = parentOf(parent) {
		touched = touched || p.marks[parent]&markTree != 0
	}
	return touched, failing
}

// attach marks what is queued, in flight, in the retry set or ahead of a full
// sync, and then all that starts until detach. behind says that entries up to
// seq are not read yet: then nothing can be said. Run's goroutine.
func (d *Dispatcher) attach(p *lookout, seq uint64) (behind bool) {
	d.lookout = p
	d.scan(p)
	return d.ledger.read < seq
}

// detach ends a probe; what is under way then is marked, too. Run's goroutine.
func (d *Dispatcher) detach(p *lookout) {
	d.scan(p)
	d.lookout = nil
}

func (d *Dispatcher) scan(p *lookout) {
	for it := range d.unacked() {
		p.item(it, false)
	}
	for _, e := range d.retries.byPath {
		p.item(e.item, e.failed() && e.Attempts >= failingAfter)
	}
	for _, b := range d.flights {
		p.batch(b)
	}
	if d.full != nil {
		p.mu.Lock()
		p.fulls = append(p.fulls, d.full.rec)
		p.mu.Unlock()
	}
}

// aheadOf tells whether a full sync has yet to come to a candidate: as a child
// of its directory, as a directory, or, at the end, as a hard link.
func (p *lookout) aheadOf(c *candidate) bool {
	for _, rec := range p.fulls {
		f := fullSync{rec: rec}
		if f.covers(c.path) && (c.link || f.ahead(c.path) || c.dir && !rec.Links && (!rec.Begun || indexLess(rec.After, c.path))) {
			return true
		}
	}
	return false
}
