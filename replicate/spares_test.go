package replicate

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gorsyncd/bench/lab"
	"gorsyncd/bench/testbed"
)

// pool is that of the running dispatcher.
func (g *rig) pool() *spares { return g.rec.transport.(*rsyncTransport).spares }

// spare waits until one has been started and returns it.
func (g *rig) spare() *spare {
	g.tb.Helper()
	var found *spare
	g.until("a spare waits", func() bool {
		found = g.waiting()
		return found != nil
	})
	return found
}

// waiting is a spare that has been started, nil when there is none.
func (g *rig) waiting() *spare {
	s := g.pool()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sp := range s.idle {
		if sp.key != "" {
			return sp
		}
	}
	return nil
}

func (g *rig) warmRuns() int {
	g.rec.mu.Lock()
	defer g.rec.mu.Unlock()
	return g.rec.warm
}

func (g *rig) staleRuns() int {
	g.rec.mu.Lock()
	defer g.rec.mu.Unlock()
	return g.rec.stale
}

// change writes a file below a directory and waits until it has arrived.
func (g *rig) change(content string) {
	g.tb.Helper()
	write(g.tb, g.src, map[string]string{"d/f": content})
	g.sync()
	g.equal()
}

// warmed has made two changes, so that the directory is there and a spare of its
// lane waits.
func warmed(t *testing.T, opts ...func(*rig)) *rig {
	g := newRig(t, opts...)
	g.start()
	g.change("1")
	g.change("22")
	g.spare()
	return g
}

func overDaemon(t *testing.T, extra ...string) func(*rig) {
	return func(g *rig) {
		g.to(testbed.RunRsyncd(t, testbed.Module{Name: "m", Path: g.dst, Extra: extra}).Target("m"))
	}
}

// TestSlotsAreShared: remotes that may keep one rsync together keep one.
func TestSlotsAreShared(t *testing.T) {
	slots := NewSlots(1)
	share := func(g *rig) { g.o.Slots = slots }
	first := warmed(t, share)
	second := newRig(t, share)
	second.start()
	for _, content := range []string{"1", "22", "333"} {
		second.change(content)
	}
	if n := len(second.pool().idle); n != 0 || second.warmRuns() != 0 {
		t.Errorf("%d wait besides the one that may", n)
	}
	first.stop()
	second.change("4444")
	second.change("55555")
	second.spare()
	second.stop()
	if len(slots) != 0 {
		t.Error("a slot is not given back")
	}
}

// TestOwnSlotIsTakenAgain: what takes the place of a spare needs the slot that this
// one has until its process has ended.
func TestOwnSlotIsTakenAgain(t *testing.T) {
	slots := NewSlots(1)
	g := warmed(t, func(g *rig) { g.o.Slots = slots })
	for range 3 {
		old := g.spare()
		g.pool().retire(old, false)
		if g.spare() == old {
			t.Fatal("it was not retired")
		}
	}
	// Whoever rests wants none.
	old := g.spare()
	g.pool().retire(old, false)
	g.pool().rest()
	<-old.done
	g.until("the slot to be given back", func() bool { return len(slots) == 0 })
	if sp := g.waiting(); sp != nil {
		t.Error("a spare of a remote that rests")
	}
	g.stop()
}

// untroubled fails when the remote has been seen to fail.
func (g *rig) untroubled() {
	g.tb.Helper()
	if st := g.d.Status(); st.Error != nil || st.Retries != 0 || st.State != StateInSync && st.State != StateSyncing {
		g.tb.Errorf("the remote was in trouble: %+v", st)
	}
}

func TestSparesCarryChanges(t *testing.T) {
	for name, target := range map[string]func(*rig){
		"local": func(*rig) {}, "daemon": overDaemon(t), "ssh": func(g *rig) {
			s := testbed.RunSSHD(t)
			g.to(s.Target(g.dst))
			g.o.Rsync.SSH = SSHOptions{Port: s.Port, IdentityFile: s.IdentityFile, KnownHosts: s.KnownHosts, ConfigFile: "none"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := warmed(t, target)
			was := g.warmRuns()
			for i := range 5 {
				g.spare()
				g.change(strings.Repeat("x", i))
			}
			if n := g.warmRuns() - was; n != 5 {
				t.Errorf("spares carried %d of 5 changes", n)
			}
			g.untroubled()
			// What does not fit into one write goes the usual way.
			g.spare()
			was = g.warmRuns()
			files := map[string]string{}
			for i := range 300 {
				files[fmt.Sprintf("d/a-longer-name-%d", i)] = "y"
			}
			write(t, g.src, files)
			g.sync()
			g.equal()
			if g.warmRuns() != was {
				t.Error("a long list went through a pipe")
			}
			g.stop()
			if n := len(g.pool().idle); n != 0 {
				t.Errorf("%d spares are left", n)
			}
		})
	}
}

// TestStaleSpare: a connection that was cut while nobody used it costs another
// run, and nobody hears of it.
func TestStaleSpare(t *testing.T) {
	var p *lab.Proxy
	g := warmed(t, func(g *rig) { p = throughProxy(t, g) })
	for _, content := range []string{"333", "4444"} {
		sp := g.spare()
		p.Cut()
		g.change(content)
		g.untroubled()
		<-sp.done
	}
}

