package replicate_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"gorsyncd/bench/testbed"
	"gorsyncd/journal"
	"gorsyncd/replicate"
	"gorsyncd/watch"
)

// TestWholeChain runs watcher, journal and dispatcher together under churn:
// a first full sync while the tree changes, then changes alone.
func TestWholeChain(t *testing.T) {
	seed := rand.Uint64()
	if s := os.Getenv("REPLICATE_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	t.Logf("REPLICATE_SEED=%d", seed)
	base := t.TempDir()
	src, dst, fence := base+"/src", base+"/dst", base+"/fence"
	for _, dir := range []string{src, dst, fence} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	churn := testbed.NewChurn(src, seed)
	churn.Steps(300)

	j, err := journal.Open(journal.Options{Dir: base + "/journal"})
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	source, err := j.Source("s")
	if err != nil {
		t.Fatal(err)
	}
	rem, err := source.Remote("r")
	if err != nil {
		t.Fatal(err)
	}
	tree, err := watch.New(watch.Options{Root: src, Index: source, Roots: source, FenceDir: fence})
	if err != nil {
		t.Fatal(err)
	}
	daemon := testbed.RunRsyncd(t, testbed.Module{Name: "m", Path: dst})
	target, err := replicate.ParseTarget(daemon.Target("m"))
	if err != nil {
		t.Fatal(err)
	}
	d, err := replicate.New(replicate.Options{Source: "s", Name: "r", Root: src, Target: target, Feed: source, Tree: source,
		Store: rem, Ready: tree.Ready(), Workers: 3, Retry: replicate.RetryOptions{Initial: 20 * time.Millisecond, Max: time.Second}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	for _, run := range []func(context.Context) error{tree.Run, d.Run} {
		wg.Go(func() {
			if err := run(ctx); err != nil && !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
	for range 4 {
		churn.Steps(400)
		wctx, done := context.WithTimeout(ctx, 60*time.Second)
		seq, err := tree.Fence(wctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.WaitFor(wctx, seq, nil); err != nil {
			t.Fatalf("%v; status %+v", err, d.Status())
		}
		done()
		testbed.WaitEqual(t, src, dst, 10*time.Second)
	}
	rep, err := j.Check(ctx)
	if err != nil || len(rep.Problems) > 0 {
		t.Errorf("journal check: %v %q", err, rep.Problems)
	}
}
