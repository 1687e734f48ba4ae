package journal

import (
	"context"
	"errors"
	"time"
)

// A compaction of Badger that cannot make a file for its result drops its
// input all the same, and says nothing; on XFS and btrfs that is what happens
// on a full file system. So Badger has no compactors of its own: the journal
// compacts when there is space for a second copy of everything, and looks
// whether all is there when the space went meanwhile.

const (
	// compactTables in level 0 are compacted. Badger's Flatten leaves as many as
	// NumLevelZeroTables alone.
	compactTables = 5
	compactEvery  = 10 * time.Second // between two attempts without space
	// stallTables never come together: Badger's writers would wait for
	// compactors.
	stallTables = 1 << 20
)

// compactor compacts until the journal is closed.
func (j *Journal) compactor() {
	defer close(j.compactorDone)
	retry := time.NewTicker(compactEvery)
	defer retry.Stop()
	waiting := true // for what earlier processes left
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
		waiting = j.compact()
	}
}

// compact merges all tables into one level if there are many; short of space
// it does nothing and wants to be called again.
func (j *Journal) compact() (again bool) {
	if j.enter() != nil {
		return false
	}
	defer j.leave()
	fresh, size := 0, uint64(0)
	for _, t := range j.db.Tables() {
		size += uint64(t.OnDiskSize)
		if t.Level == 0 {
			fresh++
		}
	}
	if fresh < compactTables {
		return true // a log that was rotated becomes a table later
	}
	free, inodes, err := freeSpace(j.dir)
	if err != nil || free < minFreeBytes+size || inodes < minFreeInodes {
		j.log.Warn("compaction of the journal waits for space", "free_bytes", free, "needed_bytes", minFreeBytes+size)
		return true
	}
	if err := j.db.Flatten(1); err != nil {
		j.log.Warn("compaction of the journal failed", "error", err)
	}
	if free, inodes, err := freeSpace(j.dir); err != nil || free < minFreeBytes/2 || inodes < minFreeInodes {
		go j.verifySoon() // this call has entered
	}
	return false
}

// verifySoon looks for what a compaction on a full file system has dropped.
func (j *Journal) verifySoon() {
	if err := j.Verify(context.Background()); err != nil && !errors.Is(err, ErrClosed) {
		j.log.Error("journal is damaged after a compaction without space", "error", err)
	}
}
