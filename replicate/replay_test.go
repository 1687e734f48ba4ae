package replicate

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"gorsyncd/journal"
)

// setBack replaces the destination by a copy that was made of it.
func (g *rig) setBack(copied string) {
	g.tb.Helper()
	for _, args := range [][]string{{"rsync", "-a", "--delete", copied + "/", g.dst + "/"}} {
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			g.tb.Fatalf("%v: %v %s", args, err, out)
		}
	}
}

func (g *rig) snapshot() string {
	g.tb.Helper()
	to := filepath.Join(g.tb.TempDir(), "snapshot")
	if out, err := exec.Command("cp", "-a", g.dst, to).CombinedOutput(); err != nil {
		g.tb.Fatalf("%v %s", err, out)
	}
	return to
}

func (g *rig) replay(r ReplayRequest) ReplayResult {
	g.tb.Helper()
	res, err := g.d.Replay(g.tb.Context(), r)
	if err != nil {
		g.tb.Fatal(err)
	}
	return res
}

func TestReplayBringsARemoteForward(t *testing.T) {
	g := newRig(t)
	write(t, g.src, map[string]string{"keep/a": "1", "same": "equal", "gone/x": "1", "gone/y/z": "1", "d/e": "1", "lone": "1", "turn/x": "1"})
	g.j.scan(t, true)
	g.start()
	if err := g.d.FullSync(t.Context(), FullSyncRequest{Reason: "test"}); err != nil {
		t.Fatal(err)
	}
	g.wait(0)
	g.equal()
	back, from := g.snapshot(), g.j.Head()+1

	fi, err := os.Stat(filepath.Join(g.src, "same"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, g.src, map[string]string{"same": "EQUAL", "new/a/b/c": "1", "d/e": "changed", "new2": "1"})
	if err := os.Chtimes(filepath.Join(g.src, "same"), fi.ModTime(), fi.ModTime()); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"gone", "lone", "turn"} {
		if err := os.RemoveAll(filepath.Join(g.src, p)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("keep", filepath.Join(g.src, "turn")); err != nil {
		t.Fatal(err)
	}
	g.j.change("same") // the scan of this journal does not see the ctime as a reason to compare content
	g.sync()
	g.equal()
	g.setBack(back)

	var paths []string
	res := g.replay(ReplayRequest{From: from, DryRun: true, Each: func(e journal.Entry) error {
		paths = append(paths, fmt.Sprint(map[journal.Op]string{journal.OpRemove: "-"}[e.Op], e.Path))
		return nil
	}})
	slices.Sort(paths)
	want := []string{"", "-gone", "-lone", "-turn/x", "d/e", "new", "new/a", "new/a/b", "new/a/b/c", "new2", "same", "turn"}
	if !slices.Equal(paths, want) || res.Removals != 3 || res.Changes != uint64(len(want)-3) || res.Deletes < 4 {
		t.Errorf("dry run: %q, %+v", paths, res)
	}
	if b, err := os.ReadFile(filepath.Join(g.dst, "d/e")); err != nil || string(b) != "1" {
		t.Errorf("a dry run changed the remote: %q %v", b, err)
	}
	g.replay(ReplayRequest{From: from})
	if _, ok := g.r.retry("lone"); !ok {
		if _, err := os.Lstat(filepath.Join(g.dst, "lone")); err == nil {
			t.Error("a removal is neither durable nor done")
		}
	}
	g.wait(g.j.Head())
	g.equal()
}

func TestReplayOfAPart(t *testing.T) {
	g := newRig(t)
	write(t, g.src, map[string]string{"a/x": "1", "b/x": "1"})
	g.j.scan(t, true)
	g.start()
	if err := g.d.FullSync(t.Context(), FullSyncRequest{Reason: "test"}); err != nil {
		t.Fatal(err)
	}
	g.wait(0)
	back, from := g.snapshot(), g.j.Head()+1
	write(t, g.src, map[string]string{"a/x": "22", "a/n/m": "1", "c/d/e": "1"})
	if err := os.RemoveAll(filepath.Join(g.src, "b")); err != nil {
		t.Fatal(err)
	}
	g.sync()
	g.setBack(back)
	for _, sub := range []string{"a", "c/d", "b/x"} {
		g.replay(ReplayRequest{From: from, Sub: sub})
		g.wait(g.j.Head())
	}
	for path, there := range map[string]bool{"a/n/m": true, "c/d/e": true, "b": true, "b/x": false} {
		if _, err := os.Lstat(filepath.Join(g.dst, path)); (err == nil) != there {
			t.Errorf("%s: %v", path, err)
		}
	}
	g.replay(ReplayRequest{From: from})
	g.wait(g.j.Head())
	g.equal()
}

// TestReplayIsHeldByTheGuard: nothing is sent before a person approves.
func TestReplayIsHeldByTheGuard(t *testing.T) {
	g := newRig(t, func(g *rig) { g.o.MaxDelete = 3 })
	write(t, g.src, map[string]string{"d/1": "1", "d/2": "1", "d/3": "1", "d/4": "1", "keep": "1"})
	g.j.scan(t, true)
	g.start()
	if err := g.d.FullSync(t.Context(), FullSyncRequest{Reason: "test"}); err != nil {
		t.Fatal(err)
	}
	g.wait(0)
	back, from := g.snapshot(), g.j.Head()+1
	if err := os.RemoveAll(filepath.Join(g.src, "d")); err != nil {
		t.Fatal(err)
	}
	g.j.scan(t, false)
	g.until("held", func() bool { return g.d.Status().State == StateHeld })
	if err := g.d.Approve(t.Context()); err != nil {
		t.Fatal(err)
	}
	g.wait(g.j.Head())
	g.equal()
	g.setBack(back)
	if res := g.replay(ReplayRequest{From: from, DryRun: true}); res.Held == "" || g.d.Status().State == StateHeld {
		t.Errorf("dry run: %+v", res)
	}
	if res := g.replay(ReplayRequest{From: from}); res.Held == "" || res.Deletes != 5 {
		t.Errorf("%+v", res)
	}
	if st := g.d.Status(); st.State != StateHeld {
		t.Errorf("state %s", st.State)
	}
	if _, err := os.Lstat(filepath.Join(g.dst, "d/1")); err != nil {
		t.Error("removed without an approval")
	}
	g.stop()
	g.start() // a crash would be the same: it is all durable
	g.until("held after a start", func() bool { return g.d.Status().State == StateHeld })
	if err := g.d.Approve(t.Context()); err != nil {
		t.Fatal(err)
	}
	g.wait(g.j.Head())
	g.equal()
}

// TestReplayRules feeds entries and looks at what would be sent.
func TestReplayRules(t *testing.T) {
	type entry = journal.Entry
	change, remove := journal.OpChange, journal.OpRemove
	for name, c := range map[string]struct {
		entries  []entry
		index    map[string]journal.Type
		opts     func(*Options)
		read     uint64
		want     string
		remnants string
		deletes  uint64
	}{
		"newest of each path": {entries: []entry{{Seq: 1, Path: "a", Op: remove}, {Seq: 2, Path: "b", Op: change}, {Seq: 3, Path: "a", Op: change}},
			index: map[string]journal.Type{"a": journal.File, "b": journal.File}, read: 3, want: "b a"},
		"pending is sent anyway": {entries: []entry{{Seq: 1, Path: "a", Op: change}, {Seq: 2, Path: "b", Op: change}},
			index: map[string]journal.Type{"a": journal.File, "b": journal.File}, read: 1, want: "a"},
		"went with a directory": {entries: []entry{{Seq: 1, Path: "d/a", Op: change}, {Seq: 2, Path: "d", Op: remove, Count: 2}}, read: 2, want: "-d", deletes: 2},
		"made again": {entries: []entry{{Seq: 1, Path: "d", Op: remove, Count: 2}, {Seq: 2, Path: "d", Op: change}, {Seq: 3, Path: "d/n", Op: change}},
			index: map[string]journal.Type{"d": journal.Dir, "d/n": journal.File}, read: 3, want: "d d/n", remnants: "[d]"},
		"made again, on its way": {entries: []entry{{Seq: 1, Path: "d", Op: remove, Count: 2}, {Seq: 2, Path: "d", Op: change}},
			index: map[string]journal.Type{"d": journal.Dir}, read: 1, want: "", remnants: "[d]"},
		"made again as a file": {entries: []entry{{Seq: 1, Path: "d", Op: remove, Count: 2}, {Seq: 2, Path: "d", Op: change, Count: 3}},
			index: map[string]journal.Type{"d": journal.File}, read: 2, want: "d", deletes: 3},
		"an empty directory made again": {entries: []entry{{Seq: 1, Path: "d", Op: remove, Count: 1}, {Seq: 2, Path: "d", Op: change}},
			index: map[string]journal.Type{"d": journal.Dir}, read: 2, want: "d"},
		"nothing is removed": {entries: []entry{{Seq: 1, Path: "a", Op: remove}, {Seq: 2, Path: "b", Op: change}},
			index: map[string]journal.Type{"b": journal.File}, read: 2, want: "b", opts: func(o *Options) { o.Delete = DeleteNone }},
		"excluded": {entries: []entry{{Seq: 1, Path: "a.o", Op: change}, {Seq: 2, Path: "b", Op: change}},
			index: map[string]journal.Type{"a.o": journal.File, "b": journal.File}, read: 2, want: "b",
			opts: func(o *Options) { o.Excluded = func(p string, _ bool) bool { return filepath.Ext(p) == ".o" } }},
	} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t, func(g *rig) { g.r.state.Paused = true })
			if c.opts != nil {
				c.opts(&g.o)
			}
			for path, typ := range c.index {
				g.j.index[path] = journal.State{Type: typ}
			}
			for _, e := range c.entries {
				g.j.entries[e.Seq], g.j.head = e, e.Seq
			}
			g.r.cursor.Low = c.read
			g.start()
			got := ""
			res := g.replay(ReplayRequest{From: 1, DryRun: true, Each: func(e journal.Entry) error {
				if got != "" {
					got += " "
				}
				got += map[journal.Op]string{remove: "-"}[e.Op] + e.Path
				return nil
			}})
			if remnants := fmt.Sprint(res.Remnants); got != c.want || c.remnants != "" && remnants != c.remnants || c.remnants == "" && len(res.Remnants) > 0 {
				t.Errorf("%q, remnants %s; want %q, %s", got, remnants, c.want, c.remnants)
			}
			if res.Deletes != c.deletes {
				t.Errorf("%d deletes, want %d", res.Deletes, c.deletes)
			}
		})
	}
}

