package replicate

import (
	"fmt"
	"time"

	"gorsyncd/journal"
)

// readStep is how many entries are read at a time.
const readStep = 1000

// intake reads forward from the cursor while the window has room.
func (d *Dispatcher) intake(now time.Time) error {
	d.resumeWhenDue(now)
	for d.ledger.open < d.o.window {
		head := d.o.Feed.Head()
		if d.ledger.read >= head {
			d.seen.caughtUp(head)
			return nil
		}
		limit := min(readStep, d.o.window-d.ledger.open)
		entries, err := d.o.Feed.Entries(d.ledger.read+1, limit)
		if err != nil {
			return fmt.Errorf("read journal of %s: %w", d.o.Source, err)
		}
		for _, e := range entries {
			d.take(e, now)
		}
		if len(entries) < limit && d.ledger.read < head {
			// What is missing up to the head was superseded: had it been
			// present before the read, the read would have returned it.
			d.ledger.read = head
			d.update.cursor = true
		}
	}
	d.seen.forget(d.ledger.read, d.o.Feed.Head(), d.completed.cursor.Low)
	return nil
}

// take files one entry. Where nothing but that happens the cursor says the same as
// before, and need not be written: an fsync less for each change.
func (d *Dispatcher) take(e journal.Entry, now time.Time) {
	next, open := d.ledger.read+1, d.ledger.open
	d.file(e, now)
	if e.Seq != next || d.ledger.open != open+1 {
		d.update.cursor = true // what is missing was superseded, or something is done with
	}
}

// file puts an entry to its path's retry record, to the item that already waits
// for the path, or makes it a new item.
func (d *Dispatcher) file(e journal.Entry, now time.Time) {
	if has(d.completed.cursor, e.Seq) {
		d.ledger.read = e.Seq
		return
	}
	first, since := d.since(e)
	d.seen.seqs = append(d.seen.seqs, e.Seq)
	d.ledger.add(e.Seq)
	d.stream.took(now)
	d.tidy.took(e)
	d.standing.took(e)
	if e.Op == journal.OpRemove && e.Count > 1 {
		since = older(since, d.supersedeBelow(e.Path))
	}
	counts := d.mayCount(e)
	defer func() {
		d.tookMove(e, now)
		if counts {
			d.countRemoval(e, now)
		}
	}()
	if r := d.retries.get(e.Path); r != nil {
		d.absorb(r, e, since)
		return
	}
	if it := d.queue.get(e.Path); it != nil {
		d.collapse(it, e, since)
		return
	}
	d.queue.push(&Item{Path: e.Path, Seq: e.Seq, First: first, Op: e.Op, Flags: e.Flags, Count: e.Count, Time: since,
		asked: now.Add(-max(0, d.o.Clock.Now().Sub(since)))})
}

// mayCount tells whether an entry makes for removals that the guard has not
// counted: a path that is gone, or a directory that became something else. What
// an entry that it replaces has counted is in its own count, or came back.
func (d *Dispatcher) mayCount(e journal.Entry) bool {
	var before uint64
	if it := d.queue.get(e.Path); it != nil {
		before += d.guard.forget(it.Seq)
	}
	if r := d.retries.get(e.Path); r != nil && r.item.state != itemInFlight {
		before += d.guard.forget(r.Seq)
	}
	judged := d.guard.repeats(e) && before == 0
	return !judged && (e.Op == journal.OpRemove || e.Count > 0) && d.o.Delete != DeleteNone
}

// countRemoval has the guard count an entry. What may have been moved is counted
// when that is known.
func (d *Dispatcher) countRemoval(e journal.Entry, now time.Time) {
	if m := d.moves.from[e.Path]; m != nil && e.Op == journal.OpRemove {
		m.lost = removed{at: e.Time, seq: e.Seq, count: e.Count}
		d.heldMore(now)
		return
	}
	if m := d.moves.behind(e.Path); m != nil && e.Op == journal.OpRemove {
		if m.below == nil {
			m.below = map[string]removed{}
		}
		m.below[e.Path] = removed{at: e.Time, seq: e.Seq, count: e.Count}
		d.heldMore(now)
		return
	}
	d.guardRemovals(removed{at: e.Time, seq: e.Seq, count: e.Count}, now)
}

