package replicate

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"gorsyncd/bench/testbed"
	"gorsyncd/journal"
)

// targets are the three ways to reach a remote.
var targets = map[string]func(*rig){
	"local": func(*rig) {},
	"daemon": func(g *rig) {
		d := testbed.RunRsyncd(g.tb, testbed.Module{Name: "m", Path: g.dst})
		g.to(d.Target("m"))
	},
	"ssh": func(g *rig) {
		s := testbed.RunSSHD(g.tb)
		g.to(s.Target(g.dst))
		dir, err := os.MkdirTemp("/tmp", "gs")
		if err != nil {
			g.tb.Fatal(err)
		}
		g.tb.Cleanup(func() { os.RemoveAll(dir) })
		g.o.Rsync.SSH = SSHOptions{Port: s.Port, IdentityFile: s.IdentityFile, KnownHosts: s.KnownHosts, ControlDir: dir,
			Options: []string{"IdentitiesOnly=yes"}}
	},
}

func TestReplicates(t *testing.T) {
	for name, opt := range targets {
		t.Run(name, func(t *testing.T) {
			g := newRig(t, opt).start()
			write(t, g.src, map[string]string{"a/b/f": "1", "a/g": "2", "top": "3", "e/": ""})
			g.sync()
			g.equal()

			for i, n := range testbed.OddNames {
				write(t, g.src, map[string]string{n: "top", "odd/d" + strconv.Itoa(i) + "/" + n: "deep"})
			}
			g.sync()
			g.equal()
			for i, n := range testbed.OddNames {
				os.Remove(g.src + "/" + n)
				os.Remove(g.src + "/odd/d" + strconv.Itoa(i) + "/" + n)
			}
			g.sync()
			g.equal()

			// A file becomes a directory, a directory a file, a tree goes.
			os.RemoveAll(g.src + "/top")
			os.RemoveAll(g.src + "/odd")
			os.RemoveAll(g.src + "/a/b")
			write(t, g.src, map[string]string{"top/x/y": "was a file", "a/b": "was a directory"})
			g.sync()
			g.equal()

			// Hard links over directories, then one name less.
			for _, to := range []string{"a/l1", "e/l2", "l3"} {
				if err := os.Link(g.src+"/a/g", g.src+"/"+to); err != nil {
					t.Fatal(err)
				}
			}
			g.sync()
			g.equal()
			os.Remove(g.src + "/e/l2")
			os.Symlink("a/g", g.src+"/sym")
			os.Chmod(g.src+"/a", 0o700)
			os.Chtimes(g.src, time.Now(), time.Unix(1e9, 5))
			g.sync()
			g.equal()

			// Same size, same time, other content: only the journal knows.
			old := time.Unix(1600000000, 123456789)
			write(t, g.src, map[string]string{"e/same": "AAAA", "same": "AAAA"})
			os.Chtimes(g.src+"/e/same", old, old)
			os.Chtimes(g.src+"/same", old, old)
			g.sync()
			write(t, g.src, map[string]string{"e/same": "BBBB", "same": "BBBB"})
			os.Chtimes(g.src+"/e/same", old, old)
			os.Chtimes(g.src+"/same", old, old)
			g.sync()
			g.equal()
		})
	}
}

func TestChurn(t *testing.T) {
	seed := rand.Uint64()
	if s := os.Getenv("REPLICATE_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	t.Logf("REPLICATE_SEED=%d", seed)
	g := newRig(t, targets["daemon"]).start()
	c := testbed.NewChurn(g.src, seed)
	for range 20 {
		c.Steps(60)
		g.j.scan(t, false)
	}
	g.sync()
	g.equal()
	if g.rec.most < 2 {
		t.Error("no two batches ever ran at once")
	}
}

func TestFullSync(t *testing.T) {
	for name, opt := range targets {
		t.Run(name, func(t *testing.T) {
			g := newRig(t, opt)
			for i := range 60 {
				write(t, g.src, map[string]string{fmt.Sprintf("d%d/e%d/f", i%7, i): "x", fmt.Sprintf("d%d/g%d", i%7, i): "y"})
			}
			os.Link(g.src+"/d0/g0", g.src+"/d1/link")
			os.Link(g.src+"/d0/g0", g.src+"/toplink")
			g.j.scan(t, true)
			g.r.full = &journal.FullSync{Reason: "new remote"}
			ready := make(chan struct{})
			g.o.Ready = ready
			g.start()
			if st := g.d.Status(); st.State != StateStarting || !st.FullSync.Waiting {
				t.Errorf("before the first scan: %+v", st)
			}
			close(ready)
			g.wait(0)
			g.equal()
			if g.r.FullSync() != nil || g.r.State().LastFull.IsZero() {
				t.Errorf("full sync not ended: %+v", g.r.State())
			}
			if st := g.d.Status(); st.State != StateInSync {
				t.Errorf("state %s", st.State)
			}
		})
	}
}
