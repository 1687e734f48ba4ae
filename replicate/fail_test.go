package replicate

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"gorsyncd/bench/testbed"
	"gorsyncd/journal"
)

// immutable makes a file on the remote that nobody can change.
func immutable(t *testing.T, path string) (undo func()) {
	t.Helper()
	if out, err := exec.Command("chattr", "+i", path).CombinedOutput(); err != nil {
		t.Fatalf("chattr +i (this test needs a file system with attributes, and root): %v %s", err, out)
	}
	undone := false
	undo = func() {
		if !undone {
			undone = true
			_ = exec.Command("chattr", "-i", path).Run()
		}
	}
	t.Cleanup(undo)
	return undo
}

func TestFailingPathHeals(t *testing.T) {
	for _, name := range []string{"local", "daemon"} {
		t.Run(name, func(t *testing.T) {
			g := newRig(t, targets[name]).start()
			write(t, g.src, map[string]string{"d/bad": "1", "d/good": "1", "rm/x": "1"})
			g.sync()
			heal := immutable(t, g.dst+"/d/bad")
			write(t, g.src, map[string]string{"d/bad": "22", "d/good": "22", "d/new": "3"})
			seq := g.j.scan(t, false)
			g.until("in the retry set", func() bool { rec, ok := g.r.retry("d/bad"); return ok && rec.Attempts > 1 })
			g.until("past it", func() bool { return g.r.Cursor().Low == seq })
			for f, want := range map[string]string{"d/good": "22", "d/new": "3"} {
				if b, _ := os.ReadFile(g.dst + "/" + f); string(b) != want {
					t.Errorf("%s = %q", f, b)
				}
			}
			rec, _ := g.r.retry("d/bad")
			if rec.ErrorID != "E-DEST-PERM" || !strings.Contains(rec.Error, "Operation not permitted") || rec.Next.IsZero() {
				t.Errorf("retry record %+v", rec)
			}
			st := g.d.Status()
			if st.Failing != 1 || st.Error == nil || st.Error.ID != "E-DEST-PERM" || st.Error.Path != "d/bad" ||
				st.State != StateRetrying && st.State != StateFailing {
				t.Errorf("status %+v, error %+v", st, st.Error)
			}
			if p := g.d.Explain("d/bad"); p.Retry == nil || p.State != PathFailing && p.State != PathInFlight {
				t.Errorf("explain %+v", p)
			}
			ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
			defer cancel()
			var blocked *BlockedError
			if err := g.d.WaitFor(ctx, seq, nil); !errors.As(err, &blocked) || blocked.Failing != 1 || blocked.Paths[0] != "d/bad" {
				t.Errorf("WaitFor = %v", err)
			}
			if err := g.d.WaitFor(context.Background(), seq, []string{"rm"}); err != nil {
				t.Errorf("WaitFor another path: %v", err)
			}
			heal()
			g.d.RetryNow([]string{"d"})
			g.wait(seq)
			g.equal()
		})
	}
}

func TestFailingRemovalHeals(t *testing.T) {
	g := newRig(t, targets["daemon"]).start()
	write(t, g.src, map[string]string{"d/t/u/bad": "1", "d/t/f": "1", "d/other": "1"})
	g.sync()
	heal := immutable(t, g.dst+"/d/t/u/bad")
	os.RemoveAll(g.src + "/d/t")
	seq := g.j.scan(t, false)
	g.until("in the retry set", func() bool { rec, ok := g.r.retry("d/t"); return ok && rec.Op == journal.OpRemove })
	heal()
	g.wait(seq)
	g.equal()
}

