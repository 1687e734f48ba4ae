package replicate

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gorsyncd/journal"
)

// TestRunsShareADirectory: one run stamps a directory, others write into it at
// the same time, and it is stamped again after the last of them; that it has to
// be is as durable as what they acknowledge.
func TestRunsShareADirectory(t *testing.T) {
	opt := func(g *rig) { g.o.Workers, g.o.BatchFiles = 3, 2 }
	simulate(t, opt, func(t *testing.T, g *rig, f *fakeTransport) {
		var mu sync.Mutex
		var ended []Batch
		f.set(func(b *Batch, _ Mode) Result {
			mu.Lock()
			defer mu.Unlock()
			ended = append(ended, *b)
			return Result{Outcome: Outcome{Class: ClassOK}}
		})
		var paths []string
		for i := range 9 {
			paths = append(paths, fmt.Sprintf("d/f%d", i))
			write(t, g.src, map[string]string{paths[i]: "1"})
		}
		g.j.change(paths[0])
		synctest.Wait() // the remote has the directory
		f.mu.Lock()
		f.takes = time.Second
		f.mu.Unlock()
		begin := time.Now()
		seq := g.j.change(paths[1:]...)
		time.Sleep(1500 * time.Millisecond)
		synctest.Wait()
		if r, ok := g.r.retry("d"); !ok || r.Op != journal.OpChange {
			t.Errorf("the stamp is not kept: %+v", g.r.retries)
		}
		if err := g.d.WaitFor(t.Context(), seq, nil); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin).Round(100 * time.Millisecond); took != 3*time.Second {
			t.Errorf("four runs of a second and a stamp took %v with three workers", took)
		}
		mu.Lock()
		defer mu.Unlock()
		within := 0
		for _, b := range ended {
			if len(b.Within) > 0 {
				within++
			}
		}
		if last := ended[len(ended)-1]; within < 2 || !slices.Equal(last.Paths, []string{"d"}) {
			t.Errorf("%d runs within, the last run lists %q", within, last.Paths)
		}
	})
}

// TestStampsShareRuns: beside others stamps go once a second, those of a directory
// that is never at rest as well, and what else is due does not wait for them.
func TestStampsShareRuns(t *testing.T) {
	opt := func(g *rig) { g.o.Workers, g.o.BatchFiles = 4, 5 }
	simulate(t, opt, func(t *testing.T, g *rig, f *fakeTransport) {
		f.takes = 230 * time.Millisecond
		end := time.Now().Add(20 * time.Second)
		for i := 0; time.Now().Before(end); i++ {
			p := []string{fmt.Sprintf("hot/f%d", i), fmt.Sprintf("d%d/f%d", i%7, i)}
			write(t, g.src, map[string]string{p[0]: "1", p[1]: "1"})
			g.j.change(p...)
			time.Sleep(10 * time.Millisecond)
		}
		runs, seen := 0, map[string]int{}
		for _, r := range f.all() {
			if r.retry {
				runs++
				for _, p := range r.paths {
					seen[p]++
				}
			}
		}
		for _, dir := range []string{"hot", "d0", "d1", "d2", "d3", "d4", "d5", "d6"} {
			if seen[dir] < 2 {
				t.Errorf("%s was stamped %d times in 20 s", dir, seen[dir])
			}
		}
		if runs > 35 {
			t.Errorf("%d runs for stamps in 20 s", runs)
		}
	})
}

// TestGatheredStampsHideNothing: the timer of a record that is due later.
func TestGatheredStampsHideNothing(t *testing.T) {
	now := time.Unix(1000, 0)
	s := newRetrySet([]journal.Retry{{Path: "stamp", Next: now.Add(-time.Second)}, {Path: "f", Next: now.Add(100 * time.Millisecond)}})
	if next, ok := s.next(now); !ok || !next.Equal(now.Add(100*time.Millisecond)) {
		t.Errorf("next %v %v", next, ok)
	}
}

// TestWhatWasReadIsTold: the journal is told whether a record that goes stood for
// the attributes of a directory alone.
func TestWhatWasReadIsTold(t *testing.T) {
	simulate(t, nil, func(t *testing.T, g *rig, f *fakeTransport) {
		write(t, g.src, map[string]string{"d/f": "1"})
		f.set(refuses("d/f"))
		g.j.change("d/f")
		synctest.Wait()
		f.set(nil)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		g.d.do(t.Context(), func() { g.d.restamp("d", time.Now()) })
		time.Sleep(5 * time.Second)
		synctest.Wait()
		g.d.do(t.Context(), func() { g.d.restamp("", time.Now()) })
		time.Sleep(5 * time.Second)
		synctest.Wait()
		var got []string
		for _, u := range g.r.deleted {
			got = append(got, fmt.Sprintf("%q %v", u.DelRetry, u.Shallow))
		}
		if want := []string{`["d/f"] false`, `["d"] true`, `[""] true`}; !slices.Equal(got, want) {
			t.Errorf("told %q, want %q", got, want)
		}
	})
}

// TestDirectoryThatGoesIsNotShared: what takes a directory away is seen before a
// run writes into it unlisted.
func TestDirectoryThatGoesIsNotShared(t *testing.T) {
	for name, gone := range map[string]func(j *memJournal){
		"removed":                  func(j *memJournal) { j.remove("d", 1) },
		"removed with one above":   func(j *memJournal) { j.remove("", 7) },
		"turned":                   func(j *memJournal) { j.append("d", journal.OpChange, journal.FlagTurned, 0) },
		"took the place of others": func(j *memJournal) { j.append("d", journal.OpChange, 0, 3) },
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, nil, func(t *testing.T, g *rig, f *fakeTransport) {
				write(t, g.src, map[string]string{"d/f": "1", "e/f": "1"})
				g.j.change("d/f", "e/f")
				synctest.Wait()
				if !g.d.standing["d"] || !g.d.standing["e"] {
					t.Fatalf("standing: %v", g.d.standing)
				}
				g.d.Pause(t.Context(), "", time.Time{})
				gone(g.j)
				synctest.Wait()
				if g.d.standing["d"] || g.d.standing["e"] != (name != "removed with one above") {
					t.Errorf("standing: %v", g.d.standing)
				}
			})
		})
	}
}

// TestSharedDirectoryForReal: a busy flat directory, with kills.
func TestSharedDirectoryForReal(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	g := newRig(t, targets["daemon"])
	g.o.Workers, g.o.BatchFiles = 4, 40
	g.start()
	files := map[string]string{}
	for i := range 400 {
		files[fmt.Sprintf("a/flat/f%d", i)] = "0"
	}
	write(t, g.src, files)
	g.sync()
	g.equal()
	within := 0
	for round := range 12 {
		for range 200 {
			p := fmt.Sprintf("a/flat/f%d", rnd.IntN(600))
			switch rnd.IntN(6) {
			case 0:
				os.Remove(g.src + "/" + p)
			case 1:
				os.Chmod(g.src+"/a/flat", os.FileMode(0o700+rnd.IntN(8)))
			default:
				write(t, g.src, map[string]string{p: fmt.Sprint(round, rnd.Uint64())})
			}
		}
		g.j.scan(t, false)
		if round%4 == 3 {
			time.Sleep(time.Duration(rnd.IntN(60)) * time.Millisecond)
			g.stop() // kills what is under way
			for _, b := range g.rec.sent() {
				within += len(b.Within)
			}
			g.start()
		}
	}
	g.sync()
	g.equal()
	if within == 0 {
		t.Error("no run wrote into a directory that another was to stamp")
	}
}
