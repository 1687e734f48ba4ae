package watch

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"gorsyncd/journal"
	"gorsyncd/journal/failpoint"
)

// fullScan asks for a scan of the whole tree. If one is under way another
// follows it.
func (t *Tree) fullScan(s suspects) {
	if g := t.scans.full; g != nil {
		g.again = true
		t.scans.fullSuspects = t.scans.fullSuspects.merge(s)
		return
	}
	g := t.scans.group(nil, t.now())
	g.done = func(took time.Duration) { t.fullScanDone(g, took) }
	t.scans.full = g
	t.scans.dirs = 0
	t.doubt.raised = false
	t.searchLinks()
	t.written.scanning()
	t.scans.push(scan{key: t.rootKey, deep: true, group: g, suspects: s})
	g.close(t.now())
}

// lostScan is one before which events may have been lost, or nobody was there
// to receive them.
func (t *Tree) lostScan(s suspects) {
	t.scans.lost = true
	t.fullScan(s)
}

// fullScanDone runs when the last directory of a full scan is journaled.
func (t *Tree) fullScanDone(g *group, took time.Duration) {
	if t.scans.full != g {
		return // the root was accepted anew meanwhile
	}
	t.written.scanned()
	if g.again {
		g.again = false
		t.written.scanning()
		g.done = func(took time.Duration) { t.fullScanDone(g, took) }
		s := t.scans.fullSuspects
		t.scans.fullSuspects = suspects{}
		t.scans.push(scan{key: t.rootKey, deep: true, group: g, suspects: s})
		return
	}
	t.scans.full, t.scans.lost = nil, false
	t.scans.complete = true
	t.doubt.scanned(t.now(), took)
	t.nextRound = max(t.nextRound, t.now()+10*took)
	t.mu.Lock()
	t.status.Scans++
	t.status.LastScan = time.Now()
	t.mu.Unlock()
	level := slog.LevelInfo
	if g.quiet {
		level = slog.LevelDebug
	}
	t.log.Log(context.Background(), level, "scan complete", "source", t.abs, "duration_seconds", took.Seconds(), "dirs", t.scans.dirs)
}

// scanFor scans directories for about as long as is given, and at least one.
// What is given is what the looks of the step took, with their commit: a scan
// that got one directory for each commit took minutes for a tree of some
// thousand directories while it changed.
func (t *Tree) scanFor(ctx context.Context, given time.Duration) (scanned bool, err error) {
	for end := t.now() + given; ; {
		ok, err := t.scanNext(ctx)
		if !ok || err != nil || t.now() >= end {
			return scanned || ok, err
		}
		scanned = true
	}
}

// scanNext scans one directory. What it found is passed to the index together
// with that of others.
func (t *Tree) scanNext(ctx context.Context) (bool, error) {
	sc, ok := t.scans.pop()
	if !ok {
		return false, nil
	}
	if err := t.lookWhereItWas(ctx, sc); err != nil {
		return false, err
	}
	if err := t.scanDir(ctx, sc); err != nil {
		return false, err
	}
	if t.heldRoot != "" {
		return false, nil
	}
	t.found.scans = append(t.found.scans, sc)
	if !t.scans.busy() || t.found.full() {
		if err := t.flush(ctx); err != nil {
			return false, err
		}
	}
	return true, nil
}

// scanned does what follows a complete scan of the whole tree.
func (t *Tree) scanned(ctx context.Context) error {
	if !t.scans.complete {
		return nil
	}
	failpoint.Hit("watch.scan.done")
	t.scans.complete = false
	t.emptyOK = false
	if err := t.settled(ctx); err != nil {
		return err
	}
	if err := t.lookAtLate(); err != nil {
		return err
	}
	if t.o.Roots.Baseline() {
		if err := t.o.Roots.EndBaseline(ctx); err != nil {
			return err
		}
	}
	if !t.isReady {
		t.isReady = true
		t.publish() // who waits for Ready finds the status of it
		close(t.ready)
	}
	return nil
}

// lister is one directory being scanned.
type lister struct {
	t    *Tree
	sc   scan
	root *handle
	dir  *handle
	late bool // its mark told nothing of the directory itself before
	todo []todo
}

// todo is a name that differs from the index, or may.
type todo struct {
	name  string
	force bool          // look unchanged, but are suspect
	other bool          // the index has another inode, or nothing
	mount bool          // the index has a directory of another file system
	away  bool          // the directory may have been elsewhere, and nobody has seen it
	was   journal.State // what the index has
}

