package replicate

import (
	"iter"
	"strings"
	"time"

	"gorsyncd/journal"
)

// limits bound one batch.
type limits struct {
	files int
	// covered bounds a batch of removals whose parent is gone, too.
	covered int
	bytes   int64
	big     int64 // regular files above this size travel alone
	moved   int64 // bytes of a batch of LaneMove, which is read on both sides
}

// planner forms batches. It is pure: what the tree, the filter and the index
// say comes in through functions.
type planner struct {
	limits   limits
	now      time.Time
	noDelete bool
	look     func(path string) Seen
	siblings func(dev, ino uint64) ([]string, error)
	excluded func(path string, isDir bool) bool
	// live tells whether the index takes a path for existing; nil: unknown.
	live func(path string) bool
	// above yields the directories above a path that must be sent before it,
	// with what they have failed of; see turning. nil: there are none.
	above func(path string) iter.Seq2[string, Outcome]
	// moved tells which move can carry an item, and whether the item waits for
	// one; nil: there are none.
	moved func(it *Item) (m *move, waits bool)
	// empty tells which directories are not to be made; nil: none.
	empty func(path string) bool
	// standing are the directories that the remote is known to have.
	standing standing
}

// plan is what one round of planning decided.
type plan struct {
	batch  *Batch    // nil when nothing can start now
	done   []*Item   // nothing to send: acknowledge
	failed []failure // could not be looked at
}

type failure struct {
	item *Item
	out  Outcome
}

// unit is what one item asks of a batch.
type unit struct {
	lane    Lane
	content bool
	removes bool
	// existing marks what is to make nothing on the remote.
	existing bool
	paths    []string
	parents  []string // to be listed and stamped
	restamp  []string // left dirty
	within   []string // written into without being listed
	// stamps marks a directory that the remote has: only its attributes changed.
	stamps bool
	// attributes marks any directory.
	attributes bool
	locks      []Lock
	needs      []Lock // must be free at the start but are not held
	bytes      int64
	// either marks a directory directly below the root: listed in the list
	// lane it is stamped as well, only the root is not.
	either bool
	// covered marks a removal whose parent is gone, too. rsync gives up on the
	// whole batch when the remote has something else in the parent's place.
	covered bool
}

// next forms the next batch from the items in order. The first item that can
// start decides the lane; later ones of the same lane join while they fit and
// their locks are free. An item that has to wait keeps its place: nothing
// behind it may take what it waits for. big tells whether a big file may start.
func (p *planner) next(queue iter.Seq[*Item], held *Locks, big bool) plan {
	r := round{planner: p, held: held, big: big, blocked: map[string]bool{}, listed: map[listing]bool{}}
	for it := range queue {
		if r.full {
			break
		}
		if it.state == itemQueued {
			r.consider(it)
		}
	}
	if r.batch != nil {
		r.plan.batch = r.batch
		r.batch.Locks = dedupe(r.batch.Locks)
	}
	return r.plan
}

// round is one call of next.
type round struct {
	*planner
	plan
	held     *Locks
	reserved Locks            // of items that wait
	blocked  map[string]bool  // parents of items that wait: a cheap first check
	listed   map[listing]bool // what the batch has of everything that is in it once
	names    int              // bytes of everything in listed, and so at least of the list
	writable map[string]bool  // directories that were looked at for within
	big      bool
	full     bool
	either   bool // every unit so far could be in the list lane as well
	unsure   bool // one of them is a directory that the remote is not known to have
	looks    int  // at paths of another lane that might join
}

func (r *round) consider(it *Item) {
	if r.carry(it) {
		return
	}
	parent, _ := parentOf(it.Path)
	if it.Path != "" && r.blocked[parent] || !r.mayJoin(laneOf(it.Path), it.Flags&journal.FlagChecksum != 0) {
		return
	}
	if r.batch != nil && it.alone || r.led(it) {
		return
	}
	u, verdict := r.unit(it)
	switch {
	case u == &wait:
		return
	case verdict.ID != "":
		r.failed = append(r.failed, failure{it, verdict})
		return
	case u == nil:
		r.done = append(r.done, it)
		return
	}
	r.chain(u)
	r.within(u)
	switch {
	case r.batch != nil && !r.fits(u) || r.busyWithin(it, u):
		return
	case u.lane == LaneBig && !r.big:
		return
	case r.conflicts(u) && r.passes(it, u):
		return
	case r.conflicts(u):
		r.reserved.AddAll(u.locks)
		r.reserved.AddAll(u.needs)
		r.blocked[parent] = true
		return
	case r.batch != nil && (len(r.batch.Paths)+len(u.paths) > r.limits.files || r.batch.Bytes+u.bytes > r.limits.bytes):
		r.full = true
		return
	}
	r.add(it, u)
	r.full = u.lane == LaneBig || it.alone || len(r.batch.Paths) >= r.limits.files || r.names >= maxNames ||
		u.covered && len(r.batch.Items) >= r.limits.covered
}

