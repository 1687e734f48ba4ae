package journal

import (
	"context"
	"fmt"

	"github.com/dgraph-io/badger/v4"
)

// Limits of one transaction of Record. Each observation is atomic, a whole
// call need not be.
const (
	chunkObservations = 1000
	chunkBytes        = 512 << 10
)

// Record compares each observation with the index and, where they differ,
// appends an entry and changes the index with it. It returns one Result per
// observation when all of them are durable. When it fails, the results tell
// which of the first observations were still recorded. Nothing is recorded if
// any path is invalid.
func (s *Source) Record(ctx context.Context, obs []Observation) ([]Result, error) {
	for i := range obs {
		if err := checkPath(obs[i].Path); err != nil {
			return nil, fmt.Errorf("record in source %s: %w", s.name, err)
		}
	}
	s.recording.Lock()
	defer s.recording.Unlock()
	results := make([]Result, 0, len(obs))
	above := map[string]uint64{}
	for len(results) < len(obs) {
		done, err := s.recordChunk(ctx, obs[len(results):], above)
		if err != nil {
			return results, fmt.Errorf("record in source %s: %w", s.name, err)
		}
		results = append(results, done...)
	}
	return results, nil
}

// recordChunk commits as many of the observations as fit into one
// transaction, at least one.
func (s *Source) recordChunk(ctx context.Context, obs []Observation, above map[string]uint64) ([]Result, error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.j.readOnly {
		return nil, ErrReadOnly
	}
	if err := s.j.enter(); err != nil {
		return nil, err
	}
	defer s.j.leave()
	c := &chunk{s: s, h: s.header(), acked: s.acked(), now: s.j.Now(), records: map[string]*Record{}, entries: map[uint64]*Entry{}, above: above}
	results := make([]Result, 0, min(len(obs), chunkObservations))
	err := s.j.reading(func(txn *badger.Txn) error {
		c.txn = txn
		for len(results) < min(len(obs), chunkObservations) && c.size < chunkBytes {
			res, err := c.observe(obs[len(results)])
			if err != nil {
				return err
			}
			results = append(results, res)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(c.ops) > 0 {
		c.h.Recorded = s.j.now().UnixNano()
	}
	defer s.walkChanged(c)
	return results, s.commit(ctx, c.h, c.ops)
}

// observe decides what one observation means.
func (c *chunk) observe(o Observation) (Result, error) {
	o.State = o.State.normal()
	old, known, err := c.record(o.Path)
	if err != nil {
		return Result{}, err
	}
	since, live, err := c.since(o.Path)
	if err != nil {
		return Result{}, err
	}
	if o.State.Type == Gone {
		switch {
		case !live, known && old.Type == Gone && old.LastSeq >= since && !o.Renewed:
			return Result{}, nil // the remotes were told
		case known:
			return c.remove(o, &old)
		case o.Renewed && c.s.anyFullSync():
			return c.remove(o, nil)
		}
		return Result{}, nil // and never knew of it
	}
	if !live {
		if since, err = c.imply(o); err != nil {
			return Result{}, err
		}
	}
	if !known {
		var flags Flag
		if o.State.Type == File && c.s.anyFullSync() {
			flags = FlagChecksum
		}
		return c.change(o, nil, flags)
	}
	stale := old.Type == Gone || old.LastSeq < since
	var flags Flag
	switch {
	case !stale && o.attributesAlone(old):
		return c.passOver(o, old), nil
	case stale, !Same(old, o), o.Renewed && old.Type == Dir:
	case o.State.Type == File && old.ObservedAt < o.Suspect:
		flags = FlagChecksum
	case !old.Racy():
		return Result{}, nil
	case o.Confirm:
		rec := old
		rec.ObservedAt = max(old.ObservedAt, o.At)
		c.putRecord(o.Path, &old, rec)
		return Result{Racy: rec.Racy()}, nil
	}
	if needsChecksum(old, o) {
		flags = FlagChecksum
	}
	if flags == 0 && o.State.Type == File {
		read, err := c.s.mayBeRead(c.txn, o.Path, old, o.State)
		if err != nil {
			return Result{}, err
		}
		if read {
			flags = FlagChecksum
		}
	}
	res, err := c.change(o, &old, flags)
	res.Descend = res.Descend || stale && o.State.Type == Dir
	return res, err
}

// passOver takes attributes over that are to go along with a later entry.
func (c *chunk) passOver(o Observation, old Record) Result {
	same := Same(old, o)
	if same && !old.Racy() {
		return Result{}
	}
	rec := old
	rec.State, rec.ObservedAt = o.State, o.At
	if same {
		rec.ObservedAt = max(old.ObservedAt, o.At)
	}
	rec.Behind = old.Behind || !same
	c.putRecord(o.Path, &old, rec)
	return Result{Racy: rec.Racy()}
}

// imply makes the ancestors of a present path live directories: they must
// exist, though the index says otherwise. What is written for them equals no
// observation, so that the first real one counts as a difference.
func (c *chunk) imply(o Observation) (since uint64, err error) {
	var missing []string
	for p := o.Path; p != ""; {
		p = parent(p)
		r, known, err := c.record(p)
		if err != nil {
			return 0, err
		}
		if !known || r.Type != Dir {
			missing = append(missing, p)
		}
	}
	for i := len(missing) - 1; i >= 0; i-- {
		r, known, err := c.record(missing[i])
		if err != nil {
			return 0, err
		}
		var old *Record
		if known {
			old = &r
		}
		a := Observation{Path: missing[i], State: State{Type: Dir}, At: o.At, Baseline: o.Baseline}
		if _, err := c.change(a, old, 0); err != nil {
			return 0, err
		}
	}
	since, _, err = c.since(o.Path)
	return since, err
}

// change journals a present path; old is nil when the index has no record.
func (c *chunk) change(o Observation, old *Record, flags Flag) (Result, error) {
	rec := Record{State: o.State, ObservedAt: o.At}
	if old == nil && o.Baseline {
		rec.baseline, rec.LastSeq = true, c.h.Head
		c.putRecord(o.Path, nil, rec)
		return Result{Racy: rec.Racy(), Descend: rec.Type == Dir}, nil
	}
	lost, err := c.lost(o, old)
	if err != nil {
		return Result{}, err
	}
	last, found, err := c.last(o.Path, old)
	if err != nil {
		return Result{}, err
	}
	if found && last.Op == OpChange && rec.Type == File {
		// The remotes may not have read the entry that asked for it.
		flags |= last.Flags & FlagChecksum
	}
	if rec.Type == Dir {
		if old != nil && (old.Type != Dir || o.Renewed) {
			flags |= FlagTurned
		}
		if found && last.Op == OpChange {
			flags |= last.Flags & FlagTurned // likewise
		}
	}
	rec.LastSeq = c.append(Entry{Op: OpChange, Flags: flags, Path: o.Path, Count: lost}, last, found)
	another := old == nil || old.Type != Dir || !old.sameInode(rec.State) || o.Renewed
	if rec.Type == Dir {
		if another {
			rec.Since, rec.was = rec.LastSeq, c.was(old, rec.State)
			if rec.was != (fileID{}) {
				c.s.replaced.Store(rec.Since)
			}
		} else {
			rec.Since, rec.was = old.Since, old.was
		}
	}
	rec.below = lost
	if old != nil && old.Type == Dir && (rec.Type != Dir || another) {
		clear(c.above)
	}
	c.putRecord(o.Path, old, rec)
	return Result{Seq: rec.LastSeq, Racy: rec.Racy(), Descend: rec.Type == Dir && another}, nil
}

// was is the directory that the remotes have in the place of another one that
// takes the place of old.
func (c *chunk) was(old *Record, now State) fileID {
	switch {
	case old == nil || old.Type != Dir || old.Ino == 0: // implied
		return fileID{}
	case old.Since > c.acked:
		return old.was // some have not heard of old
	case old.sameInode(now):
		return fileID{} // it was away, no more
	}
	return fileID{old.Dev, old.Ino}
}

// remove journals that a path and all below it is gone.
func (c *chunk) remove(o Observation, old *Record) (Result, error) {
	lost, err := c.lost(o, old)
	if err != nil {
		return Result{}, err
	}
	last, found, err := c.last(o.Path, old)
	if err != nil {
		return Result{}, err
	}
	// The tombstone keeps size and time stamps: a file that comes back with
	// them may be taken for unchanged by a remote that never saw it go.
	var rec Record
	if old != nil {
		rec = *old
	}
	rec.Type, rec.Since, rec.was, rec.baseline, rec.below, rec.ObservedAt, rec.Behind = Gone, 0, fileID{}, false, lost, o.At, false
	var flags Flag
	if found && last.Op == OpChange && last.Seq > c.acked {
		flags = last.Flags & FlagTurned // what goes may never have been there
	}
	rec.LastSeq = c.append(Entry{Op: OpRemove, Flags: flags, Path: o.Path, Count: lost + 1}, last, found)
	if old != nil && old.Type == Dir {
		clear(c.above)
	}
	c.putRecord(o.Path, old, rec)
	return Result{Seq: rec.LastSeq}, nil
}

// last returns the entry that a record stands for, if it is still present.
func (c *chunk) last(path string, old *Record) (Entry, bool, error) {
	if old == nil || old.baseline {
		return Entry{}, false, nil
	}
	e, found, err := c.entry(old.LastSeq)
	return e, found && e.Path == path, err
}

// lost counts the indexed paths below that go away with this observation, or
// went away with an earlier one and are not swept yet.
func (c *chunk) lost(o Observation, old *Record) (uint64, error) {
	if old == nil || o.State.Type == Dir || old.Type != Dir && old.below == 0 {
		return 0, nil
	}
	return c.countBelow(o.Path)
}

// append gives an entry its seq and deletes the older one of the path.
func (c *chunk) append(e Entry, last Entry, found bool) uint64 {
	if found {
		c.deleteEntry(last)
	}
	c.h.Head++
	e.Seq, e.Time = c.h.Head, c.now
	e.First, e.FirstTime = e.Seq, e.Time
	if found && last.Seq > c.acked { // else there is nobody to ask
		e.replace(last, c.cursors())
	}
	c.putEntry(e)
	return e.Seq
}
