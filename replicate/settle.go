package replicate

import (
	"strings"
	"time"

	"gorsyncd/journal"
	"gorsyncd/journal/failpoint"
)

// settle files what a worker brought back.
func (d *Dispatcher) settle(rep report, now time.Time) {
	b := rep.batch
	delete(d.flights, b.ID)
	d.turning.ended(b)
	d.locks.RemoveAll(b.Locks)
	d.tookTime(rep, now.Sub(b.Started))
	if b.tidy {
		d.logBatch(rep)
		d.tidied(rep, now)
		return
	}
	if out := &rep.res.Outcome; out.ID == "G-MAXDELETE" && b.maxDelete == 0 {
		// We did not limit it: something else ends with rsync's code for that.
		*out = Outcome{ID: "E-RSYNC", Class: ClassTransient, Message: out.Message}
	}
	before := d.stats.bytes
	d.stats.add(rep, now)
	carried := d.stats.bytes - before
	if carried > 0 {
		d.o.Observer.Carried(now, carried)
	}
	d.metered(&rep, carried)
	defer d.stampAgain(rep, now) // when what it carries is acknowledged
	d.logBatch(rep)
	for i := range rep.res.cut {
		d.cutOff(b, &rep.res.cut[i])
	}
	d.phantoms(rep.unknown, now)
	out := rep.res.Outcome
	if d.movedEnded(rep, now) {
		return
	}
	if rep.leadsNowhere() {
		d.nowhere(rep, now)
		return
	}
	if b.chunk != nil && d.full != nil {
		d.full.deleted += rep.res.Deleted
	}
	v := rep.verify
	if !b.gentle && b.Removes && (out.ID == "E-RSYNC-343" || v != nil && v.Outcome.ID == "E-RSYNC-343") {
		d.foundAborts(now)
		d.giveBack(b)
		return
	}
	switch {
	case out.Class == ClassHeld:
		d.held(rep, out, now)
	case v != nil && v.Outcome.Class == ClassHeld:
		d.held(rep, v.Outcome, now)
	case out.Class == ClassCanceled || v != nil && v.Outcome.Class == ClassCanceled:
		d.cutOff(b, &rep.res)
		d.giveBack(b)
	case rep.moved && (out.Class == ClassOK || out.Class == ClassEntry):
		// The next look at it sets aside what was not there.
		d.recovered(now)
		d.giveBack(b)
	case out.Class == ClassOK && (v == nil || v.Outcome.Class == ClassOK && len(v.Changes) == 0):
		d.recovered(now)
		d.maxFiles = min(d.o.BatchFiles, d.maxFiles*2)
		if b.Covered {
			d.maxCovered = min(d.o.BatchFiles, d.maxCovered*2)
		}
		if b.Retry {
			d.maxRetry = min(d.o.BatchFiles, d.maxRetry*2)
		}
		if b.chunk == nil && v == nil {
			d.stood(b)
		}
		d.arrived(rep, nil, rep.res.RootDirty, now)
	case v != nil && v.proves(b.Covered):
		d.partial(rep, now)
	case v != nil && v.Outcome.Class == ClassEntry:
		d.unproven(rep, now)
	default:
		d.cutOff(b, &rep.res)
		exit := rep.res.Exit
		if v != nil && out.ID != "E-NOSPACE" {
			out, exit = v.Outcome, v.Exit
		}
		d.giveBack(b)
		d.fail(now, b.Started, out, exit)
	}
}

// held files a batch that a guard has stopped: all of it is still to be sent,
// once a person approves.
func (d *Dispatcher) held(rep report, out Outcome, now time.Time) {
	d.giveBack(rep.batch)
	d.hold("G-MAXDELETE "+out.Message, now)
}

// leadsNowhere tells whether rsync gave a batch of removals without a parent up
// because the remote has no directory where one of the paths would be.
func (rep *report) leadsNowhere() bool {
	return rep.batch.Covered && rep.res.Exit == 2 && strings.Contains(rep.res.Stderr, "invalid path from sender")
}

// nowhere files a batch that rsync gave up because the remote has no directory
// where one of the paths would be: that path is not there, as it should be.
// Which one it is shows when it is alone.
func (d *Dispatcher) nowhere(rep report, now time.Time) {
	if len(rep.batch.Items) > 1 {
		d.maxCovered, d.again = 1, true
		d.giveBack(rep.batch)
		return
	}
	d.recovered(now)
	d.arrived(rep, nil, true, now)
}

// fail backs the whole remote off.
func (d *Dispatcher) fail(now, started time.Time, out Outcome, exit int) {
	before := d.breaker.attempts
	d.o.Observer.Health(now, out.ID)
	d.breaker.fail(now, started, out, exit, d.o.Retry)
	n := d.breaker.attempts
	if n != before {
		d.o.Meter.Retried(out.Class)
	}
	if n != before && n&(n-1) == 0 {
		// Once, then at growing intervals.
		d.log.Warn("remote failed", "error_id", out.ID, "rsync_exit", exit, "message", out.Message, "hint", out.Hint,
			"attempts", n, "next_retry", d.breaker.until)
	}
}

