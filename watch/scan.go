package watch

import (
	"context"
	"log/slog"
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
	if w, ok := t.o.Index.(Walker); ok {
		t.scans.walk = w.Walk()
	}
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
	t.scans.full, t.scans.walk, t.scans.lost = nil, nil, false
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
	t.lookAhead()
	if n := len(t.scans.stack); n > 0 && t.onScan != nil {
		t.onScan(&t.scans.stack[n-1])
	}
	sc, ok := t.scans.pop()
	if !ok {
		return false, nil
	}
	if err := t.lookWhereItWas(ctx, sc); err != nil {
		return false, err
	}
	before := len(t.scans.stack)
	if err := t.scanDir(ctx, sc); err != nil {
		return false, err
	}
	t.scans.inOrder(before)
	if t.heldRoot != "" {
		return false, nil
	}
	t.found.scans = append(t.found.scans, sc.group)
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
	t.ahead.letGo() // what follows waits for the journal
	t.emptyOK = false
	if err := t.settled(ctx); err != nil {
		return err
	}
	if err := t.lookAtLate(); err != nil {
		return err
	}
	if t.o.Roots.Baseline() {
		if err := t.endBaseline(ctx); err != nil {
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

// scanDir compares one directory with the index: watch, list, lstat, compare.
// The watch comes first, so that what changes afterwards causes an event.
func (t *Tree) scanDir(ctx context.Context, sc scan) error {
	e := t.claim(&sc)
	if _, held := t.isHeld(sc.rel); held {
		return nil
	}
	l := &lister{t: t, read: e}
	defer l.close()
	if e == nil {
		root, err := t.openAccepted()
		if err != nil {
			return t.rootTrouble(ctx)
		}
		l.root = root
		e = t.begin(root, &sc)
		l.dir, l.read = e.dir, e
		if !e.over {
			e.list()
		}
	}
	if e.over {
		return nil
	}
	sc.at = e.at
	switch {
	case e.op == "stat":
		t.troubled(sc.rel, e.op, e.err)
		return nil
	case e.err != nil:
		t.notThere(sc.rel, e.op, e.err)
		return nil
	}
	e.node.unread = false
	l.sc = sc
	return l.scan(ctx)
}

// begin opens a directory and lets its events in.
func (t *Tree) begin(root *handle, sc *scan) *entered {
	e := &entered{}
	e.open(t, root, sc.rel)
	t.letIn(root, sc, e)
	return e
}

// letIn lets the events of a directory in that was opened. What is over then needs
// no scan.
func (t *Tree) letIn(root *handle, sc *scan, e *entered) {
	if e.err != nil {
		e.over = true
		t.notThere(sc.rel, "open directory", e.err)
		return
	}
	n := t.w.find(sc.rel)
	if keyOf(&e.dir.st) != sc.key || n != nil && n.key != sc.key {
		e.end()
		t.flapped(sc.rel)
		return
	}
	followed := n != nil && n.state != unwatched && !n.stale && !n.polled && !n.unread
	if n != nil && n.stale {
		sc.deep = true // what happened below while it was elsewhere was misread
	}
	id := t.enter(e.dir, *sc)
	late := id != (handleID{}) && (n == nil || n.id != id)
	if n = t.watchDir(root, *sc, id, e.begun); n == nil {
		e.end()
		return
	}
	// What was read ahead in vain has let the events in, too.
	sc.followed = followed && (sc.followed || !sc.begun)
	sc.late = late || sc.late
	sc.begun = true
	e.node, e.added = n, n.added
}

// end says that there is nothing to scan.
func (e *entered) end() {
	e.over = true
	e.dir.close()
	e.dir = nil
}

// notThere handles a directory that cannot be scanned.
func (t *Tree) notThere(rel, op string, err error) {
	t.unscanned(rel)
	if isGone(err) && rel != "" {
		t.co.addNow(rel, hintName, t.now(), 0)
		return
	}
	t.troubled(rel, op, err)
}

// unscanned says that a directory whose events were let in has not been compared:
// if it is there at the next look, it is scanned then.
func (t *Tree) unscanned(rel string) {
	if n := t.w.find(rel); n != nil && n.unread {
		n.stale = true
	}
}

// flapped asks for a look at a directory that was another one when its scan
// began. One that stays so, as where a mount is only made by opening it, must
// not keep the loop busy.
func (t *Tree) flapped(rel string) {
	t.unscanned(rel)
	if t.flaps[rel]++; t.flaps[rel] > maxFlaps {
		t.troubled(rel, "scan directory", errMoved)
		return
	}
	t.co.addNow(rel, hintName, t.now(), 0)
}

// watchDir puts a watch on a directory, or lets the events of its mark in. nil
// means that it moved meanwhile. A watch is compared with the path once it is
// there, a handle is that of the directory that was opened after begun: an event
// of the path that came since may be of another one.
func (t *Tree) watchDir(root *handle, sc scan, id handleID, begun time.Duration) *node {
	if id == (handleID{}) {
		begun = t.now()
	}
	same := func(rel string, key fileKey) bool {
		t.o.Life.Enter()
		defer t.o.Life.Leave()
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
		return nil
	}
	if err != nil && !limitReached(err) {
		t.troubled(sc.rel, "watch", err)
	}
	if err != nil {
		t.nextRound = min(t.nextRound, t.now()+t.every)
	}
	t.markPolled(n, sc)
	return n
}

// isPolled finds out whether other hosts can change the directory unseen.
func (t *Tree) isPolled(sc scan) bool {
	polled, known := t.fsPolled[sc.key.dev]
	if !known {
		t.o.Life.Enter()
		polled = remoteFS(t.magic(t.absPath(sc.rel)))
		t.o.Life.Leave()
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
