package replicate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gorsyncd/journal"
	"gorsyncd/journal/failpoint"
)

// maxContentOnly is how many paths may be in the retry set because a full sync
// by size and time would pass them over.
const maxContentOnly = 10000

// FullSyncRequest asks for a full sync.
type FullSyncRequest struct {
	Reason   string
	Sub      string // only this path with all below it; "" for everything
	Checksum bool   // compare content
}

// FullSync starts a full sync and returns when the wish is durable. If one is
// under way it begins again, wide enough for both wishes: what it has passed
// may have been asked for, too.
func (d *Dispatcher) FullSync(ctx context.Context, r FullSyncRequest) error {
	return d.persist(ctx, func() { d.beginFull(r, time.Now()) })
}

// RequireFullSync gives up the cursor: it moves to the head of the journal and
// a full sync makes up for what was skipped. Removals that were skipped are
// not made up for unless everything foreign is deleted (DeleteAll): their
// entries were all that was known of them. Files whose content only the
// journal knows to differ go to the retry set, or the full sync compares
// content if they are many. The retry set stays.
func (d *Dispatcher) RequireFullSync(ctx context.Context, reason string) error {
	var failed error
	err := d.persist(ctx, func() { failed = d.requireFull(reason, time.Now()) })
	return errors.Join(failed, err)
}

func (d *Dispatcher) requireFull(reason string, now time.Time) error {
	head := d.o.Feed.Head()
	content, all, err := d.contentOnly(head)
	if err != nil {
		return err
	}
	behind := d.lag().Since
	d.queue = newQueue()
	d.ahead = ahead{}
	d.seen.caughtUp(max(head, d.ledger.read))
	d.moves.from, d.moves.to, d.moves.inodes, d.moves.replaced = nil, nil, nil, 0
	d.ledger = ledger{read: max(head, d.ledger.read)}
	// What is under way must not be queued again when it fails.
	for _, b := range d.flights {
		if !b.Retry {
			for _, it := range b.Items {
				it.state = itemDropped
			}
		}
	}
	if all {
		for path, c := range content {
			d.keepContent(path, c, now)
		}
	}
	d.guard.reset()
	d.update.cursor = true
	d.beginFull(FullSyncRequest{Reason: reason, Checksum: !all}, now)
	d.full.rec.Behind = older(behind, d.full.rec.Behind)
	d.log.Warn("full sync required", "reason", reason, "seq", head)
	return nil
}

// contentOnly finds the paths up to head, not acknowledged yet, that a full
// sync would take for equal by their size and times.
// all is false when there are too many of them to be listed.
func (d *Dispatcher) contentOnly(head uint64) (paths map[string]content, all bool, err error) {
	paths = map[string]content{}
	for it := range d.unacked() {
		if it.Flags&journal.FlagChecksum != 0 {
			paths[it.Path] = paths[it.Path].with(it.Seq, it.Time)
		}
	}
	err = contentBetween(d.o.Feed, d.o.Name, d.ledger.read+1, head, d.completed.cursor, paths)
	if err != nil {
		return nil, false, fmt.Errorf("read journal of %s: %w", d.o.Source, err)
	}
	return paths, len(paths) <= maxContentOnly, nil
}

// keepContent has the content of a path sent whatever its size and times say.
func (d *Dispatcher) keepContent(path string, c content, now time.Time) {
	e := journal.Entry{Path: path, Seq: c.seq, Op: journal.OpChange, Flags: journal.FlagChecksum}
	if r := d.retries.get(path); r != nil {
		e.Seq = max(e.Seq, r.Seq)
		d.absorb(r, e, c.since)
		return
	}
	d.keepRetry(journal.Retry{Path: path, Seq: e.Seq, Op: e.Op, Flags: e.Flags, First: now, Next: now}).owes(c.since)
}

