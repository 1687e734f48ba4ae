package replicate

import (
	"io"
	"os"
	"slices"
)

// With NoEmptyDirs a directory is made on the remote together with the first thing
// in it, at whatever depth, that is no directory and not excluded. What is there
// stays: a directory that becomes empty is not removed, and its attributes are kept
// equal. One that takes the place of something else on the remote does, empty or
// not: what the source has no more must not stay.
//
// rsync has --existing for the one half of this: it makes equal what is there, in
// the place of what is no directory as well, and makes nothing new. Empty
// directories are sent so, and so is what a removal lists, whose parents may never
// have been sent. (--prune-empty-dirs is no help: with a list of names each
// directory looks empty that is sent before what is in it.) For the other half,
// what is sent lists the directories above it which the remote is not known to
// have: their own entries may have been read while they were empty. Which are
// empty is looked up when a batch is planned. One that fills up later has entries
// of what came into it.
//
// A reconcile, which reads directories itself, becomes two runs where some are
// empty: one of all of them that makes nothing, and one that makes what is
// missing and is told the names in directories that have empty ones in them.

// isEmpty tells whether there is nothing but directories at and below a path that
// is one. What cannot be read may have something in it.
func (l *look) isEmpty(path string, excluded func(path string, isDir bool) bool) bool {
	if l.dir(path) != IsDir {
		return false
	}
	if is, known := l.empty[path]; known {
		return is
	}
	is := true
	err := l.each(path, func(name string, dir bool) bool {
		p := join(path, name)
		is = excluded != nil && excluded(p, dir) || dir && l.isEmpty(p, excluded)
		return is
	})
	is = is && err == nil
	if l.empty == nil {
		l.empty = map[string]bool{}
	}
	l.empty[path] = is
	return is
}

// each calls fn for what is in a directory until it returns false.
func (l *look) each(path string, fn func(name string, dir bool) bool) error {
	f, err := os.Open(l.root + "/" + path)
	if err != nil {
		return err
	}
	defer f.Close()
	for {
		list, err := f.ReadDir(256)
		for _, e := range list {
			if !fn(e.Name(), e.IsDir()) {
				return nil
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// chain has the directories above what is sent listed, but those that the remote is
// known to have. Beside removals none are: one that vanished meanwhile would be
// removed with all that is in it.
func (r *round) chain(u *unit) {
	if r.empty == nil || u.removes || u.lane == LaneRoot {
		return
	}
	for _, path := range u.paths {
		for dir, ok := parentOf(path); ok && dir != ""; dir, ok = parentOf(dir) {
			if r.standing[dir] || slices.Contains(u.parents, dir) {
				continue
			}
			lock := Lock{ScopeStamp, dir}
			u.parents = append(u.parents, dir)
			if u.lane != LaneBig {
				u.locks = append(u.locks, lock)
				continue
			}
			// Others may stamp them while it runs: they are stamped once more.
			u.needs = append(u.needs, lock)
			if !slices.Contains(u.restamp, dir) {
				u.restamp = append(u.restamp, dir)
			}
		}
	}
}

// withoutEmpty are the runs of a reconcile; nil where one will do, as no directory
// in it is empty.
func (t *rsyncTransport) withoutEmpty(b *Batch) ([]invocation, error) {
	if !t.o.NoEmptyDirs || b.Lane != LaneReconcile || b.tidy {
		return nil, nil
	}
	l, err := newLook(t.o)
	if err != nil {
		return nil, err
	}
	made := *b
	made.makes, made.Paths = true, nil
	var list []byte
	split := false
	for _, dir := range b.Paths {
		if dir != "" && l.isEmpty(dir, t.o.Excluded) {
			split = true
			continue
		}
		names, whole, err := l.worth(dir, t.o.Excluded)
		if err != nil {
			whole = true // rsync says what is wrong
		}
		split = split || !whole
		made.Paths = append(made.Paths, dir)
		list = append(list, listed(dir, names, whole)...)
	}
	if !split {
		return nil, nil
	}
	known := *b
	known.existing = true
	runs := []invocation{t.plain(&known)}
	if len(list) > 0 {
		runs = append(runs, invocation{batch: &made, list: list})
	}
	return runs, nil
}

// worth are the names in a directory that are to be on the remote; whole says that
// none is left out.
func (l *look) worth(dir string, excluded func(string, bool) bool) (names []string, whole bool, err error) {
	whole = true
	err = l.each(dir, func(name string, isDir bool) bool {
		path := join(dir, name)
		switch {
		case excluded != nil && excluded(path, isDir):
		case isDir && l.isEmpty(path, excluded):
			whole = false
		default:
			names = append(names, path)
		}
		return true
	})
	return names, whole, err
}

// listed is a directory as the list of a reconcile has it: with whatever is in it,
// or with some names. The root is implied by these.
func listed(dir string, names []string, whole bool) []byte {
	if whole {
		return (&Batch{Lane: LaneReconcile, Paths: []string{dir}}).list()
	}
	b := Batch{Lane: LaneList, Paths: names}
	if dir != "" {
		b.Paths = append([]string{dir}, names...)
	}
	return b.list()
}

// mayStayAway drops what a comparison found to be missing and need not be there.
func (v *verify) mayStayAway(l *look, c *candidate) bool {
	return l != nil && c.dir && len(c.kinds) == 1 && c.kinds[0] == DiffMissing && l.isEmpty(c.path, v.d.o.Excluded)
}
