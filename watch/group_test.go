package watch

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// startIn is a started tree on fanotify that is a member of a group.
func startIn(t *testing.T, g *Group, root string) *rig {
	t.Helper()
	return startFan(t, func(r *rig) {
		r.o.Group = g
		if root != "" {
			r.o.Root, r.root = root, root
		}
	})
}

// marksOf counts the marks on file systems that a group has.
func marksOf(t *testing.T, g *Group) int {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	b, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", g.open.fd))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Count(string(b), "fanotify sdev:")
}

// TestTreesShareAGroup: side by side, one in the other, and on another file system.
func TestTreesShareAGroup(t *testing.T) {
	g := NewGroup()
	outer := startIn(t, g, "")
	outer.sh(`mkdir in; echo 1 > in/f; mkdir d`)
	inner := startIn(t, g, outer.path("in"))
	beside := startIn(t, g, "")
	disk := t.TempDir()
	mount(t, "tmpfs", disk, "tmpfs", 0)
	far := startIn(t, g, disk)
	if n := marksOf(t, g); n != 2 {
		t.Errorf("%d marks on two file systems", n)
	}
	all := []*rig{outer, inner, beside, far}
	for round := range 3 {
		for i, r := range all {
			r.sh(fmt.Sprintf(`mkdir n%[1]d; echo %[1]d > n%[1]d/f; echo %[1]d%[2]d >> f; mv n%[1]d m%[1]d`, round, i))
		}
		for _, r := range all {
			r.settled()
		}
	}

	before := outer.tree.Status().Scans
	_ = inner.stop()
	_ = far.stop()
	g.open.mu.Lock()
	for id, of := range g.open.users {
		t.Log(id, len(of))
		if len(of) > 2 {
			t.Error("who has left is still told of nameless writes")
		}
	}
	g.open.mu.Unlock()
	outer.remembersThoseOf(outer, beside)
	outer.sh(`echo 2 >> in/f; mv in/m0 d/m0; echo 3 > d/f`)
	outer.settled()
	beside.sh(`echo 4 > f`)
	beside.settled()
	if s := outer.tree.Status(); s.Scans != before || s.Overflows > 0 {
		t.Errorf("%+v", s)
	}

	_ = outer.stop()
	again := startIn(t, g, outer.root)
	again.sh(`echo 5 > d/f`)
	again.settled()
	_ = again.stop()
	_ = beside.stop()
	if g.open != nil {
		t.Error("the group outlives its members")
	}
}

// TestMarkOfOthersStays: what a tree leaves goes on being told to those that came
// to the file system before and after it.
func TestMarkOfOthersStays(t *testing.T) {
	g := NewGroup()
	first := startIn(t, g, "")
	for range 5 {
		r := startIn(t, g, "")
		_ = r.stop()
		first.sh(`echo x >> f`)
		first.settled()
		last := startIn(t, g, "")
		_ = first.stop()
		last.sh(`mkdir -p d/e; echo x >> d/e/f`)
		last.settled()
		first = last
	}
	first.eventually("to have marks only, and one scan", func() bool {
		s := first.tree.Status()
		return s.Scans == 1 && s.Marked == 3
	})
}

// member is one without a tree.
func member(g *fanGroup) *fanotify {
	f := &fanotify{group: g, q: newEvents(time.Now())}
	g.enrol(f)
	return f
}

func looseGroup() *fanGroup {
	return &fanGroup{handles: newHandles(), members: map[*fanotify]struct{}{}, users: map[fsid]map[*fanotify]struct{}{}, pace: pace{most: time.Minute}}
}

// TestWhoIsTold: of a directory whoever subscribed, of a nameless write who has a
// mark there, of a loss everybody.
func TestWhoIsTold(t *testing.T) {
	g := looseGroup()
	a, b, c := member(g), member(g), member(g)
	id, other := handleID{1}, handleID{2}
	a.add(id, fileKey{1, 1})
	b.add(id, fileKey{1, 2})
	c.add(other, fileKey{1, 3})
	g.users[fsid{1}] = map[*fanotify]struct{}{b: {}}
	g.named(id, []byte("x"), hintName)
	g.named(other, []byte("."), hintAttr)
	g.named(handleID{3}, []byte("y"), hintAttr)
	g.nameless(fsid{1})
	g.nameless(fsid{2})
	if !g.pass() || g.pass() {
		t.Error("something was passed on twice, or never")
	}
	for i, want := range []struct {
		f        *fanotify
		list     string
		nameless bool
	}{{a, "{1 1} x", false}, {b, "{1 2} x", true}, {c, "{1 3} ", false}} {
		got := want.f.q.take(nil)
		if len(got.list) != 1 || fmt.Sprint(got.list[0].dir, " ", got.list[0].name) != want.list || got.nameless != want.nameless || got.overflows > 0 {
			t.Errorf("member %d: %+v", i, got)
		}
	}
	g.failed(errFormat)
	g.pass()
	for _, f := range []*fanotify{a, b, c} {
		if got := f.q.take(nil); got.overflows != 1 || len(got.errs) != 1 {
			t.Errorf("%+v", got)
		}
	}
}

