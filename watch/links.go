package watch

import "gorsyncd/journal"

// Linker is an optional ability of an Index: the live paths of an inode that
// has several names, as far as they are recorded with more than one.
// *journal.Source has it.
type Linker interface {
	Siblings(dev, ino uint64) ([]string, error)
}

// maxLinks bounds the inodes remembered for the next scan of the whole tree.
const maxLinks = 1 << 16

func isLinked(s journal.State) bool { return s.Nlink > 1 && s.Type != journal.Dir }

// siblings looks at the other names of a file that changed: link(2) and
// unlink(2) change the link count of all and cause an event for one, and so do
// writes and chmod. was is the last known state if the path is gone now.
// A name that the index does not know as a link yet is searched for in the
// same directory and, if that was not enough, in the next round, or by the next
// fence, with a scan of the whole tree.
func (t *Tree) siblings(was journal.State, o journal.Observation) error {
	s := o.State
	if s.Type == journal.Gone {
		s = was
	}
	linker, ok := t.o.Index.(Linker)
	if !ok || !isLinked(s) {
		return nil
	}
	paths, err := linker.Siblings(s.Dev, s.Ino)
	if err != nil {
		return err
	}
	known := 0
	for _, p := range paths {
		known++
		if p == o.Path {
			continue
		}
		r, ok, err := t.o.Index.Lookup(p)
		if err != nil {
			return err
		}
		if ok && (o.State.Type == journal.Gone || r.Ctime != s.Ctime || r.Nlink != s.Nlink) {
			t.co.addNow(p, 0, t.now(), 0)
		}
	}
	key := fileKey{s.Dev, s.Ino}
	if o.State.Type == journal.Gone || known >= int(s.Nlink) {
		delete(t.links, key)
		return nil
	}
	if _, asked := t.links[key]; asked || len(t.links) >= maxLinks {
		return nil
	}
	t.links[key] = struct{}{}
	if dir := t.w.find(dirOf(o.Path)); dir != nil {
		g := t.scans.group(nil, t.now())
		t.scans.push(scan{rel: dirOf(o.Path), key: dir.key, group: g})
		g.close(t.now())
	}
	return nil
}
