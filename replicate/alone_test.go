package replicate

import (
	"context"
	"path/filepath"
	"testing"
	"time"
)

// TestAloneWaitsForStragglers: what an rsync of a killed process has left
// running keeps the next process from sending.
func TestAloneWaitsForStragglers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run", "src", "r")
	ctx := context.Background()
	before := alone{path: path}
	lock, out := before.enter(ctx)
	if lock == nil || out.Class != "" {
		t.Fatalf("the first has no lock: %+v", out)
	}
	// The leader ends at once, its child lives on, as a receiver does.
	begin := time.Now()
	e := process{argv: []string{"sh", "-c", "sleep 1 & exit 0"}, env: rsyncEnv(), lock: lock}.run(ctx)
	if e.code != 0 || e.err != nil {
		t.Fatalf("%+v", e)
	}
	before.leave() // as the kernel does for a killed process

	next := alone{path: path}
	defer next.leave()
	if _, out := next.enter(ctx); out.Class != "" {
		t.Fatalf("no lock once the straggler is gone: %+v", out)
	}
	if took := time.Since(begin); took < 900*time.Millisecond {
		t.Errorf("the lock was given after %s beside a straggler of 1 s", took)
	}
}

// TestAloneGivesUp: a straggler that stays is an error that is tried again, and
// a wait that is cancelled ends.
func TestAloneGivesUp(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, second := alone{path: path}, alone{path: path}
	if lock, _ := first.enter(context.Background()); lock == nil {
		t.Fatal("no lock")
	}
	defer first.leave()
	if _, out := second.enter(context.Background()); out.ID != "E-STRAGGLER" || out.Class != ClassTransient {
		t.Errorf("%+v", out)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, out := second.enter(ctx); out.Class != ClassCanceled {
		t.Errorf("%+v", out)
	}
}

// TestRunWaitsForTheGroup: a leader that fails may leave its receiver behind.
func TestRunWaitsForTheGroup(t *testing.T) {
	begin := time.Now()
	e := process{argv: []string{"sh", "-c", "sleep 0.5 & exit 12"}, env: rsyncEnv()}.run(context.Background())
	if e.code != 12 {
		t.Fatalf("%+v", e)
	}
	if took := time.Since(begin); took < 450*time.Millisecond {
		t.Errorf("run returned after %s, its child ran for 0.5 s", took)
	}
}
