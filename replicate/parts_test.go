package replicate

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"gorsyncd/journal"
)

// TestLedgerAgainstModel: the cursor counts as done exactly what was
// acknowledged or never seen, up to what was read.
func TestLedgerAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		start := rapid.Uint64Range(0, 5).Draw(t, "start")
		l := ledger{read: start}
		open := map[uint64]bool{}
		next := start
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "add") {
				next += rapid.Uint64Range(1, 3).Draw(t, "gap")
				l.add(next)
				open[next] = true
			} else if next > start {
				seq := rapid.Uint64Range(start, next).Draw(t, "ack")
				l.ack(seq)
				delete(open, seq)
			}
		}
		c := l.cursor()
		low := next
		for seq := range open {
			low = min(low, seq-1)
		}
		if c.Low != low || l.open != len(open) {
			t.Fatalf("low %d, want %d; open %d, want %d", c.Low, low, l.open, len(open))
		}
		if first := l.first(); len(open) > 0 && first != low+1 {
			t.Fatalf("first %d, low %d", first, low)
		}
		for seq := start; seq <= next; seq++ {
			if open[seq] && has(c, seq) {
				t.Fatalf("%d is open and done: %+v", seq, c)
			}
		}
		if has(c, next+1) {
			t.Fatalf("%d was never read: %+v", next+1, c)
		}
		last := c.Low
		for _, r := range c.Done {
			if r.From <= last+1 || r.To < r.From {
				t.Fatalf("ranges %+v after %d", c.Done, c.Low)
			}
			last = r.To
		}
	})
}

func TestLedgerRememberAcksOutOfOrder(t *testing.T) {
	var l ledger
	for seq := range uint64(200) {
		l.add(seq + 1)
	}
	for seq := range uint64(200) {
		if seq+1 != 1 && seq+1 != 100 {
			l.ack(seq + 1)
		}
	}
	want := journal.Cursor{Low: 0, Done: []journal.Range{{From: 2, To: 99}, {From: 101, To: 200}}}
	if c := l.cursor(); c.Low != want.Low || !slices.Equal(c.Done, want.Done) {
		t.Errorf("cursor %+v, want %+v", c, want)
	}
}

func TestQueueOrder(t *testing.T) {
	q := newQueue()
	var its []*Item
	for i := range 200 {
		it := &Item{Path: fmt.Sprint(i)}
		its = append(its, it)
		q.push(it)
	}
	for i, it := range its {
		if i%3 != 0 {
			q.take(it, itemInFlight)
		}
	}
	q.pushFront([]*Item{its[2], its[1]})
	got := slices.Collect(q.all())
	if q.len() != len(got) || got[0] != its[2] || got[1] != its[1] || got[2] != its[0] || got[3] != its[3] || len(got) != 69 {
		t.Errorf("%d items, first %v", len(got), got[:4])
	}
}

func TestRetrySetOrder(t *testing.T) {
	now := time.Unix(1000, 0)
	s := newRetrySet([]journal.Retry{
		{Path: "late", Next: now.Add(time.Minute)}, {Path: "b", Seq: 2, Next: now}, {Path: "a", Seq: 1, Next: now},
		{Path: "first", Seq: 9, Next: now.Add(-time.Minute)},
	})
	var got []string
	for _, it := range s.due(now) {
		got = append(got, it.Path)
	}
	if !slices.Equal(got, []string{"first", "a", "b"}) {
		t.Errorf("due %q", got)
	}
	for _, p := range got {
		s.remove(p)
	}
	if next, ok := s.next(now); !ok || !next.Equal(now.Add(time.Minute)) || s.len() != 1 {
		t.Errorf("next %v %v", next, ok)
	}
}

func TestDelay(t *testing.T) {
	r := RetryOptions{Initial: time.Second, Max: time.Minute}
	for n, want := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 6: 32 * time.Second, 7: time.Minute, 100: time.Minute, 1 << 30: time.Minute} {
		if got := r.Delay(n); got != want {
			t.Errorf("delay(%d) = %v, want %v", n, got, want)
		}
	}
	r.Jitter = 0.5
	for range 100 {
		if got := r.Delay(3); got < 2*time.Second || got > 6*time.Second {
			t.Errorf("delay with jitter %v", got)
		}
	}
}

func TestGuardWindow(t *testing.T) {
	g := newGuard(10)
	at := time.Unix(1000, 0)
	if g.add(at, 1, 6) || g.add(at.Add(59*time.Second), 2, 4) {
		t.Error("tripped at its limit")
	}
	if !g.add(at.Add(59*time.Second), 3, 1) {
		t.Error("did not trip")
	}
	g.forget(3)
	if g.add(at.Add(60*time.Second), 4, 6) {
		t.Error("a minute later the first is forgotten")
	}
	if g.add(at.Add(10*time.Minute), 5, 10); g.sum != 10 {
		t.Errorf("sum %d", g.sum)
	}
	if newGuard(0).add(at, 1, 1<<40) {
		t.Error("no guard tripped")
	}
}

func TestIndexOrder(t *testing.T) {
	want := []string{"", "a", "a/b", "a/b/c", "a/c", "a b", "a-b", "a.b", "a0", "b"}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, func(a, b string) int {
		if indexLess(a, b) {
			return -1
		}
		return 1
	})
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestOverlappingTargetIsRefused(t *testing.T) {
	dir := t.TempDir()
	j := newMemJournal(dir)
	for _, target := range []string{dir, dir + "/sub", "/"} {
		tg, err := ParseTarget(target)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := New(Options{Root: dir, Target: tg, Feed: j, Tree: j, Store: newMemRemote(0)}); err == nil {
			t.Errorf("target %s in source %s is accepted", target, dir)
		}
	}
}
