package journal

import (
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/dgraph-io/badger/v4"
)

// keysOf counts the keys that a source has left anywhere.
func keysOf(t *testing.T, j *Journal, name string) int {
	t.Helper()
	n := 0
	err := j.view(func(txn *badger.Txn) error {
		for _, kind := range append([]byte{kindCursor}, kindsOfSource...) {
			err := each(txn, prefix(kind, name), func(_, _ []byte) error { n++; return nil })
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func named(t *testing.T, j *Journal, name string) *Source {
	t.Helper()
	s, err := j.Source(name)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// many is a source with some of everything, and one beside it whose name begins
// alike.
func many(t *testing.T, j *Journal) (*Source, *Source) {
	t.Helper()
	s, other := named(t, j, "www"), named(t, j, "www2")
	for _, s := range []*Source{s, other} {
		r := remote(t, s, "nas")
		tree(t, s)
		link := func(o *Observation) { o.State.Nlink = 2 }
		record(t, s, with(file("l1", 50, 0), link), with(file("l2", 50, 0), link))
		commit(t, r, Update{PutRetry: []Retry{{Path: "d", Seq: s.Head(), Op: OpRemove}}, State: &RemoteState{Paused: true}})
		record(t, s, gone("d"))
	}
	return s, other
}

func TestDropSource(t *testing.T) {
	o := Options{Dir: filepath.Join(t.TempDir(), "journal")}
	j := reopen(t, o)
	s, other := many(t, j)
	if err := j.DropSource(t.Context(), "www"); err == nil {
		t.Fatal("a source with a remote was dropped")
	}
	record(t, s, file("after", 60, 0)) // it is as usable as before
	for _, name := range []string{"nas", "none"} {
		if err := s.DropRemote(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	left := keysOf(t, j, "www2")
	if err := j.DropSource(t.Context(), "www"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Record(t.Context(), []Observation{file("x", 61, 0)}); !errors.Is(err, errDroppedSource) {
		t.Errorf("record in a dropped source: %v", err)
	}
	if _, err := s.Remote("new"); !errors.Is(err, errDroppedSource) {
		t.Errorf("remote of a dropped source: %v", err)
	}
	equal(t, "sources", j.Sources(), []string{"www2"})
	if keysOf(t, j, "www") == 0 {
		t.Error("nothing is left to be deleted")
	}
	check(t, j) // what is left is harmless
	closeChecked(t, j)

	j = reopen(t, o) // and is found again after a crash
	check(t, j)
	maintain(t, j)
	if n := keysOf(t, j, "www"); n != 0 {
		t.Errorf("%d keys are left", n)
	}
	if n := keysOf(t, j, "www2"); n != left {
		t.Errorf("the other source has %d keys, and had %d", n, left)
	}
	record(t, named(t, j, other.name), file("y", 62, 0))
	for _, name := range []string{"www", "never"} {
		if err := j.DropSource(t.Context(), name); err != nil {
			t.Errorf("drop of %s: %v", name, err)
		}
	}
	closeChecked(t, j)
}

// TestDroppedSourceComesBack: the new one has nothing of the old one.
func TestDroppedSourceComesBack(t *testing.T) {
	j := openTest(t)
	s, _ := many(t, j)
	if err := s.DropRemote(t.Context(), "nas"); err != nil {
		t.Fatal(err)
	}
	if err := j.DropSource(t.Context(), "www"); err != nil {
		t.Fatal(err)
	}
	again := named(t, j, "www")
	if again == s || again.Head() != 0 || !again.Baseline() || keysOf(t, j, "www") != 0 {
		t.Errorf("head %d, %d keys", again.Head(), keysOf(t, j, "www"))
	}
	if _, known, err := again.Lookup("l1"); known || err != nil {
		t.Errorf("its index has a path of the old one: %v", err)
	}
	r := remote(t, again, "nas")
	if r.State().Paused || r.RetryCount() != 0 || r.FullSync() == nil {
		t.Errorf("its remote has the state of the old one: %+v", r.State())
	}
	tree(t, again)
	check(t, j)
	maintain(t, j)
	if n := len(entries(t, again)); n == 0 {
		t.Error("what was journaled for the new source was deleted as the old one's")
	}
	check(t, j)
}

// TestDropSourceCutShort: the side file has forgotten it, and the database not yet.
func TestDropSourceCutShort(t *testing.T) {
	o := Options{Dir: filepath.Join(t.TempDir(), "journal")}
	j := reopen(t, o)
	s := named(t, j, "www")
	tree(t, s)
	head := s.Head()
	j.mu.Lock()
	j.dropping["www"] = true
	j.mu.Unlock()
	if err := j.checkpoint(); err != nil {
		t.Fatal(err)
	}
	if _, err := j.Source("www"); !errors.Is(err, errDroppedSource) {
		t.Errorf("a source that is being dropped can be had: %v", err)
	}
	side, err := readSide(o.Dir)
	if err != nil || len(side.Heads) != 0 {
		t.Fatalf("%+v %v", side, err)
	}
	if err := j.Close(); err != nil { // with the side file as it is
		t.Fatal(err)
	}
	j = reopen(t, o)
	if got := named(t, j, "www").Head(); got != head {
		t.Errorf("head %d, was %d", got, head)
	}
	closeChecked(t, j)
}

// TestDropSourceBesideOthers: whatever goes on elsewhere, sums and side file agree.
func TestDropSourceBesideOthers(t *testing.T) {
	o := Options{Dir: filepath.Join(t.TempDir(), "journal")}
	j := reopen(t, o)
	var wg sync.WaitGroup
	for w := range 2 {
		wg.Go(func() {
			for i := range 10 {
				s, err := j.Source(fmt.Sprint("s", w))
				if err == nil {
					_, err = s.Record(t.Context(), []Observation{file("a", 2, int64(i)), file("b", 3, int64(i))})
				}
				if err == nil {
					err = j.DropSource(t.Context(), s.name)
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Go(func() {
		for range 10 {
			if err := j.Maintain(t.Context()); err != nil {
				t.Error(err)
			}
			check(t, j)
		}
	})
	wg.Wait()
	maintain(t, j)
	equal(t, "sources", len(j.Sources()), 0)
	if n := keysOf(t, j, "s0") + keysOf(t, j, "s1"); n != 0 {
		t.Errorf("%d keys are left", n)
	}
	closeChecked(t, j)
	closeChecked(t, reopen(t, o))
}
