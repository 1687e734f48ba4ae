package replicate

import (
	"time"

	"gorsyncd/journal"
)

// guardMoved has the guard count what went with the old path of a move, but for
// what the index has at the new one: that is not lost.
func (d *Dispatcher) guardMoved(m *move, now time.Time) {
	d.guardBelow(m, now)
	r := m.lost
	if r.count == 0 {
		return // nothing is removed
	}
	if t, ok := d.o.Tree.(indexed); ok && m.to != "" {
		// An error shows up wherever the journal is used next.
		rec, live, err := t.Lookup(m.to)
		if err == nil && live && rec.Dev == m.dev && rec.Ino == m.ino {
			if w, err := d.o.Tree.Weigh(m.to, "", false); err == nil {
				r.count -= min(r.count, w.Dirs+w.Files)
			}
		}
	}
	if r.count > 0 {
		d.guardRemovals(r, now)
	}
}

// guardBelow has the guard count what went away below the old path of a directory
// that was replaced, but for what the index has below the new one, and for what is
// there again.
func (d *Dispatcher) guardBelow(m *move, now time.Time) {
	t, _ := d.o.Tree.(indexed)
	for path, r := range m.below {
		// An error shows up wherever the journal is used next.
		if _, back, err := t.Lookup(path); err == nil && back {
			continue
		}
		if m.to != "" {
			r.count -= min(r.count, d.has(m.to+path[len(m.from):]))
		}
		if r.count > 0 {
			d.guardRemovals(r, now)
		}
	}
	m.below = nil
}

// mayLose is how many paths go away with what may have been moved, if it was not.
func (s *moves) mayLose() (n uint64) {
	for _, m := range s.from {
		n += m.lost.count
		for _, r := range m.below {
			n += r.count
		}
	}
	return n
}

// has counts what the index has at and below a path.
func (d *Dispatcher) has(path string) uint64 {
	// An error shows up wherever the journal is used next.
	rec, live, err := d.o.Tree.(indexed).Lookup(path)
	switch {
	case err != nil || !live:
		return 0
	case rec.Type != journal.Dir:
		return 1
	}
	w, err := d.o.Tree.Weigh(path, "", false)
	if err != nil {
		return 0
	}
	return w.Dirs + w.Files
}

// countKept has the guard count what a removal takes away that an earlier process
// kept for a move: it may have ended before it knew what is under the new path.
func (d *Dispatcher) countKept(path string, r journal.Retry) {
	m := d.moves.from[path]
	if m == nil || d.o.Delete == DeleteNone {
		return
	}
	// An error shows up wherever the journal is used next.
	if rec, known, err := d.o.Tree.(shadowed).Stored(path); err == nil && known {
		m.lost = removed{at: r.First, seq: r.Seq, count: rec.Lost() + 1}
	}
}
