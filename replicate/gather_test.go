package replicate

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestStream: a steady stream of changes shares runs, what comes one by one or as
// a burst does not wait, and the last change of a stream arrives, too.
func TestStream(t *testing.T) {
	for _, c := range []struct {
		name        string
		every       time.Duration
		n           int
		most, least int           // runs in all
		slowest     time.Duration // of a change, once it is a stream
	}{
		{"a hundred a second", 10 * time.Millisecond, 1500, 90, 60, streamPause + 20*time.Millisecond},
		{"ten a second", 100 * time.Millisecond, 100, 100, 100, 2 * time.Millisecond},
		{"fifteen at once", 10 * time.Millisecond, 15, 15, 15, 2 * time.Millisecond},
		{"a second long", 10 * time.Millisecond, 100, 40, 20, 250 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			simulate(t, nil, func(t *testing.T, g *rig, f *fakeTransport) {
				f.takes = time.Millisecond
				made := map[string]time.Time{}
				for i := range c.n {
					p := fmt.Sprintf("d/f%d", i)
					write(t, g.src, map[string]string{p: "1"})
					made[p] = time.Now()
					g.j.change(p)
					time.Sleep(c.every)
				}
				time.Sleep(time.Second)
				synctest.Wait()
				runs, slowest := 0, time.Duration(0)
				for _, r := range f.all() {
					if len(r.paths) == 1 && r.paths[0] == "d" {
						continue // a stamp
					}
					runs++
					for _, p := range r.paths {
						slowest = max(slowest, r.at.Sub(made[p]))
						delete(made, p)
					}
				}
				if len(made) > 0 || runs > c.most || runs < c.least || slowest > c.slowest {
					t.Errorf("%d runs for %d changes, the slowest after %v, never sent: %v", runs, c.n, slowest, made)
				}
			})
		})
	}
}

// TestStreamLasts: the pauses of a stream do not end it, whether the changes are of
// many paths or of one.
func TestStreamLasts(t *testing.T) {
	for name, paths := range map[string]int{"one path": 1, "a path each": 1 << 20} {
		t.Run(name, func(t *testing.T) {
			simulate(t, nil, func(t *testing.T, g *rig, f *fakeTransport) {
				f.takes = time.Millisecond
				for i := range 600 {
					p := fmt.Sprintf("d/f%d", i%paths)
					write(t, g.src, map[string]string{p: "1"})
					g.j.change(p)
					time.Sleep(30 * time.Millisecond)
				}
				synctest.Wait()
				end, late := time.Now(), 0
				for _, r := range f.all() {
					if end.Sub(r.at) < 9*time.Second {
						late++
					}
				}
				if late > 25 {
					t.Errorf("%d runs in the last nine seconds", late)
				}
			})
		})
	}
}

// TestStreamEnds: after a pause there is none.
func TestStreamEnds(t *testing.T) {
	var s stream
	now := time.Unix(1000, 0)
	for range 300 {
		now = now.Add(10 * time.Millisecond)
		s.took(now)
		s.started(now)
	}
	if !s.until(now).After(now) {
		t.Fatal("no stream")
	}
	now = now.Add(3 * time.Second)
	if s.until(now).After(now) {
		t.Error("a stream after silence")
	}
	s.took(now)
	s.started(now)
	if now = now.Add(time.Millisecond); s.until(now).After(now) {
		t.Error("and at the next change")
	}
}

// TestNobodyWaitsForAStream: who asked for everything to arrive gets it at once.
func TestNobodyWaitsForAStream(t *testing.T) {
	simulate(t, nil, func(t *testing.T, g *rig, f *fakeTransport) {
		var seq uint64
		last := ""
		for i := range 405 {
			last = fmt.Sprintf("d/f%d", i)
			write(t, g.src, map[string]string{last: "1"})
			seq = g.j.change(last)
			time.Sleep(10 * time.Millisecond)
		}
		for _, r := range f.all() {
			if slices.Contains(r.paths, last) {
				t.Fatal("it is no stream: the last change is on its way")
			}
		}
		begin := time.Now()
		if err := g.d.WaitFor(t.Context(), seq, nil); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took > 10*time.Millisecond {
			t.Errorf("waited for %v", took)
		}
	})
}

