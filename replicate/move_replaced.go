package replicate

import (
	"time"

	"gorsyncd/journal"
)

// A directory that took the place of another, which was moved on, as in
//
//	mv site site.old && mv site.new site
//
// brings no removal of the old path. The index keeps which directory was there
// before (journal.Record.Replaced); as long as the remote has not been told, it
// still has that one. So what is at and below the path waits, for a moment, until
// it shows where the former one is now, and until that has been linked.

// mayReplace has what is at and below a directory wait that took the place of
// another one in what an entry tells.
func (d *Dispatcher) mayReplace(e journal.Entry, now time.Time) {
	if d.moves.off || d.full != nil || d.o.Delete == DeleteNone || e.Path == "" || len(d.moves.from) >= maxMoves {
		return
	}
	t := d.o.Tree.(shadowed)
	if e.First > t.NewestReplaced() {
		return
	}
	// An error shows up wherever the journal is used next.
	r, known, err := t.Stored(e.Path)
	if err != nil || !known || r.Type != journal.Dir || r.Since < e.First {
		return
	}
	if dev, ino, ok := r.Replaced(); ok && d.moves.inodes[inode{dev, ino}] == nil {
		d.moves.add(&move{passage: passage{from: e.Path, inode: inode{dev, ino}}, replaced: true, until: now.Add(moveWait)})
	}
}

// behind returns the move of the directory that was at or above a path before
// another took its place, and has yet to be linked; nil for none.
func (s *moves) behind(path string) *move {
	if s.replaced == 0 {
		return nil
	}
	for ok := true; ok && path != ""; path, ok = parentOf(path) {
		if m := s.from[path]; m != nil && m.replaced {
			return m
		}
	}
	return nil
}

// entangled tells whether what a move waits for would wait for the move: the two
// paths lie in each other, or directories have changed places in a circle.
func (s *moves) entangled(m *move) bool {
	if s.replaced == 0 {
		return false
	}
	if m.replaced && (isBelow(m.to, m.from) || isBelow(m.from, m.to)) {
		return true
	}
	for _, o := range s.from {
		if o.replaced && isBelow(o.from, m.to) {
			return true
		}
	}
	to := m.to
	for range maxMoves {
		next := s.behind(to)
		if next == nil || next.to == "" {
			return false
		}
		if next == m {
			return true
		}
		to = next.to
	}
	return true
}