// recovered notes that the remote works.
func (d *Dispatcher) recovered(now time.Time) {
	d.o.Observer.Health(now, "")
	if was := d.breaker; d.breaker.close() {
		d.log.Info("remote recovered", "error_id", was.out.ID, "attempts", was.attempts, "duration_seconds", now.Sub(was.since).Seconds())
		if was.out.ID != "E-SOURCE" {
			// It may have come back another one.
			d.probeSoon(d.probe.last.Add(probePause))
		}
	}
	d.state.LastSuccess = now
	d.update.state = true
	if d.tidy.root {
		d.tidy.root = false
		d.restamp("", now)
	}
}

// arrived acknowledges a batch, but for the residual (paths by verify pass).
// dirty says that the root may have lost its mtime.
func (d *Dispatcher) arrived(rep report, residual map[string]bool, dirty bool, now time.Time) {
	b := rep.batch
	found := map[string]bool{}
	for _, c := range rep.res.Changes {
		found[c.Path] = true
	}
	var back []*Item
	for _, it := range b.Items {
		switch {
		case residual[it.Path]:
		case it.Op == journal.OpRemove && found[it.Path]:
			back = append(back, it)
		default:
			d.ackItem(it, b.Retry, now)
		}
	}
	d.handBack(b, back)
	for _, dir := range b.Within {
		d.restamp(dir, now)
	}
	if b.Lane == LaneBig || dirty {
		for _, dir := range b.Restamp {
			d.restamp(dir, now)
		}
	}
	if rep.res.RootDirty && !b.stampsRoot() {
		// A directory below the root was made for what is in it, or was another one.
		d.restamp("", now)
	}
	if b.chunk != nil {
		d.chunkDone(b)
	}
}

// phantoms are paths that a reconcile made on the remote and the index does
// not know. What stays is journaled soon, which turns these records into
// changes; what was there for a moment only is removed by them.
func (d *Dispatcher) phantoms(paths []string, now time.Time) {
	if d.o.Delete == DeleteNone {
		return
	}
	t, _ := d.o.Tree.(indexed)
	for _, path := range paths {
		// It may have been journaled, and even sent, since the worker asked.
		if _, known, err := t.Lookup(path); known || err != nil {
			continue
		}
		if d.queue.get(path) == nil && d.retries.get(path) == nil {
			d.keepRetry(journal.Retry{Path: path, Seq: d.ledger.read, Op: journal.OpRemove, First: now, Next: now})
		}
	}
}

// ackItem notes that an item's path is as it should be on the remote.
func (d *Dispatcher) ackItem(it *Item, retry bool, now time.Time) {
	if !retry {
		if it.Seq != 0 {
			d.delivered(now, it.Time)
		}
		d.queue.take(it, itemDropped)
		d.update.cursor = true
		d.ledger.ack(it.Seq)
		d.linkDone(it)
		return
	}
	e := d.retries.get(it.Path)
	switch {
	case e == nil || e.item != it:
	case e.again:
		d.delivered(now, e.owed())
		e.again = false
		rec, stamp := e.Retry, e.stamp
		rec.Attempts, rec.Next, rec.ErrorID, rec.Error = 0, now, "", ""
		if stamp {
			rec.First = now
		}
		it.state = itemQueued
		d.keepRetry(rec).stamp = stamp
	default:
		d.delivered(now, e.owed())
		d.update.read = d.update.read || !it.attributes
		d.dropRetry(it.Path)
	}
}

// failItem moves an item to the retry set, or keeps it there, one attempt on.
func (d *Dispatcher) failItem(it *Item, out Outcome, retry bool, now time.Time) {
	if !retry && d.leave(it) {
		return
	}
	var since time.Time
	if !retry && it.Seq != 0 {
		since = it.Time
	}
	d.failPath(journal.Retry{Path: it.Path, Seq: it.Seq, Op: it.Op, Flags: it.Flags}, out, since, now)
}

// leave takes an item out of the queue for good and tells whether it was
// superseded while it was under way.
func (d *Dispatcher) leave(it *Item) (superseded bool) {
	superseded = it.state == itemDropped
	d.queue.take(it, itemDropped)
	d.update.cursor = true
	d.ledger.ack(it.Seq)
	d.linkDone(it)
	return superseded
}

