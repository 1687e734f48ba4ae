package replicate

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"gorsyncd/journal"
)

// smallSize is the size up to which a file that finds no space means that the
// remote has none at all.
const smallSize = 1 << 20

// settle files what a worker brought back.
func (d *Dispatcher) settle(rep report, now time.Time) {
	b := rep.batch
	delete(d.flights, b.ID)
	d.locks.RemoveAll(b.Locks)
	d.stats.add(rep, now)
	d.logBatch(rep)
	d.phantoms(rep.unknown, now)
	out := rep.res.Outcome
	if b.Covered && rep.res.Exit == 2 && strings.Contains(rep.res.Stderr, "invalid path from sender") {
		d.nowhere(rep, now)
		return
	}
	switch {
	case out.Class == ClassOK && (rep.verify == nil || rep.verify.Outcome.Class == ClassOK && len(rep.verify.Changes) == 0):
		d.recovered(now)
		d.maxFiles = min(d.o.BatchFiles, d.maxFiles*2)
		if b.Covered {
			d.maxCovered = min(d.o.BatchFiles, d.maxCovered*2)
		}
		d.arrived(rep, nil, rep.res.RootDirty, now)
	case rep.verify != nil && (rep.verify.Outcome.Class == ClassOK || rep.verify.Outcome.Class == ClassEntry):
		d.partial(rep, now)
	case out.Class == ClassCanceled || rep.verify != nil && rep.verify.Outcome.Class == ClassCanceled:
		d.giveBack(b)
	case out.Class == ClassHeld:
		d.giveBack(b)
		d.hold("G-MAXDELETE "+out.Message, now)
	default:
		exit := rep.res.Exit
		if rep.verify != nil && out.ID != "E-NOSPACE" {
			out, exit = rep.verify.Outcome, rep.verify.Exit
		}
		d.giveBack(b)
		d.fail(now, b.Started, out, exit)
	}
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
	d.breaker.fail(now, started, out, exit, d.o.Retry)
	if n := d.breaker.attempts; n != before && n&(n-1) == 0 {
		// Once, then at growing intervals.
		d.log.Warn("remote failed", "error_id", out.ID, "rsync_exit", exit, "message", out.Message, "hint", out.Hint,
			"attempts", n, "next_retry", d.breaker.until)
	}
}

// recovered notes that the remote works.
func (d *Dispatcher) recovered(now time.Time) {
	if was := d.breaker; d.breaker.close() {
		d.log.Info("remote recovered", "error_id", was.out.ID, "attempts", was.attempts, "duration_seconds", now.Sub(was.since).Seconds())
	}
	d.state.LastSuccess = now
	d.update.state = true
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
	if b.Lane == LaneBig || dirty {
		for _, dir := range b.Restamp {
			d.restamp(dir, now)
		}
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
		e.again = false
		rec := e.Retry
		rec.Attempts, rec.Next, rec.ErrorID, rec.Error = 0, now, "", ""
		it.state = itemQueued
		d.keepRetry(rec)
	default:
		d.dropRetry(it.Path)
	}
}

// failItem moves an item to the retry set, or keeps it there, one attempt on.
func (d *Dispatcher) failItem(it *Item, out Outcome, retry bool, now time.Time) {
	if !retry {
		covered := it.state == itemDropped
		d.queue.take(it, itemDropped)
		d.update.cursor = true
		d.ledger.ack(it.Seq)
		d.linkDone(it)
		if covered {
			return // superseded while it was under way
		}
	}
	d.failPath(journal.Retry{Path: it.Path, Seq: it.Seq, Op: it.Op, Flags: it.Flags}, out, now)
}

// failPath counts a failure of a path. A newer change of it that waits in the
// queue is absorbed.
func (d *Dispatcher) failPath(rec journal.Retry, out Outcome, now time.Time) {
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
	rec.Attempts++
	rec.ErrorID, rec.Error = out.ID, out.Message
	rec.Next = now.Add(d.o.Retry.wait(rec))
	d.stats.retries++
	d.log.Debug("path failed", "path", rec.Path, "seq", rec.Seq, "error_id", rec.ErrorID,
		"message", rec.Error, "attempts", rec.Attempts, "next_retry", rec.Next)
	d.keepRetry(rec)
}

// restamp has the attributes of a directory sent soon: a run wrote into it
// without stamping it. It is durable with the acknowledgement of that run.
func (d *Dispatcher) restamp(dir string, now time.Time) {
	if d.queue.get(dir) != nil {
		return // it is to be sent anyway
	}
	if e := d.retries.get(dir); e != nil {
		if e.item.state == itemInFlight {
			e.again = true
		}
		return
	}
	d.keepRetry(journal.Retry{Path: dir, Seq: d.ledger.read, Op: journal.OpChange, First: now, Next: now})
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
		if it.state == itemDropped {
			continue
		}
		if q := d.queue.get(it.Path); q != nil {
			q.Flags |= it.Flags
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
			d.absorb(r, e)
			d.ledger.ack(it.Seq)
			d.linkDone(it)
			d.update.cursor = true
			continue
		}
		front = append(front, it)
	}
	d.queue.pushFront(front)
}