// scanDir compares one directory with the index: watch, list, lstat, compare.
// The watch comes first, so that what changes afterwards causes an event.
func (t *Tree) scanDir(ctx context.Context, sc scan) error {
	if _, held := t.isHeld(sc.rel); held {
		return nil
	}
	root, err := t.openAccepted()
	if err != nil {
		return t.rootTrouble(ctx)
	}
	defer root.close()
	begun := t.now()
	dir, err := root.open(sc.rel)
	if err != nil {
		t.notThere(sc.rel, "open directory", err)
		return nil
	}
	defer func() { dir.close() }()
	t.scans.in, t.scans.within = sc.rel, true
	defer func() { t.scans.within = false }()
	n := t.w.find(sc.rel)
	if keyOf(&dir.st) != sc.key || n != nil && n.key != sc.key {
		t.flapped(sc.rel)
		return nil
	}
	sc.followed = n != nil && n.state != unwatched && !n.stale && !n.polled
	if n != nil && n.stale {
		sc.deep = true // what happened below while it was elsewhere was misread
	}
	id := t.enter(dir, sc)
	late := id != (handleID{}) && (n == nil || n.id != id)
	if !t.watchDir(root, sc, id, begun) {
		return nil
	}
	sc.at = time.Now().UnixNano()
	if err := unix.Fstat(dir.fd, &dir.st); err != nil {
		t.troubled(sc.rel, "stat", err)
		return nil
	}
	names, err := dir.names()
	if err != nil {
		t.notThere(sc.rel, "read directory", err)
		return nil
	}
	failpoint.Hit("watch.scan.dir")
	t.scans.dirs++
	slices.Sort(names)
	l := &lister{t: t, sc: sc, root: root, dir: dir, late: late}
	if err := l.own(); err != nil {
		return err
	}
	if n := t.w.find(sc.rel); n != nil && l.sc.fresh {
		n.told = n.added
		t.away.told(sc.rel, time.Duration(n.added))
	}
	if err := l.compare(names); err != nil {
		return err
	}
	return l.observeAll(ctx)
}

// notThere handles a directory that cannot be scanned.
func (t *Tree) notThere(rel, op string, err error) {
	if isGone(err) && rel != "" {
		t.co.addNow(rel, hintName, t.now(), 0)
		return
	}
	t.troubled(rel, op, err)
}

// flapped asks for a look at a directory that was another one when its scan
// began. One that stays so, as where a mount is only made by opening it, must
// not keep the loop busy.
func (t *Tree) flapped(rel string) {
	if t.flaps[rel]++; t.flaps[rel] > maxFlaps {
		t.troubled(rel, "scan directory", errMoved)
		return
	}
	t.co.addNow(rel, hintName, t.now(), 0)
}

// watchDir puts a watch on a directory, or lets the events of its mark in. false
// means that it moved meanwhile. A watch is compared with the path once it is
// there, a handle is that of the directory that was opened after begun: an event
// of the path that came since may be of another one.
func (t *Tree) watchDir(root *handle, sc scan, id handleID, begun time.Duration) bool {
	if id == (handleID{}) {
		begun = t.now()
	}
	same := func(rel string, key fileKey) bool {
		var st unix.Stat_t
		if unix.Stat(t.abs, &st) != nil || keyOf(&st) != t.rootKey {
			return false
		}
		h, err := root.open(rel)
		if err != nil {
			return false
		}
		defer h.close()
		return keyOf(&h.st) == key
	}
	n, err := t.w.ensure(sc.rel, sc.key, id, int64(begun), same)
	t.lookAtOrphans()
	if err == errMoved {
		t.flapped(sc.rel)
		return false
	}
	if err != nil && !limitReached(err) {
		t.troubled(sc.rel, "watch", err)
	}
	if err != nil {
		t.nextRound = min(t.nextRound, t.now()+t.every)
	}
	t.markPolled(n, sc)
	return true
}

// isPolled finds out whether other hosts can change the directory unseen.
func (t *Tree) isPolled(sc scan) bool {
	polled, known := t.fsPolled[sc.key.dev]
	if !known {
		polled = remoteFS(t.magic(t.absPath(sc.rel)))
		t.fsPolled[sc.key.dev] = polled
	}
	return polled
}

func (t *Tree) markPolled(n *node, sc scan) {
	n.polled = t.isPolled(sc)
	if n.polled && (n.parent == nil || !n.parent.polled) {
		t.polled[sc.rel] = struct{}{}
	}
}

