package journal

import (
	"time"

	"github.com/dgraph-io/badger/v4"
)

// A remote acts on the state that a path has when it is read, which may be
// one that was never observed. If the file is then written again within one
// tick of its time stamps, with the same size, the remote has what looks like
// the next observation and is not. So a change needs FlagChecksum unless
// every remote was done with the path before the mtime that is now seen.

// history knows which entries were done at a time in the recent past.
type history struct {
	last  time.Time // of the last commit, or of opening
	old   Cursor    // the cursor as it was
	oldAt time.Time // at that time, or since
	mid   Cursor    // the next one to become old
	midAt time.Time
}

// historyStep is how far apart the cursors of a history are at least: short
// against the time between two changes of a file that must not cost a
// comparison, long against a tick.
const historyStep = 50 * time.Millisecond

// note is called when the cursor is about to be replaced.
func (h *history) note(now time.Time, cur Cursor) {
	if now.Sub(h.midAt) >= historyStep {
		h.old, h.oldAt = h.mid, h.midAt
		h.mid, h.midAt = cur, now
	}
	h.last = now
}

// doneBefore tells whether the entry is known to have been done at that time.
func (r *Remote) doneBefore(seq uint64, at time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := &r.history
	return h.last.Before(at) && r.cursor.Has(seq) ||
		h.midAt.Before(at) && h.mid.Has(seq) ||
		h.oldAt.Before(at) && h.old.Has(seq)
}

// mayBeRead tells whether a remote may have read the path since its mtime, or
// since its ctime where somebody has set an mtime in the future.
func (s *Source) mayBeRead(txn *badger.Txn, path string, last uint64, since int64) (bool, error) {
	at := time.Unix(0, since-racyWindow)
	failing := false
	for _, r := range s.handles() {
		if r.hearsOnly() {
			continue
		}
		if !r.doneBefore(last, at) || r.needsFullSync() {
			return true, nil
		}
		failing = failing || r.hasRetries()
	}
	if !failing {
		return false, nil
	}
	return s.inRetry(txn, path)
}

// anyFullSync tells whether any remote is being reconciled, which reads paths
// without an entry.
func (s *Source) anyFullSync() bool {
	for _, r := range s.handles() {
		if !r.hearsOnly() && r.needsFullSync() {
			return true
		}
	}
	return false
}

// hearsOnly tells a reader that reads entries and no files: its name begins with "_".
func (r *Remote) hearsOnly() bool { return r.name[0] == '_' }

func (r *Remote) needsFullSync() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.full != nil
}

func (r *Remote) hasRetries() bool { return r.holdings().Retries > 0 }
