package watch

import (
	"testing"
	"time"
)

// TestMountedAnew: after a power cut a file can have the observed size and
// times and another content. What was new then is told again, what was not is
// not, and only until a complete scan has followed the new mounting.
func TestMountedAnew(t *testing.T) { onBoth(t, testMountedAnew) }

func testMountedAnew(t *testing.T) {
	r := startTree(t, func(r *rig) { r.sh(`mkdir d; echo 1 > d/new; echo 1 > d/old; touch -d 2001-01-01 d/old`) })
	r.settled()
	time.Sleep(100 * time.Millisecond) // until no record is racy
	r.settled()
	r.stop()
	r.idx.mu.Lock()
	if r.idx.root.Mount == "" {
		t.Error("the mounting is not known after a complete scan")
	}
	r.idx.recorded = time.Now()
	first := r.idx.recs["d/new"].Ctime
	r.idx.mu.Unlock()

	told := func() map[string]bool {
		before := r.idx.Head()
		r.start()
		r.waitReady()
		r.settled()
		r.stop()
		told := map[string]bool{}
		for _, e := range r.idx.entries(before) {
			told[e.Path] = true
		}
		return told
	}
	if got := told(); got["d/new"] || got["d/old"] {
		t.Errorf("a restart on the same mounting told of %v", got)
	}
	r.idx.mu.Lock()
	r.idx.root.Mount = "another boot"
	r.idx.recorded = time.Unix(0, first).Add(writeback)
	r.idx.mu.Unlock()
	if got := told(); !got["d/new"] || !got["d/old"] {
		t.Errorf("after a new mounting only %v was told", got)
	}
	if got := told(); got["d/new"] || got["d/old"] {
		t.Errorf("a complete scan did not settle it: told of %v again", got)
	}
	r.idx.mu.Lock()
	r.idx.root.Mount = "yet another boot"
	r.idx.recorded = time.Now().Add(2 * writeback)
	r.idx.mu.Unlock()
	if got := told(); got["d/new"] || got["d/old"] {
		t.Errorf("told of %v, which had settled long before", got)
	}
}
