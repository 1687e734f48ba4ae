package watch

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"gorsyncd/journal"
)

// errOtherRoot says that the root is not the accepted directory.
var errOtherRoot = errors.New("source root is another directory")

const emptyRoot = "source root %s is empty although it was not before"

// rootStamp tells whether anything changed since the root was last judged.
type rootStamp struct {
	key          fileKey
	mtime, ctime int64
}

// openAccepted opens the root if it still is the accepted one.
func (t *Tree) openAccepted() (*handle, error) {
	h, err := t.openRoot()
	if err != nil {
		return nil, err
	}
	if !t.rootOK || keyOf(&h.st) != t.rootKey {
		h.close()
		return nil, errOtherRoot
	}
	return h, nil
}

// checkRoot compares the root with the accepted one. If it is another, or if
// the source is held, the guards decide.
func (t *Tree) checkRoot(ctx context.Context) error {
	h, err := t.openRoot()
	if err != nil {
		t.hold(t.missing(err))
		return nil
	}
	defer h.close()
	if t.rootOK && t.heldRoot == "" && keyOf(&h.st) == t.rootKey {
		return nil
	}
	stamp := rootStamp{keyOf(&h.st), h.st.Mtim.Nano(), h.st.Ctim.Nano()}
	if t.heldRoot != "" && stamp == t.lastRoot {
		return nil // it was judged before
	}
	begun := time.Now().UnixNano()
	reason, err := t.judge(h)
	if err != nil {
		return err
	}
	if reason != "" {
		t.lastRoot = rootStamp{}
		if begun-max(stamp.mtime, stamp.ctime) > int64(confirmAfter) {
			t.lastRoot = stamp // else it could change once more and keep it
		}
		t.hold(reason)
		return nil
	}
	return t.accept(ctx, h)
}

// rootTrouble is for a step that could not open the accepted root: if the root
// turns out to be right, what the step had to do is covered by a scan. What the
// events of its paths said is lost with it.
func (t *Tree) rootTrouble(ctx context.Context) error {
	if err := t.checkRoot(ctx); err != nil {
		return err
	}
	if t.heldRoot == "" {
		t.lostScan(suspectsOfLate())
	}
	return nil
}

func (t *Tree) missing(err error) string {
	switch {
	case err == unix.ENOENT:
		return fmt.Sprintf("source root %s is missing", t.abs)
	case err == unix.ENOTDIR:
		return fmt.Sprintf("source root %s is not a directory", t.abs)
	}
	return fmt.Sprintf("source root %s cannot be opened: %v", t.abs, err)
}

// judge returns why the directory must not be taken for the source root, ""
// if it may. The error is the index's.
func (t *Tree) judge(h *handle) (string, error) {
	names, err := h.names()
	if err != nil {
		return fmt.Sprintf("source root %s cannot be read: %v", t.abs, err), nil
	}
	slices.Sort(names)
	lost, present, err := t.compareTop(names)
	if err != nil {
		return "", err
	}
	if t.o.Guard.EmptySource && lost != "" && present == 0 && !t.hasIncluded(h, names) {
		return fmt.Sprintf(emptyRoot, t.abs), nil
	}
	known, ok := t.o.Roots.Root()
	if ok && t.o.Guard.SameFilesystem && lost != "" && !known.SameDir(t.identify(h)) {
		return fmt.Sprintf("source root %s is another directory or file system than before, and %q is missing from it", t.abs, lost), nil
	}
	return "", nil
}

// compareTop returns one name of the index that is missing from the root, and
// how many are there.
func (t *Tree) compareTop(names []string) (lost string, present int, err error) {
	err = t.o.Index.Children("", func(name string, r journal.Record, _ bool) error {
		if r.Type == journal.Gone || t.o.Filter.excludes(name, r.Type == journal.Dir) {
			return nil
		}
		if _, found := slices.BinarySearch(names, name); found {
			present++
		} else if lost == "" {
			lost = name
		}
		return nil
	})
	return lost, present, err
}

// hasIncluded says whether any of the names in the directory takes part.
func (t *Tree) hasIncluded(h *handle, names []string) bool {
	var st unix.Stat_t
	for _, name := range names {
		if h.lstat(name, &st) == nil && !t.o.Filter.excludes(name, isDir(&st)) {
			return true
		}
	}
	return false
}

