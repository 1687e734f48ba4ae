package watch

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"

	"github.com/fsnotify/fsnotify"
	"golang.org/x/sys/unix"
)

// notifier is the part of fsnotify.Watcher that registers directories.
type notifier interface {
	Add(name string) error
	Remove(name string) error
}

// subscriptions are the directories whose events a mark lets in.
type subscriptions interface {
	add(id handleID, key fileKey)
	remove(id handleID)
}

// errMoved says that a directory was not where it had been found: look again.
var errMoved = errors.New("directory moved while it was being watched")

// nodeState says how events of a directory arrive.
type nodeState uint8

const (
	unwatched nodeState = iota // not at all: it is scanned from time to time
	watched                    // by its own watch
	aliased                    // by the watch of another path of the same inode (a bind mount)
	marked                     // by the mark of its file system, see fanotify.go
)

// node is a directory of the tree that was seen and is not excluded.
type node struct {
	name   string
	parent *node
	kids   map[string]*node
	key    fileKey
	id     handleID // under which a mark reports on it; zero unless marked
	state  nodeState
	stale  bool  // its watch may be gone, or another directory may stand here
	unread bool  // its events are let in for a scan that is still to come
	polled bool  // on a file system that does not report changes of other hosts
	added  int64 // when the watch was last added, as time since the Tree was made
	told   int64 // likewise, when it was last watched to observe all that is in it anew
}

// path returns the path relative to the root.
func (n *node) path() string {
	if n.parent == nil {
		return ""
	}
	return join(n.parent.path(), n.name)
}

// watches maps directories to kernel watches. The kernel watches inodes and
// fsnotify names them by the path of their first Add; both go wrong when
// directories move or appear twice. So there is a tree of our own, keyed also
// by inode; the rules are:
//
//   - the path that fsnotify has for an inode is the path of its watched node;
//   - before an inode gets a watch under another path, the watches of the old
//     path and of all below it are removed: a later event of the removed watch
//     cannot be taken for one of the new;
//   - Add is called again whenever a directory is scanned: fsnotify drops the
//     watch of a directory that moved, also when it moved back.
//
// A directory on a marked file system has no watch: it is in handles as long as
// it has a node, and events find all its nodes by inode.
//
// One goroutine changes it; mu is for readers elsewhere.
type watches struct {
	abs     func(rel string) string
	note    notifier
	handles subscriptions // nil as long as nothing is marked

	mu      sync.RWMutex // guards the following for readers in other goroutines
	root    *node
	byKey   map[fileKey][]*node
	counts  [4]int // by nodeState
	missing map[*node]struct{}
	orphans []*node // lost their watch because another path of the inode went away
}

func newWatches(abs func(string) string) *watches {
	return &watches{abs: abs, byKey: map[fileKey][]*node{}, missing: map[*node]struct{}{}}
}

// find returns the node of a path, nil when there is none.
func (w *watches) find(rel string) *node {
	n := w.root
	for rel != "" && n != nil {
		name := rel
		if i := indexSlash(rel); i >= 0 {
			name, rel = rel[:i], rel[i+1:]
		} else {
			rel = ""
		}
		n = n.kids[name]
	}
	return n
}

func indexSlash(s string) int {
	for i := 0; i < len(s); i++ {
		if s[i] == '/' {
			return i
		}
	}
	return -1
}

// ensure watches the directory that was found at rel with the given inode. id is
// what the mark of its file system reports it under, zero where it has none and
// needs a watch. same verifies that a path of the tree still is that inode,
// without following symbolic links. The node exists afterwards even if there is
// an error, except for errMoved; an error that is unix.ENOSPC means the limit of
// watches.
func (w *watches) ensure(rel string, key fileKey, id handleID, now int64, same func(string, fileKey) bool) (*node, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := w.find(rel); n != nil && n.key != key {
		w.drop(n)
	}
	for _, o := range slices.Clone(w.byKey[key]) {
		if p := o.path(); o.key == key && p != rel && w.find(p) == o && !same(p, key) {
			w.drop(o) // it moved from there
		}
	}
	n := w.find(rel)
	if n == nil {
		if n = w.insert(rel, key); n == nil {
			return nil, errMoved // its parent is not known any more
		}
	}
	err := w.add(n, rel, id, same)
	if errors.Is(err, errMoved) {
		w.drop(n)
		return nil, err
	}
	n.stale, n.added = false, now
	return n, err
}

func (w *watches) insert(rel string, key fileKey) *node {
	n := &node{name: baseOf(rel), key: key}
	if rel == "" {
		w.root = n
	} else {
		n.parent = w.find(dirOf(rel))
		if n.parent == nil {
			return nil
		}
		if n.parent.kids == nil {
			n.parent.kids = map[string]*node{}
		}
		n.parent.kids[n.name] = n
	}
	w.byKey[key] = append(w.byKey[key], n)
	w.counts[unwatched]++
	w.missing[n] = struct{}{}
	return n
}

