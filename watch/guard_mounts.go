package watch

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"gorsyncd/journal"
)

// isHeld says whether a path lies at or below a mount point that lost its file
// system.
func (t *Tree) isHeld(path string) (reason string, held bool) {
	for p, reason := range t.heldBelow {
		if p == path || isBelow(path, p) {
			return reason, true
		}
	}
	return "", false
}

func (t *Tree) holdBelow(path, mount string) {
	if _, held := t.heldBelow[path]; held {
		return
	}
	reason := fmt.Sprintf("the file system at %s is no longer mounted", t.absPath(mount))
	t.log.Warn("part of the source held", "source", t.abs, "path", path, "reason", reason)
	t.heldBelow[path] = reason
	t.dropped(path)
}

// checkMounts acts on changes of the mount table. The file system at the root may
// have been mounted anew between two looks at it: the directory is the same, and
// what reported on it is gone.
func (t *Tree) checkMounts(ctx context.Context) error {
	if t.mounts.below != nil && !t.mounts.changed() {
		return nil
	}
	if h, err := t.openAccepted(); err == nil {
		id := h.mountID()
		h.close()
		if id != t.mountID {
			t.rootOK = false
			return t.checkRoot(ctx)
		}
	}
	return t.readMounts()
}

// readMounts compares the mount table with what was known: a file system that
// came is looked at like a new directory, one that went holds its mount point.
// The first time what was known is what the journal remembers.
func (t *Tree) readMounts() error {
	if t.mounts.below == nil {
		t.mounts.below = map[string]string{}
		for _, p := range t.rememberedMounts() {
			t.mounts.below[p] = ""
		}
	}
	t.o.Life.Enter()
	came, went, err := t.mounts.refresh()
	t.o.Life.Leave()
	if err != nil {
		return fmt.Errorf("read mount table: %w", err)
	}
	if t.fan != nil { // with the root, too, nobody looked for a while
		t.fan.mountsChanged(t.mounts.devices)
		t.publishFallbacks()
	}
	if len(came)+len(went) > 0 {
		clear(t.fsPolled) // a number may stand for another file system now
	}
	for _, p := range went {
		if _, ok := t.approved[p]; !ok && !t.o.Filter.Match(p, true).Excluded {
			t.holdBelow(p, p)
		}
	}
	for _, p := range came {
		t.unhold(p)
		if n := t.w.find(p); n != nil {
			n.staleBelow() // their watches, or their mark, may have gone with the file system
		}
		t.co.addNow(p, hintName, t.now(), 0)
	}
	return nil
}

func (t *Tree) rememberedMounts() []string {
	known, _ := t.o.Roots.Root()
	if known.Mounts == "" {
		return nil
	}
	return strings.Split(known.Mounts, "\x00")
}

// rememberMounts stores the mount points below the root, and those that are
// missing and held because of it. Directories on the root's own file system
// tell nothing of a bind mount that is missing at a start.
func (t *Tree) rememberMounts(ctx context.Context) error {
	known, ok := t.o.Roots.Root()
	if !ok || t.mounts.below == nil {
		return nil
	}
	list := slices.Collect(maps.Keys(t.mounts.below))
	for _, p := range t.rememberedMounts() {
		if _, held := t.isHeld(p); held && !slices.Contains(list, p) {
			list = append(list, p)
		}
	}
	slices.Sort(list)
	now := strings.Join(list, "\x00")
	if now == known.Mounts {
		return nil
	}
	known.Mounts = now
	return t.setRoot(ctx, known)
}

// unhold releases a mount point that is back, and what was held because of it.
func (t *Tree) unhold(mount string) {
	for p := range t.heldBelow {
		if p == mount || isBelow(mount, p) {
			delete(t.heldBelow, p)
			t.co.addNow(p, hintName, t.now(), 0)
		}
	}
}

