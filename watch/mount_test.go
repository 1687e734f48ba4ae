package watch

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func mount(t *testing.T, source, target, fstype string, flags uintptr) {
	t.Helper()
	if err := unix.Mount(source, target, fstype, flags, ""); err != nil {
		t.Fatalf("mount %s: %v", target, err)
	}
	t.Cleanup(func() { _ = unix.Unmount(target, unix.MNT_DETACH) })
}

func unmount(t *testing.T, target string) {
	t.Helper()
	var err error
	for range 100 { // a step of the loop keeps the file system busy for a moment
		if err = unix.Unmount(target, 0); err != unix.EBUSY {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	if err != nil {
		t.Fatalf("unmount %s: %v", target, err)
	}
}

func TestMountBelow(t *testing.T) { onBoth(t, testMountBelow) }

func testMountBelow(t *testing.T) {
	r := startTree(t, func(r *rig) { r.sh(`mkdir -p d/m; echo 1 > d/f`) })
	mount(t, "tmpfs", r.path("d/m"), "tmpfs", 0)
	r.sh(`mkdir -p d/m/x/y; echo 1 > d/m/x/y/f`)
	r.settled()
	r.sh(`echo 2 >> d/m/x/y/f; echo 3 > d/m/g`)
	r.settled()
	before := r.idx.Head()

	unmount(t, r.path("d/m"))
	r.sh(`echo 2 > d/f2`)
	r.waitHeld("d/m")
	r.tree.Rescan("")
	r.fence()
	if got := r.idx.removals(before); len(got) > 0 {
		t.Fatalf("an unmount was journaled as removal of %q", got)
	}
	if _, ok, _ := r.idx.Lookup("d/f2"); !ok {
		t.Error("the rest of the tree stopped")
	}
	r.sh(`rmdir d/m`)
	r.fence()
	if got := r.idx.removals(before); len(got) > 0 {
		t.Fatalf("the mount point was journaled as removed: %q", got)
	}
	r.sh(`mkdir d/m`)

	mount(t, "tmpfs", r.path("d/m"), "tmpfs", 0)
	r.sh(`mkdir -p d/m/x/y; echo 1 > d/m/x/y/f`)
	r.waitState(StateWatching)
	r.settled()
	if got := r.idx.removals(before); !slices.Equal(got, []string{"d/m/g"}) {
		t.Errorf("after the mount is back: removed %q, want d/m/g", got)
	}

	unmount(t, r.path("d/m"))
	r.waitHeld("d/m")
	r.tree.Approve()
	r.waitState(StateWatching)
	r.settled()
	if got := r.idx.below("d/m/x"); len(got) > 0 {
		t.Errorf("approved, still in the index: %q", got)
	}
}

// TestRemovedBelowAMount: what is removed on a file system that is mounted below
// the root, while the whole tree is scanned, is removed.
func TestRemovedBelowAMount(t *testing.T) { onBoth(t, testRemovedBelowAMount) }

func testRemovedBelowAMount(t *testing.T) {
	r := newRig(t)
	r.sh(`mkdir m`)
	mount(t, "tmpfs", r.path("m"), "tmpfs", 0)
	r.sh(`mkdir -p m/a/b m/c; echo 1 > m/a/b/f`)
	r.start()
	r.waitReady()
	r.settled()
	r.stop()
	r.sh(`rm -r m/a`)
	r.start()
	r.waitReady()
	r.settled()
	if s := r.tree.Status(); s.State != StateWatching {
		t.Errorf("%+v", s)
	}
}

func TestMountGoneWhileDown(t *testing.T) { onBoth(t, testMountGoneWhileDown) }

func testMountGoneWhileDown(t *testing.T) {
	for _, gone := range []string{"empty mount point", "no mount point", "no parent", "of a bind mount"} {
		t.Run(gone, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.sh(`mkdir -p d/e/m; echo 1 > f`)
			if gone == "of a bind mount" { // its directories are on the root's own file system
				r.sh(`mkdir ../bound`)
				mount(t, r.path("../bound"), r.path("d/e/m"), "", unix.MS_BIND)
			} else {
				mount(t, "tmpfs", r.path("d/e/m"), "tmpfs", 0)
			}
			r.sh(`echo 1 > d/e/m/f`)
			r.start()
			r.waitReady()
			r.settled()
			r.eventually("the mount is remembered", func() bool {
				id, _ := r.idx.Root()
				return id.Mounts == "d/e/m"
			})
			r.stop()
			unmount(t, r.path("d/e/m"))
			switch gone {
			case "no mount point":
				r.sh(`rmdir d/e/m`)
			case "no parent":
				r.sh(`rm -r d`)
			}
			r.start()
			r.waitHeld("no longer mounted")
			r.fence()
			if got := r.idx.removals(0); len(got) > 0 {
				t.Fatalf("journaled as removed: %q", got)
			}
			r.tree.Approve()
			r.waitState(StateWatching)
			r.settled()
		})
	}
}

func TestBindMount(t *testing.T) { onBoth(t, testBindMount) }

func testBindMount(t *testing.T) {
	r := startTree(t, func(r *rig) { r.sh(`mkdir -p a/sub b; echo 1 > a/sub/f`) })
	mount(t, r.path("a"), r.path("b"), "", unix.MS_BIND)
	r.eventually("the mount is seen", func() bool { return len(r.idx.below("b/sub/f")) == 1 })
	for i := range 5 {
		r.sh(`echo $1 >> a/sub/f; echo $1 > b/sub/g$1; mkdir a/n$1; echo 1 > b/n$1/f`, fmt.Sprint(i))
		r.settled()
	}
	unmount(t, r.path("b"))
	r.waitHeld("b")
	r.sh(`echo x >> a/sub/f; echo y > a/n1/g`)
	r.fence()
	if rec, ok, _ := r.idx.Lookup("a/n1/g"); !ok {
		t.Errorf("a is not watched any more: %+v", rec)
	}
}

func TestUnmountedRoot(t *testing.T) { onBoth(t, testUnmountedRoot) }

func testUnmountedRoot(t *testing.T) {
	r := newRig(t)
	mount(t, "tmpfs", r.root, "tmpfs", 0)
	r.sh(`mkdir -p a/b; echo 1 > a/b/f`)
	r.start()
	r.waitReady()
	r.settled()
	before := r.idx.Head()
	unmount(t, r.root)
	r.waitHeld("empty")
	if got := r.idx.entries(before); len(got) > 0 {
		t.Errorf("journaled %+v", got)
	}
}
