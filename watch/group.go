package watch

import (
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Group is what the trees of a process have in common: one fanotify group, which
// is there as long as one of them uses it. With a group for each tree, what
// happens on a file system would be told to each of them, and whoever writes
// there pays for that: with 50 trees, making a file took four times as long.
type Group struct {
	hurry chan struct{} // capacity 1: somebody waits for what has yet to be read

	mu   sync.Mutex // guards the following
	open *fanGroup  // nil while no tree is a member
}

// NewGroup returns a Group to be put into the Options of all trees.
func NewGroup() *Group { return &Group{hurry: make(chan struct{}, 1)} }

// join makes the tree that takes its events from q a member. An error says that
// the kernel, the rights of the process or the file system of fenceDir, if that is
// not empty, do not allow it.
func (s *Group) join(q *events, fenceDir string) (*fanotify, error) {
	s.mu.Lock()
	if s.open == nil {
		g, err := openGroup(s.hurry)
		if err != nil {
			s.mu.Unlock()
			return nil, err
		}
		s.open = g
		go g.run()
	}
	f := &fanotify{shared: s, group: s.open, q: q, marks: map[uint64]*fsMark{}}
	f.group.enrol(f)
	s.mu.Unlock()
	if fenceDir != "" {
		if err := f.markFence(fenceDir); err != nil {
			f.leave(nil)
			return nil, fmt.Errorf("mark fence directory: %w", err)
		}
	}
	return f, nil
}

// part ends a membership. The last one ends the group, and waits for its end.
func (s *Group) part(f *fanotify) {
	g := f.group
	s.mu.Lock()
	last := g.strike(f)
	if last {
		s.open = nil
	}
	s.mu.Unlock()
	if last {
		g.stop()
		<-g.done
	}
}

// fanGroup is an open group and its reader.
type fanGroup struct {
	fd      int
	bell    *bell
	stopped chan struct{} // closed by stop
	done    chan struct{} // closed when run has returned
	hurry   <-chan struct{}
	handles *handles

	mu      sync.Mutex // guards the following
	members map[*fanotify]struct{}
	users   map[fsid]map[*fanotify]struct{} // who has marked a file system

	// The goroutine of run owns these.
	base    time.Time
	pace    pace
	wanted  uint64      // events
	touched []*fanotify // members that the present read has something for
	free    [][]event   // used lists
}

const fanGroupFlags = unix.FAN_CLASS_NOTIF | unix.FAN_CLOEXEC | unix.FAN_NONBLOCK |
	unix.FAN_REPORT_DFID_NAME_TARGET | // with the inode of the name: events of different files never become one
	unix.FAN_UNLIMITED_QUEUE | unix.FAN_UNLIMITED_MARKS

func openGroup(hurry <-chan struct{}) (*fanGroup, error) {
	fd, err := unix.FanotifyInit(fanGroupFlags, unix.O_RDONLY)
	switch {
	case err == unix.EPERM:
		return nil, fmt.Errorf("fanotify needs CAP_SYS_ADMIN: %w", err)
	case err == unix.EINVAL || err == unix.ENOSYS:
		return nil, fmt.Errorf("fanotify needs Linux 5.17: %w", err)
	case err != nil:
		return nil, fmt.Errorf("open fanotify: %w", err)
	}
	b, err := newBell(fd)
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return &fanGroup{
		fd: fd, bell: b, stopped: make(chan struct{}), done: make(chan struct{}), hurry: hurry, handles: newHandles(),
		members: map[*fanotify]struct{}{}, users: map[fsid]map[*fanotify]struct{}{},
		base: time.Now(), pace: pace{most: readRest},
	}, nil
}

// stop ends run. It is called once.
func (g *fanGroup) stop() {
	close(g.stopped)
	g.bell.stop()
}

func (g *fanGroup) isStopped() bool {
	select {
	case <-g.stopped:
		return true
	default:
		return false
	}
}

func (g *fanGroup) close() {
	g.bell.close()
	unix.Close(g.fd)
}

func (g *fanGroup) enrol(f *fanotify) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.members[f] = struct{}{}
}

// strike tells whether nobody is left.
func (g *fanGroup) strike(f *fanotify) (last bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.members, f)
	for _, of := range g.users {
		delete(of, f)
	}
	return len(g.members) == 0
}

// all lists the members, or those with a mark on a file system.
func (g *fanGroup) all(on *fsid) (list []*fanotify) {
	g.mu.Lock()
	defer g.mu.Unlock()
	from := g.members
	if on != nil {
		from = g.users[*on]
	}
	for f := range from {
		list = append(list, f)
	}
	return list
}

// use marks the file system of an open directory for a member. The mark stays
// until the last member has left: only a path leads to a file system, and to open
// one may hang. It keeps nothing from being unmounted, and goes with it.
func (g *fanGroup) use(id fsid, f *fanotify, dir int) error {
	if err := unix.FanotifyMark(g.fd, unix.FAN_MARK_ADD|unix.FAN_MARK_FILESYSTEM, fanEvents, dir, "."); err != nil {
		return err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.users[id] == nil {
		g.users[id] = map[*fanotify]struct{}{}
	}
	g.users[id][f] = struct{}{}
	return nil
}
