package journal

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"
)

func seqs(t testing.TB, s *Source) []uint64 {
	t.Helper()
	var list []uint64
	for _, e := range entries(t, s) {
		list = append(list, e.Seq)
	}
	return list
}

func TestTruncateWaitsForEveryRemote(t *testing.T) {
	j := openTest(t)
	s := source(t, j)
	a, b := remote(t, s, "a"), remote(t, s, "b")
	tree(t, s)
	ack(t, a, 4)
	ack(t, b, 1, Range{3, 4})
	maintain(t, j)
	equal(t, "entries", seqs(t, s), []uint64{2, 3, 4})
	st := j.Stats().Sources[0]
	equal(t, "pinned", fmt.Sprint(st.PinnedBy, " ", st.Pinned, " ", st.Truncated, " ", st.Entries), "b 3 1 3")
	ack(t, b, 4)
	maintain(t, j)
	equal(t, "entries", seqs(t, s), nil)
	equal(t, "seq goes on", record(t, s, file("f", 9, 0))[0].Seq, 5)
}

func TestRetainKeepsAckedEntries(t *testing.T) {
	j := reopen(t, Options{Dir: filepath.Join(t.TempDir(), "journal"), Retain: time.Hour})
	now := time.Now()
	setClock(j, func() time.Time { return now })
	s := source(t, j)
	tree(t, s)
	record(t, s, gone("d/x"))
	now = now.Add(50 * time.Minute)
	record(t, s, file("f", 9, 0), gone("d"))
	maintain(t, j)
	equal(t, "kept", seqs(t, s), []uint64{1, 4, 5, 6, 7})
	equal(t, "index is swept all the same", s.header().Index, 2)
	e, ok, err := s.Latest("d/x")
	if err != nil || !ok || e.Seq != 5 {
		t.Errorf("latest of a swept path: %+v %v %v", e, ok, err)
	}
	if _, ok, err := s.Latest("d/never"); ok || err != nil {
		t.Error(ok, err)
	}
	now = now.Add(11 * time.Minute)
	maintain(t, j)
	equal(t, "kept", seqs(t, s), []uint64{6, 7})
	record(t, s, dir("d", 2)) // the entry of the swept tombstone stays as history
	equal(t, "kept", seqs(t, s), []uint64{6, 7, 8})
	now = now.Add(2 * time.Hour)
	maintain(t, j)
	equal(t, "kept", seqs(t, s), nil)
}

func TestTombstoneStaysUntilAcked(t *testing.T) {
	j := openTest(t)
	s := source(t, j)
	r := remote(t, s, "nas")
	tree(t, s)
	record(t, s, gone("d/x"), gone("d"))
	ack(t, r, 5)
	maintain(t, j)
	equal(t, "d/x is swept, d is not", s.header().Index, 3)
	equal(t, "back", len(record(t, s, dir("d", 2), file("d/x", 3, 0), gone("d/y"))), 3)
	equal(t, "y was told", s.Head(), 9)
	ack(t, r, 9)
	maintain(t, j)
	equal(t, "index", s.header().Index, 3)
	equal(t, "children", children(t, s, "d"), []string{"x"})
}

func TestSweepOfLargeTree(t *testing.T) {
	j := openTest(t)
	s := source(t, j)
	obs := []Observation{dir("", 1)}
	for d := range 30 {
		obs = append(obs, dir(fmt.Sprint("t/", d), uint64(d+10)))
		for f := range 50 {
			obs = append(obs, with(file(fmt.Sprint("t/", d, "/", f), uint64(d*100+f+1000), 0), func(o *Observation) { o.State.Nlink = 2 }))
		}
	}
	record(t, s, obs...)
	record(t, s, gone("t/5/5"), gone("t/5"), gone("t"), file("u", 8, 0))
	before := j.commits.Load()
	maintain(t, j)
	equal(t, "index", s.header().Index, 2)
	if n := j.commits.Load() - before; n < 4 {
		t.Errorf("swept in %d transactions", n)
	}
	check(t, j)
}