// partial files a batch of which a part arrived.
func (d *Dispatcher) partial(rep report, now time.Time) {
	b, out := rep.batch, rep.res.Outcome
	if out.ID == "" {
		out = Outcome{ID: idChanged, Class: ClassEntry, Message: "changed while it was sent"}
	}
	res := d.residual(rep)
	aborted := out.ID == "E-NOSPACE" || rep.res.Exit == 11
	if aborted && len(res.items) > 0 && d.squeeze(rep, res, now) {
		return
	}
	if aborted && b.chunk != nil && len(res.other) > 0 && b.chunk.attempts == 0 {
		b.chunk.attempts++
		d.giveBack(b)
		d.fail(now, b.Started, out, rep.res.Exit)
		return
	}
	if !aborted || len(res.items) < len(b.Items) {
		d.recovered(now)
	}
	paths := make(map[string]bool, len(res.items))
	for _, it := range res.items {
		paths[it.Path] = true
	}
	d.arrived(rep, paths, true, now)
	d.tellFailed(rep, res, out)
	for _, it := range res.items {
		d.failItem(it, reasonFor(it.Path, rep.res.Stderr, out), b.Retry, now)
	}
	for _, c := range res.other {
		op := journal.OpChange
		if c.Delete {
			op = journal.OpRemove
		}
		d.failPath(journal.Retry{Path: c.Path, Seq: d.ledger.read, Op: op}, reasonFor(c.Path, rep.res.Stderr, out), now)
	}
}

// tellFailed logs one line for the failed paths of a batch that fail for the
// first time, however many they are; the debug log has each.
func (d *Dispatcher) tellFailed(rep report, res residual, out Outcome) {
	if rep.batch.Retry || out.ID == idChanged {
		return
	}
	paths := make([]string, 0, len(res.items)+len(res.other))
	for _, it := range res.items {
		paths = append(paths, it.Path)
	}
	for _, c := range res.other {
		paths = append(paths, c.Path)
	}
	if len(paths) == 0 {
		return
	}
	why := reasonFor(paths[0], rep.res.Stderr, out)
	d.log.Warn("paths failed and are tried again", "batch", rep.batch.ID, "failed", len(paths), "path", paths[0],
		"error_id", why.ID, "message", why.Message, "hint", why.Hint)
}

// squeeze treats a batch that was cut short by one of its files: rsync gives
// up at the first that finds no space, whatever comes behind it. What is left
// is sent again, smallest first, in batches of half the size, until either it
// fits or one path fails alone. That one goes to the retry set, unless it is so
// small that there is no space for anything: then the remote backs off. It
// tells whether it has dealt with the batch.
func (d *Dispatcher) squeeze(rep report, res residual, now time.Time) bool {
	b, out := rep.batch, rep.res.Outcome
	if b.chunk != nil {
		return false
	}
	alone := len(b.Items) == 1
	if alone && out.ID == "E-NOSPACE" && b.Items[0].Size <= smallSize {
		if b.Retry {
			d.failItem(b.Items[0], out, true, now)
		} else {
			d.giveBack(b)
		}
		d.fail(now, b.Started, out, rep.res.Exit)
		return true
	}
	if b.Retry || len(res.items) == 1 {
		return false
	}
	left := make(map[string]bool, len(res.items))
	for _, it := range res.items {
		left[it.Path] = true
	}
	if len(left) < len(b.Items) {
		d.recovered(now)
		d.arrived(rep, left, true, now)
	}
	slices.SortStableFunc(res.items, func(a, b *Item) int { return cmp.Compare(a.Size, b.Size) })
	d.requeue(res.items)
	d.maxFiles = max(1, len(res.items)/2)
	return true
}

// residual is what a verify pass found still different.
type residual struct {
	items []*Item
	other []Change // paths that are no items: stamps, hard links, children
}

func (d *Dispatcher) residual(rep report) residual {
	b := rep.batch
	byPath := make(map[string]*Item, len(b.Items))
	for _, it := range b.Items {
		byPath[it.Path] = it
	}
	var r residual
	seen := map[string]bool{}
	for _, c := range rep.verify.Changes {
		it, ok := byPath[c.Path], true
		if it == nil && c.Delete && b.Lane != LaneReconcile {
			// A removed tree is listed by its top, and itemized path by path.
			it, ok = topItem(byPath, c.Path)
		}
		key := c.Path
		if it != nil && ok {
			key = it.Path
		}
		if seen[key] {
			continue
		}
		seen[key] = true
		if it != nil {
			r.items = append(r.items, it)
		} else {
			r.other = append(r.other, c)
		}
	}
	return r
}

func topItem(items map[string]*Item, path string) (*Item, bool) {
	for i := strings.LastIndexByte(path, '/'); i >= 0; i = strings.LastIndexByte(path, '/') {
		path = path[:i]
		if it := items[path]; it != nil {
			return it, true
		}
	}
	return nil, false
}
