package replicate

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gorsyncd/journal"
)

// fakeTree answers looks: a path is what the map says, else missing or covered
// by what is above it.
type fakeTree map[string]Seen

func (f fakeTree) look(path string) Seen {
	for p, ok := parentOf(path); ok; p, ok = parentOf(p) {
		if s := f[p]; s.Presence != IsDir {
			return Seen{Presence: Covered}
		}
	}
	return f[path]
}

var aDir = Seen{Presence: IsDir, Writable: true}

func aFile(size int64) Seen { return Seen{Presence: IsFile, Size: size, Nlink: 1} }

func (f fakeTree) planner() *planner {
	return &planner{limits: limits{files: 100, covered: 100, bytes: 1000, big: 500}, look: f.look}
}

func items(paths ...string) []*Item {
	var its []*Item
	for i, p := range paths {
		it := &Item{Path: p, Seq: uint64(i + 1), Op: journal.OpChange}
		if p != "" && p[0] == '-' {
			it.Path, it.Op = p[1:], journal.OpRemove
		}
		if p != "" && p[0] == '=' {
			it.Path, it.Flags = p[1:], journal.FlagChecksum
		}
		its = append(its, it)
	}
	return its
}

func TestPlan(t *testing.T) {
	tree := fakeTree{
		"": aDir, "a": aDir, "a/b": aDir, "a/f": aFile(1), "a/g": aFile(1), "a/b/f": aFile(1), "top": aFile(1), "top2": aFile(1),
		"a/big": aFile(501), "a/half": aFile(400), "a/half2": aFile(400), "a/half3": aFile(400), "c": aDir, "c/f": aFile(1),
		"file": aFile(1), "a/sym": {Presence: IsOther},
		"ro": {Presence: IsDir}, "ro/f": aFile(1), "a/bad": {Presence: Unknown, Err: fs.ErrPermission}, "a/l1": {Presence: IsFile, Size: 5, Ino: 9, Nlink: 2},
		"c/l2": {Presence: IsFile, Size: 5, Ino: 9, Nlink: 2}, "c/other": {Presence: IsFile, Size: 5, Ino: 8, Nlink: 2},
	}
	for _, c := range []struct {
		name    string
		queue   []*Item
		held    []Lock
		kind    string
		paths   []string
		parents []string
		restamp []string
		done    int
		failed  int
		opt     func(*planner)
		noBig   bool
		within  []string
	}{
		{name: "files with their parent", queue: items("a/f", "a/g", "a/b/f"), kind: "list",
			paths: []string{"a/f", "a/g", "a/b/f"}, parents: []string{"a", "a/b"}},
		{name: "a directory below the root joins what is in it", queue: items("a", "a/f"), kind: "list",
			paths: []string{"a", "a/f"}, parents: []string{"a"}, restamp: []string{""}, opt: standsAll},
		{name: "which another run may have made for what is in it", queue: items("a", "a/f"), kind: "list",
			paths: []string{"a", "a/f"}, parents: []string{"a"}, within: []string{""}},
		{name: "and when it comes second", queue: items("a/f", "a"), kind: "list",
			paths: []string{"a/f", "a"}, parents: []string{"a"}, within: []string{""}},
		{name: "the root joins what is below it", queue: items("", "top"), kind: "top", paths: []string{"top"}},
		{name: "the root alone", queue: items("", "a/f"), kind: "root", paths: []string{""}},
		{name: "top files apart from deep ones", queue: items("top", "a/f", "top2"), kind: "top", paths: []string{"top", "top2"}},
		{name: "removal", queue: items("-a/gone"), kind: "list", paths: []string{"a/gone"}, parents: []string{"a"}},
		{name: "a change of what is gone", queue: items("a/gone"), done: 1},
		{name: "removal of what is there again waits", queue: items("-a/f"), done: 0},
		{name: "removal without parent", queue: items("-a/no/f"), kind: "list", paths: []string{"a/no/f"}},
		{name: "removal below a file lists the file", queue: items("-file/x/y"), kind: "list",
			paths: []string{"file"}, restamp: []string{""}},
		{name: "change below a file", queue: items("file/x"), done: 1},
		{name: "delete none", queue: items("-a/gone", "-a/f", "a/g"), kind: "list", paths: []string{"a/f", "a/g"}, parents: []string{"a"},
			done: 1, opt: func(p *planner) { p.noDelete = true }},
		{name: "excluded", queue: items("a/f", "a/g"), kind: "list", paths: []string{"a/g"}, parents: []string{"a"}, done: 1,
			opt: func(p *planner) { p.excluded = func(path string, _ bool) bool { return path == "a/f" } }},
		{name: "content", queue: items("=a/f", "a/g", "=a/b/f"), kind: "checksum", paths: []string{"a/f", "a/b/f"}, parents: []string{"a", "a/b"}},
		{name: "content of a symlink is nothing", queue: items("a/g", "=a/sym"), kind: "list", paths: []string{"a/g", "a/sym"}, parents: []string{"a"}},
		{name: "big alone", queue: items("a/big", "a/f"), kind: "big", paths: []string{"a/big"}, restamp: []string{"a"}},
		{name: "big must wait", queue: items("a/big", "a/f"), kind: "list", paths: []string{"a/f"}, parents: []string{"a"}, noBig: true},
		{name: "big waits for its parent", queue: items("a/big", "a/f", "c/f"), held: []Lock{{ScopeDir, "a"}}, kind: "list",
			paths: []string{"c/f"}, parents: []string{"c"}},
		{name: "bytes", queue: items("a/half", "a/half2", "a/half3"), kind: "list", paths: []string{"a/half", "a/half2"}, parents: []string{"a"}},
		{name: "nothing passes one that waits", queue: items("-a/x", "a/f", "c/f"), held: []Lock{{ScopeDir, "a"}}, kind: "list",
			paths: []string{"c/f"}, parents: []string{"c"}},
		{name: "what another run stamps is written into unlisted", queue: items("a/f", "a/b/f"), held: []Lock{{ScopeStamp, "a"}}, kind: "list",
			paths: []string{"a/f", "a/b/f"}, parents: []string{"a/b"}, within: []string{"a"}, opt: standsAll},
		{name: "not where the remote may have no such directory", queue: items("a/f", "a/b/f"), held: []Lock{{ScopeStamp, "a"}}, kind: "list",
			paths: []string{"a/b/f"}, parents: []string{"a/b"}},
		{name: "nor while it is made", queue: items("a/f", "a/b/f"), held: []Lock{{ScopeDir, "a"}}, kind: "list",
			paths: []string{"a/b/f"}, parents: []string{"a/b"}, opt: standsAll},
		{name: "nor without the right to write", queue: items("ro/f", "a/f"), held: []Lock{{ScopeStamp, "ro"}}, kind: "list",
			paths: []string{"a/f"}, parents: []string{"a"}, opt: standsAll},
		{name: "nor with removals", queue: items("-a/x", "a/b/f"), held: []Lock{{ScopeStamp, "a"}}, kind: "list",
			paths: []string{"a/b/f"}, parents: []string{"a/b"}, opt: standsAll},
		{name: "a stamp lets others pass", queue: items("a/b", "a/b/f"), held: []Lock{{ScopeStamp, "a/b"}}, kind: "list",
			paths: []string{"a/b/f"}, within: []string{"a/b"}, opt: standsAll},
		{name: "but not for long", queue: items("a/b", "a/b/f"), held: []Lock{{ScopeStamp, "a/b"}}, kind: "list",
			paths: []string{"a/b/f"}, within: []string{"a/b"}, opt: func(p *planner) { standsAll(p); p.now = time.Time{}.Add(stampPause) }},
		{name: "a stamp waits for those that write within", queue: items("a/b"), held: []Lock{{ScopeWithin, "a/b"}}, opt: standsAll},
		{name: "and not for ever", queue: items("a/b"), held: []Lock{{ScopeWithin, "a/b"}}, kind: "list", paths: []string{"a/b"}, parents: []string{"a"},
			opt: func(p *planner) { standsAll(p); p.now = time.Time{}.Add(stampPause) }},
		{name: "big beside those that write within", queue: items("a/big"), held: []Lock{{ScopeWithin, "a"}}, kind: "big", paths: []string{"a/big"}, restamp: []string{"a"}},
		{name: "unreadable", queue: items("a/bad", "a/f"), kind: "list", paths: []string{"a/f"}, parents: []string{"a"}, failed: 1},
		{name: "hard links together", queue: items("a/l1", "c/l2"), kind: "list", paths: []string{"a/l1", "c/l2"}, parents: []string{"a", "c"},
			opt: func(p *planner) {
				p.siblings = func(_, ino uint64) ([]string, error) { return []string{"a/l1", "c/l2", "c/other", "gone/x"}, nil }
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := tree.planner()
			if c.opt != nil {
				c.opt(p)
			}
			var held Locks
			held.AddAll(c.held)
			pl := p.next(slices.Values(c.queue), &held, !c.noBig)
			if len(pl.done) != c.done || len(pl.failed) != c.failed {
				t.Errorf("done %v, failed %v", pl.done, pl.failed)
			}
			if pl.batch == nil {
				if c.kind != "" {
					t.Fatal("no batch")
				}
				return
			}
			b := pl.batch
			if b.Kind() != c.kind || !slices.Equal(b.Paths, c.paths) || !slices.Equal(b.Parents, c.parents) || !slices.Equal(b.Restamp, c.restamp) || !slices.Equal(b.Within, c.within) {
				t.Errorf("%s batch %q, parents %q, restamp %q, within %q", b.Kind(), b.Paths, b.Parents, b.Restamp, b.Within)
			}
			if held.ConflictsAny(b.Locks) {
				t.Errorf("locks %v conflict with %v", b.Locks, c.held)
			}
		})
	}
}

