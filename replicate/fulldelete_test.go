package replicate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"gorsyncd/journal"
)

// heldOn stops every run at the deletion limit.
func heldOn(mode Mode) func(*Batch, Mode) Result {
	return func(_ *Batch, m Mode) Result {
		if m == mode {
			return failed("G-MAXDELETE", ClassHeld, 25)
		}
		res := failed("E-PARTIAL", ClassEntry, 23)
		return res
	}
}

func TestHeldVerifyPassHolds(t *testing.T) {
	for _, mode := range []Mode{Send, Verify} {
		simulate(t, func(g *rig) {
			write(t, g.src, map[string]string{"a/f": "1"})
			g.pending()
			g.o.Delete, g.o.MaxDelete = DeleteAll, 5
		}, func(t *testing.T, g *rig, f *fakeTransport) {
			g.stop()
			g.r.full = &journal.FullSync{Reason: "new remote"}
			f.set(heldOn(mode))
			g.start()
			synctest.Wait()
			st := g.d.Status()
			if st.State != StateHeld || st.FullSync == nil || st.FullSync.Done != 0 || len(g.r.retries) != 0 {
				t.Errorf("mode %d: status %+v, retries %v", mode, st, g.r.retries)
			}
		})
	}
}

func TestFailingFileDoesNotLiftTheDeletionLimit(t *testing.T) {
	g := newRig(t)
	confined(t, g)
	write(t, g.src, map[string]string{"a/f": "x", "a/bad": "x"})
	os.Chmod(g.src+"/a/bad", 0)
	for i := range 40 {
		write(t, g.dst, map[string]string{fmt.Sprintf("a/stranger%d", i): "x"})
	}
	g.pending()
	g.o.Delete, g.o.MaxDelete = DeleteAll, 5
	g.start()
	g.until("held", func() bool { return g.d.Status().State == StateHeld })
	if left, _ := os.ReadDir(g.dst + "/a"); len(left) < 35 {
		t.Errorf("only %d are left", len(left))
	}
	if len(g.r.retries) > 0 {
		t.Errorf("retries %v", g.r.retries)
	}
	os.Chmod(g.src+"/a/bad", 0o644)
	g.j.scan(t, false)
	if err := g.d.Approve(context.Background()); err != nil {
		t.Fatal(err)
	}
	g.wait(0)
	g.equal()
}

// A stranger that cannot be removed is no removal of the journal's.
func TestGuardedDeletionIsNoRetry(t *testing.T) {
	g := newRig(t, func(g *rig) { g.o.Delete, g.o.MaxDelete = DeleteAll, 5 })
	write(t, g.src, map[string]string{"a/f": "x", "b/f": "x"})
	write(t, g.dst, map[string]string{"a/stranger": "x"})
	heal := immutable(t, g.dst+"/a/stranger")
	g.pending()
	g.start()
	g.until("failing", func() bool { st := g.d.Status(); return st.Error != nil && st.Error.Path == "a" && st.FullSync != nil })
	if _, ok := g.r.retry("a/stranger"); ok {
		t.Error("a retry would remove it past the guard")
	}
	heal()
	g.d.RetryNow(nil)
	g.wait(0)
	g.equal()
}

func TestDeletionLimitIsForTheWholeFullSync(t *testing.T) {
	for _, limit := range []int{25, 100} {
		g := newRig(t, func(g *rig) { g.o.Delete, g.o.MaxDelete = DeleteAll, uint64(limit) })
		for d := range 100 {
			write(t, g.src, map[string]string{fmt.Sprintf("d%d/f", d): "x"})
			write(t, g.dst, map[string]string{fmt.Sprintf("d%d/stranger", d): "x"})
		}
		// All that is allowed is deleted long before the end.
		for d := range 100 {
			write(t, g.src, map[string]string{fmt.Sprintf("e%d/f", d): "x"})
		}
		g.pending()
		g.start()
		if limit == 100 {
			g.wait(0)
			g.equal()
			continue
		}
		g.until("held", func() bool { return g.d.Status().State == StateHeld })
		left := 0
		for d := range 100 {
			if _, err := os.Stat(fmt.Sprintf("%s/d%d/stranger", g.dst, d)); err == nil {
				left++
			}
		}
		if left != 75 {
			t.Errorf("%d are left", left)
		}
		if err := g.d.Approve(context.Background()); err != nil {
			t.Fatal(err)
		}
		g.wait(0)
		g.equal()
	}
}