// add asks for the kernel watch of a node. fsnotify follows symbolic links and
// takes a path, so what it watched is compared afterwards. A handle needs no such
// comparison: it was taken from the open directory.
func (w *watches) add(n *node, rel string, id handleID, same func(string, fileKey) bool) error {
	if n.id != id {
		w.unmark(n)
	}
	if id != (handleID{}) {
		if n.state == watched {
			w.remove(w.abs(rel))
		}
		n.id = id
		w.handles.add(id, n.key)
		w.set(n, marked)
		return nil
	}
	for _, o := range w.byKey[n.key] {
		if o != n && o.state == watched {
			w.set(n, aliased)
			return nil
		}
	}
	abs := w.abs(rel)
	err := w.note.Add(abs)
	if err == nil && !same(rel, n.key) {
		w.remove(abs)
		return errMoved
	}
	if err != nil {
		w.set(n, unwatched)
		if isGone(err) {
			return errMoved
		}
		return fmt.Errorf("watch directory %q: %w", abs, err)
	}
	w.set(n, watched)
	return nil
}

func (w *watches) set(n *node, s nodeState) {
	w.counts[n.state]--
	w.counts[s]++
	n.state = s
	if s == unwatched {
		w.missing[n] = struct{}{}
	} else {
		delete(w.missing, n)
	}
}

// unmark forgets the handle of a node, unless another path of its inode has it.
func (w *watches) unmark(n *node) {
	id := n.id
	n.id = handleID{}
	if id == (handleID{}) || slices.ContainsFunc(w.byKey[n.key], func(o *node) bool { return o.id == id }) {
		return
	}
	w.handles.remove(id)
}

// remove takes a watch away. That the watch or the directory is gone already
// is what one would expect after a move or a removal.
func (w *watches) remove(abs string) {
	_ = w.note.Remove(abs)
}

// marked are the handles that are subscribed to.
func (w *watches) marked() iter.Seq[handleID] {
	return func(yield func(handleID) bool) {
		for _, nodes := range w.byKey {
			for _, n := range nodes {
				if n.id != (handleID{}) && !yield(n.id) {
					return
				}
			}
		}
	}
}

// forget drops the node of a path and all below it, with their watches.
func (w *watches) forget(rel string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := w.find(rel); n != nil {
		w.drop(n)
	}
}

// drop removes a node and all below. Another path of the same inode loses its
// watch with it, and is marked stale.
func (w *watches) drop(n *node) {
	rel := n.path()
	w.dropBelow(n, rel)
	if n.parent == nil {
		w.root = nil
	} else {
		delete(n.parent.kids, n.name)
	}
}

func (w *watches) dropBelow(n *node, rel string) {
	for name, k := range n.kids {
		w.dropBelow(k, join(rel, name))
	}
	if n.state == marked {
		w.unmark(n)
	} else {
		w.remove(w.abs(rel))
	}
	w.counts[n.state]--
	delete(w.missing, n)
	rest := slices.DeleteFunc(w.byKey[n.key], func(o *node) bool { return o == n })
	if len(rest) == 0 {
		delete(w.byKey, n.key)
		return
	}
	w.byKey[n.key] = rest
	if n.state != watched {
		return
	}
	for _, o := range rest {
		w.set(o, unwatched)
		o.stale = true
		w.orphans = append(w.orphans, o)
	}
}

// takeOrphans returns the paths that need another look because they lost
// their watch.
func (w *watches) takeOrphans() []string {
	var list []string
	for _, n := range w.orphans {
		if p := n.path(); w.find(p) == n {
			list = append(list, p)
		}
	}
	w.orphans = nil
	return list
}

// paths returns all paths of an inode.
func (w *watches) paths(key fileKey) []string {
	var list []string
	for _, n := range w.byKey[key] {
		list = append(list, n.path())
	}
	return list
}

// staleBelow marks a directory and all below it as stale.
func (n *node) staleBelow() {
	n.stale = true
	for _, k := range n.kids {
		k.staleBelow()
	}
}

// aliases returns the other paths of a directory that has several.
func (w *watches) aliases(rel string) []string {
	if w.counts[aliased] == 0 {
		return nil
	}
	n := w.find(rel)
	if n == nil {
		return nil
	}
	var list []string
	for _, o := range w.byKey[n.key] {
		if o != n {
			list = append(list, o.path())
		}
	}
	return list
}

// unwatchedPaths returns up to limit paths without a watch, sorted.
func (w *watches) unwatchedPaths(limit int) []string {
	list := make([]string, 0, min(limit, len(w.missing)))
	for n := range w.missing {
		if len(list) == limit {
			break
		}
		list = append(list, n.path())
	}
	slices.Sort(list)
	return list
}

// limitReached tells the error of fs.inotify.max_user_watches.
func limitReached(err error) bool { return errors.Is(err, unix.ENOSPC) }

var _ notifier = (*fsnotify.Watcher)(nil)
