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
// larger than the one before, and the last of it after some time; a single change
// does not wait for as long.
func TestRunsBesideOthers(t *testing.T) {
	simulate(t, func(g *rig) { g.o.Workers = 3 }, func(t *testing.T, g *rig, f *fakeTransport) {
		f.takes = 20 * time.Second
		files := map[string]string{"first/f": "1"}
		var burst []string
		for i := range gatherFiles + 500 {
			p := fmt.Sprintf("d%d/f%d", i/100, i)
			files[p] = "1"
			burst = append(burst, p)
		}
		write(t, g.src, files)
		g.j.change("first/f")
		synctest.Wait()
		begin := time.Now()
		for part := range slices.Chunk(burst, 250) { // for 100 ms
			g.j.change(part...)
			time.Sleep(10 * time.Millisecond)
		}
		time.Sleep(5 * time.Second)
		var sizes []int
		var at []time.Duration
		for _, r := range f.all() {
			sizes, at = append(sizes, len(r.paths)), append(at, r.at.Sub(begin))
		}
		if !slices.Equal(sizes, []int{1, gatherFiles, 500}) || at[1] > 100*time.Millisecond || at[2]-at[1] < 2*gatherMost || at[2]-at[1] > 2*gatherMost+100*time.Millisecond {
			t.Errorf("runs of %v paths after %v", sizes, at)
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

// TestWorth: with more workers than runs that anybody waits for, the number of
// changes that are worth a run stays one that can come.
func TestWorth(t *testing.T) {
	d := newTestDispatcher(t, Options{Workers: 64, BatchFiles: 100_000})
	for runs := range 65 {
		for id := range uint64(runs) {
			d.flights[id] = &Batch{Lane: LaneList}
		}
		if n := d.worth(min(d.listing(), gatherRuns)); n < 1 || n > d.o.window/64 {
			t.Errorf("beside %d runs: %d", runs, n)
		}
	}
}

// TestOthersDoNotProlongGathering: how long changes have waited for more of them is
// forgotten when some of them go, not when something else does.
func TestOthersDoNotProlongGathering(t *testing.T) {
	d := newTestDispatcher(t, Options{transport: &fakeTransport{}})
	d.bare.Store(new(bare))
	since := time.Now()
	d.gatherFrom = since
	for _, b := range []*Batch{{Lane: LaneList, tidy: true}, {Lane: LaneList, Retry: true}} {
		d.start(t.Context(), b, since)
		<-d.reports
		if d.gatherFrom != since {
			t.Fatalf("forgotten for a batch that is none of them: %+v", b)
		}
	}
	d.start(t.Context(), &Batch{Lane: LaneList}, since)
	<-d.reports
	if !d.gatherFrom.IsZero() {
		t.Error("not forgotten when a batch of them went")
	}
}

func newTestDispatcher(t *testing.T, o Options) *Dispatcher {
	t.Helper()
	o.Source, o.Name, o.Root, o.Target = "s", "r", "/s", Target{Kind: Local, Path: "/x"}
	o.Feed, o.Tree, o.Store = newMemJournal("/s"), newMemJournal("/s"), newMemRemote(0)
	d, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestBatchesFollowTheirTime: runs that last make the next ones smaller, those that
// are soon over larger again, within what is set; those that failed say nothing.
func TestBatchesFollowTheirTime(t *testing.T) {
	const soon, late = longRun/2 - 1, 2*longRun + 1
	for _, c := range []struct {
		most, workers int
		takes         []time.Duration
		want          []int
	}{
		{5000, 4, []time.Duration{late, late, late, late, soon, soon, soon, soon}, []int{5000, 2500, 1250, 1000, 1000, 2000, 4000, 5000}},
		{5000, 4, []time.Duration{longRun, 2 * longRun, soon, longRun}, []int{5000, 5000, 5000, 5000}},
		{500, 4, []time.Duration{late, late, soon}, []int{500, 500, 500}},
		{100_000, 4, []time.Duration{soon, late}, []int{window / 4, window / 4}},
	} {
		d := newTestDispatcher(t, Options{BatchFiles: c.most, Workers: c.workers})
		run := func(n int, lane Lane, class Class, v *Result, took time.Duration) {
			d.tookTime(report{batch: &Batch{Lane: lane, Items: make([]*Item, n)}, res: Result{Outcome: Outcome{Class: class}}, verify: v}, took)
		}
		var sizes []int
		for _, took := range c.takes {
			n := d.batchFiles()
			sizes = append(sizes, n)
			run(n, LaneList, ClassOK, nil, took)
			if took == late {
				run(n, LaneList, ClassOK, nil, took) // beside it, for the same reason
			}
			run(3, LaneList, ClassOK, nil, late) // says nothing of many
			run(3, LaneList, ClassOK, nil, soon)
			run(n, LaneBig, ClassOK, nil, late)
			run(n, LaneList, ClassTransient, nil, soon)
			run(n, LaneList, ClassTransient, nil, late)
			run(n, LaneList, ClassEntry, &Result{}, late)
		}
		if !slices.Equal(sizes, c.want) {
			t.Errorf("at most %d paths, %v: %v, want %v", c.most, c.takes, sizes, c.want)
		}
	}
}
