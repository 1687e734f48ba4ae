package replicate

import (
	"time"

	"golang.org/x/sys/unix"
)

// candidate is a path that seems to differ.
type candidate struct {
	path  string
	kinds []DiffKind
	below uint64   // lines about what is in a directory that only the remote has
	names []string // other names of the same inode
	dir   bool     // on the source, or, of extras, on the remote
	link  bool     // its kind is DiffHardLink: found by comparing all names of an inode

	extra, leftover bool

	before stamp // of the source, before the fence
	ready  bool  // it may be judged in this round
}

// add takes in a line about the path, or, if top is false, about something
// below it that only the remote has.
func (c *candidate) add(ch Change, top bool) {
	switch {
	case ch.Delete && !top:
		c.below++
		if c.kinds == nil {
			c.extra, c.dir = true, true
		}
	case ch.Delete:
		c.extra, c.dir = true, ch.Dir
		c.leftover = isLeftover(ch.Path, ch.Dir)
	default:
		c.kinds, c.extra, c.leftover = ch.kinds(), false, false
		c.dir = ch.Item != "cannot" && ch.Item[1] == 'd'
		c.link = ch.Item == pureLink
	}
}

// attributesAlone tells whether nothing but attributes differ: of a directory its
// time is one.
func (c *candidate) attributesAlone() bool {
	for _, k := range c.kinds {
		if k != DiffMode && k != DiffOwner && k != DiffXattr && !(k == DiffTime && c.dir) {
			return false
		}
	}
	return len(c.kinds) > 0 && c.below == 0
}

// what are the kinds to tell: of what the remote has instead of a path, whose
// removal rsync lists first, that it is in the way.
func (c *candidate) what() []DiffKind {
	switch {
	case c.leftover:
		return []DiffKind{DiffLeftover}
	case c.extra:
		return []DiffKind{DiffExtra}
	case c.below > 0:
		return []DiffKind{DiffInTheWay}
	}
	return c.kinds
}

// stamp is the state of a path at the source, as far as a change of it shows.
type stamp struct {
	presence   Presence
	dev, ino   uint64
	mode       uint32
	uid, gid   uint32
	size       int64
	mtime      int64
	ctime      int64
	isDir, lot bool // lot: it has several names
}

// racyTime is how old the times of a path must be for a later change to show in
// them: the kernel's clock has a grain.
const racyTime = 20 * time.Millisecond

func (s stamp) racy(at time.Time) bool {
	return s.ctime > at.Add(-racyTime).UnixNano() && s.ctime <= at.Add(racyTime).UnixNano()
}

// stamp looks at a path.
func (l *look) stamp(path string) stamp {
	seen := l.at(path)
	if seen.Presence < IsDir || seen.Presence == Unknown {
		return stamp{presence: seen.Presence}
	}
	var st unix.Stat_t
	if l.stat(path, &st) != nil {
		return stamp{presence: Unknown}
	}
	isDir := st.Mode&unix.S_IFMT == unix.S_IFDIR
	return stamp{presence: seen.Presence, dev: seen.Dev, ino: st.Ino, mode: st.Mode, uid: st.Uid, gid: st.Gid, size: st.Size,
		mtime: st.Mtim.Nano(), ctime: st.Ctim.Nano(), isDir: isDir, lot: st.Nlink > 1 && !isDir}
}

// same tells whether a path is as it was, Missing and Covered being alike.
func (s stamp) same(o stamp) bool {
	if s.presence == Unknown || o.presence == Unknown {
		return false
	}
	if s.presence < IsDir || o.presence < IsDir {
		return s.presence < IsDir && o.presence < IsDir
	}
	return s == o
}
