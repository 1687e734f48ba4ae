package journal

import (
	"context"
	"errors"
	"time"

	"gorsyncd/journal/failpoint"
)

// A compaction of Badger that cannot make a file for its result drops its
// input all the same, and says nothing; on XFS and btrfs that is what happens
// on a full file system. So Badger has no compactors of its own: the journal
// compacts when there is space for a second copy of everything, looks whether
// all is there afterwards, and keeps the input until then (keep.go).

const (
	// compactTables in level 0 are compacted. Badger's Flatten leaves as many as
	// NumLevelZeroTables alone.
	compactTables = 5
	// stallTables never come together: Badger's writers would wait for
	// compactors.
	stallTables = 1 << 20
)

// compactEvery passes between two attempts without space; more in tests.
var compactEvery = 10 * time.Second

// compactor compacts until the journal is closed.
func (j *Journal) compactor() {
	defer close(j.compactorDone)
	retry := time.NewTicker(compactEvery)
	defer retry.Stop()
	waiting := true // for what earlier processes left
	var old *kept   // nothing is merged before what was is looked at
	for {
		select {
		case <-j.closing:
			return
		case <-j.rotated:
		case <-retry.C:
			if !waiting {
				continue
			}
		}
		if old == nil {
			old, waiting = j.compact()
		}
		if old != nil && j.confirm(old) {
			old = nil
		}
		if j.Err() != nil {
			return // nothing is written any more
		}
		waiting = waiting || old != nil
	}
}

// compact merges all tables into one level if there are many; short of space
// it does nothing and wants to be called again. What was merged is held.
func (j *Journal) compact() (old *kept, again bool) {
	if j.enter() != nil {
		return nil, false
	}
	defer j.leave()
	fresh, size := 0, uint64(0)
	for _, t := range j.db.Tables() {
		size += uint64(t.OnDiskSize)
		if t.Level == 0 {
			fresh++
			size += uint64(t.OnDiskSize) // may go by a level in between
		}
	}
	if fresh < compactTables {
		return nil, true // a log that was rotated becomes a table later
	}
	free, inodes, err := freeSpace(j.dir)
	if err != nil || free < minFreeBytes+size || inodes < minFreeInodes {
		j.log.Warn("compaction of the journal waits for space", "free_bytes", free, "needed_bytes", minFreeBytes+size)
		return nil, true
	}
	if old, err = j.keepTables(); err != nil {
		j.log.Warn("compaction of the journal waits", "error", err)
		return nil, true
	}
	if err := j.db.Flatten(1); err != nil {
		j.log.Warn("compaction of the journal failed", "error", err)
	}
	failpoint.Hit("journal.compacted")
	return old, false
}

// confirm looks whether a compaction has lost anything, and lets go what it has
// read if not. If the journal is closed meanwhile that stays until the next Open
// has looked; if it is damaged, for Salvage.
func (j *Journal) confirm(old *kept) bool {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-j.closing:
			cancel()
		case <-ctx.Done():
		}
	}()
	err := j.Verify(ctx)
	switch {
	case err == nil:
		old.forget()
	case isDamage(err):
		j.log.Error("journal is damaged after a compaction", "error", err)
	case ctx.Err() == nil && !errors.Is(err, ErrClosed):
		j.log.Warn("cannot look at what a compaction of the journal has made", "error", err)
	}
	return err == nil
}
