package replicate

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gorsyncd/journal"
)

// The exit code of --max-delete is hidden by a path that fails in the same run,
// and a server does not pass it on.
func TestFullSyncHoldsMassDeletionWhateverTheCode(t *testing.T) {
	for _, name := range []string{"local failing", "daemon failing", "daemon", "ssh"} {
		t.Run(name, func(t *testing.T) {
			name, failing := strings.CutSuffix(name, " failing")
			g := newRig(t, targets[name], func(g *rig) { g.o.Delete, g.o.MaxDelete = DeleteAll, 5 })
			write(t, g.src, map[string]string{"a/bad": "new"})
			write(t, g.dst, map[string]string{"a/bad": "older"})
			if failing {
				immutable(t, g.dst+"/a/bad")
			}
			for i := range 40 {
				write(t, g.dst, map[string]string{fmt.Sprintf("a/stranger%d", i): "x"})
			}
			g.j.scan(t, true)
			g.r.full = &journal.FullSync{Reason: "new remote"}
			g.start()
			g.until("held", func() bool { return g.d.Status().State == StateHeld })
			if left, err := os.ReadDir(g.dst + "/a"); err != nil || len(left) < 41-5 {
				t.Errorf("only %d of 41 are left, %v", len(left), err)
			}
			if h := g.d.Status().Held; h == nil || !strings.Contains(h.Reason, "G-MAXDELETE") {
				t.Errorf("held %+v", h)
			}
		})
	}
}

// A directory that is replaced by a file takes what was in it along.
func TestGuardCountsReplacedDirectories(t *testing.T) {
	held := func(g *rig) bool { synctest.Wait(); return g.d.Status().State == StateHeld }
	limit := func(g *rig) { g.o.MaxDelete = 10 }
	t.Run("holds", func(t *testing.T) {
		simulate(t, limit, func(t *testing.T, g *rig, f *fakeTransport) {
			write(t, g.src, map[string]string{"a/d": "file", "a/e": "file"})
			g.j.append("a/e", journal.OpChange, 0, 10)
			if held(g) || len(f.all()) != 1 {
				t.Fatal("held at the limit")
			}
			time.Sleep(2 * guardWindow)
			g.j.append("a/d", journal.OpChange, 0, 11)
			if !held(g) || len(f.all()) != 1 {
				t.Fatalf("%d runs, %+v", len(f.all()), g.d.Status())
			}
			if err := g.d.Approve(t.Context()); err != nil {
				t.Fatal(err)
			}
			// The file changes before every remote has followed.
			g.j.append("a/d", journal.OpChange, 0, 11)
			if held(g) {
				t.Error("held again for what was approved")
			}
			// It becomes a directory, and a file once more.
			g.j.append("a/d", journal.OpChange, 0, 0)
			synctest.Wait()
			g.j.append("a/d", journal.OpChange, 0, 11)
			if !held(g) {
				t.Error("another replacement is not counted")
			}
		})
	})
	t.Run("counts once", func(t *testing.T) {
		simulate(t, limit, func(t *testing.T, g *rig, f *fakeTransport) {
			write(t, g.src, map[string]string{"a/d": "file", "a/e": "back"})
			if err := g.d.Pause(t.Context(), "", time.Time{}); err != nil {
				t.Fatal(err)
			}
			for range 3 {
				g.j.append("a/d", journal.OpChange, 0, 6)
				g.j.remove("a/e", 4)
				synctest.Wait()
				g.j.change("a/e")
				synctest.Wait()
			}
			g.j.remove("a/f", 4)
			synctest.Wait()
			if g.r.State().Held != "" {
				t.Fatalf("held at the limit: %s", g.r.State().Held)
			}
			g.j.remove("a/g", 1)
			synctest.Wait()
			if g.r.State().Held == "" {
				t.Error("a waiting replacement is forgotten")
			}
		})
	})
	t.Run("covered", func(t *testing.T) {
		simulate(t, limit, func(t *testing.T, g *rig, f *fakeTransport) {
			if err := g.d.Pause(t.Context(), "", time.Time{}); err != nil {
				t.Fatal(err)
			}
			g.j.append("a/d", journal.OpChange, 0, 6)
			synctest.Wait()
			g.j.remove("a", 9) // with the six
			synctest.Wait()
			if g.r.State().Held != "" {
				t.Errorf("what is below a removed directory counts twice: %s", g.r.State().Held)
			}
		})
	})
	t.Run("delete none", func(t *testing.T) {
		simulate(t, func(g *rig) { limit(g); g.o.Delete = DeleteNone }, func(t *testing.T, g *rig, f *fakeTransport) {
			write(t, g.src, map[string]string{"a/d": "file"})
			g.j.append("a/d", journal.OpChange, 0, 11)
			if held(g) {
				t.Error("held although nothing is deleted")
			}
		})
	})
}