// What a cut sweep leaves must still be a sound journal, and a tree that
// comes back in the middle must be left alone.
func TestSweepInterrupted(t *testing.T) {
	j := openTest(t)
	s := source(t, j)
	obs := []Observation{dir("", 1), dir("t", 2)}
	for f := range 3 * sweepDeletes {
		obs = append(obs, file(fmt.Sprintf("t/%05d", f), uint64(f+1000), 0))
	}
	record(t, s, obs...)
	record(t, s, gone("t"))
	more, err := s.sweepStep(context.Background(), s.acked())
	if err != nil || !more {
		t.Fatal(more, err)
	}
	check(t, j)
	record(t, s, dir("t", 2))
	maintain(t, j)
	equal(t, "stale records stay", s.header().Index, uint64(2+2*sweepDeletes))
	equal(t, "known to be stale", len(children(t, s, "t")), 2*sweepDeletes)
}

// A remote that failed to remove a path must be told of what does not come
// back with it, long after its cursor has passed.
func TestRetryPinsTombstone(t *testing.T) {
	j := openTest(t)
	s := source(t, j)
	r := remote(t, s, "nas")
	tree(t, s)
	record(t, s, gone("d"))
	commit(t, r, Update{Cursor: &Cursor{Low: 5}, PutRetry: []Retry{{Path: "d", Seq: 5, Op: OpRemove}}})
	maintain(t, j)
	equal(t, "entries", seqs(t, s), nil)
	equal(t, "index", s.header().Index, 4)
	check(t, j)
	record(t, s, dir("d", 2))
	res := record(t, s, gone("d/y"))
	equal(t, "y is removed", res[0].Seq, 7)
	ack(t, r, 7)
	maintain(t, j)
	commit(t, r, Update{DelRetry: []string{"d"}})
	maintain(t, j)
	equal(t, "index", s.header().Index, 3) // root, d, stale d/x
	record(t, s, gone("d"))
	commit(t, r, Update{Cursor: &Cursor{Low: 8}, PutRetry: []Retry{{Path: "d", Seq: 8, Op: OpRemove}}})
	maintain(t, j)
	equal(t, "index", s.header().Index, 3)
	commit(t, r, Update{DelRetry: []string{"d"}})
	maintain(t, j)
	equal(t, "index", s.header().Index, 1)
}

// The same for a directory that became a file, which goes on changing.
func TestRetryPinsWhatAFileShadows(t *testing.T) {
	j := openTest(t)
	s := source(t, j)
	r := remote(t, s, "nas")
	tree(t, s)
	record(t, s, file("d", 9, 1))
	commit(t, r, Update{Cursor: &Cursor{Low: 5}, PutRetry: []Retry{{Path: "d", Seq: 5, Op: OpChange}}})
	maintain(t, j)
	record(t, s, file("d", 9, 2))
	commit(t, r, Update{Cursor: &Cursor{Low: 6}, DelRetry: []string{"d"}})
	maintain(t, j)
	equal(t, "index", s.header().Index, 2)
	record(t, s, file("d", 9, 3))
	e, _, err := s.Latest("d")
	must(t, err)
	equal(t, "count", e.Count, 0)
}