// TestReplayRemovesRemnantsWhereEverythingForeignGoes: what a directory had before
// it was forgotten and made again goes with delete: all.
func TestReplayRemovesRemnantsWhereEverythingForeignGoes(t *testing.T) {
	g := newRig(t, func(g *rig) { g.o.Delete = DeleteAll })
	write(t, g.src, map[string]string{"d/old": "1", "keep": "1"})
	g.j.scan(t, true)
	g.start()
	if err := g.d.FullSync(t.Context(), FullSyncRequest{Reason: "test"}); err != nil {
		t.Fatal(err)
	}
	g.wait(0)
	back, from := g.snapshot(), g.j.Head()+1
	if err := os.RemoveAll(filepath.Join(g.src, "d")); err != nil {
		t.Fatal(err)
	}
	g.sync()
	g.j.mu.Lock()
	delete(g.j.newest, "d") // swept: what comes back does not supersede it
	clear(g.j.shadow)
	g.j.mu.Unlock()
	write(t, g.src, map[string]string{"d/new": "1"})
	g.sync()
	g.setBack(back)
	if res := g.replay(ReplayRequest{From: from}); !slices.Equal(res.Remnants, []string{"d"}) || !res.FullSync {
		t.Errorf("%+v", res)
	}
	g.wait(g.j.Head())
	g.equal()
}

