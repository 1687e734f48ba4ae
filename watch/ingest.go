package watch

import (
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"
	"golang.org/x/sys/unix"
)

// suspectBefore is how long before an overflow a change may have begun whose
// last event was lost: a write(2) sets the time stamps when it begins and
// causes its event when it ends.
const suspectBefore = time.Minute

// suspectsOfLate are what may have had a write of which no event is known.
func suspectsOfLate() suspects {
	now := time.Now()
	return suspects{from: now.Add(-suspectBefore).UnixNano(), until: now.UnixNano()}
}

// takeEvents moves what was received into the coalescer.
func (t *Tree) takeEvents() error {
	t.takenAt = time.Now().UnixNano()
	t.events.drop() // before, or one that comes in between would have none
	in := t.events.take(t.spare)
	t.spare = in.list
	t.received += in.received
	for _, err := range in.errs {
		// fsnotify drops the watch of a directory that was moved, and passes on
		// what the kernel says when it was removed meanwhile. A failed read is
		// not a bare errno.
		if err == error(unix.EINVAL) {
			t.log.Debug("a watch was gone before it was dropped", "source", t.abs)
			t.goneWatches++
			continue
		}
		t.troubled("", "receive events", err)
	}
	for i := range in.list {
		t.ingest(&in.list[i])
	}
	if n := len(in.list); n > 0 {
		t.mu.Lock()
		t.status.Events += uint64(n)
		t.status.Coalesced = t.co.merged
		t.mu.Unlock()
	}
	t.doubt.raised = t.doubt.raised || in.nameless
	if in.overflows > 0 {
		t.overflow(in.overflows)
	}
	return nil
}

// overflow answers lost events with a scan of the whole tree. Nothing needs to
// be stored: a restart scans everything anyway.
func (t *Tree) overflow(n uint64) {
	t.mu.Lock()
	t.status.Overflows += n
	for _, f := range t.fences {
		f.unseen = 0 // its cookie's event may be among the lost
	}
	t.mu.Unlock()
	t.log.Warn("events were lost, scanning the whole tree", "source", t.abs, "backend", t.inUse())
	t.confirms.reset()
	if t.heldRoot != "" {
		return
	}
	t.lostScan(suspectsOfLate())
	t.co.hurry()
}

// ingest turns one event into paths to look at.
func (t *Tree) ingest(ev *event) {
	if ev.dir != (fileKey{}) {
		t.ingestInode(ev)
		return
	}
	if t.o.FenceDir != "" && filepath.Dir(ev.name) == t.o.FenceDir {
		t.cookie(ev.name, fromInotify)
		return
	}
	rel, ok := t.relPath(ev.name)
	if !ok || t.heldRoot != "" {
		return
	}
	t.hint(rel, ev)
	if rel == "" {
		return
	}
	for _, dir := range t.w.aliases(dirOf(rel)) {
		t.hint(join(dir, baseOf(rel)), ev)
	}
}

// ingestInode is for an event of fanotify, which names no path.
func (t *Tree) ingestInode(ev *event) {
	if t.fan != nil && ev.dir == t.fan.fence {
		t.cookie(filepath.Join(t.o.FenceDir, ev.name), fromFanotify)
		return
	}
	if t.heldRoot != "" {
		return
	}
	for _, rel := range t.w.paths(ev.dir) {
		if ev.name != "" {
			rel = join(rel, ev.name)
		}
		t.hint(rel, ev)
	}
}

func hintOf(op fsnotify.Op) hint {
	var h hint
	if op.Has(fsnotify.Create) || op.Has(fsnotify.Remove) || op.Has(fsnotify.Rename) {
		h |= hintName | hintEvent
	}
	if op.Has(fsnotify.Create) {
		h |= hintMade
	}
	if op.Has(fsnotify.Remove) {
		h |= hintGone
	}
	if op.Has(fsnotify.Write) {
		h |= hintWrite
	}
	if op.Has(fsnotify.Chmod) {
		h |= hintAttr
	}
	return h
}

func (t *Tree) hint(rel string, ev *event) {
	h := ev.hints
	t.confirms.forget(rel)
	if h&hintName != 0 {
		if rel != "" {
			t.confirms.forget(dirOf(rel))
		}
		// fsnotify has dropped the watch of a directory that was moved, even if
		// it was moved back, and another directory may have the same inode number
		// and another handle. What was watched after this event was received is
		// watched for good.
		if n := t.w.find(rel); n != nil && n.added <= int64(ev.mono) {
			n.stale = true
		}
	}
	if t.o.Filter.excludes(rel, false) && t.o.Filter.excludes(rel, true) {
		if h&hintName == 0 {
			return
		}
		rel, h = dirOf(rel), hintAttr // its parent's mtime has changed
	}
	if n := t.w.find(rel); h&hintName != 0 && (n == nil || n.told < int64(ev.mono)) {
		t.away.note(rel, ev.mono)
	}
	t.co.add(rel, h, ev.mono, ev.wall)
}
