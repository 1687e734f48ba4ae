package journal

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// TestSupersededSeqsAreNotDropped: where truncation passes over nothing but holes,
// nothing is missing, also for the next process.
func TestSupersededSeqsAreNotDropped(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "journal")
	j := reopen(t, Options{Dir: dir, Retain: time.Hour})
	s := source(t, j)
	r := remote(t, s, "nas")
	for i := range int64(3) {
		record(t, s, rootAt(i))
	}
	ack(t, r, 2)
	maintain(t, j)
	equal(t, "truncated", s.header().Truncated, 2)
	for range 2 {
		seq, _ := s.Dropped()
		equal(t, "dropped", seq, 0)
		closeChecked(t, j)
		j = reopen(t, Options{Dir: dir, Retain: time.Hour})
		s = source(t, j)
	}
}

func rootAt(version int64) Observation {
	return with(dir("", 1), func(o *Observation) { o.State.Mtime += version * second })
}

// TestDroppedTellsMissingFromSuperseded: a reader that stands behind what was
// superseded has missed nothing, one that stands before what was truncated has.
func TestDroppedTellsMissingFromSuperseded(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "journal")
	j := reopen(t, Options{Dir: dir, Retain: time.Hour})
	now := time.Unix(1_800_000_000, 0)
	setClock(j, func() time.Time { return now })
	s := source(t, j)
	tree(t, s) // 1 to 4
	dropped := func() string {
		seq, at := s.Dropped()
		return fmt.Sprint(seq, at.IsZero())
	}
	for i := range int64(3) { // 5 to 7: each supersedes the one before
		record(t, s, file("d/x", uint64(100+i), i))
	}
	maintain(t, j)
	equal(t, "nothing truncated", dropped(), "0 true")
	now = now.Add(2 * time.Hour)
	record(t, s, file("d/x", 200, 9)) // 8; 7 is superseded
	maintain(t, j)
	seq, at := s.Dropped()
	equal(t, "dropped", seq, 4)
	equal(t, "when", at.Equal(now.Add(-2*time.Hour)), true)
	equal(t, "kept", seqs(t, s), []uint64{8})
	for i := range int64(3) {
		record(t, s, file("d/x", uint64(300+i), 20+i))
	}
	maintain(t, j)
	equal(t, "superseded ones are not dropped", dropped(), "4 false")
	closeChecked(t, j)
	j = reopen(t, Options{Dir: dir, Retain: time.Hour})
	s = source(t, j)
	equal(t, "after opening", dropped(), "4 false")
}

func TestSinceIsTheFirstOfAll(t *testing.T) {
	j := openTest(t)
	now := time.Unix(1_800_000_000, 0)
	setClock(j, func() time.Time { return now })
	s := source(t, j)
	now = now.Add(-time.Hour)
	record(t, s, dir("", 1))
	for i, min := range []int{0, 10, 5, 20} { // the clock is set back once
		now = time.Unix(1_800_000_000, 0).Add(time.Duration(min) * time.Minute)
		record(t, s, file(fmt.Sprint(i), uint64(100+i), 0))
	}
	at := func(min int) uint64 {
		seq, err := s.Since(time.Unix(1_800_000_000, 0).Add(time.Duration(min) * time.Minute))
		must(t, err)
		return seq
	}
	first := s.Head() - 3
	equal(t, "since", []uint64{at(-1) - first, at(0) - first, at(6) - first, at(11) - first, at(21) - first}, []uint64{0, 0, 1, 3, 4})
}

func TestBefore(t *testing.T) {
	j := openTest(t)
	s := source(t, j)
	before := func(seq uint64, limit int) (list []uint64) {
		page, err := s.Before(seq, limit)
		must(t, err)
		for _, e := range page {
			list = append(list, e.Seq)
		}
		return list
	}
	equal(t, "of none", before(9, 5), nil)
	tree(t, s)
	equal(t, "newest", before(99, 2), []uint64{4, 3})
	equal(t, "further", before(3, 9), []uint64{2, 1})
	equal(t, "no more", before(1, 9), nil)
	equal(t, "nothing", before(0, 9), nil)
}

func TestWaitSleepsUntilThereIsMore(t *testing.T) {
	j := openTest(t)
	s := source(t, j)
	must(t, s.Wait(t.Context(), 0))
	done := make(chan error, 1)
	go func() { done <- s.Wait(t.Context(), 4) }()
	record(t, s, dir("", 1))
	select {
	case err := <-done:
		t.Fatalf("woke too early: %v", err)
	default:
	}
	record(t, s, file("a", 9, 0), file("b", 10, 0), file("c", 11, 0))
	must(t, <-done)
	synctest.Test(t, func(t *testing.T) {
		lone := newSource(nil, "x", header{Head: 3})
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := lone.Wait(ctx, 4); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

func TestMoreSourcesAndEpoch(t *testing.T) {
	j := openTest(t)
	more := j.MoreSources()
	source(t, j)
	<-more
	more = j.MoreSources()
	source(t, j) // not new
	select {
	case <-more:
		t.Error("a source that was there is told")
	default:
	}
	if len(j.Epoch()) != 32 {
		t.Errorf("epoch %q", j.Epoch())
	}
}

func TestCompactOnRequest(t *testing.T) {
	small(t)
	compactSoon(t, time.Hour)
	j := reopen(t, Options{Dir: filepath.Join(t.TempDir(), "journal")})
	s := source(t, j)
	r := remote(t, s, "nas")
	for n := 0; levels(j)[0] < compactTables-1; n++ {
		var obs []Observation
		for f := range uint64(200) {
			name := sha256.Sum256(fmt.Append(nil, n, f))
			obs = append(obs, file(fmt.Sprintf("%x", name), 1000+f, int64(n)))
		}
		record(t, s, obs...)
	}
	ack(t, r, s.Head())
	had := s.header().Entries
	writing := make(chan error, 1)
	go func() { // harmless under load
		var err error
		for i := range int64(50) {
			if err == nil {
				_, err = s.Record(context.Background(), []Observation{file("busy", 9, i)})
			}
		}
		writing <- err
	}()
	c, err := j.Compact(t.Context())
	must(t, err)
	must(t, <-writing)
	if c.Truncated+60 < had || // less what was written meanwhile
		c.Before <= 0 || c.After <= 0 {
		t.Errorf("%+v of %d entries", c, had)
	}
	equal(t, "kept tables", len(having(t, j, keptSuffix)), 0)
	closeChecked(t, j)
	if _, err := j.Compact(context.Background()); !errors.Is(err, ErrClosed) {
		t.Errorf("of a closed journal: %v", err)
	}
}
