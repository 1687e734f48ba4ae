package journal

import (
	"testing"
	"time"
)

// TestForgottenRemoteReleases: what only a remote pinned is truncated once it is
// dropped, the tombstones as well.
func TestForgottenRemoteReleases(t *testing.T) {
	j := openTest(t)
	j.grace = 0
	s := source(t, j)
	tree(t, s)
	kept, here := remote(t, s, "kept"), remote(t, s, "here")
	record(t, s, gone("d"), file("f", 9, 0))
	ack(t, here, s.Head())
	commit(t, kept, Update{PutRetry: []Retry{{Path: "d", Seq: s.Head() - 1, Op: OpRemove}}})
	maintain(t, j)
	if n := len(entries(t, s)); n != 2 {
		t.Fatalf("%d entries beside a remote that has none of them", n)
	}
	index := s.header().Index
	if err := s.DropRemote(t.Context(), "kept"); err != nil {
		t.Fatal(err)
	}
	maintain(t, j)
	maintain(t, j)
	if n := len(entries(t, s)); n != 0 {
		t.Errorf("%d entries after it was dropped", n)
	}
	if s.header().Index >= index {
		t.Errorf("%d index records, as before", index)
	}
	check(t, j)
}

// TestSetRetain: a shorter time releases what the longer one kept.
func TestSetRetain(t *testing.T) {
	j := reopen(t, Options{Dir: t.TempDir() + "/j", Retain: time.Hour})
	j.grace = 0
	s := source(t, j)
	tree(t, s)
	maintain(t, j)
	if len(entries(t, s)) == 0 {
		t.Fatal("nothing is retained")
	}
	j.SetRetain(0)
	maintain(t, j)
	if n := len(entries(t, s)); n != 0 {
		t.Errorf("%d entries are still retained", n)
	}
}
