package replicate

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"gorsyncd/journal"
)

// shows makes comparisons print a change of a path, and calls then for each
// second look, before it ends.
func shows(item, path string, then func()) func(*Batch, Mode) Result {
	return func(b *Batch, mode Mode) Result {
		res := Result{Outcome: Outcome{Class: ClassOK}}
		if mode != Verify {
			return res
		}
		second := b.chunk == nil
		if second && then != nil {
			then()
		}
		parent, _ := parentOf(path)
		if slices.Contains(b.Paths, path) || slices.Contains(b.Paths, parent) && b.Lane == LaneReconcile {
			c, _ := parseChange(item + "|" + path)
			res.Changes = []Change{c}
		}
		return res
	}
}

func settled(t *testing.T, test func(t *testing.T, g *rig, f *fakeTransport)) {
	t.Helper()
	simulate(t, nil, func(t *testing.T, g *rig, f *fakeTransport) {
		write(t, g.src, map[string]string{"a/f": "1", "a/g": "1", "b/h": "1"})
		g.j.scan(t, true)
		test(t, g, f)
	})
}

// TestVerifyOfWhatIsOnItsWay: nothing that is being replicated is a difference,
// however it is, and all of it would be without what is on its way.
func TestVerifyOfWhatIsOnItsWay(t *testing.T) {
	ctx := context.Background()
	for name, c := range map[string]struct {
		path, item      string
		begin           func(g *rig, f *fakeTransport) // before the verify
		during          func(g *rig)                   // during each second look
		failing, nobody bool
	}{
		"nothing is":                 {path: "a/f", item: "<f.st......"},
		"nothing is, of a directory": {path: "a", item: ".d..t......"},
		"nothing is near":            {path: "a/f", item: "<f.st......", during: func(g *rig) { g.j.change("b/h") }},
		"queued": {path: "a/f", item: "<f.st......", nobody: true, begin: func(g *rig, f *fakeTransport) {
			f.takes = time.Hour // the workers are busy, the rest waits
			g.j.change("a/f")
		}},
		"a child is under way": {path: "a", item: ".d..t......", nobody: true, begin: func(g *rig, f *fakeTransport) {
			f.takes = time.Hour
			g.j.change("a/g")
		}},
		"below what was replaced": {path: "a/f", item: "<f.st......", nobody: true, begin: func(g *rig, f *fakeTransport) {
			f.takes = time.Hour
			g.j.append("a", journal.OpChange, 0, 3)
		}},
		"in the retry set": {path: "a/f", item: "<f.st......", nobody: true, begin: func(g *rig, _ *fakeTransport) {
			try(g.tb, g.d.do(ctx, func() {
				g.d.keepRetry(journal.Retry{Path: "a/f", Op: journal.OpChange, Next: time.Now().Add(time.Hour)})
			}))
		}},
		"a child is in the retry set": {path: "a", item: ".d..t......", nobody: true, begin: func(g *rig, _ *fakeTransport) {
			try(g.tb, g.d.do(ctx, func() {
				g.d.keepRetry(journal.Retry{Path: "a/g", Op: journal.OpChange, Next: time.Now().Add(time.Hour)})
			}))
		}},
		"failing": {path: "a/f", item: "<f.st......", nobody: true, failing: true, begin: func(g *rig, _ *fakeTransport) {
			try(g.tb, g.d.do(ctx, func() {
				g.d.keepRetry(journal.Retry{Path: "a/f", Op: journal.OpChange, Attempts: failingAfter, ErrorID: "E-DEST-PERM", Next: time.Now().Add(time.Hour)})
			}))
		}},
		"ahead of a full sync": {path: "a/f", item: "<f.st......", nobody: true, begin: func(g *rig, f *fakeTransport) {
			f.takes = time.Hour
			try(g.tb, g.d.FullSync(ctx, FullSyncRequest{}))
		}},
		"sent during the look": {path: "a/f", item: "<f.st......", nobody: true, during: func(g *rig) {
			g.j.change("a/f")
			time.Sleep(100 * time.Millisecond) // in virtual time: it comes and goes
		}},
		"stamped during the look": {path: "a", item: ".d..t......", nobody: true, during: func(g *rig) {
			g.j.change("a/g")
			time.Sleep(100 * time.Millisecond)
		}},
		"changed during the look": {path: "a/f", item: "<f.st......", nobody: true, during: func(g *rig) {
			write(g.tb, g.src, map[string]string{"a/f": time.Now().String()})
		}},
		"attributes changed during the look": {path: "a/f", item: "<f.st......", nobody: true, during: func(g *rig) {
			try(g.tb, os.Chmod(g.src+"/a/f", 0o600), os.Chmod(g.src+"/a/f", 0o644))
		}},
		"failing, but not for long": {path: "a/f", item: "<f.st......", nobody: true, begin: func(g *rig, _ *fakeTransport) {
			try(g.tb, g.d.do(ctx, func() {
				g.d.keepRetry(journal.Retry{Path: "a/f", Op: journal.OpChange, Attempts: 2, ErrorID: "E-DEST-PERM", Next: time.Now().Add(time.Hour)})
			}))
		}},
		"a temporary file": {path: "a/.f.aB3xY9", item: "*deleting  ", nobody: true, begin: func(g *rig, f *fakeTransport) {
			f.takes = time.Hour
			g.j.change("a/f")
		}},
		"a directory above came back": {path: "a/x", item: "*deleting  ", nobody: true, during: func(g *rig) {
			// Its entry has replaced that of its removal; what was in it is
			// journaled later.
			g.j.mu.Lock()
			defer g.j.mu.Unlock()
			g.j.since = map[string]uint64{"a": g.j.appendLocked("a", journal.OpChange, 0, 0)}
		}},
		"what nobody knows":  {path: "a/x", item: "*deleting  "},
		"what an rsync left": {path: "a/.f.aB3xY9", item: "*deleting  "},
	} {
		t.Run(name, func(t *testing.T) {
			settled(t, func(t *testing.T, g *rig, f *fakeTransport) {
				if c.begin != nil {
					c.begin(g, f)
					synctest.Wait()
				}
				f.mu.Lock()
				f.takes = 0
				f.mu.Unlock()
				during := func() {}
				if c.during != nil {
					during = func() { c.during(g) }
				}
				f.set(shows(c.item, c.path, during))
				v := g.verify(VerifyRequest{})
				_, told := v.diffs[c.path]
				if v.err != nil || told == c.nobody || len(v.diffs) > 1 {
					t.Fatalf("%v, told %+v, result %+v", v.err, v.diffs, v.res)
				}
				if c.nobody && (v.res.Pending != 1) != c.failing || (v.res.Failing == 1) != c.failing {
					t.Errorf("pending %d, failing %d", v.res.Pending, v.res.Failing)
				}
			})
		})
	}
}