// smallDisk mounts a file system of a few MiB on the destination.
func smallDisk(t *testing.T, g *rig, size string) {
	t.Helper()
	if err := syscall.Mount("tmpfs", g.dst, "tmpfs", 0, "size="+size); err != nil {
		t.Fatalf("mount a small tmpfs (this test needs root): %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(g.dst, syscall.MNT_DETACH) })
}

func randomFile(t *testing.T, path string, size int) {
	t.Helper()
	b := make([]byte, size)
	rand.Read(b)
	if err := os.WriteFile(path, b, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestNoSpaceForOneFile(t *testing.T) {
	g := newRig(t)
	smallDisk(t, g, "4m")
	g.start()
	write(t, g.src, map[string]string{"d/": ""})
	randomFile(t, g.src+"/d/big", 6<<20)
	for i := range 30 {
		write(t, g.src, map[string]string{fmt.Sprintf("d/a%d", i): "x", fmt.Sprintf("d/z%d", i): "x"})
	}
	seq := g.j.scan(t, false)
	g.until("only the big file left", func() bool {
		rec, ok := g.r.retry("d/big")
		return ok && rec.ErrorID == "E-NOSPACE" && g.r.Cursor().Low == seq
	})
	for i := range 30 {
		for _, f := range []string{fmt.Sprintf("d/a%d", i), fmt.Sprintf("d/z%d", i)} {
			if _, err := os.Stat(g.dst + "/" + f); err != nil {
				t.Error(err)
			}
		}
	}
	if err := syscall.Mount("", g.dst, "", syscall.MS_REMOUNT, "size=20m"); err != nil {
		t.Fatal(err)
	}
	g.d.RetryNow(nil)
	g.wait(seq)
	g.equal()
}

func TestNoSpaceAtAll(t *testing.T) {
	g := newRig(t)
	smallDisk(t, g, "1m")
	randomFile(t, g.dst+"/filler", 1<<20)
	g.start()
	for i := range 20 {
		write(t, g.src, map[string]string{fmt.Sprintf("d/f%d", i): strings.Repeat("x", 100+i)})
	}
	seq := g.j.scan(t, false)
	g.until("backing off as a whole", func() bool {
		st := g.d.Status()
		return st.Error != nil && st.Error.ID == "E-NOSPACE" && st.Error.Class == ClassTransient && st.Error.Attempts > 1
	})
	if st := g.d.Status(); st.State != StateRetrying || st.Failing > 1 {
		t.Errorf("state %s, %d failing", st.State, st.Failing)
	}
	os.Remove(g.dst + "/filler")
	g.wait(seq)
	os.Chtimes(g.src, time.Now(), time.Now()) // the removal has changed the other root
	g.sync()
	g.equal()
}

func TestDeadRemoteCatchesUp(t *testing.T) {
	g := newRig(t)
	d := testbed.RunRsyncd(t, testbed.Module{Name: "m", Path: g.dst})
	g.to(d.Target("m"))
	g.start()
	write(t, g.src, map[string]string{"a/b": "1"})
	g.sync()
	d.Stop()
	for i := range 50 {
		write(t, g.src, map[string]string{fmt.Sprintf("a/f%d", i): "x", "a/hot": strings.Repeat("y", i)})
		g.j.scan(t, false)
	}
	g.until("backing off", func() bool { st := g.d.Status(); return st.Error != nil && st.Error.ID == "E-CONNECT" })
	if st := g.d.Status(); st.State != StateRetrying || st.Error.NextRetry == nil || st.Failing != 0 {
		t.Errorf("status %+v", st)
	}
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	g.sync()
	g.equal()
}

func TestRestartKeepsWhatWasQueued(t *testing.T) {
	g := newRig(t)
	d := testbed.RunRsyncd(t, testbed.Module{Name: "m", Path: g.dst})
	g.to(d.Target("m"))
	g.start()
	write(t, g.src, map[string]string{"a/b": "1", "c": "1"})
	g.sync()
	d.Stop()
	write(t, g.src, map[string]string{"a/n": "2"})
	os.Remove(g.src + "/c")
	seq := g.j.scan(t, false)
	g.until("backing off", func() bool { return g.d.Status().Error != nil })
	g.stop()
	if err := g.d.Pause(context.Background(), "", time.Time{}); !errors.Is(err, ErrStopped) {
		t.Errorf("Pause after Run: %v", err)
	}
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	g.start()
	g.wait(seq)
	g.equal()
}

func TestBigFileLane(t *testing.T) {
	g := newRig(t, targets["daemon"], func(g *rig) {
		g.o.BigFile = 1 << 20
		g.o.Rsync.BWLimit = limitOf(3000 << 10)
	}).start()
	write(t, g.src, map[string]string{"d/small": "1"})
	g.sync()
	randomFile(t, g.src+"/d/big", 3<<20)
	randomFile(t, g.src+"/d/big2", 3<<20)
	randomFile(t, g.src+"/big3", 3<<20)
	seq := g.j.scan(t, false)
	bigs := func() (n int) {
		for _, f := range g.d.Status().InFlight {
			if f.Kind == "big" {
				n++
			}
		}
		return n
	}
	g.until("sending big files", func() bool { return bigs() == 2 })
	for i := range 5 {
		write(t, g.src, map[string]string{"d/small": fmt.Sprint("change ", i)})
		small := g.j.scan(t, false)
		if err := g.d.WaitFor(context.Background(), small, []string{"d/small"}); err != nil {
			t.Fatal(err)
		}
		if n := bigs(); n > 2 {
			t.Errorf("%d big files at once", n)
		}
	}
	if bigs() == 0 {
		t.Error("small changes waited for the big files")
	}
	g.wait(seq)
	g.equal()
}

func TestLocalTargetIsNeverCreated(t *testing.T) {
	g := newRig(t)
	os.Remove(g.dst)
	g.start()
	write(t, g.src, map[string]string{"f": "1"})
	seq := g.j.scan(t, false)
	g.until("failing", func() bool { st := g.d.Status(); return st.State == StateFailing && st.Error.ID == "E-MODPATH" })
	if _, err := os.Stat(g.dst); err == nil {
		t.Error("the destination was created")
	}
	os.Mkdir(g.dst, 0o755)
	g.wait(seq)
	g.equal()
}

func TestLostRootRemovesNothing(t *testing.T) {
	g := newRig(t).start()
	write(t, g.src, map[string]string{"a/f": "1", "b": "2"})
	g.sync()
	os.Rename(g.src, g.src+".away")
	g.j.remove("a", 2)
	g.j.remove("b", 1)
	g.until("backing off", func() bool { st := g.d.Status(); return st.Error != nil && st.Error.ID == "E-SOURCE" })
	for _, f := range []string{"/a/f", "/b"} {
		if _, err := os.Stat(g.dst + f); err != nil {
			t.Error(err)
		}
	}
	os.Rename(g.src+".away", g.src)
}

func TestFullSyncResumes(t *testing.T) {
	g := newRig(t, targets["daemon"])
	const dirs = 2500 // three chunks
	for i := range dirs {
		write(t, g.src, map[string]string{fmt.Sprintf("d%04d/f", i): "x"})
	}
	g.j.scan(t, true)
	g.r.full = &journal.FullSync{Reason: "new remote"}
	g.o.Workers = 1
	g.start()
	g.until("under way", func() bool { fs := g.r.FullSync(); return fs != nil && fs.Done > 100 })
	g.stop()
	mid := g.r.FullSync()
	if mid == nil {
		t.Fatal("the full sync was too fast to be cut")
	}
	g.start()
	g.wait(0)
	g.equal()
	again := 0
	for _, b := range g.rec.sent() {
		if b.chunk != nil {
			again += len(b.Paths)
		}
	}
	if most := dirs + 1 - int(mid.Done); again > most {
		t.Errorf("%d directories after the restart, %d were left", again, most)
	}
}

func TestFullSyncOfSubtreeAndDryRun(t *testing.T) {
	g := newRig(t, targets["daemon"], func(g *rig) { g.o.Delete = DeleteAll }).start()
	write(t, g.src, map[string]string{"a/f": "AAAA", "a/b/g": "1", "c/h": "1", "a-x/i": "1"})
	g.sync()
	// Damage that no entry tells of.
	old := time.Unix(1600000000, 5)
	for _, root := range []string{g.src, g.dst} {
		os.Chtimes(root+"/a/f", old, old)
	}
	g.sync()
	write(t, g.dst, map[string]string{"a/f": "BBBB", "a/b/stranger": "1", "c/stranger": "1"})
	os.Chtimes(g.dst+"/a/f", old, old)
	lines, err := g.d.DryRun(context.Background(), FullSyncRequest{Sub: "a", Checksum: true})
	all := strings.Join(lines, "\n")
	if err != nil || !strings.Contains(all, "a/f") || !strings.Contains(all, "a/b/stranger") || strings.Contains(all, "c/stranger") {
		t.Errorf("dry run: %v\n%s", err, all)
	}
	if err := g.d.FullSync(context.Background(), FullSyncRequest{Reason: "test", Sub: "a", Checksum: true}); err != nil {
		t.Fatal(err)
	}
	g.wait(0)
	if b, _ := os.ReadFile(g.dst + "/a/f"); !bytes.Equal(b, []byte("AAAA")) {
		t.Errorf("a/f = %q", b)
	}
	if _, err := os.Stat(g.dst + "/a/b/stranger"); err == nil {
		t.Error("a stranger survived delete: all")
	}
	if _, err := os.Stat(g.dst + "/c/stranger"); err != nil {
		t.Error("a full sync of a touched c")
	}
	if err := g.d.FullSync(context.Background(), FullSyncRequest{Reason: "test"}); err != nil {
		t.Fatal(err)
	}
	g.wait(0)
	g.equal()
}

func TestFullSyncHoldsMassDeletion(t *testing.T) {
	g := newRig(t, func(g *rig) { g.o.Delete, g.o.MaxDelete = DeleteAll, 10 })
	write(t, g.src, map[string]string{"f": "1"})
	for i := range 50 {
		write(t, g.dst, map[string]string{fmt.Sprintf("old%d", i): "x"})
	}
	g.j.scan(t, true)
	g.r.full = &journal.FullSync{Reason: "new remote"}
	g.start()
	g.until("held", func() bool { return g.d.Status().State == StateHeld })
	if left, _ := os.ReadDir(g.dst); len(left) < 40 {
		t.Errorf("only %d are left", len(left))
	}
	if err := g.d.Approve(context.Background()); err != nil {
		t.Fatal(err)
	}
	g.wait(0)
	g.equal()
}

func TestRequireFullSync(t *testing.T) {
	g := newRig(t)
	d := testbed.RunRsyncd(t, testbed.Module{Name: "m", Path: g.dst})
	g.to(d.Target("m"))
	d.Stop()
	g.start()
	write(t, g.src, map[string]string{"a/f": "1", "b": "2"})
	seq := g.j.scan(t, false)
	if err := g.d.RequireFullSync(context.Background(), "journal full"); err != nil {
		t.Fatal(err)
	}
	if low := g.r.Cursor().Low; low != seq {
		t.Errorf("cursor %d, head %d", low, seq)
	}
	if fs := g.r.FullSync(); fs == nil || fs.Reason != "journal full" {
		t.Errorf("full sync %+v", fs)
	}
	if err := d.Start(); err != nil {
		t.Fatal(err)
	}
	g.wait(seq)
	g.equal()
}