// mountLost says whether a directory that exists was a mount point and is none
// any more, and holds it then: what the file system held must not count as
// removed. st is of the path, parent the inode it is in; ask says that the index
// may know it as a mount point.
func (t *Tree) mountLost(path string, st *unix.Stat_t, parent fileKey, ask bool) bool {
	if _, ok := t.approved[path]; ok {
		return false
	}
	if _, known := t.mounts.below[path]; known {
		if n := t.w.find(path); n == nil || n.key == keyOf(st) {
			return false
		}
		if err := t.readMounts(); err != nil {
			t.troubled(path, "read mount table", err)
			return true
		}
		_, held := t.isHeld(path)
		return held
	}
	if !ask || uint64(st.Dev) != t.rootKey.dev || parent.dev != t.rootKey.dev {
		return false
	}
	return t.wasMount(path)
}

// wasMount asks the index whether a path that now is on the root's own file
// system was on another when it was last seen: it was unmounted while nobody
// looked. Only directories that have no node yet, or another inode than their
// node, come this far for the first time, so it is asked for those alone.
func (t *Tree) wasMount(path string) bool {
	if t.w.find(path) != nil {
		return false
	}
	r, ok, err := t.o.Index.Lookup(path)
	if err != nil || !ok || r.Type != journal.Dir || r.Dev == 0 {
		return false // an error of the index comes back from Record
	}
	if p, ok, err := t.o.Index.Lookup(dirOf(path)); err != nil || !ok || p.Dev == r.Dev {
		return false
	}
	t.holdBelow(path, path)
	return true
}

// keepGone says whether the removal of a path must not be recorded, and does
// what its reason asks for.
func (t *Tree) keepGone(root *handle, path string) bool {
	f := t.o.Filter
	if asDir := f.excludes(path, true); asDir != f.excludes(path, false) {
		r, ok, err := t.o.Index.Lookup(path)
		if err != nil || !ok || f.excludes(path, r.Type == journal.Dir) {
			return true // an error of the index comes back from Record
		}
	} else if asDir {
		return true
	}
	if t.mountGone(path) {
		return true
	}
	return t.emptied(root, path)
}

// mountGone says whether a path that is gone had a file system mounted at it or
// below, and holds it then.
func (t *Tree) mountGone(path string) bool {
	if _, ok := t.approved[path]; ok {
		return false
	}
	for p := range t.heldBelow {
		if isBelow(p, path) {
			t.holdBelow(path, p)
			return true
		}
	}
	if len(t.mounts.under(path)) > 0 {
		if err := t.readMounts(); err != nil {
			t.troubled(path, "read mount table", err)
			return true
		}
		for p := range t.heldBelow {
			if p == path || isBelow(p, path) {
				t.holdBelow(path, p)
				return true
			}
		}
		return false
	}
	if t.scans.full == nil {
		return false // any mount was seen
	}
	parent, ok, err := t.o.Index.Lookup(dirOf(path))
	if err != nil || !ok {
		return false // an error of the index comes back from Record
	}
	mount, found := t.indexedMount(path, parent.Dev)
	if found {
		t.holdBelow(path, mount)
	}
	return found
}

// indexedMount searches the index at and below a path that went away while
// nobody looked for a directory of another file system than the one above it,
// which is on dev.
func (t *Tree) indexedMount(path string, dev uint64) (mount string, found bool) {
	r, ok, err := t.o.Index.Lookup(path)
	if err != nil || !ok || r.Type != journal.Dir {
		return "", false
	}
	if r.Dev != dev {
		return path, true
	}
	var dirs []string
	err = t.o.Index.Children(path, func(name string, r journal.Record, trusted bool) error {
		if trusted && r.Type == journal.Dir {
			dirs = append(dirs, join(path, name))
		}
		return nil
	})
	if err != nil {
		return "", false
	}
	for _, d := range dirs {
		if mount, found = t.indexedMount(d, dev); found {
			return mount, true
		}
	}
	return "", false
}
