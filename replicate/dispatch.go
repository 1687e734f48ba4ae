package replicate

import (
	"context"
	"iter"
	"slices"
	"time"

	"gorsyncd/journal/failpoint"
)

// liveShare is how many live batches in a row may pass a full sync that waits.
const liveShare = 4

// dispatch starts batches while there is work that may start and a worker is
// free.
func (d *Dispatcher) dispatch(ctx context.Context, now time.Time) error {
	d.startProbe(ctx, now)
	var look *look
	for d.maySend(now) {
		if look == nil {
			var err error
			if look, err = newLook(&d.o); err != nil {
				d.sourceLost(err, now)
				return nil
			}
			d.surveyMoves(ctx, look, now)
			if !d.maySend(now) {
				return nil // the guard has counted what was not moved
			}
		}
		b, err := d.nextBatch(look, now)
		if err != nil {
			return err
		}
		if b == nil {
			return nil
		}
		d.start(ctx, b, now)
	}
	return nil
}

// maySend tells whether a batch may start now. After a failure of the whole
// remote a single one probes.
func (d *Dispatcher) maySend(now time.Time) bool {
	switch {
	case d.draining.Load(), d.state.Paused, d.state.Held != "", !d.o.Window.Open(now), d.busy() >= d.o.Workers:
		return false
	case d.breaker.open():
		return d.busy() == 0 && !now.Before(d.breaker.until)
	}
	return d.queue.len() > 0 || d.retries.len() > 0 || d.fullReady() || len(d.tidy.dirs) > 0 && d.scanned()
}

// sourceLost backs off when the source root cannot be looked at: nothing can
// be said about any path.
func (d *Dispatcher) sourceLost(err error, now time.Time) {
	d.fail(now, now, sourceGone(err), -1)
}

// nextBatch chooses between the retry set, live changes and the full sync. At
// most one batch is made of the retry set at a time, so that failing paths do
// not take the workers from the others, and with one worker or delays shorter
// than a run the others come in between; live changes overtake a full sync, but
// do not starve it.
func (d *Dispatcher) nextBatch(l *look, now time.Time) (*Batch, error) {
	othersFirst := d.retried
	if !othersFirst {
		if b := d.nextRetry(l, now); b != nil {
			d.retried = true
			return b, nil
		}
	}
	d.retried = false
	b, err := d.nextOther(l, now)
	if b == nil && err == nil && othersFirst {
		b = d.nextRetry(l, now)
		d.retried = b != nil
	}
	return b, err
}

// nextRetry makes a batch of what is due of the retry set.
func (d *Dispatcher) nextRetry(l *look, now time.Time) *Batch {
	if d.retryFlights() > 0 {
		return nil
	}
	due := d.retries.due(now)
	if due = d.gatherStamps(due, now); len(due) == 0 {
		return nil
	}
	b := d.plan(l, slices.Values(due), min(d.maxRetry, d.shortFiles), now, true)
	if b != nil && !slices.ContainsFunc(b.Items, func(it *Item) bool { return !d.isStamp(it) }) {
		d.stampedAt = now
	}
	return b
}

// nextOther chooses between live changes and the full sync.
func (d *Dispatcher) nextOther(l *look, now time.Time) (*Batch, error) {
	if d.liveRuns >= liveShare {
		if b, err := d.nextChunk(l, now); b != nil || err != nil {
			return b, err
		}
	}
	if d.queue.len() > 0 && !d.gathering(now) {
		if b := d.plan(l, d.queue.all(), d.batchFiles(), now, false); b != nil {
			if d.fullReady() {
				d.liveRuns++
			}
			return b, nil
		}
	}
	if b, err := d.nextChunk(l, now); b != nil || err != nil {
		return b, err
	}
	return d.nextTidy(l, now), nil
}

func (d *Dispatcher) retryFlights() int {
	n := 0
	for _, b := range d.flights {
		if b.Retry {
			n++
		}
	}
	return n
}

