package replicate

import (
	"testing"
	"time"

	"gorsyncd/journal"
)

// chunks is how many chunks of the present size a tree of equal directories makes,
// the root's own aside.
func (p *pace) chunks(dirs, perDir int) (n int) {
	for dirs > 0 {
		var w journal.Weight
		for dirs > 0 && w.Dirs < p.limit.Dirs && w.Files < p.limit.Files {
			w = w.Add(journal.Weight{Dirs: 1, Files: uint64(perDir)})
			dirs--
		}
		p.taken(w)
		n++
	}
	return n
}

func TestWorkersGetEqualShares(t *testing.T) {
	for _, c := range []struct {
		dirs, perDir, workers, want int
		run                         time.Duration
	}{
		{500, 100, 3, 6, 0},           // two rounds of 8334 files
		{505, 99, 3, 6, 0},            // nothing is left over
		{100, 100, 3, 6, 0},           // the same of less
		{100, 100, 3, 3, time.Second}, // a second run costs more than it spares
		{500, 100, 3, 6, time.Second},
		{10, 1, 3, 1, 0},      // too few to be shared
		{500, 100, 1, 5, 0},   // 10,000 files each
		{4000, 0, 3, 6, 0},    // directories count as well
		{200, 1000, 7, 20, 0}, // ten at a time, and not 9.5
	} {
		p := newPace(c.workers, journal.Weight{Dirs: uint64(c.dirs), Files: uint64(c.dirs * c.perDir)}, c.run)
		if n := p.chunks(c.dirs, c.perDir); n != c.want {
			t.Errorf("%+v: %d chunks", c, n)
		}
	}
}

func TestChunksFollowTheTimeTheyTake(t *testing.T) {
	todo := journal.Weight{Dirs: 100_000, Files: 10_000_000}
	p := newPace(3, todo, 0)
	p.ran(journal.Weight{Dirs: 1}, 300*time.Millisecond) // the root: a run costs so much at least
	first := p.limit
	p.ran(first, 2*time.Second)
	if p.limit != first {
		t.Errorf("as long as it should be, and then %+v instead of %+v", p.limit, first)
	}
	for range 10 {
		p.ran(p.limit, time.Second)
	}
	if p.most != largestChunk {
		t.Errorf("fast, and at most %+v", p.most)
	}
	for range 10 {
		p.ran(p.limit, time.Minute)
	}
	if p.limit != smallestChunk {
		t.Errorf("slow, and still %+v", p.limit)
	}
	small := p
	p.ran(journal.Weight{Files: 3}, time.Millisecond)
	if p.limit != small.limit || p.quickest != time.Millisecond {
		t.Errorf("next to nothing was done, and now it is %+v", p.limit)
	}
}

// What grows shares out again what is left; that is less by then, and the chunks
// must not become smaller for it.
func TestGrowthDoesNotShrink(t *testing.T) {
	todo := journal.Weight{Dirs: 500, Files: 50_000}
	p := newPace(3, todo, 0)
	before := p.limit
	p.taken(journal.Weight{Dirs: 400, Files: 40_000})
	p.ran(before, time.Millisecond)
	if p.limit.Files < before.Files || p.limit.Dirs < before.Dirs {
		t.Errorf("%+v after %+v", p.limit, before)
	}
}