// TestSpareCutInAFile: the temporary file of the run that was cut is looked for,
// though another made up for it.
func TestSpareCutInAFile(t *testing.T) {
	var p *lab.Proxy
	g := warmed(t, func(g *rig) { p = throughProxy(t, g) })
	p.CutAfter(300 << 10)
	g.change(strings.Repeat("much", 1<<18))
	if st := g.d.Status(); st.Error != nil || st.Retries != 0 {
		t.Errorf("the remote was in trouble: %+v", st)
	}
	if n := g.staleRuns(); n != 1 {
		t.Errorf("%d spares were cut", n)
	}
	g.until("the temporary file to go", func() bool {
		diff, err := testbed.DiffTrees(g.src, g.dst, testbed.Options{})
		return err == nil && len(diff) == 0 && g.d.Status().State == StateInSync
	})
}

func throughProxy(t *testing.T, g *rig) *lab.Proxy {
	d := testbed.RunRsyncd(t, testbed.Module{Name: "m", Path: g.dst})
	p, err := lab.NewProxy(fmt.Sprintf("127.0.0.1:%d", d.Port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	g.to(fmt.Sprintf("rsync://127.0.0.1:%d/m", p.Port))
	return p
}

// TestSparesMakeRoom: a module that takes one connection gets one, and no
// failure comes of it.
func TestSparesMakeRoom(t *testing.T) {
	g := newRig(t, overDaemon(t, "max connections = 1", "lock file = "+filepath.Join(t.TempDir(), "lock")), func(g *rig) { g.o.Workers = 1 })
	g.start()
	for i := range 6 {
		// Below a directory and below the root take turns: no spare serves both.
		write(t, g.src, map[string]string{fmt.Sprintf("d/%d", i): "x"})
		g.sync()
		write(t, g.src, map[string]string{fmt.Sprintf("%d", i): "x"})
		g.sync()
	}
	g.equal()
	if st := g.d.Status(); st.Error != nil || st.Retries != 0 || g.d.breaker.attempts != 0 {
		t.Errorf("the remote was in trouble: %+v", st)
	}
}

// TestSpareAndMount: what is mounted in the source while a spare waits does not
// appear to it, where mounts are private; it would take what is below for gone.
func TestSpareAndMount(t *testing.T) {
	needMounts(t)
	g := warmed(t)
	if err := os.Mkdir(filepath.Join(g.src, "d/m"), 0o755); err != nil {
		t.Fatal(err)
	}
	g.sync()
	g.spare()
	time.Sleep(50 * time.Millisecond) // until it has its own mounts
	if err := syscall.Mount("none", filepath.Join(g.src, "d/m"), "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(filepath.Join(g.src, "d/m"), syscall.MNT_DETACH) })
	write(t, g.src, map[string]string{"d/m/inside": "the mount"})
	g.sync()
	g.equal()
}

// TestSparesRest: none is left on a remote that is paused, and none of a remote
// where nothing changes any more.
func TestSparesRest(t *testing.T) {
	g := warmed(t)
	sp := g.spare()
	if err := g.d.Pause(t.Context(), "", time.Time{}); err != nil {
		t.Fatal(err)
	}
	<-sp.done
	if sp.exit.code != 0 || sp.exit.canceled {
		t.Errorf("it did not end by itself: %+v", sp.exit)
	}
	if err := g.d.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	g.change("333")
	sp = g.spare()
	s := g.pool()
	s.retire(sp, true) // of an active remote: another follows
	if next := g.spare(); next == sp {
		t.Error("the old spare is still there")
	} else {
		s.mu.Lock()
		s.used = s.used.Add(-2 * spareActive)
		s.mu.Unlock()
		s.retire(next, true)
		<-next.done
	}
	<-sp.done
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.idle) != 0 {
		t.Error("a remote without changes has a spare")
	}
	g.untroubled()
}

// TestSpareFits: another root, or another target, is not what a spare has open.
func TestSpareFits(t *testing.T) {
	g := warmed(t)
	sp := g.spare()
	root := openDir(t, g.src)
	if !sp.fits(root, sp.place) {
		t.Error("the spare does not fit what it was started with")
	}
	if sp.fits(openDir(t, t.TempDir()), sp.place) {
		t.Error("it fits another root")
	}
	if sp.fits(root, "elsewhere") {
		t.Error("it fits another target")
	}
}

func TestSpareLearns(t *testing.T) {
	tr := newRsyncTransport(&Options{Rsync: RsyncOptions{Timeout: 60 * time.Second}, Logger: slog.New(slog.DiscardHandler)})
	s := tr.spares
	for _, c := range []struct {
		age  time.Duration
		full bool
		life time.Duration
		off  bool
	}{
		{40 * time.Second, false, 20 * time.Second, false},
		{10 * time.Second, false, 5 * time.Second, false},
		{time.Second, false, minSpareLife, false},
		{time.Second, false, minSpareLife, true},
		{time.Second, false, minSpareLife, false},
		{40 * time.Second, true, minSpareLife, true},
	} {
		s.off = time.Time{}
		s.learn(c.age, c.full)
		if s.life != c.life || s.off.IsZero() == c.off {
			t.Errorf("after %v (full %v): life %v, off %v", c.age, c.full, s.life, !s.off.IsZero())
		}
	}
	if got := longestLife(4 * time.Second); got != 2*time.Second {
		t.Errorf("with a timeout of 4 s a spare lives %v", got)
	}
}
