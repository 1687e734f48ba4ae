package watch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
)

const cookiePrefix = "fence-"

var fenceCount atomic.Uint64

// fence is one call of Fence. It goes through three stages: its cookie's event
// has come, so everything that was changed before is pending; all pending looks
// are done; all scans that were pending then are done. An overflow may swallow
// the event: then the scan of the whole tree that follows stands for it.
//
// Where some directories are watched and others marked, there are two queues
// without an order between them, and the cookie must come out of both: its
// directory has a watch, and a mark of its own.
type fence struct {
	unseen  eventSource // guarded by Tree.mu; so is membership of Tree.fences
	done    chan error
	looked  bool     // the loop's: stage two is over
	groups  []*group // the loop's: scans to wait for
	hurry   bool     // the loop's: the coalescer was told
	linked  bool     // the loop's: names of linked files were searched for
	doubted bool     // the loop's: a doubt was answered
}

// eventSource is a set of kernel queues.
type eventSource uint8

const (
	fromInotify eventSource = 1 << iota
	fromFanotify
)

// Fence returns when every change that was made in the tree before the call is
// journaled, with the seq of the newest entry then: all of them are at or below
// it. It waits for the first scan too. It returns ctx's error when that ends
// first, ErrHeld with the reason while a guard holds the root, and ErrStopped
// after Run.
func (t *Tree) Fence(ctx context.Context) (seq uint64, err error) {
	if t.o.FenceDir == "" {
		return 0, errors.New("fence: no directory for cookies")
	}
	name := cookiePrefix + strconv.Itoa(os.Getpid()) + "-" + strconv.FormatUint(fenceCount.Add(1), 10)
	path := filepath.Join(t.o.FenceDir, name)
	f := &fence{done: make(chan error, 1)}
	t.mu.Lock()
	f.unseen = t.sources
	t.fences[path] = f
	t.mu.Unlock()
	defer func() {
		t.mu.Lock()
		delete(t.fences, path)
		t.mu.Unlock()
		_ = os.Remove(path) // the next start removes what is left
	}()
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		return 0, fmt.Errorf("fence: %w", err)
	}
	notify(t.o.Group.hurry)
	t.signal()
	select {
	case err := <-f.done:
		if err != nil {
			return 0, fmt.Errorf("fence: %w", err)
		}
		return t.o.Index.Head(), nil
	case <-t.ended:
		return 0, fmt.Errorf("fence: %w", ErrStopped)
	case <-ctx.Done():
		return 0, fmt.Errorf("fence: %w", context.Cause(ctx))
	}
}

// cookie notes the event of a cookie.
func (t *Tree) cookie(path string, from eventSource) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if f := t.fences[path]; f != nil {
		f.unseen &^= from
	}
}

// settleFences moves fences to their next stages.
func (t *Tree) settleFences() {
	t.mu.Lock()
	var list []*fence
	for _, f := range t.fences {
		if f.unseen != 0 && t.noCookies {
			f.unseen = 0
			t.fullScan(suspects{})
		}
		if f.unseen == 0 {
			list = append(list, f)
		}
	}
	held := t.heldRoot
	t.mu.Unlock()
	for _, f := range list {
		if held != "" {
			if !f.hurry {
				f.hurry = true
				t.nextTick = 0 // the root may be right again
				continue
			}
			f.end(fmt.Errorf("%w: %s", ErrHeld, held))
			continue
		}
		t.advance(f)
	}
}

func (t *Tree) advance(f *fence) {
	if !f.hurry {
		f.hurry = true
		t.nextTick = 0 // root and mounts are compared too
		t.co.hurry()
		t.scanSilent(nil)
		return
	}
	if t.co.hurried() || t.nextTick == 0 {
		return
	}
	if !f.looked {
		f.looked = true
		f.groups = t.scans.active()
	}
	for _, g := range f.groups {
		if !g.finished() {
			return
		}
	}
	if len(t.links) > 0 && !f.linked {
		// Once: names that are missing after that are those of later changes,
		// and a tree where files are linked all the time has always some.
		f.linked = true
		t.fullScan(suspects{})
		f.groups = t.scans.active()
		return
	}
	if t.doubt.raised && t.doubt.took < doubtQuick && !f.doubted {
		f.doubted = true
		t.doubtScan()
		f.groups = t.scans.active()
		return
	}
	if t.isReady {
		f.end(nil)
	}
}

func (f *fence) end(err error) {
	select {
	case f.done <- err:
	default: // it has ended before
	}
}

// endFences gives the rest their answer when the loop ends.
func (t *Tree) endFences() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, f := range t.fences {
		f.end(ErrStopped)
	}
}

// Rescan asks for a scan of a directory with all below it, or a look at a path
// that is none; "" is the whole tree. It does not wait.
func (t *Tree) Rescan(path string) {
	t.mu.Lock()
	t.requests.rescan = append(t.requests.rescan, path)
	t.mu.Unlock()
	t.signal()
}

// Approve releases what a guard holds: what is there now is the truth, removals
// included. It does not wait. A missing root stays held.
func (t *Tree) Approve() {
	t.mu.Lock()
	t.requests.approve = true
	t.mu.Unlock()
	t.signal()
}