// TestVerifySeesTheOtherNames: a file is on its way under another of its names.
func TestVerifySeesTheOtherNames(t *testing.T) {
	settled(t, func(t *testing.T, g *rig, f *fakeTransport) {
		try(t, os.Link(g.src+"/a/f", g.src+"/b/other"))
		g.j.scan(t, true)
		try(t, g.d.do(context.Background(), func() {
			g.d.keepRetry(journal.Retry{Path: "b/other", Op: journal.OpChange, Next: time.Now().Add(time.Hour)})
		}))
		f.set(shows("<f.st......", "a/f", nil))
		if v := g.verify(VerifyRequest{}); v.err != nil || len(v.diffs) > 0 || v.res.Pending != 1 {
			t.Fatalf("%v %+v %+v", v.err, v.diffs, v.res)
		}
	})
}

// TestVerifyWaitsForTheJournal: what changed before the fence counts only when
// the journal has it.
func TestVerifyWaitsForTheJournal(t *testing.T) {
	more := uint64(1) // not read yet
	simulate(t, func(g *rig) {
		g.o.Fence = func(context.Context) (uint64, error) { return g.j.Head() + more, nil }
	}, func(t *testing.T, g *rig, f *fakeTransport) {
		write(t, g.src, map[string]string{"a/f": "1"})
		g.j.scan(t, true)
		f.set(shows("<f.st......", "a/f", nil))
		if v := g.verify(VerifyRequest{}); v.err != nil || len(v.diffs) > 0 || v.res.Pending != 1 {
			t.Fatalf("%v %+v %+v", v.err, v.diffs, v.res)
		}
		more = 0 // also where nothing was ever journaled
		g.verify(VerifyRequest{}).expect(t, "a/f: size time")
	})
}