func TestEmptyRootDeletesNothingForeign(t *testing.T) {
	g := newRig(t, func(g *rig) { g.o.Delete = DeleteAll })
	write(t, g.dst, map[string]string{"keep": "x", "d/keep": "x"})
	g.pending()
	g.start()
	g.wait(0)
	for _, f := range []string{"keep", "d/keep"} {
		if _, err := os.Stat(g.dst + "/" + f); err != nil {
			t.Error(err)
		}
	}
	write(t, g.src, map[string]string{"f": "x"})
	g.sync()
	if err := g.d.FullSync(context.Background(), FullSyncRequest{Reason: "test"}); err != nil {
		t.Fatal(err)
	}
	g.wait(0)
	g.equal()
}

// What differs only by content is not forgotten with the backlog it is in.
func TestRequireFullSyncKeepsContentChanges(t *testing.T) {
	g := newRig(t).start()
	old := time.Unix(1600000000, 123456789)
	files := []string{"e/queued", "e/unread", "e/failing"}
	put := func(files []string, content string) {
		for _, f := range files {
			write(t, g.src, map[string]string{f: content})
			os.Chtimes(g.src+"/"+f, old, old)
		}
		g.j.scan(t, false)
	}
	put(files, "AAAA")
	g.wait(g.j.Head())
	g.equal()
	if err := g.d.Pause(context.Background(), "x", time.Time{}); err != nil {
		t.Fatal(err)
	}
	put(files[:1], "BBBB")
	g.until("queued", func() bool { return g.d.Explain("e/queued").State == PathQueued })
	put(files[1:], "BBBB")
	if err := g.d.RequireFullSync(context.Background(), "max_size"); err != nil {
		t.Fatal(err)
	}
	if rec, ok := g.r.retry("e/queued"); !ok || rec.Flags&journal.FlagChecksum == 0 || g.r.FullSync().Checksum {
		t.Errorf("retry record %+v, full sync %+v", rec, g.r.FullSync())
	}
	if err := g.d.Resume(context.Background()); err != nil {
		t.Fatal(err)
	}
	g.wait(g.j.Head())
	g.equal()
}

// flagged is a journal of nothing but changes of content.
type flagged struct {
	*memJournal
	n   uint64
	err error
}

func (f flagged) Head() uint64 { return f.n }

func (f flagged) Entries(from uint64, limit int) ([]journal.Entry, error) {
	var out []journal.Entry
	for seq := from; seq <= f.n && len(out) < limit; seq++ {
		out = append(out, journal.Entry{Seq: seq, Op: journal.OpChange, Flags: journal.FlagChecksum, Path: fmt.Sprint("p", seq), Time: time.Now()})
	}
	return out, f.err
}

func TestRequireFullSyncOfManyContentChanges(t *testing.T) {
	for _, n := range []uint64{maxContentOnly, maxContentOnly + 1} {
		dir := t.TempDir()
		j := newMemJournal(dir)
		target, _ := ParseTarget("h::m")
		feed := flagged{memJournal: j, n: n}
		d, err := New(Options{Root: dir, Target: target, Feed: feed, Tree: j, Store: newMemRemote(0)})
		if err != nil {
			t.Fatal(err)
		}
		if err := d.load(); err != nil {
			t.Fatal(err)
		}
		if err := d.requireFull("test", time.Unix(1, 0)); err != nil {
			t.Fatal(err)
		}
		many := n > maxContentOnly
		if d.full.rec.Checksum != many || many != (d.retries.len() == 0) || !many && d.retries.len() != int(n) {
			t.Errorf("%d changes: full sync %+v, %d retries", n, d.full.rec, d.retries.len())
		}
		feed.err = errors.New("no journal")
		d.o.Feed = feed
		d.ledger.read = 0
		if err := d.requireFull("test", time.Unix(1, 0)); !errors.Is(err, feed.err) || d.ledger.read != 0 {
			t.Errorf("the cursor is given up although the journal cannot be read: %v", err)
		}
	}
}
