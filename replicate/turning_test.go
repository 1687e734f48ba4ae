package replicate

import (
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gorsyncd/journal"
)

// turned makes a directory where the remote has something else, while the one
// above it is being written.
func turned(t *testing.T, g *rig, f *fakeTransport) (seq uint64) {
	t.Helper()
	write(t, g.src, map[string]string{"d/x": "1", "d/a/s/f": "1", "d/a/s/t/f": "1", "d/b/s/f": "1"})
	f.mu.Lock()
	f.takes = time.Second
	f.mu.Unlock()
	g.j.change("d/x")
	synctest.Wait()
	time.Sleep(100 * time.Millisecond)
	synctest.Wait()
	g.j.append("d/a", journal.OpChange, journal.FlagTurned, 0)
	g.j.remove("d/a/s/gone", 1)
	return g.j.change("d/a/s", "d/a/s/f", "d/a/s/t", "d/a/s/t/f", "d/b/s/f")
}

// TestNothingOvertakesATurnedDirectory: what the remote has in its place may be
// a symbolic link, behind which everything below it would land.
func TestNothingOvertakesATurnedDirectory(t *testing.T) {
	simulate(t, nil, func(t *testing.T, g *rig, f *fakeTransport) {
		if err := g.d.WaitFor(t.Context(), turned(t, g, f), nil); err != nil {
			t.Fatal(err)
		}
		there, besides := time.Time{}, false
		for _, r := range f.all() {
			if slices.Contains(r.paths, "d/a") {
				there = r.at.Add(time.Second)
				continue
			}
			besides = besides || slices.Contains(r.paths, "d/b/s/f") && there.IsZero()
			for _, p := range r.paths {
				if isBelow(p, "d/a") && (there.IsZero() || r.at.Before(there)) {
					t.Errorf("%q is sent before d/a", p)
				}
			}
		}
		if there.IsZero() {
			t.Error("d/a is not sent")
		}
		if !besides {
			t.Error("what has nothing to do with it waits, too")
		}
	})
}

// TestBelowAFailedDirectory: what is below a directory that cannot take its
// place fails with it, holds nothing else, and follows when it can.
func TestBelowAFailedDirectory(t *testing.T) {
	simulate(t, nil, func(t *testing.T, g *rig, f *fakeTransport) {
		f.set(func(b *Batch, mode Mode) Result {
			for _, p := range b.Paths {
				if isBelow(p, "d/a") && !slices.Contains(b.Paths, "d/a") {
					t.Errorf("%q is sent without d/a", b.Paths)
				}
			}
			return refuses("d/a")(b, mode)
		})
		write(t, g.src, map[string]string{"d/a/s/t/f": "1", "d/b/s/f": "1"})
		g.j.append("d/a", journal.OpChange, journal.FlagTurned, 0)
		time.Sleep(10 * time.Second)
		g.j.remove("d/a/s/gone", 1)
		seq := g.j.change("d/a/s/t/f", "d/b/s/f")
		time.Sleep(time.Minute)
		synctest.Wait()
		if low := g.r.Cursor().Low; low != seq {
			t.Errorf("cursor %d, want %d", low, seq)
		}
		for _, p := range []string{"d/a", "d/a/s/gone", "d/a/s/t/f"} {
			if rec, ok := g.r.retry(p); !ok || rec.ErrorID != "E-DEST-PERM" {
				t.Errorf("%s: %+v", p, rec)
			}
		}
		if _, ok := g.r.retry("d/b/s/f"); ok {
			t.Error("a path elsewhere failed, too")
		}
		f.set(nil)
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if st := g.d.Status(); st.State != StateInSync {
			t.Errorf("state %s, failing %d", st.State, st.Failing)
		}
		sent := map[string]bool{}
		for _, r := range f.all() {
			for _, p := range r.paths {
				sent[p] = true
			}
		}
		if !sent["d/a/s/gone"] || !sent["d/a/s/t/f"] {
			t.Errorf("what waited was not sent: %v", sent)
		}
	})
}

// TestTurnedDirectoryInFullSync: a full sync does not overtake it, either.
func TestTurnedDirectoryInFullSync(t *testing.T) {
	g := newRig(t, targets["daemon"]).start()
	write(t, g.src, map[string]string{"d/real/keep": "1"})
	if err := os.Symlink("real", g.src+"/d/a"); err != nil {
		t.Fatal(err)
	}
	g.sync()
	g.stop()
	if err := os.Remove(g.src + "/d/a"); err != nil {
		t.Fatal(err)
	}
	write(t, g.src, map[string]string{"d/a/s/t/u/f": strings.Repeat("x", 1000)})
	g.r.mu.Lock()
	g.r.full = &journal.FullSync{Reason: "test"}
	g.r.mu.Unlock()
	g.start()
	g.sync()
	g.equal()
}