// TestVerifyThatCannot: each reason is told, and whether it needs a person.
func TestVerifyThatCannot(t *testing.T) {
	ctx := context.Background()
	held := false
	for name, c := range map[string]struct {
		begin   func(g *rig, f *fakeTransport)
		reason  string
		problem bool
	}{
		"paused": {func(g *rig, _ *fakeTransport) { try(g.tb, g.d.Pause(ctx, "disk swap", time.Time{})) }, "paused: disk swap", false},
		"held": {func(g *rig, _ *fakeTransport) {
			try(g.tb, g.d.do(ctx, func() { g.d.hold("G-MAXDELETE too many", time.Now()) }))
		}, "held: G-MAXDELETE too many", true},
		"source held": {func(*rig, *fakeTransport) { held = true }, "a guard holds the source", true},
		"source gone": {func(g *rig, _ *fakeTransport) { try(g.tb, os.Rename(g.src, g.src+".away")) }, "E-SOURCE", true},
		"unreachable": {func(_ *rig, f *fakeTransport) {
			f.set(func(*Batch, Mode) Result { return failed("E-CONNECT", ClassTransient, 10) })
		}, "E-CONNECT it failed", false},
		"refused": {func(_ *rig, f *fakeTransport) {
			f.set(func(*Batch, Mode) Result { return failed("E-AUTH", ClassConfig, 5) })
		}, "E-AUTH it failed", true},
	} {
		t.Run(name, func(t *testing.T) {
			held = false
			simulate(t, func(g *rig) { g.o.Held = func() bool { return held } }, func(t *testing.T, g *rig, f *fakeTransport) {
				write(t, g.src, map[string]string{"a/f": "1"})
				g.j.scan(t, true)
				c.begin(g, f)
				v := g.verify(VerifyRequest{Scheduled: time.Now()})
				var why *NotComparedError
				if !errors.As(v.err, &why) || !strings.Contains(v.err.Error(), c.reason) || why.Problem != c.problem {
					t.Fatalf("%#v", v.err)
				}
				if v.res.Complete || v.res.Message == "" || g.r.State().Verify != (journal.VerifyState{}) {
					t.Errorf("result %+v, kept %+v", v.res, g.r.State().Verify)
				}
			})
		})
	}
}

// TestVerifyOfAFlakyRemote: a failure that passes does not end a verify.
func TestVerifyOfAFlakyRemote(t *testing.T) {
	settled(t, func(t *testing.T, g *rig, f *fakeTransport) {
		n := 0
		ok := shows("<f.st......", "a/f", nil)
		f.set(func(b *Batch, m Mode) Result {
			if n++; n%2 == 1 {
				return failed("E-CONNECT", ClassTransient, 10)
			}
			return ok(b, m)
		})
		g.verify(VerifyRequest{}).expect(t, "a/f: size time")
	})
}

// TestVerifyThatIsNotTheOnlyOne: one at a time, and a remote that stops ends it.
func TestVerifyThatIsNotTheOnlyOne(t *testing.T) {
	settled(t, func(t *testing.T, g *rig, f *fakeTransport) {
		f.mu.Lock()
		f.takes = time.Hour
		f.mu.Unlock()
		ended := make(chan verified)
		go func() { ended <- g.verify(VerifyRequest{}) }()
		synctest.Wait()
		if v := g.verify(VerifyRequest{}); !errors.Is(v.err, ErrVerifying) {
			t.Fatalf("a second verify: %v", v.err)
		}
		if st := g.d.Status(); st.Verify == nil || st.Verify.Running == nil || st.Verify.Running.TotalDirs != 3 {
			t.Errorf("status while it runs: %+v", st.Verify)
		}
		begin := time.Now()
		g.d.Drain()
		v := <-ended
		if !errors.Is(v.err, ErrStopped) || time.Since(begin) > time.Minute {
			t.Fatalf("after %s: %v", time.Since(begin), v.err)
		}
	})
}

// TestVerifyOfWhatCannotBeRead: a directory that fails is named by itself, the
// others are compared.
func TestVerifyOfWhatCannotBeRead(t *testing.T) {
	settled(t, func(t *testing.T, g *rig, f *fakeTransport) {
		ok := shows("<f.st......", "b/h", nil)
		f.set(func(b *Batch, m Mode) Result {
			if slices.Contains(b.Paths, "a") {
				return failed("E-SRC-PERM", ClassEntry, 23)
			}
			return ok(b, m)
		})
		v := g.verify(VerifyRequest{})
		v.expect(t, "b/h: size time")
		if v.res.Unread != 1 || v.res.Complete {
			t.Errorf("result %+v", v.res)
		}
	})
}

