package journal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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
		var asked chan error
		select {
		case <-j.closing:
			return
		case <-j.rotated:
		case asked = <-j.compactNow:
		case <-retry.C:
			if !waiting {
				continue
			}
		}
		var err error
		if old == nil {
			old, waiting, err = j.compact(asked != nil)
		}
		if old != nil && j.confirm(old) {
			old = nil
		}
		if old != nil && err == nil {
			err = errors.New("what was merged could not be looked at yet: see the log")
		}
		if asked != nil {
			asked <- errors.Join(err, j.Err())
		}
		if j.Err() != nil {
			return // nothing is written any more
		}
		waiting = waiting || old != nil
	}
}

// Compacted is what a Compact came to.
type Compacted struct {
	Before, After int64  // bytes on disk
	Truncated     uint64 // entries deleted
}

// Compact does at once what otherwise happens in time: a round of Maintain, then
// all tables are merged, however few they are. Readers and writers go on
// meanwhile. The newest writes, up to two logs of 16 MiB, stay as they are, and
// so do fewer than five tables that nothing larger is below. There is no value
// log to collect: values are too small for it.
func (j *Journal) Compact(ctx context.Context) (Compacted, error) {
	c := Compacted{Before: diskBytes(j.dir)}
	c.After = c.Before
	had := j.entryCount()
	if err := j.Maintain(ctx); err != nil {
		return c, err
	}
	c.Truncated = had - min(had, j.entryCount())
	done := make(chan error, 1)
	var err error
	select {
	case j.compactNow <- done:
	case <-j.compactorDone:
		err = cmp.Or(j.Err(), ErrClosed)
	case <-ctx.Done():
		err = ctx.Err()
	}
	if err == nil {
		select {
		case err = <-done:
		case <-j.compactorDone:
			err = cmp.Or(j.Err(), ErrClosed)
		case <-ctx.Done():
			err = ctx.Err()
		}
	}
	c.After = diskBytes(j.dir)
	if err != nil {
		return c, fmt.Errorf("compact journal: %w", err)
	}
	return c, nil
}

// entryCount is the number of entries of all sources.
func (j *Journal) entryCount() (n uint64) {
	for _, s := range j.all() {
		n += s.header().Entries
	}
	return n
}

// compact merges all tables into one level if there are many, or if it must;
// short of space it does nothing, says so, and wants to be called again. What was
// merged is held.
func (j *Journal) compact(must bool) (old *kept, again bool, err error) {
	if err := j.enter(); err != nil {
		return nil, false, err
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
	if fresh < compactTables && !must {
		return nil, true, nil // a log that was rotated becomes a table later
	}
	free, inodes, err := freeSpace(j.dir)
	if err != nil || free < minFreeBytes+size || inodes < minFreeInodes {
		j.log.Warn("compaction of the journal waits for space", "free_bytes", free, "needed_bytes", minFreeBytes+size)
		return nil, true, fmt.Errorf("%w: it takes %d bytes, %d are free", ErrNoSpace, minFreeBytes+size, free)
	}
	if old, err = j.keepTables(); err != nil {
		j.log.Warn("compaction of the journal waits", "error", err)
		return nil, true, err
	}
	if err = j.db.Flatten(1); err != nil {
		j.log.Warn("compaction of the journal failed", "error", err)
	}
	failpoint.Hit("journal.compacted")
	return old, false, err
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