// own observes the directory itself, unless that was done just before.
//
// A directory that is marked was deaf to changes of itself until now: what was
// changed right after it was seen, within one tick of the clock of its ctime, has
// left no other trace.
func (l *lister) own() error {
	t := l.t
	o := journal.Observation{Path: l.sc.rel, State: stateOf(&l.dir.st, t.rootKey.dev), At: l.sc.at}
	if l.late {
		t.confirms.forget(o.Path)
	}
	racy := journal.Record{State: l.sc.seen, ObservedAt: l.sc.seenAt}.Racy()
	if o.State == l.sc.seen && !(l.late && racy) {
		return nil
	}
	r, ok, err := t.o.Index.Lookup(o.Path)
	if err != nil {
		return err
	}
	if ok && journal.Same(r, o) && (!r.Racy() || t.confirms.pending(o.Path)) {
		return nil
	}
	o.Renewed = ok && t.unseen(l.sc, o.Path) && movedUnseen(r, o.State)
	if !ok || r.Ino != o.State.Ino || r.Dev != o.State.Dev || o.Renewed {
		l.sc.fresh, l.sc.deep = true, true
	}
	t.found.add(o, foundFrom{sc: l.sc, descended: true})
	return nil
}

// compare merges the names found with those in the index. Both are sorted by
// bytes. It only notes what differs, so that the index is not kept open.
func (l *lister) compare(names []string) error {
	i := 0
	err := l.t.o.Index.Children(l.sc.rel, func(name string, r journal.Record, trusted bool) error {
		for i < len(names) && names[i] < name {
			l.todo = append(l.todo, todo{name: names[i], other: true})
			i++
		}
		if i < len(names) && names[i] == name {
			i++
			l.known(name, r, trusted && !l.sc.fresh)
			return nil
		}
		l.todo = append(l.todo, todo{name: name, was: r.State})
		return nil
	})
	for ; i < len(names); i++ {
		l.todo = append(l.todo, todo{name: names[i], other: true})
	}
	return err
}

// known compares a name that the index has.
func (l *lister) known(name string, r journal.Record, trusted bool) {
	var st unix.Stat_t
	at := time.Now().UnixNano()
	if !trusted || fstatat(l.dir.fd, name, &st) != nil {
		l.todo = append(l.todo, todo{name: name, other: true, was: r.State})
		return
	}
	t := l.t
	t.linksSeen = t.linksSeen || isLinked(r.State)
	o := journal.Observation{State: stateOf(&st, t.rootKey.dev), At: at}
	path := ""
	if r.Type == journal.Dir || r.Racy() {
		path = join(l.sc.rel, name)
	}
	switch {
	case !journal.Same(r, o), r.Racy() && !t.confirms.pending(path), r.Type == journal.Dir && t.away.has(path):
		l.todo = append(l.todo, todo{
			name:  name,
			other: r.Type != o.State.Type || r.Ino != o.State.Ino || r.Dev != o.State.Dev,
			mount: r.Type == journal.Dir && r.Dev != 0,
			away:  r.Type == journal.Dir && t.unseen(l.sc, path) && movedUnseen(r, o.State),
			was:   r.State,
		})
	case r.Type == journal.Dir:
		if l.sc.deep || t.needsScan(path, keyOf(&st)) {
			t.descend(l.sc, path, keyOf(&st), o, false)
		}
	case l.sc.suspect(name, r):
		l.todo = append(l.todo, todo{name: name, force: true, was: r.State})
	}
}

// needsScan says whether a directory is not the one that was scanned before.
func (t *Tree) needsScan(path string, key fileKey) bool {
	n := t.w.find(path)
	return n == nil || n.key != key || n.stale
}

// descend asks for the scan of a directory found by another scan.
func (t *Tree) descend(from scan, path string, key fileKey, seen journal.Observation, fresh bool) {
	if t.o.Filter.excludes(path, true) {
		t.dropped(path)
		return
	}
	if _, held := t.isHeld(path); held {
		return
	}
	s := from.suspects
	if s.events > 0 {
		s = suspects{} // they are names of one directory
	}
	t.scans.push(scan{rel: path, key: key, deep: true, group: from.group, suspects: s, seen: seen.State, seenAt: seen.At, fresh: fresh})
}

// suspect says whether a file may have changed although it has the recorded
// fingerprint.
func (s *suspects) suspect(name string, r journal.Record) bool {
	if s.events > 0 {
		_, ok := s.names[nameHash(name)]
		return ok && r.ObservedAt < s.events
	}
	return s.until > 0 && r.ObservedAt <= s.until && max(r.Ctime, r.Mtime) >= s.from
}

// merge returns suspects that cover both.
func (s suspects) merge(o suspects) suspects {
	if s.until == 0 {
		return o
	}
	return suspects{from: min(s.from, o.from), until: max(s.until, o.until)}
}
