package replicate

import (
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// TestStampedAgainAfterNoSpace: a run that ended well before one that found no
// space may have left a directory with a wrong mtime, and rsync says nothing.
func TestStampedAgainAfterNoSpace(t *testing.T) {
	simulate(t, func(g *rig) { g.o.Workers = 2 }, func(t *testing.T, g *rig, f *fakeTransport) {
		write(t, g.src, map[string]string{"a/f": "1", "b/f": "1", "c/f": "1"})
		g.j.scan(t, true)
		slow := func(b *Batch, mode Mode) Result {
			if mode == Send && slices.Contains(b.Paths, "b/f") {
				time.Sleep(time.Second)
				return failed("E-NOSPACE", ClassTransient, 11)
			}
			return Result{Outcome: Outcome{Class: ClassOK}}
		}
		f.set(slow)
		g.j.change("b/f")
		time.Sleep(100 * time.Millisecond)
		g.j.change("a/f") // ends well while the other one is under way
		synctest.Wait()
		time.Sleep(time.Second)
		synctest.Wait()
		f.set(nil)
		before := len(f.all())
		time.Sleep(time.Minute)
		synctest.Wait()
		sent := map[string]bool{}
		for _, r := range f.all()[before:] {
			for _, p := range r.paths {
				sent[p] = true
			}
		}
		if !sent["a"] || sent["c"] || sent["a/f"] {
			t.Errorf("sent after there was space again: %v", sent)
		}
		runs := len(f.all())
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := len(f.all()); n != runs {
			t.Errorf("%d runs for nothing", n-runs)
		}
	})
}

// TestCodeOfMaxDelete: rsync ends with 25 only when it was given a limit; what
// else does so must not hold the remote until a person comes.
func TestCodeOfMaxDelete(t *testing.T) {
	simulate(t, nil, func(t *testing.T, g *rig, f *fakeTransport) {
		write(t, g.src, map[string]string{"a/f": "1"})
		f.set(func(*Batch, Mode) Result { return failed("G-MAXDELETE", ClassHeld, 25) })
		g.j.change("a/f")
		synctest.Wait()
		if st := g.d.Status(); st.State == StateHeld {
			t.Fatalf("held: %+v", st.Held)
		}
		f.set(nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		if st := g.d.Status(); st.State != StateInSync {
			t.Errorf("state %v", st.State)
		}
	})
}

// TestStampedAgainOnce: a directory that is itself sent in the doubtful time is
// stamped again when that is over, not over and over until then.
func TestStampedAgainOnce(t *testing.T) {
	simulate(t, nil, func(t *testing.T, g *rig, f *fakeTransport) {
		write(t, g.src, map[string]string{"a/f": "1", "b/f": "1"})
		g.j.scan(t, true)
		f.takes = 10 * time.Millisecond
		f.set(func(*Batch, Mode) Result { return failed("E-NOSPACE", ClassTransient, 11) })
		g.j.change("b/f")
		time.Sleep(50 * time.Millisecond)
		f.set(nil)
		g.d.RetryNow(nil)
		g.j.change("a")
		time.Sleep(50 * time.Millisecond)
		g.d.RetryNow(nil)
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := len(f.all()); n > 12 {
			t.Errorf("%d runs", n)
		}
		if st := g.d.Status(); st.State != StateInSync {
			t.Errorf("state %v", st.State)
		}
	})
}

// TestLeftWithoutSpace: a temporary file that could not be renamed for lack of
// space could not be removed either.
func TestLeftWithoutSpace(t *testing.T) {
	simulate(t, nil, func(t *testing.T, g *rig, f *fakeTransport) {
		write(t, g.src, map[string]string{"a/f": "1"})
		g.j.scan(t, true)
		left := true
		f.set(func(b *Batch, mode Mode) Result {
			switch {
			case mode == Send && slices.Contains(b.Paths, "a/f"):
				return failed("E-NOSPACE", ClassTransient, 23)
			case mode == Verify && slices.Contains(b.Paths, "a/f"):
				return Result{Outcome: Outcome{Class: ClassOK}, Changes: []Change{{Item: "<f+++++++++", Path: "a/f"}}}
			}
			return Result{Outcome: Outcome{Class: ClassOK}}
		})
		g.j.change("a/f")
		synctest.Wait()
		f.set(func(b *Batch, mode Mode) Result {
			res := Result{Outcome: Outcome{Class: ClassOK}}
			switch {
			case b.tidy && left:
				res.Changes = []Change{{Item: "*deleting", Path: "a/.f.AbCdEf", Delete: true}}
			case slices.Contains(b.Paths, "a/.f.AbCdEf") && b.Removes:
				left = false
			}
			return res
		})
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if left {
			t.Error("it stays")
		}
		if st := g.d.Status(); st.State != StateInSync {
			t.Errorf("state %v", st.State)
		}
	})
}

// TestSqueezedBatchKeepsItsStamps: of a batch that a file without space cut
// short, what arrived is acknowledged; the times of its directory, and links,
// which only the verify pass tells of, are sent again.
func TestSqueezedBatchKeepsItsStamps(t *testing.T) {
	simulate(t, nil, func(t *testing.T, g *rig, f *fakeTransport) {
		write(t, g.src, map[string]string{"a/f": "1", "b/x": "1", "b/y": "1"})
		g.j.scan(t, true)
		if err := g.d.Pause(t.Context(), "", time.Time{}); err != nil {
			t.Fatal(err)
		}
		first := true
		f.set(func(b *Batch, mode Mode) Result {
			switch {
			case mode == Send && first:
				return failed("E-NOSPACE", ClassTransient, 11)
			case mode == Verify && first:
				first = false
				return Result{Outcome: Outcome{Class: ClassOK}, Changes: []Change{
					{Item: ".d..t......", Path: "a"}, {Item: "<f+++++++++", Path: "b/x"}, {Item: "<f+++++++++", Path: "b/y"}}}
			}
			return Result{Outcome: Outcome{Class: ClassOK}}
		})
		g.j.change("a/f", "b/x", "b/y")
		if err := g.d.Resume(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		stamped := false
		for _, r := range f.all()[2:] {
			stamped = stamped || slices.Contains(r.paths, "a")
		}
		if !stamped || first {
			t.Errorf("a is not stamped: %+v", f.all())
		}
	})
}

// TestRootIsStampedAfterImpliedDirectory: what is in a new directory may be sent
// before the directory itself, which rsync then makes by the way.
func TestRootIsStampedAfterImpliedDirectory(t *testing.T) {
	g := newRig(t)
	g.start()
	g.sync()
	write(t, g.src, map[string]string{"new/sub/f": "x"})
	g.j.scan(t, true) // known, and not journaled
	past := time.Now().Add(-time.Hour)
	if err := os.Chtimes(g.src, past, past); err != nil {
		t.Fatal(err)
	}
	g.wait(g.j.change(""))
	g.wait(g.j.change("new/sub/f", "new/sub"))
	g.wait(g.j.change("new/sub/f", "new")) // in one run, which does not stamp the root
	g.equal()
}
