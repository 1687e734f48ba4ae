package journal

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// TestPagesAreTheWhole: the pages of a retry set are what Retries gives, and those of
// the queue what Dump calls queued, whatever their size.
func TestPagesAreTheWhole(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	j := openTest(t)
	s := source(t, j)
	r, other := remote(t, s, "nas"), remote(t, s, "nas-2")
	var obs []Observation
	for i := range 120 {
		obs = append(obs, file(fmt.Sprintf("f%03d\xff/x", i)[:4+rnd.IntN(2)], uint64(1000+i), 1))
	}
	record(t, s, obs...)
	list, err := s.Entries(1, 1000)
	must(t, err)
	var up Update
	cursor := Cursor{Low: r.Cursor().Low}
	for _, e := range list {
		switch rnd.IntN(3) {
		case 0:
			up.PutRetry = append(up.PutRetry, Retry{Path: e.Path, Seq: e.Seq, Op: e.Op, Attempts: rnd.IntN(3), First: time.Unix(9, 0), Next: time.Unix(9, 0)})
			fallthrough // what is in the retry set is done as far as the cursor is concerned
		case 1:
			cursor.Done = append(cursor.Done, Range{From: e.Seq, To: e.Seq})
		}
	}
	cursor = cursor.normal()
	up.Cursor = &cursor
	must(t, r.Commit(t.Context(), up))
	must(t, other.Commit(t.Context(), Update{PutRetry: []Retry{{Path: "of another", Seq: list[0].Seq, Op: OpChange, First: time.Unix(9, 0), Next: time.Unix(9, 0)}}}))

	want, err := r.Retries()
	must(t, err)
	for _, size := range []int{1, 7, len(want), 1000} {
		var got []Retry
		for begun, after, more := false, "", true; more; {
			page, next, err := r.RetryPage(after, begun, size)
			must(t, err)
			if len(page) > size || next && len(page) < size {
				t.Fatalf("a page of %d for %d, more %v", len(page), size, next)
			}
			got = append(got, page...)
			if more = next; more {
				begun, after = true, page[len(page)-1].Path
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("pages of %d: %d records, want %d", size, len(got), len(want))
		}
	}
	var queued []uint64
	must(t, j.Dump(t.Context(), Query{Source: s.Name(), Remote: "nas", State: StateQueued}, func(row Row) error {
		queued = append(queued, row.Seq)
		return nil
	}))
	if len(queued) == 0 || len(want) == 0 {
		t.Fatalf("%d queued, %d in the retry set", len(queued), len(want))
	}
	for _, size := range []int{1, 13, 1000} {
		var got []uint64
		for from, first := uint64(0), true; first || from > 0; first = false {
			page, next, err := r.QueuePage(from, size)
			must(t, err)
			for _, e := range page {
				got = append(got, e.Seq)
			}
			from = next
		}
		if !slices.Equal(got, queued) {
			t.Errorf("pages of %d: %v, want %v", size, got, queued)
		}
	}
}
