package replicate

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gorsyncd/bench/testbed"
)

// gate lets comparisons through and holds back what would be sent.
type gate struct {
	transport
	mu   sync.Mutex
	open chan struct{}
}

func (g *gate) Run(ctx context.Context, b *Batch, mode Mode) Result {
	g.mu.Lock()
	open := g.open
	g.mu.Unlock()
	if mode == Send {
		select {
		case <-open:
		case <-ctx.Done():
			return Result{Outcome: Outcome{Class: ClassCanceled}}
		}
	}
	return g.transport.Run(ctx, b, mode)
}

func (g *rig) gated() *gate {
	ro := g.o
	ro.setDefaults()
	t := &gate{transport: newRsyncTransport(&ro), open: make(chan struct{})}
	g.o.transport = t
	return t
}

// TestRepairSurvivesACrash: what a verify says is repaired is durable then,
// whatever becomes of the dispatcher.
func TestRepairSurvivesACrash(t *testing.T) {
	g := newRig(t, func(g *rig) { g.o.Delete = DeleteAll })
	tamperable(t, g.src)
	g.start().sync()
	g.stop()
	_, content := tamper(t, g.dst)
	g.gated()
	g.start()
	v := g.verify(VerifyRequest{Checksum: true, Repair: true})
	if v.err != nil || len(v.diffs) != len(content)+3 || v.res.Repaired != v.res.Differences {
		t.Fatalf("%v %+v", v.err, v.res)
	}
	for _, f := range v.diffs {
		if _, ok := g.r.retry(f.Path); ok != (f.Repair == RepairQueued) {
			t.Errorf("%s: repair %q, in the journal %v", f.Path, f.Repair, ok)
		}
	}
	if full := g.r.FullSync(); full == nil || full.Sub != "c" {
		t.Errorf("what only the remote has: full sync %+v", full)
	}
	g.stop() // nothing of it has been sent
	g.o.transport = nil
	g.start()
	g.wait(g.j.Head())
	g.healed(DeleteAll)
}

// TestRepairPassesTheGuard: what stands in the way of a repair may be much.
func TestRepairPassesTheGuard(t *testing.T) {
	g := newRig(t, func(g *rig) { g.o.MaxDelete = 5 })
	write(t, g.src, map[string]string{"f": "f", "g": "g"})
	g.start().sync()
	swap := func(name string, n int) {
		try(t, os.Remove(g.dst+"/"+name), os.Mkdir(g.dst+"/"+name, 0o755))
		for i := range n {
			try(t, os.WriteFile(fmt.Sprintf("%s/%s/%d", g.dst, name, i), nil, 0o644))
		}
	}
	swap("f", 5)
	if v := g.verify(VerifyRequest{Repair: true}); v.err != nil || v.diffs["f"].Below != 5 {
		t.Fatalf("%v %+v", v.err, v.diffs)
	}
	g.wait(g.j.Head())
	g.equal()
	swap("g", 6)
	if v := g.verify(VerifyRequest{Repair: true}); v.err != nil || v.res.Repaired == 0 {
		t.Fatalf("%v %+v", v.err, v.res)
	}
	time.Sleep(200 * time.Millisecond)
	st := g.d.Status()
	if st.State != StateHeld || !strings.HasPrefix(st.Held.Reason, "G-MAXDELETE the repair would delete 6 ") {
		t.Fatalf("state %s, held %+v", st.State, st.Held)
	}
	if _, err := os.Stat(g.dst + "/g/3"); err != nil {
		t.Fatalf("a held remote lost something: %v", err)
	}
	try(t, g.d.Approve(context.Background()))
	g.wait(g.j.Head())
	g.equal()
}