func (d *Dispatcher) beginFull(r FullSyncRequest, now time.Time) {
	rec := journal.FullSync{Reason: r.Reason, Started: now, Sub: r.Sub, Checksum: r.Checksum}
	if !askedFor(r.Reason) {
		rec.Behind = d.o.Clock.Now() // since then at least
	}
	if old := d.full; old != nil {
		rec.Behind = older(old.rec.Behind, rec.Behind)
		rec.Checksum = rec.Checksum || old.rec.Checksum
		if askedFor(r.Reason) && !askedFor(old.rec.Reason) {
			rec.Reason = old.rec.Reason // it still makes good what was skipped
		}
		if old.rec.Sub != r.Sub {
			rec.Sub = ""
		}
	}
	f := newFullSync(rec)
	if d.full != nil {
		f.deleted = d.full.deleted
	}
	d.full = f
	d.update.full, d.update.endFull = true, false
	failpoint.Hit("replicate.full.begun")
	d.log.Info("full sync begins", "reason", rec.Reason, "path", rec.Sub)
}

// fullReady tells whether a full sync may go on.
func (d *Dispatcher) fullReady() bool {
	return d.full != nil && d.sourceReady() && !d.probeFirst()
}

// sourceReady tells whether the source is one that a full sync may read.
func (d *Dispatcher) sourceReady() bool { return d.scanned() && !d.sourceHeld() }

// scanned tells whether the first scan of the source is journaled.
func (d *Dispatcher) scanned() bool {
	select {
	case <-d.o.Ready:
		return true
	default:
		return d.o.Ready == nil
	}
}

// sourceHeld tells whether a guard takes what the source shows for doubtful.
func (d *Dispatcher) sourceHeld() bool { return d.o.Held != nil && d.o.Held() }

func (d *Dispatcher) view(l *look) view {
	index, _ := d.o.Tree.(indexed)
	return view{look: l.at, index: index, retry: d.o.Retry}
}

// nextChunk returns the next batch of the full sync, if there is one that may
// start.
func (d *Dispatcher) nextChunk(l *look, now time.Time) (*Batch, error) {
	if !d.fullReady() {
		return nil, nil
	}
	f := d.full
	if err := d.countFull(f, now); err != nil {
		return nil, err
	}
	if d.chunkFlights() >= d.fullWorkers() {
		return nil, nil
	}
	if !f.begun && f.rec.Sub != "" {
		dir, err := d.view(l).mayBeDir(f.rec.Sub)
		if err != nil {
			return nil, d.indexFailed(err)
		}
		if !dir {
			d.fullOfFile(f, now)
			return nil, nil
		}
	}
	v := d.view(l)
	v.above = d.above // only the goroutine of Run may ask
	b, err := f.step(d.o.Tree, v, d.o.Excluded, &d.locks, now)
	if err != nil {
		return nil, d.indexFailed(err)
	}
	if b == nil {
		return nil, d.advanceFull(now)
	}
	d.liveRuns = 0
	if d.guarded() {
		left := d.o.MaxDelete - min(d.o.MaxDelete, f.deleted)
		b.maxDelete, b.spent = max(1, left), left == 0
	}
	return b, nil
}

func (d *Dispatcher) indexFailed(err error) error {
	return fmt.Errorf("read index of %s: %w", d.o.Source, err)
}

// mayBeDir tells whether a path is to be reconciled: unless tree and index
// agree that it is no directory.
func (v view) mayBeDir(path string) (bool, error) {
	seen := v.look(path)
	if seen.Presence == IsDir || v.index == nil {
		return seen.Presence == IsDir || seen.Presence == Unknown, nil
	}
	rec, live, err := v.index.Lookup(path)
	return live && rec.Type == journal.Dir, err
}

// guarded tells whether a full sync may delete only so much.
func (d *Dispatcher) guarded() bool {
	return d.o.Delete == DeleteAll && d.o.MaxDelete > 0 && !d.full.allowed
}

// fullWorkers is how many chunks may be under way at once.
func (d *Dispatcher) fullWorkers() int {
	switch {
	case d.guarded():
		return 1 // each run may delete all that is left of the allowance
	case d.o.Workers > 2:
		return d.o.Workers - 1 // one worker stays for live changes
	}
	return d.o.Workers
}

// chunkFlights counts the chunks under way. Where a worker is left free, that of a
// root with little directly in it goes beside the others: it is there at the
// beginning only, for about as long as a connection takes to be made.
func (d *Dispatcher) chunkFlights() int {
	n := 0
	for _, b := range d.flights {
		if b.chunk != nil && !(d.fullWorkers() < d.o.Workers && !d.guarded() && b.chunk.onlyRoot()) {
			n++
		}
	}
	return n
}

