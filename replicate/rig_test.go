package replicate

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"gorsyncd/bench/testbed"
)

// rig is a dispatcher with a real rsync on a real tree, and a journal in
// memory that scans the tree when told to.
type rig struct {
	tb       testing.TB
	src, dst string
	j        *memJournal
	r        *memRemote
	o        Options
	d        *Dispatcher
	rec      *recorder
	stop     func()
}

// newRig makes a source, a destination and options for a local target; opts
// change them before the first start.
func newRig(tb testing.TB, opts ...func(*rig)) *rig {
	tb.Helper()
	base := openToAll(tb)
	g := &rig{tb: tb, src: filepath.Join(base, "src"), dst: filepath.Join(base, "dst")}
	for _, dir := range []string{g.src, g.dst} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			tb.Fatal(err)
		}
	}
	g.j = newMemJournal(g.src)
	g.r = newMemRemote(0)
	g.o = Options{Source: "s", Name: "r", Root: g.src, Feed: g.j, Tree: g.j, Store: g.r,
		Retry: RetryOptions{Initial: 20 * time.Millisecond, Max: 200 * time.Millisecond}, Workers: 3}
	g.o.Rsync.Warm = 1
	if len(tb.Name())%2 == 0 { // half of the tests give names as arguments
		g.o.argsFrom = 1
	}
	g.to(g.dst)
	if os.Getenv("REPLICATE_LOG") != "" {
		g.o.Logger = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	for _, f := range opts {
		f(g)
	}
	return g
}

func (g *rig) to(target string) {
	t, err := ParseTarget(target)
	if err != nil {
		g.tb.Fatal(err)
	}
	g.o.Target = t
}

// openToAll is a temporary directory that others may enter: names are arguments
// only where they may.
func openToAll(tb testing.TB) string {
	tb.Helper()
	dir := tb.TempDir()
	for _, d := range []string{filepath.Dir(dir), dir} {
		if err := os.Chmod(d, 0o755); err != nil {
			tb.Fatal(err)
		}
	}
	return dir
}

// start runs a dispatcher until stop or the end of the test.
func (g *rig) start() *rig {
	g.tb.Helper()
	o := g.o
	if o.transport == nil {
		ro := o
		ro.setDefaults()
		g.rec = &recorder{transport: newRsyncTransport(&ro), tb: g.tb}
		o.transport = g.rec
	}
	d, err := New(o)
	if err != nil {
		g.tb.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.Run(ctx) }()
	g.d = d
	g.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			g.tb.Errorf("Run: %v", err)
		}
	})
	g.tb.Cleanup(g.stop)
	return g
}

// sync scans and waits until all of it has arrived.
func (g *rig) sync() {
	g.tb.Helper()
	g.wait(g.j.scan(g.tb, false))
}

func (g *rig) wait(seq uint64) {
	g.tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	if err := g.d.WaitFor(ctx, seq, nil); err != nil {
		g.tb.Fatalf("wait for %d: %v; status %+v", seq, err, g.d.Status())
	}
}

// equal fails unless source and destination are the same now.
func (g *rig) equal() {
	g.tb.Helper()
	diff, err := testbed.DiffTrees(g.src, g.dst, testbed.Options{})
	if err != nil || len(diff) > 0 {
		g.tb.Fatalf("trees differ: %v %q", err, diff)
	}
}

// until polls a condition of the dispatcher: rsync's processes have no clock
// that a test could turn.
func (g *rig) until(what string, cond func() bool) {
	g.tb.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !cond() {
		if time.Now().After(deadline) {
			g.tb.Fatalf("never %s; status %+v", what, g.d.Status())
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// recorder passes batches on and asserts the rule that no two batches in
// flight overlap or stamp the same directory.
type recorder struct {
	transport
	tb testing.TB

	mu      sync.Mutex
	flying  map[uint64]*Batch
	batches []Batch
	most    int
	warm    int // runs that a spare has carried
	stale   int // runs that had to be made up for, because of a spare
}

func (r *recorder) Run(ctx context.Context, b *Batch, mode Mode) Result {
	r.mu.Lock()
	if r.flying == nil {
		r.flying = map[uint64]*Batch{}
	}
	for _, o := range r.flying {
		for _, x := range o.Locks {
			for _, y := range b.Locks {
				if o.ID != b.ID && naiveConflict(x, y) {
					r.tb.Errorf("batches %d and %d overlap: %v, %v", o.ID, b.ID, x, y)
				}
			}
		}
	}
	r.flying[b.ID] = b
	r.most = max(r.most, len(r.flying))
	if mode == Send {
		r.batches = append(r.batches, *b)
	}
	r.mu.Unlock()
	res := r.transport.Run(ctx, b, mode)
	r.mu.Lock()
	delete(r.flying, b.ID)
	if res.Warm {
		r.warm++
	}
	r.stale += len(res.cut)
	r.mu.Unlock()
	return res
}

func (r *recorder) sent() []Batch {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Batch(nil), r.batches...)
}