// TestVerifyOfVeryMany: every path is told once, however many there are, in
// memory that does not grow with them; a full sync repairs what is too much for
// the retry set.
func TestVerifyOfVeryMany(t *testing.T) {
	const files = 25_000
	g := newRig(t)
	try(t, os.MkdirAll(g.src+"/many", 0o755), os.MkdirAll(g.src+"/few", 0o755), os.WriteFile(g.src+"/few/f", nil, 0o644))
	for i := range files {
		try(t, os.WriteFile(fmt.Sprintf("%s/many/a rather long name for a file %06d", g.src, i), nil, 0o644))
	}
	g.j.scan(t, true)
	g.start()
	told := make([]bool, files)
	var other []string
	most, first, samples := uint64(0), uint64(0), 0
	res, err := g.d.Verify(context.Background(), VerifyRequest{Repair: true}, VerifyObserver{
		Difference: func(f Difference) {
			var n int
			if _, err := fmt.Sscanf(f.Path, "many/a rather long name for a file %d", &n); err != nil {
				other = append(other, f.Path)
				return
			}
			if told[n] {
				t.Fatalf("%s is told twice", f.Path)
			}
			told[n] = true
		},
		Progress: func(p VerifyProgress) {
			if p.Settling > poolSize {
				t.Errorf("%d paths at once", p.Settling)
			}
			if samples++; samples%20 != 1 {
				return
			}
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			if first == 0 {
				first = m.HeapAlloc
			}
			most = max(most, m.HeapAlloc)
		},
	})
	// What was sent makes the directory of them, before it is looked at.
	other = slices.DeleteFunc(other, func(p string) bool { return p == "many" })
	if err != nil || res.Differences < files+3 || len(other) != 3 || slices.Contains(told, false) || res.Repaired != res.Differences || !res.Complete {
		t.Fatalf("%v %+v; others %q", err, res, other)
	}
	t.Logf("%d MiB more than at the beginning", (most-first)>>20)
	if most-first > 24<<20 {
		t.Errorf("%d MiB for %d differences", (most-first)>>20, files)
	}
	if g.d.Status().FullSync == nil && g.r.FullSync() == nil {
		if diff, _ := testbed.DiffTrees(g.src, g.dst, testbed.Options{}); len(diff) > 0 {
			t.Error("no full sync")
		}
	}
	g.wait(g.j.Head())
	g.equal()
}

// TestVerifyOfAPart: of a directory, of a file, of what is on the remote only.
func TestVerifyOfAPart(t *testing.T) {
	g := newRig(t)
	write(t, g.src, map[string]string{"a/b/f": "1", "a/g": "2", "top": "3"})
	g.start().sync()
	for _, p := range []string{"a/b/f", "a/g", "top"} {
		keepTime(t, g.dst+"/"+p, func() { try(t, os.WriteFile(g.dst+"/"+p, []byte("longer"), 0o644)) })
	}
	g.verify(VerifyRequest{Sub: "a/b"}).expect(t, "a/b/f: size")
	g.verify(VerifyRequest{Sub: "a/g"}).expect(t, "a/g: size")
	g.verify(VerifyRequest{Sub: "a"}).expect(t, "a/b/f: size", "a/g: size")
	write(t, g.dst, map[string]string{"stranger": "s"})
	g.verify(VerifyRequest{Sub: "stranger"}).expect(t, "~stranger: stranger")
	g.verify(VerifyRequest{Sub: "nothing"}).expect(t)
	g.verify(VerifyRequest{Sub: "a/g", Repair: true}).expect(t, "a/g: size")
	g.wait(g.j.Head())
	g.verify(VerifyRequest{Sub: "a"}).expect(t, "a/b/f: size")
	// The root by itself.
	try(t, os.Chmod(g.dst, 0o700))
	g.verify(VerifyRequest{}).expect(t, ": time mode", "a/b/f: size", "top: size", "~stranger: stranger")
}

// TestVerifyLeavesOutWhatIsExcluded, on either side, also in what goes.
func TestVerifyLeavesOutWhatIsExcluded(t *testing.T) {
	for _, mode := range []DeleteMode{DeleteTracked, DeleteAll} {
		g := newRig(t, func(g *rig) {
			g.o.Delete = mode
			g.o.Excluded = func(p string, _ bool) bool { return strings.HasSuffix(p, ".o") }
			g.o.FilterArgs = []string{"--filter=- *.o"}
		})
		write(t, g.src, map[string]string{"a/f": "1", "a/x.o": "2", "b/f": "1"})
		try(t, os.Link(g.src+"/a/f", g.src+"/b/link.o"))
		g.start().sync()
		write(t, g.dst, map[string]string{"a/y.o": "s", "new/z.o": "s", "new/w": "s"})
		try(t, os.Remove(g.dst+"/new/w"), os.Chtimes(g.dst+"/a", time.Now(), time.Now()))
		g.sync()
		v := g.verify(VerifyRequest{Checksum: true})
		for _, f := range v.diffs {
			if f.Path != "a" && f.Path != "" { // their times did change
				t.Errorf("mode %d: %+v", mode, f)
			}
		}
		if v.err != nil || !v.res.Complete {
			t.Errorf("mode %d: %v %+v", mode, v.err, v.res)
		}
		g.stop()
	}
}

// TestVerifyWhereNothingMayBeDeleted: a server that refuses --delete is compared
// without a word about strangers.
func TestVerifyWhereNothingMayBeDeleted(t *testing.T) {
	g := newRig(t)
	d := testbed.RunRsyncd(t, testbed.Module{Name: "m", Path: g.dst, Extra: []string{"refuse options = delete"}})
	g.to(d.Target("m"))
	g.o.Delete = DeleteNone
	write(t, g.src, map[string]string{"a/f": "1"})
	g.start().sync()
	write(t, g.dst, map[string]string{"a/f": "tampered", "stranger": "s"})
	v := g.verify(VerifyRequest{Sub: "a"})
	v.expect(t, "a/f: size time")
}