// standsAll has the remote have every directory.
func standsAll(p *planner) { p.standing = standing{"a": true, "a/b": true, "c": true, "ro": true} }

// TestPlanProperties: whatever the queue and the locks, a batch respects them,
// every listed path is claimed, and everything is sent in the end.
func TestPlanProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tree := fakeTree{"": aDir}
		path := rapid.Custom(func(t *rapid.T) string {
			p := ""
			for _, s := range rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c"}), 0, 4).Draw(t, "p") {
				p = join(p, s)
			}
			return p
		})
		for range rapid.IntRange(0, 25).Draw(t, "n") {
			tree[path.Draw(t, "path")] = rapid.SampledFrom([]Seen{aDir, aDir, aDir, aFile(1), aFile(900), {Presence: IsOther}, {}}).Draw(t, "seen")
		}
		tree[""] = aDir
		p := tree.planner()
		for path, seen := range tree {
			if seen.Presence == IsDir && rapid.Bool().Draw(t, "stands") {
				p.standing.add(path)
			}
		}
		p.limits.files = rapid.IntRange(1, 5).Draw(t, "files")
		q := newQueue()
		for i := range rapid.IntRange(1, 25).Draw(t, "items") {
			it := &Item{Path: path.Draw(t, "item"), Seq: uint64(i + 1), Op: journal.Op(rapid.IntRange(1, 2).Draw(t, "op"))}
			it.Flags = journal.Flag(rapid.IntRange(0, 1).Draw(t, "flags"))
			if it.Op == journal.OpRemove && tree.look(it.Path).Presence >= IsDir {
				continue // waits for ever here: nobody journals
			}
			if q.get(it.Path) == nil {
				q.push(it)
			}
		}
		var held Locks
		var flying []*Batch
		for step := 0; q.len() > 0 || len(flying) > 0; step++ {
			if step > 500 {
				t.Fatalf("never done: %d items left", q.len())
			}
			pl := p.next(q.all(), &held, true)
			for _, it := range pl.done {
				q.take(it, itemDropped)
			}
			b := pl.batch
			if b != nil {
				checkBatch(t, tree, b, flying)
				for _, dir := range b.Within {
					if stamp := q.get(dir); stamp == nil {
						q.push(&Item{Path: dir, Op: journal.OpChange}) // as the dispatcher does in the retry set
					}
				}
				for _, it := range b.Items {
					q.take(it, itemInFlight)
				}
				held.AddAll(b.Locks)
				flying = append(flying, b)
			}
			if len(flying) > 0 && (b == nil || len(flying) == 3) {
				i := rapid.IntRange(0, len(flying)-1).Draw(t, "ends")
				held.RemoveAll(flying[i].Locks)
				flying = slices.Delete(flying, i, i+1)
			}
		}
		if !held.Empty() {
			t.Fatal("locks are left")
		}
	})
}

