package watch

import (
	"context"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"gorsyncd/journal"
	"gorsyncd/journal/failpoint"
)

// look is one path to be observed, and while it is worked on, what was found.
type look struct {
	path    string
	hints   hint
	wall    int64 // when its last event was received
	confirm int64 // observe it at this time, as a confirmation; 0: it is none

	dir    bool
	key    fileKey
	exists bool
}

// looks observes what is due.
func (t *Tree) looks(ctx context.Context) (bool, error) {
	dues, everything := t.co.pop(t.now(), batchSize)
	if everything {
		t.lostScan(suspectsOfLate())
		return true, nil
	}
	if len(dues) == 0 {
		return false, nil
	}
	var list []look
	for _, d := range dues {
		if d.hides {
			t.hidAt = t.now()
		}
		if d.scan {
			t.scanCollapsed(d)
			continue
		}
		list = append(list, look{path: d.path, hints: d.hints, wall: d.wall})
	}
	return true, t.lookAt(ctx, list)
}

// scanCollapsed scans a directory, one level, in which too many paths had
// events to look at each. The directory itself is looked at with it.
func (t *Tree) scanCollapsed(d due) {
	n := t.w.find(d.path)
	if n == nil {
		t.co.addNow(d.path, hintName, t.now(), d.wall)
		return
	}
	s := suspects{names: d.touched, events: d.wall}
	if d.touched == nil {
		s = suspects{from: d.wall - int64(suspectBefore), until: d.wall}
		t.doubt.raised = t.doubt.raised || d.hints&hintMade != 0 && d.hints&(hintGone|hintWrite) != 0
	}
	for _, h := range d.touched {
		t.doubt.raised = t.doubt.raised || h.mayHaveBeenLink()
	}
	g := t.scans.group(nil, t.now())
	t.scans.push(scan{rel: d.path, key: n.key, group: g, suspects: s})
	g.close(t.now())
}

// batch is the observations of one step and what they need.
type batch struct {
	t    *Tree
	root *handle
	dir  *handle // the open directory
	rel  string  // its path
	at   int64   // when it was opened
	obs  []journal.Observation
	of   []int // index of the look of each observation, -1 for a parent
	list []look
	seen map[string]struct{} // observed
}

func (b *batch) close() {
	b.dir.close()
	b.root.close()
}

// lookAt observes paths and passes what it saw to the index. Each is resolved
// from the root element by element, without symbolic links. A path counts as
// gone only if it is missing from a directory that is the one the tree knows;
// where the directory is another one or missing, that is looked at instead.
func (t *Tree) lookAt(ctx context.Context, list []look) error {
	if len(list) == 0 {
		return nil
	}
	if err := t.flush(ctx); err != nil {
		return err
	}
	root, err := t.openAccepted()
	if err != nil {
		return t.rootTrouble(ctx)
	}
	b := &batch{t: t, root: root, list: list, seen: map[string]struct{}{}}
	defer b.close()
	if t.linksSeen {
		t.looking = make(map[string]hint, len(list))
		for _, l := range list {
			t.looking[l.path] = l.hints
		}
		defer func() { t.looking = nil }()
	}
	slices.SortFunc(b.list, func(x, y look) int { return strings.Compare(x.path, y.path) })
	for i := 0; i < len(b.list); i++ { // observe appends
		b.observe(i)
		if t.heldRoot != "" {
			return nil
		}
	}
	t.mu.Lock()
	t.status.Looks += uint64(len(b.list))
	t.mu.Unlock()
	return b.record(ctx)
}

// instead adds a look at a directory whose paths cannot be judged.
func (b *batch) instead(dir string) {
	if _, done := b.seen[dir]; done {
		return
	}
	for _, l := range b.list {
		if l.path == dir && l.confirm == 0 {
			return
		}
	}
	b.list = append(b.list, look{path: dir, hints: hintName})
}

// enter opens the directory of a path. false means that the path cannot be
// judged and what is needed was done.
func (b *batch) enter(rel string) bool {
	if b.dir != nil && b.rel == rel {
		return true
	}
	b.dir.close()
	b.dir = nil
	at := time.Now().UnixNano()
	d, err := b.root.open(rel)
	if err != nil {
		if isGone(err) && rel != "" {
			b.instead(rel)
		} else {
			b.t.troubled(rel, "open directory", err)
		}
		return false
	}
	n := b.t.w.find(rel)
	if n == nil || n.key != keyOf(&d.st) {
		d.close()
		if !b.t.o.Filter.Match(rel, true).Excluded {
			b.instead(rel)
		}
		return false
	}
	b.dir, b.rel, b.at = d, rel, at
	return true
}

