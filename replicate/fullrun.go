package replicate

import (
	"context"
	"fmt"
	"time"

	"gorsyncd/journal"
)

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
// entries were all that was known of them. The retry set stays.
func (d *Dispatcher) RequireFullSync(ctx context.Context, reason string) error {
	return d.persist(ctx, func() {
		head := d.o.Feed.Head()
		d.queue = newQueue()
		d.ledger = ledger{read: max(head, d.ledger.read)}
		// What is under way must not be queued again when it fails.
		for _, b := range d.flights {
			if !b.Retry {
				for _, it := range b.Items {
					it.state = itemDropped
				}
			}
		}
		d.guard.reset()
		d.update.cursor = true
		d.beginFull(FullSyncRequest{Reason: reason}, time.Now())
		d.log.Warn("full sync required", "reason", reason, "seq", head)
	})
}

func (d *Dispatcher) beginFull(r FullSyncRequest, now time.Time) {
	rec := journal.FullSync{Reason: r.Reason, Started: now, Sub: r.Sub, Checksum: r.Checksum}
	if old := d.full; old != nil {
		rec.Checksum = rec.Checksum || old.rec.Checksum
		if old.rec.Sub != r.Sub {
			rec.Sub = ""
		}
	}
	d.full = newFullSync(rec)
	d.update.full, d.update.endFull = true, false
	d.log.Info("full sync begins", "reason", rec.Reason, "path", rec.Sub)
}

// fullReady tells whether a full sync may go on.
func (d *Dispatcher) fullReady() bool {
	if d.full == nil {
		return false
	}
	select {
	case <-d.o.Ready:
		return true
	default:
		return d.o.Ready == nil
	}
}

// nextChunk returns the next batch of the full sync, if there is one that may
// start.
func (d *Dispatcher) nextChunk(l *look, now time.Time) (*Batch, error) {
	if !d.fullReady() {
		return nil, nil
	}
	f := d.full
	if err := d.countFull(f); err != nil {
		return nil, err
	}
	if d.o.Workers > 2 && d.chunkFlights() >= d.o.Workers-1 {
		// One worker stays for live changes.
		return nil, nil
	}
	if !f.begun && f.rec.Sub != "" && l.at(f.rec.Sub).Presence != IsDir {
		d.fullOfFile(f, now)
		return nil, nil
	}
	if err := f.fetch(d.o.Tree, l.at, d.o.Excluded); err != nil {
		return nil, fmt.Errorf("read index of %s: %w", d.o.Source, err)
	}
	b := f.next(&d.locks)
	if b == nil {
		return nil, d.advanceFull(now)
	}
	d.liveRuns = 0
	if d.o.Delete == DeleteAll && !f.allowed {
		b.maxDelete = d.o.MaxDelete
	}
	return b, nil
}

func (d *Dispatcher) chunkFlights() int {
	n := 0
	for _, b := range d.flights {
		if b.chunk != nil {
			n++
		}
	}
	return n
}

// countFull counts what there is to do, once.
func (d *Dispatcher) countFull(f *fullSync) error {
	if f.total {
		return nil
	}
	n, err := d.o.Tree.CountDirs(f.rec.Sub)
	if err != nil {
		return fmt.Errorf("count directories of %s: %w", d.o.Source, err)
	}
	f.total, f.rec.Total = true, max(n, f.rec.Done)
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
	if c.of == d.full && c.of.advance() {
		d.update.full = true
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
		it = &Item{Path: path, Op: journal.OpChange, Time: now}
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
	if f.rec.Sub == "" {
		d.state.LastFull = now
	}
	d.state.LastSuccess = now
	d.update.state = true
	d.log.Info("full sync done", "reason", f.rec.Reason, "path", f.rec.Sub, "directories", f.rec.Done,
		"duration_seconds", now.Sub(f.rec.Started).Seconds())
}