func checkBatch(t *rapid.T, tree fakeTree, b *Batch, flying []*Batch) {
	for _, o := range flying {
		for _, x := range o.Locks {
			for _, y := range b.Locks {
				if naiveConflict(x, y) {
					t.Fatalf("batches overlap: %v %v", x, y)
				}
			}
		}
	}
	claimed := func(p string) bool {
		return slices.ContainsFunc(b.Locks, func(k Lock) bool { return k.Path == p || k.Scope == ScopeTree && isBelow(p, k.Path) })
	}
	for _, p := range slices.Concat(b.Paths, b.Parents) {
		if !claimed(p) {
			t.Fatalf("%q is listed and not claimed: %v", p, b.Locks)
		}
	}
	for _, p := range b.Paths {
		parent, ok := parentOf(p)
		if !ok || b.Lane == LaneTop || b.Covered || slices.Contains(b.Parents, parent) || slices.Contains(b.Restamp, parent) || slices.Contains(b.Within, parent) {
			continue
		}
		if !slices.Contains(b.Within, parent) || !slices.Contains(b.Locks, Lock{ScopeWithin, parent}) {
			t.Fatalf("nobody stamps %q of %q", parent, b.Paths)
		}
	}
	for _, p := range b.Parents {
		if tree.look(p).Presence != IsDir || p == "" {
			t.Fatalf("parent %q is listed", p)
		}
	}
	for _, p := range b.Paths {
		if p == "" && b.Lane != LaneRoot {
			t.Fatal("the root is listed with others")
		}
		if parent, ok := parentOf(p); ok && b.Lane == LaneTop && parent != "" {
			t.Fatalf("%q in a top batch", p)
		}
	}
}

