package replicate

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"gorsyncd/journal"
)

// rootedJournal knows the identity of the root, as *journal.Source does.
type rootedJournal struct {
	*memJournal
	id journal.RootID
}

func (r rootedJournal) Root() (journal.RootID, bool) { return r.id, true }

// rooted makes the journal of a rig know its root.
func (g *rig) rooted() {
	fi, err := os.Stat(g.src)
	if err != nil {
		g.tb.Fatal(err)
	}
	st := fi.Sys().(*syscall.Stat_t)
	g.o.Tree = rootedJournal{g.j, journal.RootID{Path: g.src, Dev: st.Dev, Ino: st.Ino}}
}

// pending makes the next start begin with a full sync of what is in the index.
func (g *rig) pending() {
	g.j.scan(g.tb, true)
	g.r.full = &journal.FullSync{Reason: "new remote"}
}

// rename moves what is below the source.
func (g *rig) rename(from, to string) {
	g.tb.Helper()
	if err := os.Rename(g.src+from, g.src+to); err != nil {
		g.tb.Fatal(err)
	}
}

// stopped runs the first chunk and holds everything back until it is let go.
type stopped struct {
	transport
	once    sync.Once
	hit, on chan struct{}
}

func (s *stopped) Run(ctx context.Context, b *Batch, m Mode) Result {
	res := s.transport.Run(ctx, b, m)
	s.once.Do(func() { close(s.hit); <-s.on })
	return res
}

func (g *rig) stopAtFirst() *stopped {
	ro := g.o
	ro.setDefaults()
	s := &stopped{transport: newRsyncTransport(&ro), hit: make(chan struct{}), on: make(chan struct{})}
	g.o.transport = s
	return s
}

func TestFullSyncOnAnotherRootWaits(t *testing.T) {
	g := newRig(t, func(g *rig) { g.o.Workers = 1 })
	for i := range 60 {
		write(t, g.src, map[string]string{fmt.Sprintf("d%d/f", i): "x"})
	}
	g.pending()
	g.rooted()
	s := g.stopAtFirst()
	g.start()
	<-s.hit
	g.rename("", ".away")
	if err := os.Mkdir(g.src, 0o755); err != nil {
		t.Fatal(err)
	}
	close(s.on)
	g.until("backing off", func() bool {
		st := g.d.Status()
		return st.Error != nil && st.Error.ID == "E-SOURCE" && st.Error.Attempts > 2
	})
	if g.r.FullSync() == nil {
		t.Error("the full sync has ended on another root")
	}
	os.Remove(g.src)
	g.rename(".away", "")
	g.d.RetryNow(nil)
	g.wait(0)
	g.equal()
}