func TestMaintainEndsWithItsContext(t *testing.T) {
	j := openTest(t)
	tree(t, source(t, j))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := j.Maintain(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestTombstoneStaysForAGrace(t *testing.T) {
	j := openTest(t)
	j.grace = sweepGrace
	now := time.Now()
	setClock(j, func() time.Time { return now })
	s := source(t, j)
	tree(t, s)
	record(t, s, gone("d"))
	for _, step := range []struct {
		wait  time.Duration
		index uint64
	}{{0, 4}, {sweepGrace - 1, 4}, {1, 1}} {
		now = now.Add(step.wait)
		maintain(t, j)
		equal(t, "index", s.header().Index, step.index)
	}
}

func TestStatsOver(t *testing.T) {
	st := Stats{DiskBytes: 100, Sources: []SourceStats{{Name: "a", PinnedBy: "x", Pinned: 5}, {Name: "b", PinnedBy: "y", Pinned: 9}}}
	for limit, want := range map[int64]string{0: "  false", 100: "  false", 99: "b y true"} {
		src, rem, over := st.Over(limit)
		equal(t, fmt.Sprint(limit), fmt.Sprint(src, " ", rem, " ", over), want)
	}
	j := openTest(t)
	s := source(t, j)
	tree(t, s)
	real := j.Stats()
	if real.DiskBytes <= 0 || real.FreeBytes == 0 || real.FreeInodes == 0 || real.Sources[0].OldestEntry.IsZero() {
		t.Errorf("%+v", real)
	}
}

func TestDump(t *testing.T) {
	j := openTest(t)
	s := source(t, j)
	a, b := remote(t, s, "a"), remote(t, s, "b")
	tree(t, s)
	record(t, s, file("f", 9, 0))
	ack(t, a, 3, Range{5, 5})
	commit(t, b, Update{Cursor: &Cursor{Low: 2}, PutRetry: []Retry{{Path: "d/x", Seq: 3, Op: OpChange}, {Path: "old", Seq: 1, Op: OpRemove}}})
	if _, err := j.Source("other"); err != nil {
		t.Fatal(err)
	}
	rows := func(q Query) []string {
		var list []string
		err := j.Dump(context.Background(), q, func(r Row) error {
			line := fmt.Sprint(r.Seq, " ", r.Path)
			for _, m := range r.Remotes {
				line += " " + m.Name + "=" + m.State
				equal(t, "retry", m.Retry != nil, m.State == StateFailing)
			}
			list = append(list, line)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	all := []string{"1  a=acked b=acked", "2 d a=acked b=acked", "3 d/x a=acked b=failing", "4 d/y a=queued b=queued", "5 f a=acked b=queued", "1 old b=failing"}
	equal(t, "all", rows(Query{}), all)
	equal(t, "source", rows(Query{Source: "www"}), all)
	equal(t, "other source", rows(Query{Source: "other"}), nil)
	equal(t, "other remote", rows(Query{Remote: "c"}), nil)
	equal(t, "path", rows(Query{Path: "d"}), all[1:4])
	equal(t, "range", rows(Query{From: 2, To: 3}), all[1:3])
	equal(t, "failing", rows(Query{State: StateFailing}), []string{all[2], all[5]})
	equal(t, "queued at a", rows(Query{State: StateQueued, Remote: "a"}), []string{"4 d/y a=queued"})
	equal(t, "acked at b", rows(Query{State: StateAcked, Remote: "b"}), []string{"1  b=acked", "2 d b=acked"})
	stop := errors.New("stop")
	if err := j.Dump(context.Background(), Query{}, func(Row) error { return stop }); err != stop {
		t.Error(err)
	}
}

// TestCheckDuringASweep: a sweep of a large directory takes several
// transactions, and what it leaves in between is no damage.
func TestCheckDuringASweep(t *testing.T) {
	j := openTest(t)
	s := source(t, j)
	r := remote(t, s, "nas")
	obs := []Observation{dir("", 1), dir("d", 2), dir("d/sub", 3)}
	for i := range 3 * sweepDeletes {
		obs = append(obs, file(fmt.Sprintf("d/sub/f%04d", i), uint64(10+i), 0))
	}
	record(t, s, obs...)
	record(t, s, file("d", 9, 0)) // a file in its place
	head := s.Head()
	ack(t, r, head)
	steps := 0
	for more := true; more; steps++ {
		var err error
		more, err = s.sweepStep(context.Background(), head)
		must(t, err)
		rep, err := j.Check(context.Background())
		must(t, err)
		if len(rep.Problems) > 0 {
			t.Fatalf("after step %d: %.3q", steps, rep.Problems)
		}
	}
	if steps < 3 {
		t.Fatalf("only %d steps", steps)
	}
}