// With delete: none a directory on the remote outlives its replacement at the
// source, and the path shows that it could not follow.
func TestDeleteNoneKeepsReplacedDirectories(t *testing.T) {
	for _, name := range []string{"local", "daemon"} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t, targets[name], func(g *rig) { g.o.Delete = DeleteNone }).start()
			write(t, g.src, map[string]string{"p/d/x": "1", "top/y": "2"})
			g.sync()
			os.RemoveAll(g.src + "/p/d")
			os.RemoveAll(g.src + "/top")
			write(t, g.src, map[string]string{"p/d": "file", "p/other": "3"})
			if err := os.Symlink("p", g.src+"/top"); err != nil {
				t.Fatal(err)
			}
			g.j.scan(t, false)
			kept := func(path string) {
				t.Helper()
				g.until(path+" fails", func() bool { rec, ok := g.r.retry(path); return ok && rec.ErrorID == "E-DEST-NOTEMPTY" })
			}
			kept("p/d")
			kept("top")
			if err := g.d.WaitFor(t.Context(), g.j.Head(), []string{"p/other"}); err != nil {
				t.Error(err)
			}
			for _, f := range []string{"/p/d/x", "/top/y", "/p/other"} {
				if _, err := os.Stat(g.dst + f); err != nil {
					t.Error(err)
				}
			}
			g.until("telling why", func() bool {
				e := g.d.Status().Error
				return e != nil && e.ID == "E-DEST-NOTEMPTY" && strings.Contains(e.Hint, "delete: none")
			})
			os.RemoveAll(g.dst + "/p/d")
			os.RemoveAll(g.dst + "/top")
			g.d.RetryNow(nil)
			g.wait(g.j.Head())
			g.equal()
		})
	}
}

func TestDeleteNoneFullSyncTellsReplacedDirectories(t *testing.T) {
	g := newRig(t, func(g *rig) { g.o.Delete = DeleteNone })
	write(t, g.src, map[string]string{"p/d": "file"})
	write(t, g.dst, map[string]string{"p/d/x": "1"})
	g.j.scan(t, true)
	g.r.full = &journal.FullSync{Reason: "new remote"}
	g.start()
	g.until("in the retry set", func() bool { rec, ok := g.r.retry("p/d"); return ok && rec.ErrorID == "E-DEST-NOTEMPTY" })
	if _, err := os.Stat(g.dst + "/p/d/x"); err != nil {
		t.Error(err)
	}
	os.RemoveAll(g.dst + "/p/d")
	g.d.RetryNow(nil)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := g.d.WaitFor(ctx, 0, nil); err != nil {
		t.Fatal(err)
	}
	g.equal()
}

// TestSupersededUnderWay: what is under way below a directory that goes away may
// yet be read, and is not done before its run has ended, however that ends.
func TestSupersededUnderWay(t *testing.T) {
	for name, end := range map[string]Result{
		"arrives":         {Outcome: Outcome{Class: ClassOK}},
		"the remote goes": failed("E-CONNECT", ClassTransient, 10),
		"its path fails":  failed("E-DEST-PERM", ClassEntry, 23),
	} {
		t.Run(name, func(t *testing.T) {
			simulate(t, nil, func(t *testing.T, g *rig, f *fakeTransport) {
				write(t, g.src, map[string]string{"d/f": "1", "e/f": "1"})
				f.takes = 10 * time.Second
				f.set(func(b *Batch, _ Mode) Result {
					if slices.Contains(b.Paths, "d/f") {
						return end
					}
					return Result{Outcome: Outcome{Class: ClassOK}}
				})
				seq := g.j.change("d/f")
				time.Sleep(time.Second)
				if err := os.RemoveAll(g.src + "/d"); err != nil {
					t.Fatal(err)
				}
				last := g.j.remove("d", 2)
				time.Sleep(5 * time.Second)
				synctest.Wait()
				if g.r.Cursor().Has(seq) {
					t.Error("done while it is under way")
				}
				if err := g.d.WaitFor(t.Context(), last, nil); err != nil {
					t.Fatal(err)
				}
				if c := g.r.Cursor(); c.Low != last {
					t.Errorf("the cursor stays at %+v", c)
				}
			})
		})
	}
}
