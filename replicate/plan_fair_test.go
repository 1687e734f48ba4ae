package replicate

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"gorsyncd/journal"
)

// traffic plans batches from a queue that never runs empty: whatever waits has
// new items behind it that want the same parts of the tree.
type traffic struct {
	tree   fakeTree
	p      *planner
	q      *queue
	held   Locks
	flying []*Batch
	seq    uint64
	sent   map[*Item]bool

	first *Item           // the first of the queue
	older map[*Batch]bool // under way since before it was the first
}

func drawTreePath(t *rapid.T) string {
	p := ""
	for _, s := range rapid.SliceOfN(rapid.SampledFrom([]string{"a", "b", "c"}), 0, 4).Draw(t, "p") {
		p = join(p, s)
	}
	return p
}

// push queues one more path, as the journal would tell of it.
func (tr *traffic) push(t *rapid.T) {
	tr.seq++
	it := &Item{Path: drawTreePath(t), Seq: tr.seq, Op: journal.OpChange, Flags: journal.Flag(rapid.IntRange(0, 1).Draw(t, "flags"))}
	if tr.tree.look(it.Path).Presence < IsDir {
		it.Op = journal.OpRemove
	}
	it.alone = rapid.IntRange(0, 9).Draw(t, "alone") == 0
	if tr.q.get(it.Path) == nil {
		tr.q.push(it)
	}
}

// round plans once and lets batches end.
func (tr *traffic) round(t *rapid.T) {
	head := tr.head()
	if head != tr.first {
		tr.first, tr.older = head, map[*Batch]bool{}
		for _, b := range tr.flying {
			tr.older[b] = true
		}
	}
	pl := tr.p.next(tr.q.all(), &tr.held, true)
	taken := map[*Item]bool{}
	for _, it := range pl.done {
		tr.take(t, it, taken, itemDropped)
	}
	if b := pl.batch; b != nil {
		checkBatch(t, tr.tree, b, tr.flying)
		tr.limits(t, b)
		for _, it := range b.Items {
			tr.take(t, it, taken, itemInFlight)
		}
		tr.held.AddAll(b.Locks)
		tr.flying = append(tr.flying, b)
	}
	if len(tr.older) == 0 && head != nil && !taken[head] {
		t.Fatalf("%q is first, all that was under way before has ended, and it still waits; under way: %d", head.Path, len(tr.flying))
	}
	for len(tr.flying) > 0 && (len(tr.flying) == 4 || rapid.Bool().Draw(t, "one ends")) {
		i := rapid.IntRange(0, len(tr.flying)-1).Draw(t, "which")
		b := tr.flying[i]
		tr.held.RemoveAll(b.Locks)
		delete(tr.older, b)
		tr.flying = append(tr.flying[:i], tr.flying[i+1:]...)
	}
}

func (tr *traffic) head() *Item {
	for it := range tr.q.all() {
		return it
	}
	return nil
}

// take is for each item once: it was waiting, and is in one place now.
func (tr *traffic) take(t *rapid.T, it *Item, taken map[*Item]bool, to itemState) {
	if taken[it] || tr.sent[it] || it.state != itemQueued || tr.q.get(it.Path) != it {
		t.Fatalf("%q (seq %d) is taken twice", it.Path, it.Seq)
	}
	taken[it], tr.sent[it] = true, true
	tr.q.take(it, to)
}

// limits that only a single item may exceed.
func (tr *traffic) limits(t *rapid.T, b *Batch) {
	l := tr.p.limits
	single := len(b.Items) == 1
	switch {
	case len(b.Items) == 0:
		t.Fatal("an empty batch")
	case !single && len(b.Paths) > l.files:
		t.Fatalf("%d paths in one batch, at most %d may be", len(b.Paths), l.files)
	case !single && b.Bytes > l.bytes:
		t.Fatalf("%d bytes in one batch, at most %d may be", b.Bytes, l.bytes)
	case b.Covered && len(b.Items) > l.covered:
		t.Fatalf("%d removals without a parent in one batch, at most %d may be", len(b.Items), l.covered)
	case !single && b.Lane == LaneBig:
		t.Fatalf("a big file travels with others: %q", b.Paths)
	}
	listed := map[string]bool{}
	for _, p := range b.Paths {
		if listed[p] {
			t.Fatalf("%q is listed twice", p)
		}
		listed[p] = true
		if seen := tr.tree.look(p); (seen.Presence == Missing || seen.Presence == Covered) && !b.Removes {
			t.Fatalf("%q is to be removed in a batch that removes nothing", p)
		}
	}
	for _, it := range b.Items {
		if it.alone && !single {
			t.Fatalf("%q is to travel alone", it.Path)
		}
	}
}

// TestNoItemStarves: each item is in one batch only, batches keep their limits
// and never overlap, and an item that is the first waits for no batch that
// began after it became that.
func TestNoItemStarves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tree := fakeTree{}
		for range rapid.IntRange(0, 25).Draw(t, "paths") {
			tree[drawTreePath(t)] = rapid.SampledFrom([]Seen{aDir, aDir, aDir, aFile(1), aFile(400), aFile(900), {Presence: IsOther}, {}}).Draw(t, "seen")
		}
		tree[""] = aDir
		tr := &traffic{tree: tree, p: tree.planner(), q: newQueue(), sent: map[*Item]bool{}}
		for path, seen := range tree {
			if seen.Presence == IsDir && rapid.Bool().Draw(t, "stands") {
				tr.p.standing.add(path)
			}
		}
		tr.p.now = time.Time{}.Add(stampPause) // no stamp lets others pass any more
		tr.p.limits.files = rapid.IntRange(1, 5).Draw(t, "files")
		tr.p.limits.bytes = rapid.Int64Range(500, 1000).Draw(t, "bytes")
		tr.p.limits.covered = rapid.IntRange(1, 3).Draw(t, "covered")
		rounds := rapid.IntRange(20, 100).Draw(t, "rounds")
		for range rounds {
			for range rapid.IntRange(0, 6).Draw(t, "new") {
				tr.push(t)
			}
			tr.round(t)
		}
		for step := 0; tr.q.len() > 0; step++ {
			if step > 2000 {
				t.Fatalf("never done: %d items left", tr.q.len())
			}
			tr.round(t)
		}
	})
}
