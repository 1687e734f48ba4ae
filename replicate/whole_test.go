package replicate

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gorsyncd/journal"
)

// fakeDirs are the directories of a fakeTree, with the items of a queue.
type fakeDirs struct {
	tree fakeTree
	q    *queue
}

func (f fakeDirs) waiting(dir string) int { return f.q.inDir[dir] }

func (f fakeDirs) item(path string) *Item { return f.q.get(path) }

func (f fakeDirs) names(dir string, limit int) ([]string, bool) {
	if f.tree.look(dir).Presence != IsDir {
		return nil, false
	}
	var names []string
	for path, seen := range f.tree {
		if parent, _ := parentOf(path); path != "" && parent == dir && seen.Presence != Missing {
			names = append(names, path[strings.LastIndexByte(path, '/')+1:])
		}
	}
	slices.Sort(names)
	return names, len(names) <= limit
}

func TestPlanWholeDirectories(t *testing.T) {
	tree := fakeTree{"": aDir, "a": aDir, "b": aDir, "c": aDir, "c/sub": aDir, "many": aDir, "big": aDir, "linked": aDir}
	for _, dir := range []string{"a", "b", "many", "big", "linked"} {
		for _, name := range []string{"1", "2", "3"} {
			tree[dir+"/"+name] = aFile(10)
		}
	}
	for i := range 20 {
		tree[fmt.Sprintf("many/other%d", i)] = aFile(1)
	}
	tree["big/other"] = aFile(501)
	tree["linked/2"] = Seen{Presence: IsFile, Size: 1, Ino: 7, Nlink: 2}
	tree["b/unchanged"], tree["b/4"] = aFile(1), aFile(1)
	tree["c/f"] = aFile(1)
	for _, c := range []struct {
		name  string
		queue []*Item
		held  []Lock
		kind  string
		paths []string
		acks  int
	}{
		{name: "all of a directory", queue: items("a/1", "a/2", "a/3"), kind: "reconcile", paths: []string{"a"}, acks: 3},
		{name: "two, and what else there is waits", queue: items("a/1", "c/f", "a/2", "a/3", "b/1", "b/2", "b/3"), kind: "reconcile", paths: []string{"a", "b"}, acks: 6},
		{name: "the directory itself comes later", queue: items("a/1", "a/2", "a/3", "a"), kind: "reconcile", paths: []string{"a"}, acks: 4},
		{name: "the directory itself goes first, and nothing of what is in it with it", queue: items("a", "a/1", "a/2", "c/f", "a/3"), kind: "list", paths: []string{"a", "c/f"}, acks: 2},
		{name: "less than half", queue: items("many/1", "many/2", "many/3"), kind: "list", paths: []string{"many/1", "many/2", "many/3"}, acks: 3},
		{name: "a big file in it", queue: items("big/1", "big/2", "big/3"), kind: "list", paths: []string{"big/1", "big/2", "big/3"}, acks: 3},
		{name: "a file with other names", queue: items("linked/1", "linked/2", "linked/3"), kind: "list", paths: []string{"linked/1", "linked/2", "linked/3"}, acks: 3},
		{name: "removals and contents go their own ways", queue: items("a/1", "a/2", "=a/3", "-a/gone", "a/3x"), kind: "list", acks: 3},
		{name: "busy", queue: items("a/1", "a/2", "a/3", "c/f"), held: []Lock{{ScopeDir, "a"}}, kind: "list", paths: []string{"c/f"}, acks: 1},
		{name: "the one above is on its way", queue: items("a/1", "a/2", "a/3", "c/f"), held: []Lock{{ScopeDir, ""}}, kind: "list", paths: []string{"c/f"}, acks: 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, q := tree.planner(), newQueue()
			for _, it := range c.queue {
				q.push(it)
			}
			p.limits.whole, p.dirs = 3, fakeDirs{tree, q}
			var held Locks
			held.AddAll(c.held)
			b := p.next(q.all(), &held, true).batch
			if b == nil {
				t.Fatal("no batch")
			}
			if b.Kind() != c.kind || c.paths != nil && !slices.Equal(b.Paths, c.paths) || len(b.Items) != c.acks {
				t.Errorf("%s %q acknowledges %d", b.Kind(), b.Paths, len(b.Items))
			}
		})
	}
}

// kinds are those of the batches sent so far.
func (g *rig) kinds() map[string]int {
	n := map[string]int{}
	for _, b := range g.rec.sent() {
		n[b.Kind()]++
	}
	return n
}