// removed is what an entry takes away.
type removed struct {
	at    time.Time
	seq   uint64
	count uint64
}

// guardRemovals holds the remote when there are too many removals.
func (d *Dispatcher) guardRemovals(r removed, now time.Time) {
	if r.seq > d.state.Approved && d.guard.add(r.at, r.seq, r.count) {
		d.hold(maxDeleteReason(d.guard.sum+d.moves.mayLose(), d.guard.max), now)
	}
}

// heldMore has the reason of a hold tell of removals that came after it: nothing is
// found out about moves while a remote is held.
func (d *Dispatcher) heldMore(now time.Time) {
	if g := d.guard; d.state.Held != "" && g.max > 0 && g.sum > g.max {
		d.hold(maxDeleteReason(g.sum+d.moves.mayLose(), g.max), now)
	}
}

// supersedeBelow drops the changes below a directory that is gone. They are
// covered, and if the directory comes back everything in it is journaled anew;
// sent after the removal they could bring back what nobody would remove.
// Removals stay: a path that does not come back is not journaled again. It tells
// since when the oldest of them has waited.
func (d *Dispatcher) supersedeBelow(dir string) (since time.Time) {
	var covered []*Item
	for it := range d.unacked() {
		if it.Op == journal.OpChange && isBelow(it.Path, dir) {
			covered = append(covered, it)
		}
	}
	for _, it := range covered {
		if it.state == itemQueued || d.breaker.open() { // else it is about to arrive
			since = older(since, it.Time)
		}
		if it.state == itemQueued { // else the path may yet be read
			d.ledger.ack(it.Seq)
		}
		d.queue.take(it, itemDropped)
		it.state = itemDropped
		d.guard.forget(it.Seq) // counted again with the directory
		d.linkDone(it)
	}
	for path, r := range d.retries.byPath {
		if r.Op == journal.OpChange && isBelow(path, dir) && r.item.state != itemInFlight {
			since = older(since, r.oldest())
			d.dropRetry(path)
		}
	}
	return since
}

// collapse makes a waiting item stand for a newer entry of its path. It keeps
// its place, and what was asked of it before is still asked.
func (d *Dispatcher) collapse(it *Item, e journal.Entry, since time.Time) {
	d.ledger.ack(it.Seq)
	it.Seq, it.Op, it.Count, it.Time = e.Seq, e.Op, e.Count, older(it.Time, since)
	it.Flags |= e.Flags
}

// absorb adds an entry to the retry record of its path, which is behind with it
// since then: the path goes on waiting for its own time, however often it changes.
func (d *Dispatcher) absorb(r *retryEntry, e journal.Entry, since time.Time) {
	d.ledger.ack(e.Seq)
	r.owes(since)
	d.merge(r, e)
}

// merge adds to a retry record what an entry of its path asks. The seq of a
// record need not be of such an entry, so nothing is acknowledged: it may be
// the last one read, which is another path's.
func (d *Dispatcher) merge(r *retryEntry, e journal.Entry) {
	rec := r.Retry
	rec.Seq, rec.Op = e.Seq, e.Op
	rec.Flags |= e.Flags
	if rec.ErrorID == idChanged {
		rec.Attempts = 0 // here is the reason for it
	}
	if r.item.state == itemInFlight {
		r.again = true
	}
	d.keepRetry(rec)
}

// keepRetry writes a retry record to memory and to the next commit.
func (d *Dispatcher) keepRetry(rec journal.Retry) *retryEntry {
	d.update.putRetry(rec)
	return d.retries.put(rec)
}

// dropRetry forgets the retry record of a path.
func (d *Dispatcher) dropRetry(path string) {
	d.retries.remove(path)
	d.update.delRetry(path)
}