// led tells whether an item would be led elsewhere by something that the remote
// has still in the place of a directory above it. It waits for the directory,
// or travels with it, or fails with it.
func (r *round) led(it *Item) bool {
	if r.above == nil {
		return false
	}
	for dir, why := range r.above(it.Path) {
		switch {
		case r.listed[listing{listedPath, dir}]:
			continue
		case why.ID != "":
			r.failed = append(r.failed, failure{it, why})
		}
		return true
	}
	return false
}

// mayJoin is what can be told without looking at the path: content comparison
// is dropped for what is no regular file, so only the reverse is final.
func (r *round) mayJoin(lane Lane, content bool) bool {
	b := r.batch
	switch {
	case b == nil:
		return true
	case b.Lane == lane, b.Lane == LaneRoot && lane == LaneTop, b.Lane == LaneTop && lane == LaneList && r.either:
		return content || !b.Content
	case b.Lane == LaneTop && lane == LaneRoot:
		return true
	case b.Lane == LaneList && lane == LaneTop && !content:
		// It may be a directory, but looking at everything would be too much.
		r.looks++
		return r.looks <= r.limits.files
	}
	return false
}

// fits tells whether a unit can join the batch. Three joins spare a run of
// rsync that would have to wait for the first: "./x" stamps the root by the
// way; a directory below the root may be listed beside what is in it.
func (r *round) fits(u *unit) bool {
	b := r.batch
	switch {
	case b.Covered != u.covered, b.existing != u.existing, r.empty != nil && b.Removes != u.removes:
		return false
	case b.Lane == LaneTop && u.lane == LaneRoot:
		return true
	case b.Lane == LaneRoot && u.lane == LaneTop:
		return true
	case u.content != b.Content:
		return false
	}
	return b.Lane == u.lane || b.Lane == LaneList && u.either || b.Lane == LaneTop && r.either && u.lane == LaneList
}

// join makes the lane of the batch fit both what is in it and a new unit.
func (r *round) join(u *unit) {
	b := r.batch
	switch {
	case b.Lane == LaneTop && u.lane == LaneRoot:
		u.paths = nil
		r.either = false
	case b.Lane == LaneRoot && u.lane == LaneTop:
		b.Lane, b.Content, b.Paths = LaneTop, u.content, nil
		r.either = false
	case b.Lane == LaneTop && u.lane == LaneList:
		b.Lane = LaneList
		r.leaveRoot(b, r.unsure)
	case b.Lane == LaneList && u.either:
		r.leaveRoot(b, !u.stamps)
	default:
		r.either = r.either && u.either
	}
}

func (r *round) conflicts(u *unit) bool {
	return r.held.ConflictsAny(u.locks) || r.held.ConflictsAny(u.needs) ||
		r.reserved.ConflictsAny(u.locks) || r.reserved.ConflictsAny(u.needs)
}

func (r *round) add(it *Item, u *unit) {
	if r.batch == nil {
		r.batch, r.either = &Batch{Lane: u.lane, Content: u.content, Covered: u.covered, existing: u.existing}, u.either
	} else {
		r.join(u)
	}
	b := r.batch
	r.unsure = r.unsure || u.either && !u.stamps
	it.attributes = u.attributes
	b.Items = append(b.Items, it)
	r.list(&b.Paths, listedPath, u.paths)
	r.list(&b.Parents, listedParent, u.parents)
	r.list(&b.Restamp, listedRestamp, u.restamp)
	r.list(&b.Within, listedWithin, u.within)
	if u.removes {
		b.Removes = true
		b.gone = append(b.gone, u.paths[0])
	}
	b.Bytes += u.bytes
	b.Locks = append(b.Locks, u.locks...)
}

// wait is the unit of an item that cannot be sent as it is, because the tree
// is not as the journal says: a path is there that was removed, or one is gone
// that was changed. Once the index agrees with the tree, there is an entry that
// replaces this item. Until then it may as well turn back before anybody
// notices, and nothing but this item would tell the remote.
var wait unit