// TestNobodyWaitsForTheStreamOfAnother: a rest is for a tree that is alone.
func TestNobodyWaitsForTheStreamOfAnother(t *testing.T) {
	g := looseGroup()
	hurry := make(chan struct{}, 1)
	g.hurry = hurry
	g.base = time.Now().Add(-time.Hour)
	a := member(g)
	now := time.Since(g.base)
	g.pace.on, g.pace.since, g.pace.second = true, 0, now
	hurry <- struct{}{}
	if g.rest(); len(hurry) > 0 {
		t.Error("no rest in a stream")
	}
	hurry <- struct{}{}
	b := member(g)
	if g.rest(); len(hurry) == 0 {
		t.Error("a rest with two members")
	}
	if g.strike(b) || !g.strike(a) {
		t.Error("who is left is not known")
	}
}

func TestHandlesModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := newHandles()
		trees := []*fanotify{{}, {}, {}}
		want := map[handleID]map[*fanotify]fileKey{}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			id := handleID{rapid.Uint64Range(0, 3).Draw(t, "id")}
			to := trees[rapid.IntRange(0, 2).Draw(t, "tree")]
			if want[id] == nil {
				want[id] = map[*fanotify]fileKey{}
			}
			switch rapid.IntRange(0, 5).Draw(t, "op") {
			case 0, 1, 2:
				h.remove(id, to)
				delete(want[id], to)
			default:
				key := fileKey{1, rapid.Uint64Range(0, 9).Draw(t, "key")}
				h.add(id, subscription{to, key})
				want[id][to] = key
			}
			for id, m := range want {
				first, more := h.find(id)
				got := map[*fanotify]fileKey{}
				if first.to != nil {
					got[first.to] = first.key
				}
				for _, s := range more {
					got[s.to] = s.key
				}
				if len(got) != len(m) || len(more) != max(0, len(m)-1) {
					t.Fatalf("%v: %v, want %v", id, got, m)
				}
				for to, key := range m {
					if got[to] != key {
						t.Fatalf("%v: %v, want %v", id, got, m)
					}
				}
			}
		}
		for id, m := range want {
			for to := range m {
				h.remove(id, to)
			}
		}
		if len(h.of)+len(h.more) > 0 {
			t.Fatal("something is left of trees that are gone")
		}
	})
}

// TestCalmPause: the longer nothing is wanted, the longer more is collected.
func TestCalmPause(t *testing.T) {
	var got []time.Duration
	for _, n := range []int{0, fanCalm, fanCalm + 1, fanCalmer, fanCalmer + 1, 1 << 40} {
		got = append(got, calmPause(n))
	}
	if !slices.Equal(got, []time.Duration{0, 0, fanPause, fanPause, fanLonger, fanLonger}) {
		t.Error(got)
	}
}

// TestTicksFallTogether: on full seconds, and once a second also where timers fire
// early or the clock was set.
func TestTicksFallTogether(t *testing.T) {
	for now, want := range map[time.Time]time.Duration{
		time.Unix(10, 0):                  time.Second,
		time.Unix(10, 1):                  time.Second - 1,
		time.Unix(10, int64(300e6)):       700 * time.Millisecond,
		time.Unix(10, int64(999_500_000)): time.Second + 500*time.Microsecond,
		time.Unix(-10, int64(300e6)):      700 * time.Millisecond,
	} {
		if got := untilTick(now); got != want {
			t.Errorf("%v: %v, want %v", now, got, want)
		}
	}
}

// TestMarkGoesWithItsFileSystem: it keeps nothing from being unmounted.
func TestMarkGoesWithItsFileSystem(t *testing.T) {
	g := NewGroup()
	stays := startIn(t, g, "")
	disk := t.TempDir()
	mount(t, "tmpfs", disk, "tmpfs", 0)
	goes := startIn(t, g, disk)
	goes.sh(`echo 1 > f`)
	goes.settled()
	_ = goes.stop()
	if err := unix.Unmount(disk, 0); err != nil {
		t.Fatal(err)
	}
	if n := marksOf(t, g); n != 1 {
		t.Errorf("%d marks on one file system", n)
	}
	stays.sh(`mkdir d; echo 1 > d/f`)
	stays.settled()
	if _, err := os.Stat(filepath.Join(stays.root, "d/f")); err != nil || stays.tree.Status().Scans != 1 {
		t.Error(err, stays.tree.Status())
	}
}