// countFull counts what there is to do, once.
func (d *Dispatcher) countFull(f *fullSync, now time.Time) error {
	if f.total {
		return nil
	}
	if err := f.weigh(d.o.Tree, d.fullWorkers(), d.quickest, now); err != nil {
		return d.indexFailed(err)
	}
	f.total, f.rec.Total = true, f.rec.Done+f.todo.Dirs
	d.update.full = true
	return nil
}

// fullOfFile treats a full sync of what is no directory as a change of it.
func (d *Dispatcher) fullOfFile(f *fullSync, now time.Time) {
	rec := journal.Retry{Path: f.rec.Sub, Seq: d.ledger.read, Op: journal.OpChange, First: now, Next: now}
	if f.rec.Checksum {
		rec.Flags = journal.FlagChecksum
	}
	if d.retries.get(rec.Path) == nil {
		d.keepRetry(rec)
	}
	d.endFull(now)
}

// chunkDone files a chunk that is on the remote, or whose rest is in the retry
// set.
func (d *Dispatcher) chunkDone(b *Batch) {
	c := b.chunk
	c.running, c.done = false, true
	c.of.pace.ran(c.weight, time.Since(b.Started))
	if c.of == d.full && c.of.advance() {
		failpoint.Hit("replicate.full.advanced")
		d.update.full = true
	}
}

// chunkFailed has a chunk tried again: by halves at once, a single directory
// after a back-off. The full sync does not end without it, so that nothing of
// the directory is forgotten however long it fails.
func (d *Dispatcher) chunkFailed(b *Batch, out Outcome, now time.Time) {
	c := b.chunk
	c.running = false
	if len(c.dirs) > 1 {
		c.of.halve(c)
		return
	}
	first := !c.failed()
	c.fail(out, d.o.Retry, now)
	d.failedOnce()
	if first && c.failed() {
		d.log.Warn("directory failed and is tried again", "batch", b.ID, "path", c.dirs[0],
			"error_id", out.ID, "message", out.Message, "hint", out.Hint)
	}
}

// advanceFull goes on to the hard links when the directories are done, and
// ends the full sync when those are.
func (d *Dispatcher) advanceFull(now time.Time) error {
	f := d.full
	if f.advance() {
		d.update.full = true
	}
	if !f.dirsDone() {
		return nil
	}
	if !f.linked {
		targets, err := f.linkTargets(d.o.Tree)
		if err != nil {
			return fmt.Errorf("read hard links of %s: %w", d.o.Source, err)
		}
		f.linked, f.rec.Links = true, true
		d.update.full = true
		for _, path := range targets {
			d.queueLink(f, path, now)
		}
	}
	if f.links == 0 {
		d.endFull(now)
	} else {
		d.again = f.links > 0 && !f.queued
	}
	f.queued = true
	return nil
}

func (d *Dispatcher) queueLink(f *fullSync, path string, now time.Time) {
	it := d.queue.get(path)
	if it == nil {
		if d.retries.get(path) != nil {
			return
		}
		it = &Item{Path: path, Op: journal.OpChange, asked: now}
		d.queue.push(it)
	}
	if it.link == nil {
		it.link = f
		f.links++
	}
}

// linkDone notes that an item of the last phase needs no more care from it.
func (d *Dispatcher) linkDone(it *Item) {
	if it.link == nil {
		return
	}
	it.link.links--
	it.link = nil
}

func (d *Dispatcher) endFull(now time.Time) {
	f := d.full
	d.full = nil
	d.update.full, d.update.endFull = false, true
	failpoint.Hit("replicate.full.ended")
	if f.rec.Sub == "" {
		d.state.LastFull = now
	}
	d.tellFull(&f.rec, now)
	d.state.LastSuccess = now
	d.state.Verify = healed(d.state.Verify, f.rec)
	d.update.state = true
	d.log.Info("full sync done", "reason", f.rec.Reason, "path", f.rec.Sub, "directories", f.rec.Done,
		"duration_seconds", now.Sub(f.rec.Started).Seconds())
}