// unit looks at an item's path. A nil unit without a verdict means that there
// is nothing to send.
func (p *planner) unit(it *Item) (*unit, Outcome) {
	seen := p.look(it.Path)
	it.Size = seen.Size
	if p.excluded != nil && it.Path != "" && p.excluded(it.Path, seen.Presence == IsDir) {
		return nil, Outcome{}
	}
	content := it.Flags&journal.FlagChecksum != 0
	if it.Op == journal.OpRemove && !p.noDelete && seen.Presence >= IsDir && seen.Presence != Unknown {
		if p.live != nil && p.live(it.Path) {
			return nil, Outcome{}
		}
		return &wait, Outcome{}
	}
	switch seen.Presence {
	case Unknown:
		return nil, sourceOutcome(seen.Err)
	case Covered, Missing:
		if it.Op == journal.OpChange && p.live != nil && p.live(it.Path) {
			return &wait, Outcome{}
		}
		if it.Op != journal.OpRemove || p.noDelete || it.Path == "" {
			return nil, Outcome{}
		}
		if seen.Presence == Covered {
			return p.covered(it.Path), Outcome{}
		}
		return p.small(it.Path, Lock{ScopeTree, it.Path}, true), Outcome{}
	case IsDir:
		if it.Path == "" {
			return &unit{lane: LaneRoot, attributes: true, paths: []string{""}, locks: []Lock{{ScopeDir, ""}}}, Outcome{}
		}
		own := Lock{ScopeDir, it.Path}
		if p.standing[it.Path] && it.Count == 0 && !it.turned() {
			own.Scope = ScopeStamp
		}
		u := p.small(it.Path, own, false)
		u.stamps, u.attributes = own.Scope == ScopeStamp, true
		u.existing = p.empty != nil && p.empty(it.Path)
		u.either = u.lane == LaneTop
		return u, Outcome{}
	case IsFile:
		paths, err := p.links(it.Path, seen)
		if err != nil {
			return nil, sourceOutcome(err)
		}
		return p.file(paths, seen, content), Outcome{}
	default:
		return p.small(it.Path, Lock{ScopeTree, it.Path}, false), Outcome{}
	}
}

// small is the unit of a path without content.
func (p *planner) small(path string, own Lock, removes bool) *unit {
	u := &unit{lane: laneOf(path), removes: removes, existing: removes && p.empty != nil, paths: []string{path}, locks: []Lock{own}}
	u.addParent(path)
	return u
}

// covered is the unit of a path whose parent is gone, too. The entry that
// removes the parent is on its way, but this one may not wait for it: the
// parent may come back first, and then nobody would remove the path. Listing
// the path alone removes exactly it (rsync ends with code 24), and lets the
// removal guard see the parent's own entry. Below what is no directory any
// more rsync refuses to look, or is led elsewhere by a symbolic link; sent
// itself, that takes the place of the directory with all that was in it.
func (p *planner) covered(path string) *unit {
	top, _ := parentOf(path)
	seen := p.look(top)
	for seen.Presence == Covered {
		top, _ = parentOf(top)
		seen = p.look(top)
	}
	u := &unit{lane: LaneList, removes: true, covered: true, existing: p.empty != nil, paths: []string{path}}
	if seen.Presence == Missing {
		parent, _ := parentOf(path)
		// A gentle run stamps the directory above all that is gone.
		anchor, _ := parentOf(top)
		u.locks = []Lock{{ScopeTree, path}, {ScopeDir, parent}, {ScopeDir, anchor}}
		return u
	}
	u.paths = []string{top}
	u.locks = []Lock{{ScopeTree, top}}
	u.addParent(top)
	return u
}

// file is the unit of a regular file with all its names.
func (p *planner) file(paths []string, seen Seen, content bool) *unit {
	u := &unit{lane: LaneTop, content: content, paths: paths, bytes: seen.Size}
	for _, path := range paths {
		u.locks = append(u.locks, Lock{ScopeTree, path})
		if strings.Contains(path, "/") {
			u.lane = LaneList
		}
	}
	if seen.Size > p.limits.big {
		u.lane = LaneBig
	}
	for _, path := range paths {
		u.addParent(path)
	}
	return u
}

// addParent claims the parent and has it stamped: by being listed in the same
// run, by being implied (top lane), or in a run of its own afterwards.
func (u *unit) addParent(path string) {
	parent, _ := parentOf(path)
	lock := Lock{ScopeStamp, parent}
	switch {
	case u.lane == LaneBig:
		u.needs = append(u.needs, lock)
		u.restamp = append(u.restamp, parent)
		return
	case u.lane == LaneList && parent == "":
		// "./" in a list means the root with its children, so the root cannot
		// be listed; it is not implied in this lane either.
		u.restamp = append(u.restamp, parent)
	case u.lane == LaneList:
		u.parents = append(u.parents, parent)
	}
	u.locks = append(u.locks, lock)
}

// links returns the path with the other names of the same inode that are still
// names of it: separate runs would send the content once for each of them.
func (p *planner) links(path string, seen Seen) ([]string, error) {
	paths := []string{path}
	if seen.Nlink < 2 || p.siblings == nil {
		return paths, nil
	}
	names, err := p.siblings(seen.Dev, seen.Ino)
	if err != nil {
		return nil, err
	}
	for _, n := range names {
		if n == path || p.excluded != nil && p.excluded(n, false) {
			continue
		}
		if s := p.look(n); s.Presence == IsFile && s.Dev == seen.Dev && s.Ino == seen.Ino {
			paths = append(paths, n)
		}
	}
	return paths, nil
}

func laneOf(path string) Lane {
	switch {
	case path == "":
		return LaneRoot
	case strings.Contains(path, "/"):
		return LaneList
	}
	return LaneTop
}