func BenchmarkPlan(b *testing.B) {
	for _, n := range []int{100, 1000, 20000} {
		b.Run(fmt.Sprintf("queued=%d", n), func(b *testing.B) {
			tree := fakeTree{"": aDir}
			q := newQueue()
			for i := range n {
				dir := fmt.Sprintf("d%d", i/50)
				tree[dir] = aDir
				p := fmt.Sprintf("%s/f%d", dir, i)
				tree[p] = aFile(1)
				q.push(&Item{Path: p, Seq: uint64(i), Op: journal.OpChange})
			}
			p := tree.planner()
			p.limits = limits{files: 1000, bytes: 1 << 40, big: 1 << 40}
			var held Locks
			for i := range 20 {
				held.Add(Lock{ScopeDir, fmt.Sprintf("d%d", i)})
			}
			for b.Loop() {
				p.next(q.all(), &held, true)
			}
		})
	}
}

func TestSourceOutcome(t *testing.T) {
	if o := sourceOutcome(fs.ErrPermission); o.ID != "E-SRC-PERM" || o.Class != ClassEntry {
		t.Errorf("%+v", o)
	}
	if o := sourceOutcome(errors.New("input/output error")); o.ID != "E-SRC-IO" {
		t.Errorf("%+v", o)
	}
}
