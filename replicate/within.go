package replicate

import (
	"slices"
	"time"

	"gorsyncd/journal"
)

// A run lists the directories that it writes into, so that it stamps them at its
// end. Two that stamp one directory may not overlap: the older could land last.
// In a busy directory all runs would go one after the other, whatever the number
// of workers. So where another run is to stamp a directory that the remote is
// known to have, more of them write into it without listing it (ScopeWithin), and
// leave the directory to be stamped after them. The first run of all, and any in
// a directory where nothing else happens, needs no second one for that.

const (
	// maxStanding bounds the directories that are remembered: beyond it all are
	// forgotten, and the next run of each lists it again.
	maxStanding = 20_000
	// stampPause is how long the stamp of a directory lets runs pass that write
	// into it: each of them would make it stale.
	stampPause = time.Second
	// stampPatience is how long it waits at most for others to share its run.
	stampPatience = 5 * time.Second
)

// standing is the directories that this remote is known to have: a run has
// stamped them, and nothing was journaled since that takes them away.
type standing map[string]bool

func (s *standing) add(dir string) {
	if *s == nil || len(*s) >= maxStanding {
		*s = standing{}
	}
	(*s)[dir] = true
}

// took follows an entry that was read.
func (s standing) took(e journal.Entry) {
	if len(s) == 0 || e.Op == journal.OpChange && e.Count == 0 && e.Flags&journal.FlagTurned == 0 {
		return
	}
	delete(s, e.Path)
	if e.Op == journal.OpRemove && e.Count <= 1 {
		return // nothing was below it
	}
	for dir := range s {
		if isBelow(dir, e.Path) {
			delete(s, dir)
		}
	}
}

// stood notes the directories that a run has stamped, but those that are to go
// or to take another's place.
func (d *Dispatcher) stood(b *Batch) {
	if b.existing {
		return // they may not be there
	}
	for _, dir := range b.Parents {
		if !d.leaving(dir) {
			d.standing.add(dir)
		}
	}
}

// leaving tells whether a directory, or one above it, is to be removed or may be
// something else on the remote.
func (d *Dispatcher) leaving(dir string) bool {
	for ok := true; ok && dir != ""; dir, ok = parentOf(dir) {
		if q := d.queue.get(dir); q != nil && (q.Op == journal.OpRemove || q.Count > 0 || q.turned()) {
			return true
		}
		if r := d.retries.get(dir); r != nil && (r.Op == journal.OpRemove || r.failed() || r.item.turned()) {
			return true
		}
	}
	return false
}

// within has a unit write into directories that others are to stamp, where it
// may: without them listed, and without room for it when the owner of the
// directory has no right to write, which rsync gives itself only in those that
// are listed.
func (r *round) within(u *unit) {
	if r.standing == nil || u.removes || u.lane != LaneList {
		return
	}
	keep := u.parents[:0]
	for _, dir := range u.parents {
		stamp := Lock{ScopeStamp, dir}
		if !r.held.Conflicts(stamp) && !r.reserved.Conflicts(stamp) || !r.standing[dir] || !r.writes(dir) {
			keep = append(keep, dir)
			continue
		}
		for i, l := range u.locks {
			if l == stamp {
				u.locks[i].Scope = ScopeWithin
			}
		}
		u.within = append(u.within, dir)
	}
	u.parents = keep
}

// writes tells whether the owner of a directory may write in it.
func (r *round) writes(dir string) bool {
	may, known := r.writable[dir]
	if !known {
		may = r.look(dir).Writable
		if r.writable == nil {
			r.writable = map[string]bool{}
		}
		r.writable[dir] = may
	}
	return may
}

// passes tells whether others may pass an item that waits: it only stamps a
// directory, and has not waited for long.
func (r *round) passes(it *Item, u *unit) bool {
	return u.stamps && r.now.Sub(it.asked) < stampPause
}

// busyWithin tells whether runs are under way that will leave the directory of a
// unit to be stamped once more.
func (r *round) busyWithin(it *Item, u *unit) bool {
	return u.stamps && r.passes(it, u) && r.held.Within(it.Path)
}

// leaveRoot has the root stamped after a batch of the list lane with a directory
// directly below it: where the run tells that it made that, or in any case where
// another run, for what is below, may have made it before without a word (rsync
// makes the directories above a name, with --no-implied-dirs, and prints none).
func (r *round) leaveRoot(b *Batch, always bool) {
	list, as := &b.Restamp, listedRestamp
	if always {
		list, as = &b.Within, listedWithin
	}
	r.list(list, as, []string{""})
}

// isStamp tells whether an item of the retry set was left by a run.
func (d *Dispatcher) isStamp(it *Item) bool {
	e := d.retries.get(it.Path)
	return e != nil && e.stamp
}

// gatherStamps returns what is due of the retry set without stamps that wait for
// more of their kind. Beside a run that is under way all do, for stampPause after
// the last that went, but those that have waited for long: where much goes on their
// directory is free for moments only.
func (d *Dispatcher) gatherStamps(due []*Item, now time.Time) []*Item {
	if len(d.waiters) > 0 || d.listing() == 0 || now.Sub(d.stampedAt) >= stampPause {
		return due
	}
	return slices.DeleteFunc(due, func(it *Item) bool { return d.isStamp(it) && now.Sub(it.asked) < stampPatience })
}