// TestVerifyTakesNothingForEqual that a second look did not come to.
func TestVerifyTakesNothingForEqual(t *testing.T) {
	settled(t, func(t *testing.T, g *rig, f *fakeTransport) {
		ok := shows("<f.st......", "b/h", nil)
		f.set(func(b *Batch, m Mode) Result {
			if b.chunk == nil {
				return failed("E-SRC-PERM", ClassEntry, 23)
			}
			return ok(b, m)
		})
		if v := g.verify(VerifyRequest{}); v.err != nil || len(v.diffs) > 0 || v.res.Pending != 1 {
			t.Fatalf("%v %+v %+v", v.err, v.diffs, v.res)
		}
	})
}

// TestFullSyncHealsWhatAVerifyFound, and the status says so.
func TestFullSyncHealsWhatAVerifyFound(t *testing.T) {
	g := newRig(t)
	write(t, g.src, map[string]string{"a/f": "1"})
	g.start().sync()
	write(t, g.dst, map[string]string{"a/f": "tampered"})
	g.verify(VerifyRequest{}).expect(t, "a/f: size time")
	if st := g.d.Status(); st.Error == nil || st.Error.ID != idDiverged {
		t.Fatalf("error %+v", st.Error)
	}
	try(t, g.d.FullSync(context.Background(), FullSyncRequest{}))
	g.wait(g.j.Head())
	g.equal()
	if st := g.d.Status(); st.Error != nil || g.r.State().Verify.Diverged != 0 {
		t.Fatalf("error %+v, kept %+v", st.Error, g.r.State().Verify)
	}
}

// TestVerifyKeepsWhatItFound: a part says nothing about the rest, and content
// that differs is healed only by what looks at content.
func TestVerifyKeepsWhatItFound(t *testing.T) {
	at := func(n int) time.Time { return time.Unix(int64(n), 0) }
	end := func(r VerifyResult, n int) VerifyResult { r.Started, r.Ended = at(n), at(n+1); return r }
	var s journal.VerifyState
	step := func(what string, want uint64) {
		t.Helper()
		if s.Diverged != want {
			t.Errorf("%s: %d paths, want %d (%+v)", what, s.Diverged, want, s)
		}
	}
	all := VerifyRequest{}
	s = nextVerify(s, VerifyRequest{Scheduled: at(9)}, end(VerifyResult{Complete: true, Differences: 3}, 10))
	step("found", 3)
	if !s.Scheduled.Equal(at(9)) {
		t.Error("the schedule was not served")
	}
	s = nextVerify(s, VerifyRequest{Scheduled: at(19)}, end(VerifyResult{Message: "unreachable"}, 20))
	step("a failed one", 3)
	if !s.Ended.Equal(at(11)) || !s.Scheduled.Equal(at(9)) {
		t.Errorf("a failed one is kept: %+v", s)
	}
	s = nextVerify(s, all, end(VerifyResult{Complete: true, Path: "a"}, 30))
	step("a part that is equal", 3)
	s = nextVerify(s, all, end(VerifyResult{Complete: true, Path: "a", Differences: 9, Repaired: 2}, 40))
	step("a part that is worse", 7)
	s = nextVerify(s, all, end(VerifyResult{Complete: true, Differences: 5, Repaired: 5}, 50))
	step("repaired", 0)
	s = nextVerify(s, all, end(VerifyResult{Complete: true, Checksum: true, Differences: 1}, 60))
	step("content", 1)
	s = nextVerify(s, all, end(VerifyResult{Complete: true}, 70))
	step("without content", 1)
	s = healed(s, journal.FullSync{Started: at(80)})
	step("full sync without content", 1)
	s = healed(s, journal.FullSync{Started: at(80), Checksum: true, Sub: "a"})
	step("full sync of a part", 1)
	s = healed(s, journal.FullSync{Started: at(60), Checksum: true})
	step("full sync from before", 1)
	s = healed(s, journal.FullSync{Started: at(80), Checksum: true})
	step("full sync", 0)
}
