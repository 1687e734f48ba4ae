package journal

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/dgraph-io/badger/v4"
)

func retries(t testing.TB, r *Remote) []Retry {
	t.Helper()
	list, err := r.Retries()
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestCursorHas(t *testing.T) {
	c := Cursor{Low: 3, Done: []Range{{5, 6}, {9, 9}}}
	equal(t, "next", c.Next(), 4)
	var got []uint64
	for seq := range uint64(12) {
		if c.Has(seq) {
			got = append(got, seq)
		}
	}
	equal(t, "done", got, []uint64{0, 1, 2, 3, 5, 6, 9})
}

func TestCursorNormal(t *testing.T) {
	for _, c := range []struct{ in, want Cursor }{
		{Cursor{Low: 3}, Cursor{Low: 3}},
		{Cursor{Low: 3, Done: []Range{{4, 5}, {6, 6}, {8, 9}}}, Cursor{Low: 6, Done: []Range{{8, 9}}}},
		{Cursor{Low: 7, Done: []Range{{4, 5}, {9, 9}, {10, 12}}}, Cursor{Low: 7, Done: []Range{{9, 12}}}},
		{Cursor{Low: 7, Done: []Range{{4, 9}}}, Cursor{Low: 9}},
	} {
		equal(t, fmt.Sprint(c.in), c.in.normal(), c.want)
	}
}

func TestNewRemoteStartsAtHead(t *testing.T) {
	s := source(t, openTest(t))
	tree(t, s)
	r := remote(t, s, "nas")
	equal(t, "cursor", r.Cursor(), Cursor{Low: 4})
	equal(t, "reason", r.FullSync().Reason, "new remote")
	if again := remote(t, s, "nas"); again != r {
		t.Error("another handle")
	}
	if _, err := s.Remote("Bad Name"); err == nil {
		t.Error("bad name accepted")
	}
}

func TestCommitRefusesImpossible(t *testing.T) {
	s := source(t, openTest(t))
	tree(t, s)
	r := remote(t, s, "nas")
	record(t, s, file("f", 9, 0), file("g", 10, 0))
	for name, u := range map[string]Update{
		"above head":    {Cursor: &Cursor{Low: 7}},
		"back":          {Cursor: &Cursor{Low: 3}},
		"range order":   {Cursor: &Cursor{Low: 4, Done: []Range{{6, 6}, {5, 5}}}},
		"range turned":  {Cursor: &Cursor{Low: 4, Done: []Range{{6, 5}}}},
		"range above":   {Cursor: &Cursor{Low: 4, Done: []Range{{6, 7}}}},
		"retry path":    {PutRetry: []Retry{{Path: "a//b", Op: OpChange}}},
		"retry op":      {PutRetry: []Retry{{Path: "a"}}},
		"full both way": {FullSync: &FullSync{}, EndFullSync: true},
	} {
		u.State = &RemoteState{Paused: true}
		if err := r.Commit(context.Background(), u); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	equal(t, "state", r.State(), RemoteState{})
	equal(t, "cursor", r.Cursor(), Cursor{Low: 4})
}

func TestCommitChangesOnlyWhatIsGiven(t *testing.T) {
	s := source(t, openTest(t))
	tree(t, s)
	r := remote(t, s, "nas")
	full := FullSync{Reason: "asked", Sub: "d", After: "d/e", Begun: true, Links: true, Checksum: true, Done: 3, Total: 9}
	commit(t, r, Update{FullSync: &full, PutRetry: []Retry{{Path: "d/x", Seq: 3, Op: OpChange}, {Path: "d/y", Seq: 4, Op: OpChange}}})
	commit(t, r, Update{State: &RemoteState{Held: "empty", Approved: 3}})
	full.Reason = "changed by the caller"
	equal(t, "full sync", r.FullSync().Reason, "asked")
	commit(t, r, Update{DelRetry: []string{"d/x", "never there"}, PutRetry: []Retry{{Path: "d/y", Seq: 4, Op: OpChange, Attempts: 2}}})
	equal(t, "retries", retries(t, r), []Retry{{Path: "d/y", Seq: 4, Op: OpChange, Attempts: 2}})
	equal(t, "state", r.State(), RemoteState{Held: "empty", Approved: 3})
	commit(t, r, Update{EndFullSync: true})
	if r.FullSync() != nil {
		t.Error("full sync not ended")
	}
	commit(t, r, Update{})
}

func TestHugeCommit(t *testing.T) {
	j := openTest(t)
	s := source(t, j)
	tree(t, s)
	r := remote(t, s, "nas")
	record(t, s, file("f", 9, 0))
	var put []Retry
	for i := range 5000 {
		put = append(put, Retry{Path: fmt.Sprintf("d/%05d", i), Seq: 5, Op: OpChange, Error: string(make([]byte, 600))})
	}
	commit(t, r, Update{PutRetry: put, Cursor: &Cursor{Low: 5}})
	equal(t, "retries", len(retries(t, r)), 5000)
	equal(t, "cursor", r.Cursor(), Cursor{Low: 5})
	var del []string
	for _, p := range put {
		del = append(del, p.Path)
	}
	commit(t, r, Update{DelRetry: del})
	equal(t, "retries", len(retries(t, r)), 0)
}

func TestDropRemote(t *testing.T) {
	j := openTest(t)
	s := source(t, j)
	tree(t, s)
	r := remote(t, s, "nas")
	record(t, s, file("f", 9, 0))
	var put []Retry
	for i := range 700 {
		put = append(put, Retry{Path: fmt.Sprint("d/", i), Seq: 5, Op: OpChange})
	}
	commit(t, r, Update{PutRetry: put})
	equal(t, "pinned", j.Stats().Sources[0].PinnedBy, "nas")
	if err := s.DropRemote(context.Background(), "nas"); err != nil {
		t.Fatal(err)
	}
	if err := s.DropRemote(context.Background(), "nas"); err != nil {
		t.Fatal(err)
	}
	if err := r.Commit(context.Background(), Update{State: &RemoteState{}}); !errors.Is(err, errDropped) {
		t.Error(err)
	}
	equal(t, "remotes", s.Remotes(), nil)
	maintain(t, j)
	equal(t, "entries", len(entries(t, s)), 0)
	r = remote(t, s, "nas")
	equal(t, "retries", len(retries(t, r)), 0)
	equal(t, "cursor", r.Cursor(), Cursor{Low: 5})
}

// Commits that wait while another is written to disk share the next one.
func TestGroupCommit(t *testing.T) {
	j := openTest(t)
	s := source(t, j)
	tree(t, s)
	var remotes []*Remote
	for i := range 20 {
		remotes = append(remotes, remote(t, s, fmt.Sprint("r", i)))
	}
	started, proceed := make(chan struct{}, 100), make(chan struct{})
	j.commitTxn = func(txn *badger.Txn) error {
		started <- struct{}{}
		<-proceed
		return txn.Commit()
	}
	before := j.commits.Load()
	var wg sync.WaitGroup
	for i, r := range remotes {
		wg.Go(func() {
			if err := r.Commit(context.Background(), Update{State: &RemoteState{Held: r.name}}); err != nil {
				t.Error(err)
			}
		})
		if i == 0 {
			<-started
		}
	}
	for len(j.requests) < len(remotes)-1 {
		runtime.Gosched() // they are on their way into the queue
	}
	close(proceed)
	wg.Wait()
	equal(t, "commits", j.commits.Load()-before, 2)
	for _, r := range remotes {
		equal(t, "held", r.State().Held, r.name)
	}
}

func TestFailedCommitFailsTheJournal(t *testing.T) {
	j := openTest(t)
	s := source(t, j)
	tree(t, s)
	r := remote(t, s, "nas")
	ch := s.Changed()
	broken := errors.New("input/output error")
	j.commitTxn = func(*badger.Txn) error { return broken }
	if _, err := s.Record(context.Background(), []Observation{file("f", 9, 0)}); !errors.Is(err, broken) {
		t.Errorf("record: %v", err)
	}
	j.commitTxn = (*badger.Txn).Commit
	equal(t, "head", s.Head(), 4)
	select {
	case <-ch:
		t.Error("waiters were told of an entry that is not durable")
	default:
	}
	_, entriesErr := s.Entries(1, 10)
	_, _, lookupErr := s.Lookup("d")
	_, sourceErr := j.Source("other")
	_, checkErr := j.Check(context.Background())
	for name, err := range map[string]error{
		"err": j.Err(), "commit": r.Commit(context.Background(), Update{State: &RemoteState{}}), "entries": entriesErr,
		"lookup": lookupErr, "source": sourceErr, "maintain": j.Maintain(context.Background()), "check": checkErr,
		"baseline": s.EndBaseline(context.Background()), "children": s.Children("", nil),
	} {
		if !errors.Is(err, broken) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := j.Close(); err != nil {
		t.Error(err)
	}
	equal(t, "after reopening", len(entries(t, source(t, reopen(t, Options{Dir: j.dir})))), 4)
}

func TestNoSpaceLeavesTheJournalUsable(t *testing.T) {
	j := openTest(t)
	s := source(t, j)
	tree(t, s)
	j.reserve.minFree = 1 << 62
	if _, err := s.Record(context.Background(), []Observation{file("f", 9, 0)}); !errors.Is(err, ErrNoSpace) {
		t.Error(err)
	}
	j.reserve.minFree = 0
	equal(t, "seq", record(t, s, file("f", 9, 0))[0].Seq, 5)
}

func TestClosed(t *testing.T) {
	j := openTest(t)
	s := source(t, j)
	tree(t, s)
	closeChecked(t, j)
	if err := j.Close(); err != nil {
		t.Error(err)
	}
	if _, err := s.Record(context.Background(), []Observation{dir("", 1)}); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if _, err := s.Entries(1, 1); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

// TestStateBeforeProbes: states without a probe are stored as they were before
// there were any, so that either version reads them.
func TestStateBeforeProbes(t *testing.T) {
	key := remoteKey(kindState, "www", "nas")
	s := RemoteState{Held: "empty", HeldSince: when, Approved: 3, LastFull: when, Target: "h::m", Filter: "f", Place: "p"}
	for _, version := range []byte{1, 2} {
		val := s.encode(key)
		if val[0] != version {
			t.Errorf("%+v is stored as version %d", s, val[0])
		}
		got, err := decodeRemoteState(key, val)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "state", got, s)
		s.Probe = Probe{At: when, Of: "h::m", Dirty: true, Findings: []Finding{{ID: "W-OWNERS", Since: when, Detail: "d"}}}
	}
	val := s.encode(key)
	if _, err := decodeRemoteState(key, (&encoder{b: val[: len(val)-6 : len(val)-6]}).seal(key)); err == nil {
		t.Error("half a finding was accepted")
	}
}
