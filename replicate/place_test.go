package replicate

import (
	"context"
	"os"
	"sync"
	"syscall"
	"testing"

	"gorsyncd/journal"
)

// updates keeps what was committed.
type updates struct {
	*memRemote
	mu   sync.Mutex
	list []journal.Update
}

func (u *updates) Commit(ctx context.Context, up journal.Update) error {
	u.mu.Lock()
	u.list = append(u.list, up)
	u.mu.Unlock()
	return u.memRemote.Commit(ctx, up)
}

// mountDisk puts a directory in the place of the destination, as a disk.
func mountDisk(t *testing.T, g *rig) (unmount func()) {
	t.Helper()
	disk := t.TempDir()
	if err := syscall.Mount(disk, g.dst, "", syscall.MS_BIND, ""); err != nil {
		t.Fatalf("bind mount (this test needs root): %v", err)
	}
	unmount = func() { _ = syscall.Unmount(g.dst, syscall.MNT_DETACH) }
	t.Cleanup(unmount)
	return unmount
}

// A disk that is not mounted: what is below its mount point stays empty.
func TestUnmountedTargetIsNotFilled(t *testing.T) {
	store := &updates{memRemote: newMemRemote(0)}
	g := newRig(t, func(g *rig) { g.r, g.o.Store = store.memRemote, store })
	unmount := mountDisk(t, g)
	g.start()
	write(t, g.src, map[string]string{"d/f": "1", "g": "1"})
	g.sync()
	g.stop()
	first := g.r.State().Place
	if first == "" {
		t.Fatal("the place was not stored")
	}

	unmount()
	g.start()
	write(t, g.src, map[string]string{"d/f": "22", "h": "2"})
	seq := g.j.scan(t, false)
	misplaced := func() bool {
		st := g.d.Status()
		return st.State == StateFailing && st.Error.ID == "E-PLACE" && st.Error.Class == ClassConfig && st.Error.Hint != ""
	}
	g.until("failing", misplaced)
	if left, err := os.ReadDir(g.dst); err != nil || len(left) > 0 {
		t.Fatalf("in the bare directory: %v %v", left, err)
	}
	if g.r.State().Place != first || g.r.FullSync() != nil {
		t.Error("the other place was accepted by itself")
	}

	// Another disk is as wrong as none, until somebody says so.
	another := mountDisk(t, g)
	g.d.RetryNow(nil)
	g.until("failing", misplaced)
	if err := g.d.Approve(t.Context()); err != nil {
		t.Fatal(err)
	}
	if now := g.r.State().Place; now == first || now == "" {
		t.Errorf("approved, and the place is %q", now)
	}
	g.wait(seq)
	g.equal() // d and g were on the first disk only
	store.mu.Lock()
	was := first
	for _, u := range store.list {
		if u.State == nil || was == u.State.Place {
			continue
		}
		if was = u.State.Place; was != first && u.FullSync == nil {
			t.Errorf("the place is accepted and no full sync required: %+v", u)
		}
	}
	store.mu.Unlock()

	// An approval of something else accepts no place.
	g.stop()
	place := g.r.State().Place
	another()
	g.start()
	if err := g.d.Approve(t.Context()); err != nil {
		t.Fatal(err)
	}
	if g.r.State().Place != place {
		t.Error("a place was accepted that nobody was asked about")
	}
}

func TestTargetThatIsMountedAgain(t *testing.T) {
	g := newRig(t)
	disk := t.TempDir()
	mount := func() {
		if err := syscall.Mount(disk, g.dst, "", syscall.MS_BIND, ""); err != nil {
			t.Fatalf("bind mount (this test needs root): %v", err)
		}
	}
	unmount := func() { _ = syscall.Unmount(g.dst, syscall.MNT_DETACH) }
	mount()
	t.Cleanup(unmount)
	g.start()
	write(t, g.src, map[string]string{"d/f": "1"})
	g.sync()
	unmount()
	write(t, g.src, map[string]string{"d/f": "22"})
	seq := g.j.scan(t, false)
	g.until("failing", func() bool { st := g.d.Status(); return st.Error != nil && st.Error.ID == "E-PLACE" })
	mount()
	g.wait(seq)
	g.equal()
	if left, err := os.ReadDir(disk); err != nil || len(left) != 1 {
		t.Errorf("on the disk: %v %v", left, err)
	}
}

// Another path was configured by a person: that is a first use.
func TestPlaceOfAnotherPath(t *testing.T) {
	g := newRig(t)
	g.r.state.Place = "1:2:3 /somewhere/else"
	g.start()
	write(t, g.src, map[string]string{"f": "1"})
	g.sync()
	g.equal()
	g.stop()
	if got, want := g.r.State().Place, presentPlace(g.o.Target); got != want || want == "" {
		t.Errorf("place %q, want %q", got, want)
	}
}
