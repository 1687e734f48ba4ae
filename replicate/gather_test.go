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
