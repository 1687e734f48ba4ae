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

// history knows which entries were done at times of the recent past.
type history struct {
	last  time.Time // of the last commit, or of opening
	marks []past    // oldest first, each older than last
	// reread are paths that were read without an entry, and the last time when that
	// may have been.
	reread map[string]time.Time
	floor  time.Time // what the wall clock had shown when it was set back
}

// past is the cursor as it was from a time on.
type past struct {
	at  time.Time
	cur Cursor
}

const (
	// historyStep is how far apart the marks of a history are at least: short
	// against the time between two changes of a file that must not cost a
	// comparison, long against a tick.
	historyStep = 50 * time.Millisecond
	// historySpan is how old a mark may get. In a stream of changes it may take
	// as long until a change that was made is observed, and commits never cease.
	historySpan = time.Minute
	maxReread   = 10_000 // paths
)

// note is called when the cursor is about to be replaced. What it has was done
// before it was written itself, hence the time of its mark. Of the marks those are
// kept that lie apart about as far as they are old: some twenty.
func (h *history) note(now time.Time, cur Cursor) {
	since := h.last
	if was := h.last.Round(0); now.Round(0).Before(was) && was.After(h.floor) {
		h.floor = was
	}
	h.last = now
	if n := len(h.marks); n > 0 {
		if age := now.Sub(h.marks[n-1].at); age >= 0 && age < historyStep {
			return
		}
	}
	kept := h.marks[:0]
	for i, m := range h.marks {
		age := now.Sub(m.at)
		switch {
		case age < 0 || age > historySpan:
		case len(kept) > 0 && i+1 < len(h.marks) && h.marks[i+1].at.Sub(kept[len(kept)-1].at) < age/3:
		default:
			kept = append(kept, m)
		}
	}
	clear(h.marks[len(kept):])
	h.marks = append(kept, past{since, cur})
	for p, at := range h.reread {
		if now.Sub(at) > historySpan {
			delete(h.reread, p)
		}
	}
}

// noteRead is called with directories that were read without an entry.
func (h *history) noteRead(now time.Time, dirs []string) {
	if len(h.reread)+len(dirs) > maxReread {
		*h = history{last: now, floor: h.floor}
		return
	}
	if h.reread == nil {
		h.reread = map[string]time.Time{}
	}
	for _, p := range dirs {
		h.reread[p] = now
	}
}

// noteDone is called before an update is written. What it tells of was read before.
func (r *Remote) noteDone(u *Update) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.s.j.now()
	if u.EndFullSync || len(u.DelRetry) > 0 && !u.Shallow { // files were read without an entry
		r.history = history{last: now, floor: r.history.floor}
	}
	r.history.note(now, r.cursor)
	r.history.noteRead(now, u.DelRetry)
}

// doneBefore tells whether the entry of a path is known to have been done at that
// time, and the path not to have been read since.
func (r *Remote) doneBefore(path string, seq uint64, at time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t, ok := r.history.reread[path]; ok && !t.Before(at) || !at.After(r.history.floor) {
		return false
	}
	if r.history.last.Before(at) && r.cursor.Has(seq) {
		return true
	}
	for _, m := range r.history.marks {
		if m.at.Before(at) && m.cur.Has(seq) {
			return true
		}
	}
	return false
}

// restedSince tells whether the remote has had nothing to do since then.
func (r *Remote) restedSince(at time.Time, head uint64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.history.last.Before(at) && at.After(r.history.floor) && r.cursor.Low >= head && r.held.Retries == 0
}

// mayBeRead tells whether a remote may have read the path since its mtime, or
// since its ctime where somebody has set an mtime in the future. A file with other
// names is read with each of them, whatever entry they have; and what was a
// directory, with what was removed below it.
func (s *Source) mayBeRead(txn *badger.Txn, path string, old Record, now State) (bool, error) {
	at := time.Unix(0, min(now.Mtime, now.Ctime)-racyWindow)
	shared := old.linked() || now.linked() || old.Type == Dir
	failing := false
	for _, r := range s.handles() {
		if r.hearsOnly() {
			continue
		}
		if !r.doneBefore(path, old.LastSeq, at) || r.needsFullSync() || shared && !r.restedSince(at, s.Head()) {
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
