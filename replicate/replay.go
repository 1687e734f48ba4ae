package replicate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"gorsyncd/journal"
)

const (
	// maxReplay bounds the paths of one replay, which the retry set has in memory.
	// The journal keeps no more of those that every remote has.
	maxReplay = 200_000
	// replayStep paths are noted at a time, so that transfers go on meanwhile.
	replayStep = 1000
)

// ErrReplayTooMuch means that a full sync is cheaper.
var ErrReplayTooMuch = fmt.Errorf("more than %d paths would be sent again", maxReplay)

// ReplayRequest asks for everything that was journaled from a seq on to be sent
// again, as if it had not been acknowledged.
type ReplayRequest struct {
	From   uint64
	Sub    string // only this path with all below it; "" for everything
	DryRun bool   // find out and change nothing
	// Each is called for each path that is sent again, in order of the seqs; an
	// error of it ends the replay and is returned. May be nil.
	Each func(journal.Entry) error
}

// ReplayResult is what a replay comes to.
type ReplayResult struct {
	From, To uint64   // seqs that were looked at
	Changes  uint64   // paths that are sent
	Removals uint64   // paths that are removed
	Deletes  uint64   // what goes with them, as the guard counts
	Pending  uint64   // paths that are on their way anyway
	Remnants []string // directories of which the remote may keep something; see Replay
	FullSync bool     // one of the remnants removes what is too much in them
	Held     string   // why a guard holds the remote, or would; "" when none does
}

// Replay is for a remote that was set back, to a copy or a snapshot. The cursor
// stays where it is: paths that the remote has acknowledged since From go to the
// retry set, with their contents compared, which is durable when Replay returns.
// The rules of deletion hold, and removals count against the guard, which holds
// the remote before anything is sent if they are too many.
//
// The caller has made sure that the journal reaches back to From. The newest
// entry of each path is all that it has, and all that is needed, but for one
// case: a directory that was removed, forgotten (the sweep), and made again. Which
// paths it had is not known any more, and the remote may have them. With DeleteAll
// a full sync of these directories removes them; otherwise the result lists them.
func (d *Dispatcher) Replay(ctx context.Context, r ReplayRequest) (ReplayResult, error) {
	p, err := d.planReplay(ctx, r)
	if err != nil {
		return p.res, err
	}
	for _, e := range p.list {
		if r.Each == nil {
			break
		}
		if err := r.Each(e); err != nil {
			return p.res, err
		}
	}
	if r.DryRun {
		return p.res, nil
	}
	if err := d.noteReplay(ctx, p); err != nil {
		return p.res, err
	}
	d.log.Info("replay", "seq", r.From, "to_seq", p.res.To, "path", r.Sub, "changes", p.res.Changes, "removals", p.res.Removals,
		"remnants", len(p.res.Remnants))
	return p.res, nil
}

// replay is a Replay in the making.
type replay struct {
	index    indexed
	sub      string
	there    bool // it exists
	set      map[string]journal.Entry
	remnants map[string]bool
	list     []journal.Entry // of set, what is to be sent, in order
	res      ReplayResult
}

// planReplay reads what is to be sent again, and changes nothing.
func (d *Dispatcher) planReplay(ctx context.Context, r ReplayRequest) (*replay, error) {
	p := &replay{sub: r.Sub, set: map[string]journal.Entry{}, remnants: map[string]bool{}, res: ReplayResult{From: r.From}}
	var ok bool
	if p.index, ok = d.o.Tree.(indexed); !ok {
		return p, errors.New("the source has no index")
	}
	var err error
	if _, p.there, err = p.index.Lookup(r.Sub); err != nil {
		return p, err
	}
	var acked func(seq uint64) bool
	if err := d.do(ctx, func() { acked, p.res.To = d.acked(), d.o.Feed.Head() }); err != nil {
		return p, err
	}
	for from := r.From; from <= p.res.To; {
		page, err := d.o.Feed.Entries(from, readStep)
		if err != nil {
			return p, fmt.Errorf("read journal of %s: %w", d.o.Source, err)
		}
		for _, e := range page {
			if e.Seq <= p.res.To {
				p.take(e, acked(e.Seq))
			}
		}
		if len(p.set) > maxReplay {
			return p, ErrReplayTooMuch
		}
		if len(page) < readStep || ctx.Err() != nil {
			break
		}
		from = page[len(page)-1].Seq + 1
	}
	if err := ctx.Err(); err != nil {
		return p, err
	}
	return p, d.judgeReplay(p)
}

// acked tells which seqs the remote has, as of now: more exactly than the cursor,
// which is bounded. Run's goroutine.
func (d *Dispatcher) acked() func(seq uint64) bool {
	read, cursor, open := d.ledger.read, d.completed.cursor, map[uint64]bool{}
	for it := range d.unacked() {
		open[it.Seq] = true
	}
	return func(seq uint64) bool { return seq <= read && !open[seq] || seq > read && has(cursor, seq) }
}

