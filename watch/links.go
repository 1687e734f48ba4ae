package watch

import (
	"maps"
	"time"

	"golang.org/x/sys/unix"

	"gorsyncd/journal"
)

// Linker is an optional ability of an Index: the live paths of an inode that
// has several names, as far as they are recorded with more than one.
// *journal.Source has it.
type Linker interface {
	Siblings(dev, ino uint64) ([]string, error)
}

// Walker is an optional ability of an Index: to be read fast by a scan of the
// whole tree. *journal.Source has it.
type Walker interface {
	Walk() *journal.Walk
}

// maxLinks bounds the inodes remembered for the next scan of the whole tree.
const maxLinks = 1 << 16

func isLinked(s journal.State) bool { return s.Nlink > 1 && s.Type != journal.Dir }

// siblings looks at the other names of a file that changed: link(2) changes
// the link count of all names and causes an event for one, and so do write(2)
// and chmod(2). A name that the index does not know as a link yet is searched
// for in the same directory and, if that was not enough, in the next round, or
// by the next fence, with a scan of the whole tree.
//
// heard is what events said of the name, the last of them at wall. A write through
// it is one to all of them, and where the name is new nothing else tells that the
// content of the file is another; nor where another name was looked at ahead of
// the event, for its link count, and has the new ctime for that reason.
func (t *Tree) siblings(o journal.Observation, heard hint, wall int64) error {
	linker, ok := t.o.Index.(Linker)
	if !ok || !isLinked(o.State) {
		t.single(o.State)
		return nil
	}
	t.linksSeen = true
	s := o.State
	paths, err := linker.Siblings(s.Dev, s.Ino)
	if err != nil {
		return err
	}
	for _, p := range paths {
		if p == o.Path {
			continue
		}
		r, ok, err := t.o.Index.Lookup(p)
		if err != nil {
			return err
		}
		switch {
		case ok && (r.Ctime != s.Ctime || r.Nlink != s.Nlink):
			t.co.addNow(p, heard&hintWrite, t.now(), 0)
		case ok && heard.has(hintMade|hintWrite):
			t.co.addNow(p, hintWrite, t.now(), time.Now().UnixNano())
		case ok && heard&hintWrite != 0 && r.ObservedAt < wall:
			t.co.addNow(p, hintWrite, t.now(), wall)
		}
	}
	key := fileKey{s.Dev, s.Ino}
	if len(paths) >= int(s.Nlink) && t.named(paths, s) >= int(s.Nlink) {
		delete(t.links, key)
		delete(t.searched, key)
		return nil
	}
	if heard&hintWrite != 0 {
		t.written.add(key)
	}
	if t.searched[key] == s.Nlink {
		return nil // the names that are missing are outside of the tree
	}
	if _, asked := t.links[key]; asked || len(t.links) >= maxLinks {
		return nil
	}
	t.links[key] = s.Nlink
	t.log.Debug("names of a linked file are missing", "source", t.abs, "path", o.Path, "links", s.Nlink, "known", len(paths))
	if dir := t.w.find(dirOf(o.Path)); dir != nil {
		g := t.scans.group(nil, t.now())
		t.scans.push(scan{rel: dirOf(o.Path), key: dir.key, group: g})
		g.close(t.now())
	}
	return nil
}

// single says that a file has one name only. Inode numbers are used again: that the
// names of an earlier file were searched for in vain says nothing of this one, when
// it gets another name.
func (t *Tree) single(s journal.State) {
	if s.Type != journal.Dir && s.Type != journal.Gone && len(t.searched) > 0 {
		delete(t.searched, fileKey{s.Dev, s.Ino})
	}
}

// lateLinks are files with several names that a scan of the whole tree found
// changed. It may have passed the place of another name before the link was
// made, and link(2) causes no event there, so they are looked at when it is
// complete.
type lateLinks struct {
	seen map[fileKey]lateLink
	more bool // there were too many: another scan finds what is left
}

type lateLink struct {
	journal.Observation
	heard hint
}

func (l *lateLinks) add(o journal.Observation, heard hint) {
	key := fileKey{o.State.Dev, o.State.Ino}
	switch {
	case len(l.seen) < maxLinks:
		if l.seen == nil {
			l.seen = map[fileKey]lateLink{}
		}
		l.seen[key] = lateLink{o, heard}
	default:
		l.more = true
	}
}

// lookAtLate looks for the other names of what a complete scan has collected.
func (t *Tree) lookAtLate() error {
	late := t.late
	t.late = lateLinks{}
	for _, o := range late.seen {
		if err := t.siblings(o.Observation, o.heard, 0); err != nil {
			return err
		}
	}
	if late.more {
		t.fullScan(suspects{})
	}
	return nil
}

// named counts the paths that still are names of an inode. The index may have one
// more for a moment: of a directory that was moved it knows the new place before
// it knows that the old one is gone.
func (t *Tree) named(paths []string, s journal.State) int {
	root, err := t.openAccepted()
	if err != nil {
		return 0
	}
	defer root.close()
	n := 0
	for _, p := range paths {
		dir, err := root.open(dirOf(p))
		if err != nil {
			continue
		}
		var st unix.Stat_t
		if dir.lstat(baseOf(p), &st) == nil {
			if found := stateOf(&st, t.rootKey.dev); found.Dev == s.Dev && found.Ino == s.Ino {
				n++
			}
		}
		dir.close()
	}
	return n
}

// searchLinks notes that a scan of the whole tree begins, which finds all names
// there are. A file with a name elsewhere must not cause another one with each
// of its changes.
func (t *Tree) searchLinks() {
	if len(t.searched)+len(t.links) > maxLinks {
		clear(t.searched)
	}
	maps.Copy(t.searched, t.links)
	clear(t.links)
}

// unlinked looks at the names that remain of a file that lost one, or of the
// files below a directory that is no more: their link count has changed
// without an event. top is the path that is gone or something else now, and
// heard what events said of path.
func (t *Tree) unlinked(top, path string, was journal.State, heard hint) {
	linker, ok := t.o.Index.(Linker)
	if !ok || !t.linksSeen {
		return
	}
	if was.Type == journal.Dir {
		below := map[string]journal.State{}
		err := t.o.Index.Children(path, func(name string, r journal.Record, _ bool) error {
			if r.Type == journal.Dir || isLinked(r.State) {
				below[join(path, name)] = r.State
			}
			return nil
		})
		if err != nil {
			return // it comes back from Record
		}
		for p, s := range below {
			t.unlinked(top, p, s, t.heard(p))
		}
		return
	}
	if !isLinked(was) {
		return
	}
	paths, err := linker.Siblings(was.Dev, was.Ino)
	if err != nil {
		return // it comes back from Record
	}
	for _, p := range paths {
		if p == top || isBelow(p, top) {
			continue
		}
		if heard&hintWrite != 0 {
			t.co.addNow(p, hintWrite, t.now(), time.Now().UnixNano())
		} else {
			t.co.addNow(p, 0, t.now(), 0)
		}
	}
}
