package watch

import (
	"errors"
	"fmt"
	"iter"
	"slices"

	"golang.org/x/sys/unix"
)

// A fanotify group receives the events of whole file systems (fanotify(7)).
// One mark covers all directories of a file system, those that nobody has seen
// yet as well. An event names a directory by its handle, the name in it, and the
// inode that has the name.
//
// # Which events are kept
//
// Directories are known by inode. A directory of the tree is in handles as long
// as it has a node, under the handle that name_to_handle_at(2) gave for the open
// directory when it was scanned; the goroutine that reads events drops those of
// all other directories. The node's path is the present one as far as the tree
// knows, whatever the directory was called when the event arose. (To resolve the
// handles of events with open_by_handle_at(2) was rejected: it needs another
// capability, fails for directories that are gone, and has to be paid for each
// directory elsewhere on the file system, with memory for the answers.)
//
// What is dropped is not missed. A directory is put in handles before it is
// listed, by the rule of watch first, then scan, and the mark is there all the
// time. Let a change be made in a directory that was not in handles when its
// event was read. Then
//
//   - it has no node. If it is of the tree it is reached by a scan or look that is
//     pending or that an event of its topmost unknown ancestor will cause, whose
//     parent is known; it is put in handles then, after the event was read and so
//     after the change, and listed after that. The same holds for a directory
//     that is moved into the tree, with all below it.
//   - it was moved out of the tree or removed. Nothing of it is wanted.
//   - it was moved within the tree, or its node was dropped for another reason: it
//     is scanned again where it is found, as a directory without a node always is.
//   - it has the inode number of one that was removed, and the node of that one is
//     still there with another handle. The events of the removal and of what came
//     mark the node stale, and a stale node gets its handle again before the
//     scan that they cause; also where they come while it is scanned, see
//     watchDir.
//
// An event that is kept may be looked at long after it was read. The directory
// may be elsewhere by then: its node has gone with it or is about to, because the
// event of the move was read or will be; the path that is looked at is not there
// or is another directory, and that is looked at instead. Of two nodes of one
// inode, as with bind mounts, both are told. A fileKey whose number is used again
// between the two costs a look that finds nothing.
//
// The attributes of a directory are told under its own handle, not its parent's:
// between the look that found a new directory and its scan there is nobody to
// hear, which lister.own heeds.
//
// # Order
//
// All marks of a group share one queue, and an event is in it before the system
// call that caused it returns. But events with the same process, directory, name
// and inode become one, in the place of the first, and their order is lost; see
// hintLoose. No event is read later than in its turn, so that one whose name is
// unique, a fence's cookie, proves that all before it were read.
//
// The queue has no limit, and the kernel does not fail to add to it: its memory is
// charged to the control group of the process. The reader keeps it short as long
// as the process runs; one that was stopped for long on a busy file system may be
// killed for it, which loses nothing. FAN_Q_OVERFLOW is heeded all the same.
//
// # What cannot be marked
//
// A mark needs CAP_SYS_ADMIN and a file system that has an id and handles: no
// overlay, no subvolume of btrfs (its id differs from that of the volume), no
// fuse. Two file systems with one id, as of a copy of a disk image, cannot be
// told apart. Directories on these have watches of inotify.
//
// # Trees share a group
//
// The trees of a process share a group, see Group. Each has its own view of what
// is marked, and subscribes to its directories; marks that several want are one
// to the kernel. A directory in several trees that overlap is told to all of them.
// Two file systems with one id, as of a snapshot that is mounted beside its
// origin, cannot be told apart if they are in two trees: each tree looks at
// what happens in the other as well, in vain.
type fanotify struct {
	shared *Group
	group  *fanGroup
	q      *events

	batch fanBatch // the reader's

	// The goroutine of Run owns these.
	fence   fileKey // the directory of the cookies
	fenceID handleID
	marks   map[uint64]*fsMark // by device
}

// fsMark is what is known of the mark of one file system.
type fsMark struct {
	id     fsid
	on     string // a directory on it, relative to the root
	refuse error  // why it cannot be marked
	ask    bool   // it may be another file system by now: mark it again
	silent bool   // stores to mapped memory leave no time stamps
}

const fanEvents = unix.FAN_CREATE | unix.FAN_DELETE | unix.FAN_MOVED_FROM | unix.FAN_MOVED_TO |
	unix.FAN_MODIFY | unix.FAN_ATTRIB | unix.FAN_CLOSE_WRITE | unix.FAN_ONDIR

// add subscribes to the events of a directory.
func (f *fanotify) add(id handleID, key fileKey) { f.group.handles.add(id, subscription{f, key}) }

