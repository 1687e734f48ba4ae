package watch

import (
	"maps"

	"golang.org/x/sys/unix"

	"gorsyncd/journal"
)

// Linker is an optional ability of an Index: the live paths of an inode that
// has several names, as far as they are recorded with more than one.
// *journal.Source has it.
type Linker interface {
	Siblings(dev, ino uint64) ([]string, error)
}

// maxLinks bounds the inodes remembered for the next scan of the whole tree.
const maxLinks = 1 << 16

func isLinked(s journal.State) bool { return s.Nlink > 1 && s.Type != journal.Dir }

// siblings looks at the other names of a file that changed: link(2) changes
// the link count of all names and causes an event for one, and so do write(2)
// and chmod(2). A name that the index does not know as a link yet is searched
// for in the same directory and, if that was not enough, in the next round, or
// by the next fence, with a scan of the whole tree.
func (t *Tree) siblings(o journal.Observation) error {
	linker, ok := t.o.Index.(Linker)
	if !ok || !isLinked(o.State) {
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
		if ok && (r.Ctime != s.Ctime || r.Nlink != s.Nlink) {
			t.co.addNow(p, 0, t.now(), 0)
		}
	}
	key := fileKey{s.Dev, s.Ino}
	if len(paths) >= int(s.Nlink) && t.named(paths, s) >= int(s.Nlink) {
		delete(t.links, key)
		delete(t.searched, key)
		return nil
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

// lateLinks are files with several names that a scan of the whole tree found
// changed. It may have passed the place of another name before the link was
// made, and link(2) causes no event there, so they are looked at when it is
// complete.
type lateLinks struct {
	seen map[fileKey]journal.Observation
	more bool // there were too many: another scan finds what is left
}

func (l *lateLinks) add(o journal.Observation) {
	key := fileKey{o.State.Dev, o.State.Ino}
	switch {
	case len(l.seen) < maxLinks:
		if l.seen == nil {
			l.seen = map[fileKey]journal.Observation{}
		}
		l.seen[key] = o
	default:
		l.more = true
	}
}

// lookAtLate looks for the other names of what a complete scan has collected.
func (t *Tree) lookAtLate() error {
	late := t.late
	t.late = lateLinks{}
	for _, o := range late.seen {
		if err := t.siblings(o); err != nil {
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
		if fstatat(dir.fd, baseOf(p), &st) == nil {
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
// without an event. top is the path that is gone or something else now.
func (t *Tree) unlinked(top, path string, was journal.State) {
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
			t.unlinked(top, p, s)
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
		if p != top && !isBelow(p, top) {
			t.co.addNow(p, 0, t.now(), 0)
		}
	}
}
