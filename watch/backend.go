package watch

import "fmt"

// Backend is the interface of the kernel that tells of changes.
type Backend string

// Backends to choose from; "" is BackendAuto.
const (
	BackendAuto     Backend = "auto"     // fanotify where it can be had, else inotify
	BackendInotify  Backend = "inotify"  // a watch for each directory
	BackendFanotify Backend = "fanotify" // a mark for each file system; if it cannot be had inotify, with a warning
)

// backendMixed in a Status: some file systems are marked, on others directories
// are watched.
const backendMixed = "mixed"

func (b Backend) valid() bool {
	switch b {
	case "", BackendAuto, BackendInotify, BackendFanotify:
		return true
	}
	return false
}

// openFan joins the fanotify group if it is wanted and can be had. Else all is
// left to inotify: that is slower to start and knows limits, but loses nothing.
func (t *Tree) openFan() *fanotify {
	if t.o.Backend == BackendInotify {
		return nil
	}
	f, err := t.o.Group.join(t.events, t.o.FenceDir)
	if err == nil {
		return f
	}
	if t.o.Backend == BackendFanotify {
		t.log.Warn("fanotify cannot be had, using inotify", "source", t.abs, "error", err)
	} else {
		t.log.Debug("fanotify cannot be had, using inotify", "source", t.abs, "error", err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.status.Fallbacks = []string{fmt.Sprintf("inotify is used: %v", err)}
	return nil
}

// enter returns what the events of an open directory will be reported under by
// the mark of its file system; zero where it has none and needs a watch. What
// other hosts change has no events of either kind, and stays with inotify.
func (t *Tree) enter(dir *handle, sc scan) handleID {
	if t.fan == nil || t.isPolled(sc) {
		return handleID{}
	}
	id, err := t.fan.enter(dir, sc.rel)
	if err != nil {
		t.log.Warn("a directory has no mark and gets a watch", "source", t.abs, "path", sc.rel, "error", markError(err))
		t.publishFallbacks()
	}
	return id
}

func (t *Tree) publishFallbacks() {
	list := t.fan.refused(t.absPath)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.status.Fallbacks = list
}

// inUse names what reports on the directories of the tree.
func (t *Tree) inUse() string {
	switch {
	case t.fan == nil || t.w.counts[marked] == 0 && t.w.counts[watched] > 0:
		return string(BackendInotify)
	case t.w.counts[watched]+t.w.counts[unwatched] > 0:
		return backendMixed
	}
	return string(BackendFanotify)
}