func TestDirectoriesTravelWhole(t *testing.T) {
	for name, opt := range targets {
		t.Run(name, func(t *testing.T) {
			g := newRig(t, opt)
			g.o.Delete = DeleteAll
			g.start()
			files := map[string]string{}
			for i := range 200 {
				files[fmt.Sprintf("new/%d/%d", i%4, i)] = "x"
			}
			write(t, g.src, files)
			g.sync()
			g.equal()
			if g.kinds()["reconcile"] == 0 {
				t.Errorf("no directory travelled as a whole: %v", g.kinds())
			}
			// What only the remote has is no business of such a run, and what was
			// removed has entries of its own.
			write(t, g.dst, map[string]string{"new/1/stranger": "s"})
			for path := range files {
				if strings.HasPrefix(path, "new/1/") {
					files[path] = "other"
				}
			}
			write(t, g.src, files)
			for i := 2; i < 40; i += 4 {
				if err := os.Remove(filepath.Join(g.src, fmt.Sprintf("new/2/%d", i))); err != nil {
					t.Fatal(err)
				}
			}
			g.sync()
			if err := os.Remove(filepath.Join(g.dst, "new/1/stranger")); err != nil {
				t.Errorf("the stranger: %v", err)
			}
			fi, err := os.Stat(filepath.Join(g.src, "new/1"))
			if err == nil {
				err = os.Chtimes(filepath.Join(g.dst, "new/1"), fi.ModTime(), fi.ModTime())
			}
			if err != nil {
				t.Fatal(err)
			}
			g.equal()
		})
	}
}

// TestWholeDirectoryWithGuest: a file that was there only while the directory was
// sent is not known to the journal, and goes from the remote all the same.
func TestWholeDirectoryWithGuest(t *testing.T) {
	g := newRig(t)
	stop := g.stopAtFirst()
	g.start()
	files := map[string]string{}
	for i := range 50 {
		files[fmt.Sprintf("d/%d", i)] = "x"
	}
	write(t, g.src, files)
	g.j.scan(t, false)
	<-stop.hit // the directory itself is on its way
	write(t, g.src, map[string]string{"d/guest": "hello"})
	leave := func() {
		if err := os.Remove(filepath.Join(g.src, "d/guest")); err != nil {
			t.Error(err)
		}
	}
	go func() {
		for range 2000 {
			if _, err := os.Stat(filepath.Join(g.dst, "d/guest")); err == nil {
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
		leave()
		g.j.scan(t, false)
	}()
	close(stop.on)
	g.until("the guest to come and go", func() bool {
		_, here := os.Stat(filepath.Join(g.src, "d/guest"))
		_, there := os.Stat(filepath.Join(g.dst, "d/guest"))
		return here != nil && there != nil && g.d.Status().State == StateInSync
	})
	g.sync()
	g.equal()
}

// TestWholeDirectoryPartly: of a directory that went as a whole, what failed is
// tried again, and the rest is acknowledged.
func TestWholeDirectoryPartly(t *testing.T) {
	g := newRig(t)
	g.start()
	files := map[string]string{}
	for i := range 50 {
		files[fmt.Sprintf("d/%d", i)] = "x"
	}
	write(t, g.src, files)
	// rsync cannot put a file where a directory is that it may not remove.
	if err := os.MkdirAll(filepath.Join(g.dst, "d/7/full"), 0o755); err != nil {
		t.Fatal(err)
	}
	g.o.Delete = DeleteNone
	g.stop()
	g.start()
	seq := g.j.scan(t, false)
	g.until("one path failing", func() bool { return g.d.Status().Failing == 1 })
	if err := os.RemoveAll(filepath.Join(g.dst, "d/7")); err != nil {
		t.Fatal(err)
	}
	g.wait(seq)
	g.equal()
	if g.kinds()["reconcile"] == 0 {
		t.Errorf("no directory travelled as a whole: %v", g.kinds())
	}
}

// TestHotDirectoryDoesNotStarve: a directory whose own time stamp changes with
// each look does not keep what is in it waiting for ever.
func TestHotDirectoryDoesNotStarve(t *testing.T) {
	tree := fakeTree{"": aDir, "d": aDir}
	q := newQueue()
	seq := uint64(0)
	push := func(path string) {
		seq++
		q.push(&Item{Path: path, Seq: seq, Op: journal.OpChange})
	}
	push("d")
	for i := range 10 {
		path := fmt.Sprintf("d/%d", i)
		tree[path] = aFile(1)
		push(path)
	}
	p := tree.planner()
	p.limits.whole, p.dirs = 3, fakeDirs{tree, q}
	for round := 1; ; round++ {
		b := p.next(q.all(), &Locks{}, true).batch
		for _, it := range b.Items {
			q.take(it, itemDropped)
		}
		if q.get("d/0") == nil {
			break
		}
		if round > 3 {
			t.Fatal("the files still wait")
		}
		push("d") // it has changed again
	}
}
