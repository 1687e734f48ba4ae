package replicate

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"gorsyncd/journal"
)

// movedBy returns what a planner asks about moves; nil when there are none.
func (d *Dispatcher) movedBy(now time.Time, retry bool) func(it *Item) (*move, bool) {
	fresh := d.freshDirs(now)
	if len(d.moves.from) == 0 && fresh == nil {
		return nil
	}
	ready := map[*move]bool{}
	return func(it *Item) (*move, bool) {
		if d.moves.behind(it.Path) != nil {
			return nil, true
		}
		if it.Op == journal.OpRemove {
			return nil, d.moves.from[it.Path] != nil
		}
		if retry {
			return nil, false
		}
		m := d.moves.above(it.Path)
		if m == nil || it.moved {
			return nil, m == nil && fresh != nil && fresh(it.Path)
		}
		if _, asked := ready[m]; !asked {
			ready[m] = d.readyMove(m, now)
		}
		switch {
		case m.broken:
			return nil, false
		case !ready[m]:
			return nil, true
		}
		return m, false
	}
}

// freshDirs tells, for a moment after the start, which paths lie below
// directories that are new since: the removal they may belong to is journaled
// later if its path comes later in the scan. nil afterwards.
func (d *Dispatcher) freshDirs(now time.Time) func(path string) bool {
	t, ok := d.o.Tree.(indexed)
	if !ok || d.moves.off || d.moves.ready > 0 || d.full != nil || now.Sub(d.moves.begun) > moveStart {
		return nil
	}
	known := map[string]bool{"": false}
	var fresh func(dir string) bool
	fresh = func(dir string) bool {
		is, asked := known[dir]
		if !asked {
			r, live, err := t.Lookup(dir)
			parent, _ := parentOf(dir)
			is = err == nil && live && r.Since > d.moves.head || fresh(parent)
			known[dir] = is
		}
		return is
	}
	return func(path string) bool {
		dir, ok := parentOf(path)
		return ok && fresh(dir)
	}
}

// readyMove tells whether a run may start: the removal is kept, what belongs to
// the move has been read or enough time has passed, and the remote has the new
// directory.
func (d *Dispatcher) readyMove(m *move, now time.Time) bool {
	if !m.replaced && (!m.kept || d.update.finished < m.commit) {
		return false
	}
	if !(m.fenced && d.ledger.read >= m.fence) && now.Before(m.gather) {
		return false
	}
	to, _ := m.dirs()
	for dir, ok := to, true; ok && dir != ""; dir, ok = parentOf(dir) {
		if r := d.retries.get(dir); r != nil && r.failed() {
			m.broken = true
			return false
		}
		if d.pendingDir(dir) {
			return false
		}
	}
	return true
}

// pendingDir tells whether the remote may have no such directory yet: what made
// it is on its way.
func (d *Dispatcher) pendingDir(dir string) bool {
	if r := d.retries.get(dir); r != nil && !r.stamp {
		return true
	}
	first := uint64(0)
	for it := range d.unacked() {
		if it.Path == dir && (first == 0 || it.First < first) {
			first = it.First
		}
	}
	if first == 0 {
		return false
	}
	t, ok := d.o.Tree.(indexed)
	if !ok {
		return true
	}
	r, live, err := t.Lookup(dir)
	return err != nil || !live || r.Since >= first
}

// carry deals with an item that waits for a move, or travels with one, and
// tells whether it has.
func (r *round) carry(it *Item) bool {
	if r.moved == nil {
		return false
	}
	m, waits := r.moved(it)
	switch {
	case waits:
		return true
	case m == nil:
		return false
	case r.batch != nil && r.batch.move != m:
		// A look at each would be too much.
		r.looks++
		return r.looks > r.limits.files || r.carries(it, r.look(it.Path))
	}
	seen := r.look(it.Path)
	if !r.carries(it, seen) {
		return false
	}
	it.Size = seen.Size
	u := &unit{lane: LaneMove, content: seen.Presence == IsFile && seen.Size > r.limits.moved, paths: []string{it.Path}, bytes: seen.Size,
		locks: []Lock{{ScopeTree, m.to}, {ScopeTree, m.from}}}
	if to, _ := m.dirs(); m.file { // it is stamped by the way
		u.locks = append(u.locks, Lock{ScopeDir, to})
	}
	switch {
	case r.batch != nil && r.batch.Content != u.content, r.led(it):
	case r.conflicts(u):
		r.reserved.AddAll(u.locks)
	case r.batch != nil && (len(r.batch.Paths) >= moveFiles || r.batch.Bytes+u.bytes > r.limits.moved):
		r.full = true
	default:
		r.add(it, u)
		r.batch.move, r.batch.passage = m, m.passage
	}
	return true
}

// carries tells whether a run of LaneMove may have an item. What has no content
// costs nothing to send, and a file with several names is linked to them by the
// other lanes.
func (r *round) carries(it *Item, seen Seen) bool {
	if it.alone || r.excluded != nil && r.excluded(it.Path, seen.Presence == IsDir) {
		return false
	}
	return seen.Presence == IsDir && (r.empty == nil || !r.empty(it.Path)) || seen.Presence == IsFile && seen.Nlink == 1
}

// reaches tells whether paths can be named as a run of a move has to: in
// rsync's arguments, where the receiver expands wildcards.
func (o *Options) reaches(m *passage) bool {
	if o.Excluded != nil && o.Excluded(m.to, !m.file) || m.to == "" || m.from == "" {
		return false
	}
	for _, path := range []string{m.from, m.to} {
		if len(o.Target.String())+len(path) > 4000 || strings.ContainsFunc(path, func(c rune) bool { return c < ' ' }) {
			return false
		}
	}
	if o.restricted() && !(plainName(m.to) && plainName(m.from)) {
		return false
	}
	return o.Target.Kind == Local || !strings.ContainsAny(m.to, `*?[\`)
}

// plainName tells whether a name may stand on a command line that somebody splits
// into words again: rsync before 3.2.4 quotes nothing.
func plainName(name string) bool {
	return utf8.ValidString(name) && strings.IndexFunc(name, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("/._-+@,", r)
	}) < 0
}