func (f *fanotify) remove(id handleID) { f.group.handles.remove(id, f) }

// leave ends the membership. marked are the directories that the tree has
// subscribed to: it knows them, so that nobody has to search those of all trees.
func (f *fanotify) leave(marked iter.Seq[handleID]) {
	if f.fenceID != (handleID{}) {
		f.remove(f.fenceID)
	}
	if marked != nil {
		for id := range marked {
			f.remove(id)
		}
	}
	f.shared.part(f)
}

// markFence asks for the events of one directory, whatever file system it is on.
func (f *fanotify) markFence(dir string) error {
	h, err := openRoot(dir)
	if err != nil {
		return err
	}
	defer h.close()
	if err := unix.FanotifyMark(f.group.fd, unix.FAN_MARK_ADD, unix.FAN_CREATE, h.fd, "."); err != nil {
		return err
	}
	var st unix.Statfs_t
	if err := unix.Fstatfs(h.fd, &st); err != nil {
		return err
	}
	id, err := handleOf(h.fd, fsidOf(&st))
	if err != nil {
		return err
	}
	f.fence, f.fenceID = keyOf(&h.st), id
	f.add(id, f.fence)
	return nil
}

// enter marks the file system of an open directory, once, and returns what the
// directory's events will be reported under; zero where it needs a watch. fresh
// is what keeps it from being marked, the first time.
func (f *fanotify) enter(dir *handle, rel string) (id handleID, fresh error) {
	dev := uint64(dir.st.Dev)
	m := f.marks[dev]
	if m == nil || m.ask {
		m = f.mark(dir, rel)
		f.marks[dev] = m
		fresh = m.refuse
	}
	if m.refuse != nil {
		return handleID{}, fresh
	}
	return dir.id(m.id)
}

func (f *fanotify) mark(dir *handle, rel string) *fsMark {
	dir.enter()
	defer dir.leave()
	m := &fsMark{on: rel}
	var st unix.Statfs_t
	if m.refuse = unix.Fstatfs(dir.fd, &st); m.refuse != nil {
		return m
	}
	m.id, m.silent = fsidOf(&st), inMemory(int64(st.Type))
	m.refuse = f.allow(m, uint64(dir.st.Dev), int64(st.Type))
	if m.refuse == nil {
		_, m.refuse = handleOf(dir.fd, m.id)
	}
	if m.refuse == nil {
		m.refuse = f.group.use(m.id, f, dir.fd)
	}
	return m
}

var (
	errOverlay = errors.New("the handles of an overlay change when it copies up")
	errNoFSID  = errors.New("it has no id")
	errTwins   = errors.New("another file system has the same id")
)

// allow names what fanotify_mark(2) does not refuse, or not on every kernel.
func (f *fanotify) allow(m *fsMark, dev uint64, magic int64) error {
	if uint32(magic) == unix.OVERLAYFS_SUPER_MAGIC {
		return errOverlay
	}
	if m.id == (fsid{}) {
		return errNoFSID
	}
	for d, o := range f.marks {
		if d != dev && o.refuse == nil && o.id == m.id {
			return errTwins
		}
	}
	return nil
}

// mountsChanged says that the next directory of each device may be on another
// file system than those before: a mark goes with its file system, silently.
// mounted are the devices that are left; what is gone may come back as another.
func (f *fanotify) mountsChanged(mounted map[uint64]struct{}) {
	for dev, m := range f.marks {
		m.ask = true
		if _, ok := mounted[dev]; !ok {
			delete(f.marks, dev) // also a volume of btrfs, whose directories have a device of their own
		}
	}
}

// refused lists the file systems without a mark.
func (f *fanotify) refused(abs func(string) string) []string {
	var list []string
	for _, m := range f.marks {
		if m.refuse != nil {
			list = append(list, fmt.Sprintf("no mark on the file system of %s, inotify there: %v", abs(m.on), markError(m.refuse)))
		}
	}
	slices.Sort(list)
	return list
}

// markError puts the errors of fanotify_mark(2) in words.
func markError(err error) error {
	switch err {
	case unix.EXDEV:
		return fmt.Errorf("a subvolume: %w", err)
	case unix.EOPNOTSUPP, unix.ENODEV:
		return fmt.Errorf("it has no file handles: %w", err)
	}
	return err
}

// inMemory tells file systems whose pages are never written back: they do not
// notice a store to mapped memory, and set no time stamps for it.
func inMemory(magic int64) bool {
	switch uint32(magic) {
	case unix.TMPFS_MAGIC, unix.RAMFS_MAGIC, unix.HUGETLBFS_MAGIC:
		return true
	}
	return false
}