// take adds an entry; of several of one path the newest stays.
func (p *replay) take(e journal.Entry, acked bool) {
	switch {
	case p.sub == "" || e.Path == p.sub || isBelow(e.Path, p.sub):
	case !isBelow(p.sub, e.Path):
		return
	case e.Op == journal.OpRemove && p.there:
		p.remnants[p.sub] = true // it came back since, with a directory above
		return
	case e.Op == journal.OpRemove:
		e.Path = p.sub // went with the directory above
	}
	if was, ok := p.set[e.Path]; ok && was.Op == journal.OpRemove && was.Count > 1 && e.Op == journal.OpChange {
		p.remnants[e.Path] = true
	}
	if acked {
		p.set[e.Path] = e
		return
	}
	delete(p.set, e.Path)
	p.res.Pending++
}

// judgeReplay leaves out what needs no sending: what is excluded, what went with
// a directory, what came back, and removals that the remote does not follow.
func (d *Dispatcher) judgeReplay(p *replay) error {
	for _, e := range p.set {
		rec, live, err := p.index.Lookup(e.Path)
		if err != nil {
			return fmt.Errorf("read index of %s: %w", d.o.Source, err)
		}
		remove := e.Op == journal.OpRemove
		switch {
		case remove == live, remove && (d.o.Delete == DeleteNone || e.Path == ""):
			continue
		case e.Path != "" && d.o.Excluded != nil && d.o.Excluded(e.Path, rec.Type == journal.Dir):
			continue
		}
		if remove {
			p.res.Removals++
			p.res.Deletes += max(e.Count, 1)
		} else {
			p.res.Changes++
			p.res.Deletes += e.Count
		}
		p.list = append(p.list, e)
	}
	slices.SortFunc(p.list, func(a, b journal.Entry) int { return cmp.Compare(a.Seq, b.Seq) })
	for _, dir := range slices.Sorted(maps.Keys(p.remnants)) {
		if rec, live, err := p.index.Lookup(dir); err != nil || live && rec.Type == journal.Dir && d.o.Delete != DeleteNone {
			p.res.Remnants = append(p.res.Remnants, dir)
		}
	}
	if d.o.Delete == DeleteNone {
		p.res.Deletes = 0
	}
	p.res.FullSync = d.o.Delete == DeleteAll && len(p.res.Remnants) > 0
	if limit := d.o.MaxDelete; limit > 0 && p.res.Deletes > limit {
		p.res.Held = fmt.Sprintf("G-MAXDELETE the replay would delete %d paths (limit %d)", p.res.Deletes, limit)
	}
	return nil
}

// noteReplay puts the paths into the retry set. The guard is first, and durable,
// so that nothing is sent before it has decided.
func (d *Dispatcher) noteReplay(ctx context.Context, p *replay) error {
	now := time.Now()
	err := d.persist(ctx, func() {
		d.standing = nil // the remote need not have any directory
		if p.res.Held != "" {
			d.hold(p.res.Held, now)
		}
	})
	for part := range slices.Chunk(p.list, replayStep) {
		if err != nil {
			return err
		}
		err = d.do(ctx, func() {
			for _, e := range part {
				d.sendAgain(e, now)
			}
		})
	}
	if err != nil {
		return err
	}
	return d.persist(ctx, func() {
		if p.res.FullSync {
			d.beginFull(FullSyncRequest{Reason: "replay", Sub: common(p.res.Remnants)}, now)
		}
	})
}

// sendAgain puts the path of an entry into the retry set. Run's goroutine.
func (d *Dispatcher) sendAgain(e journal.Entry, now time.Time) {
	if q := d.queue.get(e.Path); q != nil {
		q.Flags |= journal.FlagChecksum // changed since, and on its way
		return
	}
	rec := journal.Retry{Path: e.Path, Seq: e.Seq, Op: e.Op, Flags: e.Flags, First: now, Next: now}
	if e.Op == journal.OpChange {
		rec.Flags |= journal.FlagChecksum
	}
	if r := d.retries.get(e.Path); r != nil {
		was := r.Retry
		was.Flags |= rec.Flags
		if rec.Seq > was.Seq {
			was.Seq, was.Op = rec.Seq, rec.Op
		}
		was.Next = now
		if r.item.state == itemInFlight {
			r.again = true
		}
		rec = was
	}
	d.keepRetry(rec)
}

// common is the directory that all the given ones are in, or are.
func common(dirs []string) string {
	top := dirs[0]
	for _, dir := range dirs[1:] {
		for top != "" && dir != top && !isBelow(dir, top) {
			top, _ = parentOf(top)
		}
	}
	return top
}