// TestNobodyWaitsBesideARun: who asked for everything to arrive does not wait for
// more to gather.
func TestNobodyWaitsBesideARun(t *testing.T) {
	simulate(t, nil, func(t *testing.T, g *rig, f *fakeTransport) {
		f.takes = 10 * time.Second
		write(t, g.src, map[string]string{"a/f": "1", "b/f": "1"})
		g.j.change("a/f")
		time.Sleep(time.Second)
		begin := time.Now()
		seq := g.j.change("b/f")
		if err := g.d.WaitFor(t.Context(), seq, []string{"b/f"}); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took != f.takes {
			t.Errorf("a run of %v took %v", f.takes, took)
		}
	})
}

// TestRunsBesideOthers: beside a run that lasts, a burst goes in few runs, each
// larger than the one before; a single change does not wait for as long.
func TestRunsBesideOthers(t *testing.T) {
	simulate(t, func(g *rig) { g.o.Workers = 4 }, func(t *testing.T, g *rig, f *fakeTransport) {
		f.takes = 20 * time.Second
		files := map[string]string{"first/f": "1", "last/f": "1"}
		var burst []string
		for i := range 9000 {
			p := fmt.Sprintf("d%d/f%d", i/100, i)
			files[p] = "1"
			burst = append(burst, p)
		}
		write(t, g.src, files)
		g.j.change("first/f")
		synctest.Wait()
		for part := range slices.Chunk(burst, 300) {
			g.j.change(part...)
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(5 * time.Second)
		var sizes []int
		for _, r := range f.all() {
			sizes = append(sizes, len(r.paths))
		}
		if len(sizes) != 4 || sizes[0] != 1 || sizes[1] < gatherFiles || sizes[2] < 2*gatherFiles {
			t.Errorf("runs of %v paths; %d and %d are worth one beside others", sizes, gatherFiles, 2*gatherFiles)
		}
	})
	simulate(t, nil, func(t *testing.T, g *rig, f *fakeTransport) {
		f.takes = 20 * time.Second
		write(t, g.src, map[string]string{"first/f": "1", "last/f": "1"})
		g.j.change("first/f")
		time.Sleep(time.Second)
		begin := time.Now()
		g.j.change("last/f")
		time.Sleep(2 * time.Second)
		runs := f.all()
		if len(runs) != 2 || runs[1].at.Sub(begin) != gatherTime {
			t.Errorf("a single change waited for %v", runs[len(runs)-1].at.Sub(begin))
		}
	})
}

// TestBatchesFollowTheirTime: runs that are soon over become larger, those that
// last smaller, within what is set.
func TestBatchesFollowTheirTime(t *testing.T) {
	for _, c := range []struct {
		takes time.Duration
		most  int // as set
		want  []int
	}{
		{longRun/2 - 1, 10_000, []int{firstFiles, 10_000, 10_000}},
		{longRun/2 - 1, 3000, []int{3000, 3000}},
		{longRun, 10_000, []int{firstFiles, firstFiles}},
		{2*longRun + 1, 10_000, []int{firstFiles, firstFiles / 2, firstFiles / 4, leastFiles, leastFiles}},
		{2*longRun + 1, 500, []int{500, 500}},
	} {
		d, err := New(Options{Source: "s", Name: "r", Root: "/s", Target: Target{Kind: Local, Path: "/x"}, Feed: newMemJournal("/s"), Tree: newMemJournal("/s"), Store: newMemRemote(0), BatchFiles: c.most})
		if err != nil {
			t.Fatal(err)
		}
		var sizes []int
		for range c.want {
			n := d.batchFiles()
			sizes = append(sizes, n)
			d.tookTime(&Batch{Lane: LaneList, Items: make([]*Item, n)}, c.takes)
			d.tookTime(&Batch{Lane: LaneList, Items: make([]*Item, 3)}, 2*longRun+1) // says nothing of many
			d.tookTime(&Batch{Lane: LaneList, Items: make([]*Item, 3)}, time.Millisecond)
			d.tookTime(&Batch{Lane: LaneBig, Items: make([]*Item, n)}, time.Hour)
		}
		if !slices.Equal(sizes, c.want) {
			t.Errorf("runs of %v, at most %d paths: %v, want %v", c.takes, c.most, sizes, c.want)
		}
	}
}