func TestFullSyncWaitsForMovedDirectories(t *testing.T) {
	disturb := map[string]func(g *rig){
		"away": func(g *rig) {
			g.rename("/b", ".away")
		},
		"replaced": func(g *rig) {
			g.rename("/b", ".away")
			write(g.tb, g.src, map[string]string{"b/": ""})
		},
		"file": func(g *rig) {
			g.rename("/b", ".away")
			write(g.tb, g.src, map[string]string{"b": "x"})
		},
	}
	for name, fn := range disturb {
		for _, sub := range []string{"", "b"} {
			t.Run(name+"/"+sub, func(t *testing.T) {
				g := newRig(t)
				write(t, g.src, map[string]string{"a/f": "1", "b/f": "1", "b/sub/f": "1", "c/f": "1"})
				if sub != "" {
					write(t, g.dst, map[string]string{"b/": ""})
				}
				g.pending()
				g.r.full.Sub = sub
				fn(g)
				g.start()
				g.until("waiting for b", func() bool { st := g.d.Status(); return st.Error != nil && st.Error.Path == "b" })
				st := g.d.Status()
				if st.FullSync == nil || st.Error.ID != idChanged || st.State != StateRetrying && st.State != StateFailing || st.Failing == 0 {
					t.Errorf("status %+v, error %+v", st, st.Error)
				}
				if sub == "" {
					if _, err := os.Stat(g.dst + "/c/f"); err != nil {
						t.Errorf("others wait, too: %v", err)
					}
				}
				// It comes back before anybody has noticed.
				os.RemoveAll(g.src + "/b")
				os.Rename(g.src+".away", g.src+"/b")
				g.wait(0)
				if sub == "" {
					os.Chtimes(g.src, time.Unix(1, 1), time.Unix(1, 1))
					g.sync()
					g.equal()
				}
				for _, f := range []string{"b/f", "b/sub/f"} {
					if _, err := os.Stat(g.dst + "/" + f); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
}

// A directory that was moved away while rsync was at work.
func TestFullSyncLooksAgainAfterTheRun(t *testing.T) {
	base := t.TempDir()
	src := base + "/src"
	write(t, src, map[string]string{"a/f": "1"})
	j := newMemJournal(src)
	j.scan(t, true)
	f := &fakeTransport{reply: func(*Batch, Mode) Result {
		os.Rename(src+"/a", base+"/away")
		return Result{Outcome: Outcome{Class: ClassOK}}
	}}
	target, _ := ParseTarget("h::m")
	d, err := New(Options{Root: src, Target: target, Feed: j, Tree: j, Store: newMemRemote(0), transport: f})
	if err != nil {
		t.Fatal(err)
	}
	full := newFullSync(journal.FullSync{})
	b := &Batch{Lane: LaneReconcile, Paths: []string{"", "a"}, chunk: &chunk{of: full, dirs: []string{"", "a"}}}
	if rep := d.reconcile(t.Context(), b); !rep.moved || rep.err != nil {
		t.Errorf("report %+v", rep)
	}
	f.set(nil)
	delete(j.index, "a")
	if rep := d.reconcile(t.Context(), b); rep.moved {
		t.Error("what the journal knows to be gone has moved")
	}
}

func TestJudge(t *testing.T) {
	dir := journal.State{Type: journal.Dir, Ino: 7, Dev: 3}
	for name, c := range map[string]struct {
		seen Seen
		rec  *journal.State
		want fate
	}{
		"same":               {Seen{Presence: IsDir, Ino: 7, Dev: 3}, &dir, fateReady},
		"other inode":        {Seen{Presence: IsDir, Ino: 8, Dev: 3}, &dir, fateLate},
		"other device":       {Seen{Presence: IsDir, Ino: 7, Dev: 4}, &dir, fateLate},
		"not in the index":   {Seen{Presence: IsDir, Ino: 7}, nil, fateReady},
		"gone unobserved":    {Seen{Presence: Missing}, &dir, fateLate},
		"covered unobserved": {Seen{Presence: Covered}, &dir, fateLate},
		"gone":               {Seen{Presence: Missing}, nil, fateGone},
		"covered":            {Seen{Presence: Covered}, nil, fateGone},
		"unknown":            {Seen{Presence: Unknown, Err: fs.ErrPermission}, nil, fateLate},
		"became a file":      {Seen{Presence: IsFile, Ino: 7, Dev: 3}, &journal.State{Type: journal.File}, fateGone},
		"file unobserved":    {Seen{Presence: IsFile, Ino: 7, Dev: 3}, &dir, fateLate},
	} {
		j := newMemJournal("")
		if c.rec != nil {
			j.index["p"] = *c.rec
		}
		v := view{look: func(string) Seen { return c.seen }, index: j}
		if got, _, err := v.judge("p"); got != c.want || err != nil {
			t.Errorf("%s: %v, want %v (%v)", name, got, c.want, err)
		}
		if got, _, _ := v.judge(""); c.seen.Presence != IsDir && got != fateLate {
			t.Errorf("%s: a root that is no directory is passed over", name)
		}
	}
}

func TestChunksSplitAndMerge(t *testing.T) {
	f := newFullSync(journal.FullSync{})
	c := &chunk{of: f, dirs: []string{"a", "b", "c", "d", "e"}, last: "x", count: 7}
	f.chunks = []*chunk{c}
	f.isolate(c, map[string]bool{"b": true})
	f.halve(f.chunks[2])
	var got []string
	for _, c := range f.chunks {
		got = append(got, fmt.Sprintf("%s to %s is %d", strings.Join(c.dirs, " "), c.last, c.count))
	}
	if want := []string{"a to a is 1", "b to b is 1", "c to c is 1", "d e to x is 4"}; !slices.Equal(got, want) {
		t.Errorf("pieces %q, want %q", got, want)
	}
	for _, i := range []int{0, 2, 3} {
		f.chunks[i].done = true
	}
	if !f.advance() || len(f.chunks) != 2 || f.rec.After != "a" || f.rec.Done != 1 || f.progress() != 6 {
		t.Errorf("%d chunks, %+v, progress %d", len(f.chunks), f.rec, f.progress())
	}
	f.chunks[0].done = true
	if !f.advance() || len(f.chunks) != 0 || f.rec.After != "x" || f.rec.Done != 7 {
		t.Errorf("%d chunks, %+v", len(f.chunks), f.rec)
	}
}

func TestHeldSourceIsNotReconciled(t *testing.T) {
	var held atomic.Bool
	held.Store(true)
	simulate(t, func(g *rig) {
		write(t, g.src, map[string]string{"a/f": "1"})
		g.pending()
		g.o.Delete, g.o.Held = DeleteAll, held.Load
	}, func(t *testing.T, g *rig, f *fakeTransport) {
		time.Sleep(time.Hour)
		synctest.Wait()
		if st := g.d.Status(); len(f.all()) != 0 || st.FullSync == nil || !st.FullSync.Waiting {
			t.Fatalf("%d runs, status %+v", len(f.all()), st)
		}
		// It is asked again when the run is about to begin.
		rep := g.d.reconcile(t.Context(), &Batch{Lane: LaneReconcile, Paths: []string{""}, chunk: &chunk{dirs: []string{""}}})
		if rep.res.Outcome.Class != ClassCanceled || len(f.all()) != 0 {
			t.Errorf("report %+v", rep)
		}
		held.Store(false)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if st := g.d.Status(); st.State != StateInSync {
			t.Errorf("status %+v", st)
		}
	})
}

// confined makes rsync run as root without the right to read everything.
func confined(t *testing.T, g *rig) {
	script := filepath.Join(t.TempDir(), "rsync")
	body := "#!/bin/sh\nexec setpriv --bounding-set=-dac_override,-dac_read_search rsync \"$@\"\n"
	if err := os.WriteFile(script, []byte(body), 0o755); err != nil {
		t.Fatal(err)
	}
	g.o.Rsync.Path = script
}

func TestUnreadableDirectoriesKeepTheFullSync(t *testing.T) {
	g := newRig(t)
	confined(t, g)
	write(t, g.src, map[string]string{"a/f": "x", "b/sub/f": "x", "c/f": "x", "d/f": "x"})
	g.pending()
	os.Chmod(g.src+"/b", 0)
	os.Chmod(g.src+"/c", 0o311) // can be entered, but not read
	g.j.scan(t, true)
	g.start()
	g.until("waiting for b, b/sub and c", func() bool {
		st := g.d.Status()
		return st.Failing == 3 && st.Error != nil && st.Error.ID == "E-SRC-PERM" && st.FullSync != nil && st.State == StateFailing
	})
	for _, f := range []string{"a/f", "d/f"} {
		if _, err := os.Stat(g.dst + "/" + f); err != nil {
			t.Errorf("a good directory waits for a bad one: %v", err)
		}
	}
	os.Chmod(g.src+"/b", 0o755)
	os.Chmod(g.src+"/c", 0o755)
	g.sync()
	g.equal()
}

// badVerify makes every batch with the path fail in a way that does not show
// which path it was.
func badVerify(path string) func(*Batch, Mode) Result {
	return func(b *Batch, mode Mode) Result {
		if !slices.Contains(b.Paths, path) {
			return Result{Outcome: Outcome{Class: ClassOK}}
		}
		return failed("E-SRC-PERM", ClassEntry, 23)
	}
}

func TestVerifyProves(t *testing.T) {
	const end = "rsync error: some files/attrs were not transferred (see previous errors) (code 23) at main.c(1)\n"
	way := inTheWayText + "regular file: p/d\n"
	below := "rsync: [sender] link_stat \"/src/a/b/f\" failed: Not a directory (20)\n"
	link := "refusing to follow a symlink owned by an untrusted user; use --insecure-links\nrsync: [sender] link_stat \"/src/a/b/f\" failed: Too many levels of symbolic links (40)\n"
	vanished := "file has vanished: \"/src/a/g\"\nWARNING: parent dir is absent in the file list: a/g\n"
	for _, c := range []struct {
		exit    int
		stderr  string
		covered bool
		want    bool
	}{
		{23, below + vanished + end, true, true}, {23, below + vanished + end, false, false}, {23, vanished + end, true, false},
		{23, link + end, true, true}, {23, link + end, false, false},
		{0, "", false, true}, {24, "file has vanished", false, true}, {23, "", false, false}, {23, end, true, false},
		{23, way + end, false, true}, {23, way + "rsync: [sender] opendir failed\n" + end, true, false},
		{11, way, false, false}, {12, "", false, false}, {23, below + end, true, true}, {23, below + end, false, false},
	} {
		v := Result{Exit: c.exit, Stderr: c.stderr, Outcome: Classify(c.exit, c.stderr)}
		if v.proves(c.covered) != c.want {
			t.Errorf("exit %d with %q proves: %v", c.exit, c.stderr, !c.want)
		}
	}
}

func TestUnprovenBatchShrinks(t *testing.T) {
	simulate(t, nil, func(t *testing.T, g *rig, f *fakeTransport) {
		files := map[string]string{}
		for i := range 100 {
			files[fmt.Sprintf("d/f%02d", i)] = "x"
		}
		write(t, g.src, files)
		f.set(badVerify("d/f40"))
		for i := range 100 {
			g.j.change(fmt.Sprintf("d/f%02d", i))
		}
		synctest.Wait()
		if rec, ok := g.r.retry("d/f40"); !ok || rec.Attempts != 1 || rec.ErrorID != "E-SRC-PERM" || len(g.r.retries) != 1 {
			t.Errorf("record %+v of %d", rec, len(g.r.retries))
		}
		if low := g.r.Cursor().Low; low != g.j.Head() {
			t.Errorf("cursor %d of %d", low, g.j.Head())
		}
		if n := len(f.all()); n > 60 {
			t.Errorf("%d runs to find one of 100", n)
		}
		n := len(f.all())
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if more := len(f.all()) - n; more > 2*20 {
			t.Errorf("%d runs in ten minutes", more)
		}
		f.set(nil)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if st := g.d.Status(); st.State != StateInSync || len(g.r.retries) != 0 {
			t.Errorf("not healed: %+v", st)
		}
	})
}
