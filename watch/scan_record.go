package watch

import (
	"context"
	"time"

	"golang.org/x/sys/unix"

	"gorsyncd/journal"
	"gorsyncd/journal/failpoint"
)

// found collects the observations of several scanned directories, so that a
// tree of many small ones does not cost a commit for each. They are in the
// order of their directories: parents first.
type found struct {
	obs   []journal.Observation
	from  []foundFrom
	scans []*group // one for each scan that is done as soon as the observations are journaled
}

// foundFrom is what an observation came of and what it leads to.
type foundFrom struct {
	sc        *scan
	key       fileKey
	descended bool // its scan was asked for already
	heard     hint // what events said of it
}

func (f *found) add(o journal.Observation, from foundFrom) {
	f.obs = append(f.obs, o)
	f.from = append(f.from, from)
}

func (f *found) full() bool {
	return len(f.obs) >= batchSize || len(f.scans) >= batchSize
}

func (f *found) clear() { *f = found{} }

// refill lets what was passed on be filled again, so that a long scan does not
// allocate it for each commit.
func (f *found) refill(passed *found) {
	if len(f.obs)+len(f.scans) > 0 {
		return
	}
	clear(passed.obs)
	clear(passed.from)
	clear(passed.scans)
	*f = found{passed.obs[:0], passed.from[:0], passed.scans[:0]}
}

// observeAll observes what differs. Live changes go between the batches of a
// big directory.
func (l *lister) observeAll(ctx context.Context) error {
	t := l.t
	passed := false // by looks: what was seen ahead may be older than what they saw
	for i, n := range l.todo {
		if i%batchSize == batchSize-1 || t.found.full() {
			if err := t.flush(ctx); err != nil {
				return err
			}
			looked, err := t.looks(ctx)
			if err != nil {
				return err
			}
			passed = passed || looked
		}
		if i%100 == 0 {
			// What is journaled below needs no look for events taken here.
			if err := t.takeEvents(); err != nil {
				return err
			}
		}
		if t.heldRoot != "" {
			return nil
		}
		if passed || n.seen != nil && !n.seen.usable(l.read) {
			n.seen = nil
		}
		if n.seen == nil {
			if ok, err := l.open(ctx); !ok {
				return err
			}
		}
		l.observe(n)
	}
	return nil
}

// usable says whether what was seen ahead needs no second look. What is gone, or
// may be a mount, does.
func (s *seenName) usable(in *entered) bool {
	return s.err == nil && (!isDir(&s.st) || s.st.Dev == in.st.Dev)
}

// observe looks at one name. Only ENOENT from the open directory, which is the
// one the tree knows, is a removal.
func (l *lister) observe(n todo) {
	t := l.t
	path := join(l.sc.rel, n.name)
	if _, held := t.isHeld(path); held {
		return
	}
	var st unix.Stat_t
	o := journal.Observation{Path: path, AttributesLater: t.o.AttributesLater}
	err := error(nil)
	if n.seen != nil {
		o.At, st = n.seen.at, n.seen.st
	} else {
		o.At = time.Now().UnixNano()
		err = l.dir.lstat(n.name, &st)
	}
	switch {
	case err == unix.ENOENT:
		if !t.keepGone(l.root, path) {
			t.dropped(path)
			t.away.take(path)
			t.unlinked(path, path, n.was, l.said(n.name))
			l.pass(o, foundFrom{sc: l.from(), descended: true})
		}
		return
	case err != nil:
		t.troubled(path, "stat", err)
		return
	}
	dir, heard := isDir(&st), l.said(n.name)
	if t.o.Filter.excludes(path, dir) {
		t.dropped(path)
		return
	}
	if dir && t.mountLost(path, &st, keyOf(&l.read.st), n.mount) {
		return
	}
	if !dir && n.other {
		t.dropped(path)
	}
	if n.was.Type != journal.Gone && n.was.Ino != st.Ino {
		t.unlinked(path, path, n.was, heard)
	}
	o.State = stateOf(&st, t.rootKey.dev)
	if n.force && journal.Same(journal.Record{State: n.was}, o) { // else it has changed since it was listed
		o.Suspect = o.At
	}
	t.promise(&o, heard|l.unheard())
	o.Renewed = (t.away.take(path) || n.away) && dir
	deep := dir && (l.sc.deep || n.other)
	l.pass(o, foundFrom{sc: l.from(), key: keyOf(&st), descended: !dir || deep, heard: heard})
	if deep {
		t.descend(l.sc, path, keyOf(&st), o, n.other || o.Renewed)
	}
}

// flush passes what scans found to the index and follows up; the scans are
// done with it.
func (t *Tree) flush(ctx context.Context) error {
	f := t.found
	t.found.clear()
	failpoint.Hit("watch.scan.flush")
	if len(f.obs) > 0 {
		if err := t.passFound(ctx, &f); err != nil {
			return err
		}
	}
	for _, g := range f.scans {
		t.scans.finish(g, t.now())
	}
	if t.scans.full != nil {
		t.found.refill(&f)
	}
	return t.scanned(ctx)
}

func (t *Tree) passFound(ctx context.Context, f *found) error {
	if t.o.Roots.Baseline() {
		for i := range f.obs {
			f.obs[i].Baseline = true
		}
	}
	t.ahead.letGo()
	results, err := t.record(ctx, f.obs)
	if err != nil {
		return err
	}
	for i, r := range results {
		o := &f.obs[i]
		delete(t.approved, o.Path)
		if r.Racy && t.live(o.Path) {
			t.confirms.add(o.Path, t.now())
		}
		from := &f.from[i]
		if !from.descended && (r.Descend || t.needsScan(o.Path, from.key)) {
			t.descend(*from.sc, o.Path, from.key, *o, r.Descend)
		}
		if !isLinked(o.State) {
			t.single(o.State)
		}
		// Of the first scan only what differs from it has a seq.
		if (r.Seq != 0 || o.Baseline) && isLinked(o.State) {
			if from.sc.group == t.scans.full { // whose links are looked at when it is complete
				t.late.add(*o, from.heard)
			} else if err := t.siblings(*o, from.heard, from.sc.events); err != nil {
				return err
			}
		}
		if r.Seq == 0 || o.State.Type == journal.Dir {
			continue
		}
		if h, last := t.co.satisfied(o.Path, o.At, t.now()); h&hintName != 0 && last > from.sc.at {
			t.co.add(dirOf(o.Path), hintAttr, t.now(), last) // the directory was observed before that
		}
	}
	return nil
}