func TestReplayTooMuchAndBrokenOff(t *testing.T) {
	d := loaded(t)
	p := &replay{set: map[string]journal.Entry{}, remnants: map[string]bool{}}
	for i := range 10 {
		p.take(journal.Entry{Seq: uint64(i), Path: fmt.Sprint(i % 3), Op: journal.OpChange}, true)
	}
	if len(p.set) != 3 {
		t.Errorf("%d paths", len(p.set))
	}
	now := time.Now()
	d.take(journal.Entry{Path: "q", Seq: 1, Op: journal.OpChange}, now)
	d.sendAgain(journal.Entry{Path: "q", Seq: 1, Op: journal.OpRemove}, now)
	if q := d.queue.get("q"); d.retries.len() != 0 || q.Flags&journal.FlagChecksum == 0 || q.Op != journal.OpChange {
		t.Errorf("what is queued is not left to its entry: %+v", q)
	}
	d.keepRetry(journal.Retry{Path: "r", Seq: 9, Op: journal.OpRemove, Attempts: 4, Next: now.Add(time.Hour)})
	d.retries.get("r").item.state = itemInFlight
	d.sendAgain(journal.Entry{Path: "r", Seq: 3, Op: journal.OpChange}, now)
	if r := d.retries.get("r"); !r.again || r.Op != journal.OpRemove || r.Seq != 9 || r.Next != now || r.Attempts != 4 {
		t.Errorf("a record of something newer became %+v", r)
	}
	g := newRig(t)
	g.j.append("a", journal.OpChange, 0, 0)
	g.j.index["a"] = journal.State{Type: journal.File}
	g.r.cursor.Low, g.r.state.Paused = 1, true
	g.start()
	enough := errors.New("enough")
	_, err := g.d.Replay(t.Context(), ReplayRequest{From: 1, Each: func(journal.Entry) error { return enough }})
	if !errors.Is(err, enough) {
		t.Error(err)
	}
	if _, ok := g.r.retry("a"); ok {
		t.Error("a replay that was broken off has sent something")
	}
}