// observe looks at the i-th path.
func (b *batch) observe(i int) {
	l := &b.list[i]
	t := b.t
	if _, held := t.isHeld(l.path); held {
		return
	}
	if l.path == "" {
		b.observeRoot(l, i)
		return
	}
	if !b.enter(dirOf(l.path)) {
		t.doubt.raised = t.doubt.raised || l.hints.mayHaveBeenLink()
		return
	}
	l = &b.list[i] // enter may have grown the list
	if l.hints&hintName != 0 {
		b.observeParent()
	}
	t.doubt.raised = t.doubt.raised || l.hints.has(hintOver)
	at := time.Now().UnixNano()
	if l.confirm != 0 {
		at = l.confirm
	}
	var st unix.Stat_t
	err := b.dir.lstat(baseOf(l.path), &st)
	failpoint.Hit("watch.lstat")
	switch {
	case err == nil:
		l.dir, l.key, l.exists = isDir(&st), keyOf(&st), true
		if t.o.Filter.Match(l.path, l.dir).Excluded {
			t.dropped(l.path)
			return
		}
		if t.mountLost(l.path, &st, keyOf(&b.dir.st), l.dir) {
			return
		}
		if !l.dir {
			t.dropped(l.path)
		}
	case err == unix.ENOENT:
		if t.keepGone(b.root, l.path) {
			return
		}
		t.doubtGone(l)
	default:
		t.troubled(l.path, "stat", err)
		return
	}
	if t.linksSeen { // whatever the hints: the event of the removal may be on its way
		if r, ok, err := t.o.Index.Lookup(l.path); err == nil && ok && (!l.exists || l.key.ino != r.Ino) {
			t.unlinked(l.path, l.path, r.State, l.hints) // an error of the index comes back from Record
		}
	}
	o := journal.Observation{Path: l.path, At: at, Confirm: l.confirm != 0 && err == nil, AttributesLater: t.o.AttributesLater}
	if l.confirm == 0 {
		o.Suspect = l.wall
	}
	if err == nil {
		o.State = stateOf(&st, t.rootKey.dev)
		if l.hints.onlyClosed() && t.storesShow(&st, l.wall) {
			o.Suspect = 0
		}
		was := t.away.take(l.path)
		o.Renewed = l.dir && (was || t.movedSilently(o))
		t.promise(&o, l.hints|t.unheard(l.path))
	} else {
		t.away.take(l.path)
		o.Renewed = l.hints&hintEvent != 0
		t.dropped(l.path)
	}
	b.add(o, i)
}

// add appends an observation. A path is observed once: what comes later in
// the batch would say the same.
func (b *batch) add(o journal.Observation, of int) {
	if _, done := b.seen[o.Path]; done && of < 0 {
		return
	}
	b.seen[o.Path] = struct{}{}
	b.t.ahead.touch(o.Path)
	b.obs = append(b.obs, o)
	b.of = append(b.of, of)
}

// observeParent notes the open directory, whose times change with the names
// in it although no event says so.
func (b *batch) observeParent() {
	b.add(journal.Observation{Path: b.rel, State: stateOf(&b.dir.st, b.t.rootKey.dev), At: b.at, AttributesLater: b.t.o.AttributesLater}, -1)
}

func (b *batch) observeRoot(l *look, i int) {
	at := time.Now().UnixNano()
	if err := b.root.stat(); err != nil {
		b.t.troubled("", "stat", err)
		return
	}
	l.dir, l.key, l.exists = true, keyOf(&b.root.st), true
	b.add(journal.Observation{State: stateOf(&b.root.st, b.t.rootKey.dev), At: at, Confirm: l.confirm != 0, AttributesLater: b.t.o.AttributesLater}, i)
}

// record passes the batch to the index and does what follows: confirmations,
// scans of directories that are new.
func (b *batch) record(ctx context.Context) error {
	if len(b.obs) == 0 {
		return nil
	}
	t := b.t
	t.ahead.letGo()
	results, err := t.record(ctx, b.obs)
	if err != nil {
		return err
	}
	var g *group
	for i, r := range results {
		o := &b.obs[i]
		if r.Racy && !o.Confirm && t.live(o.Path) {
			t.confirms.add(o.Path, t.now())
		}
		if b.of[i] < 0 {
			continue
		}
		l := &b.list[b.of[i]]
		delete(t.approved, l.path)
		if r.Seq != 0 {
			if err := t.siblings(*o, l.hints, l.wall); err != nil {
				return err
			}
		}
		if !l.dir {
			continue
		}
		n := t.w.find(l.path)
		if !r.Descend && n != nil && n.key == l.key && !n.stale {
			continue
		}
		if n != nil && n.key != l.key {
			t.dropped(l.path)
		}
		if g == nil {
			g = t.scans.group(nil, t.now())
		}
		t.scans.push(scan{rel: l.path, key: l.key, deep: true, group: g, seen: o.State, seenAt: o.At})
	}
	if g != nil {
		g.close(t.now())
	}
	return nil
}

// live says whether events of the path arrive, so that silence means
// something. Those of a directory itself come from its parent. What happened
// before they were let in is known when their scan has followed.
func (t *Tree) live(path string) bool {
	n := t.w.find(dirOf(path))
	return n != nil && n.state != unwatched && !n.stale && !n.polled && !n.unread
}

// dropped forgets the watches at and below a path that is no directory of the
// tree any more.
func (t *Tree) dropped(path string) {
	if t.w.find(path) != nil {
		t.w.forget(path)
		for p := range t.polled {
			if p == path || isBelow(p, path) {
				delete(t.polled, p)
			}
		}
		t.lookAtOrphans()
	}
}

// lookAtOrphans looks at directories whose watch belonged to another path of
// theirs that went away.
func (t *Tree) lookAtOrphans() {
	for _, p := range t.w.takeOrphans() {
		t.co.addNow(p, hintName, t.now(), 0)
	}
}
