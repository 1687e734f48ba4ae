package watch

import (
	"os"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"gorsyncd/journal"
)

// TestLinkWrittenAhead: a file with two names changes through the one whose
// directory is scanned, after the other's was read ahead.
func TestLinkWrittenAhead(t *testing.T) { onBoth(t, testLinkWrittenAhead) }

func testLinkWrittenAhead(t *testing.T) {
	for name, script := range map[string]string{
		"write": `echo 2 >>p/d2/l`,
		"chmod": `chmod 600 p/d2/l`,
		"rm":    `rm p/d2/l`,
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.journaled()
			r.sh(`mkdir p; for i in 0 1 2 3 4 5 6 7 8 9; do mkdir -p p/d$i; echo f >p/d$i/f; done; ln p/d5/f p/d2/l`)
			changed := 0
			r.prepare = func(tr *Tree) { r.changeAhead(tr, &changed, script, true) }
			r.start()
			r.waitReady()
			r.settled()
			if changed != 1 {
				t.Errorf("changed %d times", changed)
			}
		})
	}
}

// TestFollowedIsNotRenewed: a directory that is watched all the time gets another
// ctime while a scan of the whole tree is under way. What is in it is not
// journaled anew.
func TestFollowedIsNotRenewed(t *testing.T) { onBoth(t, testFollowedIsNotRenewed) }

func testFollowedIsNotRenewed(t *testing.T) {
	r := newRig(t)
	r.journaled()
	r.sh(`mkdir p; for i in 0 1 2 3 4 5 6 7 8 9; do mkdir -p p/d$i/s; echo f >p/d$i/s/f; done`)
	src := r.o.Index.(*journal.Source)
	var before uint64
	done, ran := make(chan bool, 1), false
	r.prepare = func(tr *Tree) {
		tr.onScan = func(sc *scan) {
			if ran || !tr.isReady || tr.scans.full == nil || tr.scans.lost || sc.rel != "p/d0" {
				return
			}
			ran = true
			before = src.Head()
			r.sh(`chmod $(stat -c %a p/d5/s) p/d5/s`)
			for end := time.Now().Add(300 * time.Millisecond); time.Now().Before(end); time.Sleep(time.Millisecond) {
				if err := tr.takeEvents(); err != nil {
					t.Error(err)
				}
				if _, err := tr.looks(t.Context()); err != nil {
					t.Error(err)
				}
			}
			done <- true
		}
	}
	r.start()
	r.waitReady()
	r.settled()
	r.sh(`echo 1 >x; rm x; echo 1 >x; rm x`) // a doubt: all is scanned
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("no scan")
	}
	r.settled()
	list, err := src.Entries(before+1, 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		if e.Path == "p/d5/s/f" {
			t.Errorf("journaled anew: %d %v %q", e.Seq, e.Op, e.Path)
		}
	}
}

// TestStaleIsNotFollowed: of a directory that was stale nothing was heard until
// it was let in ahead. Another scan of it that goes first knows that.
func TestStaleIsNotFollowed(t *testing.T) { onBoth(t, testStaleIsNotFollowed) }

func testStaleIsNotFollowed(t *testing.T) {
	r := newRig(t)
	r.journaled()
	r.sh(`mkdir p; for i in 0 1 2 3 4 5 6 7 8 9; do mkdir -p p/d$i/s; echo f >p/d$i/s/f; done`)
	done, ran := make(chan bool, 1), false
	r.prepare = func(tr *Tree) {
		tr.onScan = func(sc *scan) {
			if !tr.isReady || tr.scans.full == nil || tr.scans.lost || ran {
				return
			}
			n := tr.w.find("p/d5")
			if sc.rel == "p" {
				n.stale = true // as after a mount
			}
			if sc.rel != "p/d0" {
				return
			}
			ran = true
			h, err := tr.openAccepted()
			if err != nil {
				t.Error(err)
				return
			}
			defer h.close()
			other := scan{rel: "p/d5", key: n.key} // of events in it
			e := tr.begin(h, &other)
			defer e.dir.close()
			if other.followed {
				t.Error("taken for followed")
			}
			done <- true
		}
	}
	r.start()
	r.waitReady()
	r.settled()
	r.sh(`echo 1 >x; rm x; echo 1 >x; rm x`)
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("no scan")
	}
	r.settled()
}

// TestBusyDirectoryIsReadOnce: one that changes while it waits for its scan is not
// read ahead again and again.
func TestBusyDirectoryIsReadOnce(t *testing.T) { onBoth(t, testBusyDirectoryIsReadOnce) }

func testBusyDirectoryIsReadOnce(t *testing.T) {
	r := newRig(t)
	r.journaled()
	r.sh(`mkdir -p p/z; for i in $(seq 2000); do : >p/z/$i; done; mkdir p/a; for i in $(seq 100); do mkdir -p p/a/$i/x; done`)
	seen := map[*entered]bool{}
	r.prepare = func(tr *Tree) {
		tr.onScan = func(sc *scan) {
			if tr.isReady || sc.rel == "p/z" {
				return
			}
			for i := range tr.scans.stack {
				if s := &tr.scans.stack[i]; s.rel == "p/z" && s.ahead != nil && s.ahead.node != nil {
					seen[s.ahead] = true
				}
			}
			if err := os.WriteFile(r.path("p/z/n"+time.Now().String()), nil, 0o600); err != nil {
				t.Error(err)
			}
			for end := time.Now().Add(4 * time.Millisecond); time.Now().Before(end); time.Sleep(time.Millisecond) {
				if err := tr.takeEvents(); err != nil {
					t.Error(err)
				}
				if _, err := tr.looks(t.Context()); err != nil {
					t.Error(err)
				}
			}
		}
	}
	r.start()
	r.waitReady()
	r.settled()
	if len(seen) > 2 {
		t.Errorf("read %d times", len(seen))
	}
}

// TestTooManyNamesAreNotKept: of a directory that has more of them than may be
// kept none is, and it is listed in its turn.
func TestTooManyNamesAreNotKept(t *testing.T) {
	r := newRig(t)
	r.sh(`mkdir d; for i in $(seq 300); do : >d/$i; done`)
	var kept atomic.Int64
	for _, c := range []struct {
		before int64
		full   bool
	}{{0, false}, {aheadNames - 300, false}, {aheadNames - 299, true}, {aheadNames, true}} {
		root, err := newHandle(unix.Open(r.root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0))
		if err != nil {
			t.Fatal(err)
		}
		e := &entered{room: &kept}
		kept.Store(c.before)
		if e.dir, e.err = root.openToList("d"); e.err != nil {
			t.Fatal(e.err)
		}
		root.close()
		e.listing.set(e.read, func() { e.room.Add(-e.taken) })
		e.listing.finish()
		if e.full != c.full || (len(e.names) == 300) == c.full || c.full && kept.Load() != c.before {
			t.Errorf("with %d names kept: full %v, %d of it, %d kept after it", c.before, e.full, len(e.names), kept.Load())
		}
	}
}
