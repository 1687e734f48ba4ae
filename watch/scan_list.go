package watch

import (
	"context"
	"time"

	"golang.org/x/sys/unix"

	"gorsyncd/journal"
	"gorsyncd/journal/failpoint"
)

// lister is one directory being scanned.
type lister struct {
	t    *Tree
	sc   scan
	root *handle // nil with dir
	dir  *handle // nil if it was read ahead and is not open again
	read *entered
	todo []todo
	kept *scan // sc, for what outlives the lister
}

func (l *lister) from() *scan {
	if l.kept == nil {
		sc := l.sc
		l.kept = &sc
	}
	return l.kept
}

// pass hands an observation over to be journaled with others.
func (l *lister) pass(o journal.Observation, from foundFrom) {
	l.t.ahead.touch(o.Path)
	l.t.found.add(o, from)
}

// todo is a name that differs from the index, or may.
type todo struct {
	name  string
	force bool          // look unchanged, but are suspect
	other bool          // the index has another inode, or nothing
	mount bool          // the index has a directory of another file system
	away  bool          // the directory may have been elsewhere, and nobody has seen it
	was   journal.State // what the index has
	seen  *seenName     // what may be taken for it; nil: it has to be looked at
}

// scan compares what was listed.
func (l *lister) scan(ctx context.Context) error {
	t := l.t
	t.scans.in, t.scans.within = l.sc.rel, true
	defer func() { t.scans.within = false }()
	failpoint.Hit("watch.scan.dir")
	t.scans.dirs++
	if err := l.own(); err != nil {
		return err
	}
	if n := t.w.find(l.sc.rel); n != nil && l.sc.fresh {
		n.told = n.added
		t.away.told(l.sc.rel, time.Duration(n.added))
	}
	if l.read.seen == nil {
		t.ahead.letGo() // it may take its time
		if ok, err := l.open(ctx); !ok {
			return err
		}
	}
	if err := l.compare(l.read.names); err != nil {
		return err
	}
	return l.observeAll(ctx)
}

// open opens a directory again that was read ahead. false means that it cannot be
// judged, and what is needed was done.
func (l *lister) open(ctx context.Context) (bool, error) {
	if l.dir != nil {
		return true, nil
	}
	t := l.t
	root, err := t.openAccepted()
	if err != nil {
		return false, t.rootTrouble(ctx)
	}
	l.root = root
	dir, err := root.open(l.sc.rel)
	if err != nil {
		t.notThere(l.sc.rel, "open directory", err)
		return false, nil
	}
	if keyOf(&dir.st) != l.sc.key {
		dir.close()
		t.flapped(l.sc.rel)
		return false, nil
	}
	l.dir = dir
	return true, nil
}

func (l *lister) close() {
	l.dir.close()
	l.root.close()
}

// own observes the directory itself, unless that was done just before.
//
// A directory that is marked was deaf to changes of itself until now: what was
// changed right after it was seen, within one tick of the clock of its ctime, has
// left no other trace.
func (l *lister) own() error {
	t := l.t
	o := journal.Observation{Path: l.sc.rel, State: stateOf(&l.read.st, t.rootKey.dev), At: l.sc.at, AttributesLater: t.o.AttributesLater}
	if l.sc.late {
		t.confirms.forget(o.Path)
	}
	racy := journal.Record{State: l.sc.seen, ObservedAt: l.sc.seenAt}.Racy()
	if o.State == l.sc.seen && !(l.sc.late && racy) {
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
	l.pass(o, foundFrom{sc: l.from(), descended: true})
	return nil
}

// compare merges the names found with those in the index. Both are sorted by
// bytes. It only notes what differs, so that the index is not kept open.
func (l *lister) compare(names []string) error {
	i := 0
	children := l.t.o.Index.Children
	if w := l.t.scans.walk; w != nil && l.sc.group == l.t.scans.full {
		children = w.Children
	}
	err := children(l.sc.rel, func(name string, r journal.Record, trusted bool) error {
		for i < len(names) && names[i] < name {
			l.unknown(i)
			i++
		}
		if i < len(names) && names[i] == name {
			l.known(i, r, trusted && !l.sc.fresh)
			i++
			return nil
		}
		l.todo = append(l.todo, todo{name: name, was: r.State})
		return nil
	})
	for ; i < len(names); i++ {
		l.unknown(i)
	}
	return err
}

// unknown notes a name that the index does not have.
func (l *lister) unknown(i int) {
	n := todo{name: l.read.names[i], other: true}
	if l.read.seen != nil {
		// A write through another name would not void what was seen of this one.
		if s := &l.read.seen[i]; s.err == nil && (isDir(&s.st) || s.st.Nlink < 2) {
			n.seen = s
		}
	}
	l.todo = append(l.todo, n)
}

// rewritten returns what was seen of a file whose content has changed, if nothing
// else can have. Where size and mtime are the recorded ones, the index asks what
// events had said by the time of the look, and by then more may have come.
func (l *lister) rewritten(r journal.Record, now journal.State, st unix.Stat_t, at int64) *seenName {
	switch {
	case r.Type != journal.File || now.Type != journal.File, r.Ino != now.Ino || r.Dev != now.Dev,
		isLinked(r.State) || isLinked(now), r.Size == now.Size && r.Mtime == now.Mtime:
		return nil
	}
	return &seenName{st: st, at: at}
}

// stat looks at the i-th name, or tells what was seen ahead.
func (l *lister) stat(i int, name string, st *unix.Stat_t) (at int64, err error) {
	if l.read.seen != nil {
		s := &l.read.seen[i]
		*st = s.st
		return s.at, s.err
	}
	at = time.Now().UnixNano()
	return at, l.dir.lstat(name, st)
}

// known compares a name that the index has.
func (l *lister) known(i int, r journal.Record, trusted bool) {
	name := l.read.names[i]
	var st unix.Stat_t
	at, err := l.stat(i, name, &st)
	if !trusted || err != nil {
		l.todo = append(l.todo, todo{name: name, other: true, was: r.State})
		return
	}
	t := l.t
	t.linksSeen = t.linksSeen || isLinked(r.State)
	o := journal.Observation{State: stateOf(&st, t.rootKey.dev), At: at, AttributesLater: t.o.AttributesLater}
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
			seen:  l.rewritten(r, o.State, st, at),
		})
	case r.Type == journal.Dir:
		if l.sc.deep || t.needsScan(path, keyOf(&st)) {
			t.descend(l.sc, path, keyOf(&st), o, false)
		}
	case l.sc.suspect(name, r):
		l.todo = append(l.todo, todo{name: name, force: true, was: r.State})
	}
}