// failPath counts a failure of a path, which is owed since then. A newer change of it
// that waits in the queue is absorbed.
func (d *Dispatcher) failPath(rec journal.Retry, out Outcome, since, now time.Time) {
	var queued time.Time
	if q := d.queue.get(rec.Path); q != nil && q.Seq != 0 {
		queued = q.Time
	}
	rec = d.gather(rec, now)
	rec.Attempts++
	rec.ErrorID, rec.Error = out.ID, out.Message
	rec.Next = now.Add(d.o.Retry.wait(rec))
	d.failedOnce()
	if out.ID == "E-DEST-UNSUPPORTED" {
		// There may be another file system below it than at the last probe.
		d.probeSoon(d.probe.last.Add(probeDoubt))
	}
	failpoint.Hit("replicate.retry")
	d.log.Debug("path failed", "path", rec.Path, "seq", rec.Seq, "error_id", rec.ErrorID,
		"message", rec.Error, "attempts", rec.Attempts, "next_retry", rec.Next)
	e := d.keepRetry(rec)
	e.owes(queued)
	e.owes(since)
	if e.failed() && e.oldest().IsZero() {
		e.owes(d.o.Clock.Now()) // what stood for no change before
	}
}

// gather adds to a retry record what else is known to be due at its path.
func (d *Dispatcher) gather(rec journal.Retry, now time.Time) journal.Retry {
	if e := d.retries.get(rec.Path); e != nil {
		failed := rec
		rec = e.Retry
		rec.Flags |= failed.Flags
		if failed.Seq > rec.Seq {
			rec.Seq, rec.Op = failed.Seq, failed.Op
		}
		e.item.state, e.again = itemQueued, false
	}
	if q := d.queue.get(rec.Path); q != nil {
		d.queue.take(q, itemDropped)
		d.ledger.ack(q.Seq)
		d.linkDone(q)
		rec.Seq, rec.Op = max(rec.Seq, q.Seq), q.Op
		rec.Flags |= q.Flags
		d.update.cursor = true
	}
	if rec.First.IsZero() {
		rec.First = now
	}
	return rec
}

// restamp has the attributes of a directory sent soon: a run wrote into it
// without stamping it. It is durable with the acknowledgement of that run.
func (d *Dispatcher) restamp(dir string, now time.Time) { d.restampAt(dir, now, now) }

// restampAt does so at a later time.
func (d *Dispatcher) restampAt(dir string, at, now time.Time) {
	if d.queue.get(dir) != nil {
		return // it is to be sent anyway
	}
	if e := d.retries.get(dir); e != nil {
		if e.item.state == itemInFlight {
			e.again = true
		}
		return
	}
	rec := d.newRetry(dir)
	rec.First, rec.Next = now, at
	d.keepRetry(rec).stamp = rec.Op == journal.OpChange && rec.Flags == 0
}

// newRetry is a record of a path for which no entry asks: a change as of now,
// or what an item under way is about. That one may come back, and would be
// taken for older than the record.
func (d *Dispatcher) newRetry(path string) journal.Retry {
	for _, b := range d.flights {
		for _, it := range b.Items {
			if !b.Retry && it.Path == path && it.state != itemDropped {
				return journal.Retry{Path: path, Seq: it.Seq, Op: it.Op, Flags: it.Flags}
			}
		}
	}
	return journal.Retry{Path: path, Seq: d.ledger.read, Op: journal.OpChange}
}

// giveBack returns the items of a batch of which nothing is known: they are
// still to be sent, before all others.
func (d *Dispatcher) giveBack(b *Batch) {
	if b.chunk != nil {
		b.chunk.running = false
	}
	d.handBack(b, b.Items)
}

// handBack returns some of the items of a batch to where they came from.
func (d *Dispatcher) handBack(b *Batch, items []*Item) {
	if b.Retry {
		for _, it := range items {
			if e := d.retries.get(it.Path); e != nil && e.item == it {
				it.state, e.again = itemQueued, false
			}
		}
		return
	}
	d.requeue(items)
}

// requeue puts items before all others. One that a newer entry has replaced
// meanwhile lives on in it; one whose path failed elsewhere is absorbed there.
func (d *Dispatcher) requeue(items []*Item) {
	var front []*Item
	for _, it := range items {
		if it.state == itemDropped { // superseded while it was under way
			d.ledger.ack(it.Seq)
			d.update.cursor = true
			continue
		}
		if q := d.queue.get(it.Path); q != nil {
			q.Flags |= it.Flags
			q.Time = older(q.Time, it.Time)
			d.linkDone(it)
			d.ledger.ack(it.Seq)
			d.update.cursor = true
			continue
		}
		if r := d.retries.get(it.Path); r != nil {
			e := journal.Entry{Seq: r.Seq, Op: r.Op, Flags: it.Flags, Path: it.Path}
			if it.Seq > r.Seq {
				e.Seq, e.Op = it.Seq, it.Op
			}
			r.owes(it.Time)
			d.merge(r, e)
			d.ledger.ack(it.Seq)
			d.linkDone(it)
			d.update.cursor = true
			continue
		}
		front = append(front, it)
	}
	d.queue.pushFront(front)
}