// identify describes the root as it is stored.
func (t *Tree) identify(h *handle) journal.RootID {
	h.enter()
	defer h.leave()
	id := journal.RootID{Path: t.abs, Dev: uint64(h.st.Dev), Ino: h.st.Ino}
	if fsid, err := journal.FileSystemID(h.fd); err == nil {
		id.FSID = fsid
	}
	return id
}

// hold stops everything until the root is right again or approved. What is
// pending is dropped: the release scans the whole tree.
func (t *Tree) hold(reason string) {
	if t.heldRoot == reason {
		return
	}
	t.log.Warn("source held", "source", t.abs, "reason", reason)
	t.heldRoot = reason
	t.rootOK = false
	t.forgetPending()
	clear(t.again)
}

// forgetPending drops all that is pending because a full scan follows.
func (t *Tree) forgetPending() {
	t.co.reset()
	t.scans.clear()
	t.ahead.clear()
	t.found.clear()
	t.late = lateLinks{}
	t.confirms.reset()
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, f := range t.fences {
		f.hurry, f.looked, f.groups = false, false, nil
	}
}

// accept takes the directory for the source root: it is watched and scanned
// anew.
func (t *Tree) accept(ctx context.Context, h *handle) error {
	id := t.identify(h)
	known, ok := t.o.Roots.Root()
	id.Mounts, id.Mount = known.Mounts, known.Mount
	if !ok || known != id {
		if err := t.setRoot(ctx, id); err != nil {
			return err
		}
	}
	if t.heldRoot != "" {
		t.log.Info("source released", "source", t.abs)
	}
	t.w.forget("")
	t.w.takeOrphans()
	clear(t.polled)
	clear(t.fsPolled)
	t.forgetPending()
	t.rootKey, t.rootOK, t.heldRoot, t.lastRoot = keyOf(&h.st), true, "", rootStamp{}
	if err := t.readMounts(); err != nil {
		return err
	}
	t.mountID = h.mountID()
	t.lostScan(t.unsettled(known.Mount, t.mountID))
	return nil
}

// approve accepts what is there as the truth. A root that is missing stays
// held: there is nothing to accept.
func (t *Tree) approve(ctx context.Context) error {
	if t.heldRoot != "" {
		h, err := t.openRoot()
		if err != nil {
			t.hold(t.missing(err))
			return nil
		}
		defer h.close()
		t.emptyOK = true
		if err := t.accept(ctx, h); err != nil {
			return err
		}
	}
	for p := range t.heldBelow {
		delete(t.heldBelow, p)
		t.approved[p] = struct{}{}
		if n := t.w.find(p); n != nil {
			n.stale = true
		}
		t.co.addNow(p, hintName, t.now(), 0)
	}
	return nil
}

// emptied says whether the last name of the root would go away with a top-level
// path, and holds the source if so.
func (t *Tree) emptied(root *handle, path string) bool {
	if !t.o.Guard.EmptySource || dirOf(path) != "" || t.emptyOK {
		return false
	}
	names, err := root.names()
	if err != nil {
		t.troubled("", "read directory", err)
		return true // it is looked at again
	}
	if t.hasIncluded(root, names) {
		return false
	}
	t.lastRoot = rootStamp{}
	t.hold(fmt.Sprintf(emptyRoot, t.abs))
	return true
}

// troubles counts errors and keeps the log short.
type troubles struct {
	last map[string]time.Duration // by operation and error
}

// troubled notes a path that could not be judged. Nothing is recorded for it;
// it is looked at again in the next round.
func (t *Tree) troubled(rel, op string, err error) {
	t.mu.Lock()
	t.status.WatchErrors++
	t.mu.Unlock()
	if len(t.again) < maxAgain {
		t.again[rel] = struct{}{}
	}
	t.nextRound = min(t.nextRound, t.now()+t.every)
	key := op + err.Error()
	if at, ok := t.trouble.last[key]; ok && t.now()-at < time.Minute {
		return
	}
	if t.trouble.last == nil || len(t.trouble.last) > 100 {
		t.trouble.last = map[string]time.Duration{}
	}
	t.trouble.last[key] = t.now()
	t.log.Warn("cannot look at a path, trying again later", "source", t.abs, "path", rel, "error", pathError(op, t.absPath(rel), err))
}

const maxAgain = 10000