// plan runs one planning round and files what needs no sending.
func (d *Dispatcher) plan(l *look, items iter.Seq[*Item], files int, now time.Time, retry bool) *Batch {
	p := planner{
		limits: limits{files: files, covered: d.maxCovered, bytes: d.o.BatchBytes, big: d.o.BigFile,
			moved: moveRate * max(1, int64(d.o.Rsync.Timeout/time.Second))},
		noDelete: d.o.Delete == DeleteNone, look: l.at, siblings: d.o.Tree.Siblings, excluded: d.o.Excluded, above: d.above,
		moved: d.movedBy(now, retry), now: now,
	}
	if d.full != nil {
		d.standing = nil // it says that the remote may be anything
	}
	p.standing = d.standing
	if d.o.NoEmptyDirs {
		p.empty = func(path string) bool { return l.isEmpty(path, d.o.Excluded) }
	}
	if t, ok := d.o.Tree.(indexed); ok {
		p.live = func(path string) bool {
			// An error shows up wherever the journal is used next; until then
			// the item waits or is sent.
			_, live, err := t.Lookup(path)
			return live && err == nil
		}
	}
	pl := p.next(items, &d.locks, d.bigAllowed())
	head := d.o.Feed.Head()
	for _, it := range pl.done {
		if it.needless == 0 {
			it.needless = head
		}
		if retry && d.ledger.read < it.needless {
			// What makes it needless may not have been read yet: a removal, for
			// which it has to tell since when the remote is behind.
			continue
		}
		if d.ledger.read < head {
			d.seen.skip(it.Path, d.waits(it, retry))
		}
		d.needless(it, retry)
		d.ackItem(it, retry, now)
	}
	for _, f := range pl.failed {
		d.failItem(f.item, f.out, retry, now)
	}
	if pl.batch != nil {
		pl.batch.Retry = retry
	}
	return pl.batch
}

// bigAllowed keeps one worker free for everything that is not big.
func (d *Dispatcher) bigAllowed() bool {
	n := 0
	for _, b := range d.flights {
		if b.Lane == LaneBig {
			n++
		}
	}
	return n < max(1, d.o.Workers-1)
}

// start hands a batch to a worker.
func (d *Dispatcher) start(ctx context.Context, b *Batch, now time.Time) {
	d.batches++
	b.ID, b.Started, b.place, b.bare = d.batches, now, d.state.Place, *d.bare.Load()
	b.progress = d.newProgress(b, now)
	b.gentle = indexFinding(d.state.Probe.Findings, idAborts) >= 0
	for _, it := range b.Items {
		if b.Retry {
			it.state = itemInFlight
		} else {
			d.queue.take(it, itemInFlight)
		}
	}
	if !b.Retry && b.chunk == nil && !b.tidy {
		d.gatherFrom, d.gatherUntil = time.Time{}, time.Time{}
		d.stream.started(now)
	}
	d.locks.AddAll(b.Locks)
	d.tidy.started(b)
	d.flights[b.ID] = b
	d.turning.started(b)
	if b.move != nil {
		b.move.flying++
	}
	if d.lookout != nil {
		d.lookout.batch(b)
	}
	failpoint.Hit("replicate.batch")
	run, ended := d.stoppable(ctx, b)
	go func() {
		rep := d.work(run, b)
		ended()
		d.reports <- rep
	}()
}

// work carries one batch, and looks again when only a part of it arrived.
func (d *Dispatcher) work(ctx context.Context, b *Batch) report {
	if b.tidy {
		return report{batch: b, res: d.tr.Run(ctx, b, Verify)}
	}
	if b.chunk != nil {
		return d.reconcile(ctx, b)
	}
	rep := report{batch: b, res: d.tr.Run(ctx, b, Send)}
	if b.move != nil {
		return rep // what it leaves is for the other lanes
	}
	// Code 24 comes, among others, from a removal whose parent is gone, too.
	unsure := rep.res.Exit == 24 && b.Removes
	if unsure || rep.res.Outcome.unsure() && !rep.leadsNowhere() {
		failpoint.Hit("replicate.verify")
		v := d.tr.Run(ctx, b, Verify)
		rep.verify = &v
	}
	return rep
}

// unsure tells whether a part of a batch may have arrived.
func (o Outcome) unsure() bool { return o.Class == ClassEntry || o.ID == "E-NOSPACE" }
