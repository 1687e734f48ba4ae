package replicate

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gorsyncd/journal"
)

// fullDisk is a store that, once full, cannot be written to.
type fullDisk struct {
	*memRemote
	full atomic.Bool
}

func (s *fullDisk) Commit(ctx context.Context, u journal.Update) error {
	if s.full.Load() {
		<-ctx.Done()
		return ctx.Err()
	}
	return s.memRemote.Commit(ctx, u)
}

// A journal without space must not keep the program from ending.
func TestRunEndsWithAFullJournal(t *testing.T) {
	for _, how := range []string{"cut", "drain"} {
		t.Run(how, func(t *testing.T) {
			store := &fullDisk{memRemote: newMemRemote(0)}
			simulate(t, func(g *rig) { g.r, g.o.Store = store.memRemote, store }, func(t *testing.T, g *rig, f *fakeTransport) {
				write(t, g.src, map[string]string{"a/f": "1"})
				store.full.Store(true)
				g.j.change("a/f")
				time.Sleep(time.Minute)
				begin := time.Now()
				if how == "drain" {
					g.d.Drain()
					<-g.d.stopped
				}
				g.stop() // fails the test for any error of Run but that of its context
				if d := time.Since(begin); d != finishTime {
					t.Errorf("ended after %v", d)
				}
				if low := g.r.Cursor().Low; low != 0 {
					t.Errorf("cursor %d", low)
				}
			})
		})
	}
}

// hangs is a feed that does not answer once told so.
type hangs struct {
	*memJournal
	on   atomic.Bool
	gate chan struct{}
}

func (h *hangs) Entries(from uint64, limit int) ([]journal.Entry, error) {
	if h.on.Load() {
		<-h.gate
	}
	return h.memJournal.Entries(from, limit)
}

// A wait ends in time even if the goroutine of Run does not answer.
func TestWaitForEndsWhenRunHangs(t *testing.T) {
	var feed *hangs
	simulate(t, func(g *rig) {
		feed = &hangs{memJournal: g.j, gate: make(chan struct{})}
		g.o.Feed = feed
	}, func(t *testing.T, g *rig, f *fakeTransport) {
		write(t, g.src, map[string]string{"a/f": "1"})
		f.takes = time.Hour
		seq := g.j.change("a/f")
		synctest.Wait()
		g.d.Status()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		time.AfterFunc(time.Second, func() { feed.on.Store(true); g.j.change("a/g") })
		begin := time.Now()
		err := g.d.WaitFor(ctx, seq, nil)
		var blocked *BlockedError
		if !errors.As(err, &blocked) || !errors.Is(err, context.DeadlineExceeded) || blocked.State != StateSyncing || blocked.Pending != 1 {
			t.Errorf("WaitFor = %+v", err)
		}
		if d := time.Since(begin); d != time.Minute+answerTime {
			t.Errorf("after %v", d)
		}
		feed.on.Store(false)
		close(feed.gate)
		synctest.Wait()
		var waits int
		if err := g.d.do(t.Context(), func() { waits = len(g.d.waiters) }); err != nil || waits != 0 {
			t.Errorf("%d waits are left, %v", waits, err)
		}
	})
}

// A record from before the clock was set back does not wait for the old time.
func TestClockSetBack(t *testing.T) {
	simulate(t, func(g *rig) {
		write(t, g.src, map[string]string{"a/late": "1", "a/soon": "1"})
		now := time.Now()
		for path, next := range map[string]time.Time{"a/late": now.Add(24 * time.Hour), "a/soon": now.Add(59 * time.Second)} {
			g.r.retries[path] = journal.Retry{Path: path, Op: journal.OpChange, Attempts: 9, ErrorID: "E-DEST-PERM", First: now, Next: next}
		}
	}, func(t *testing.T, g *rig, f *fakeTransport) {
		runs := f.all()
		if len(runs) != 1 || !slices.Equal(runs[0].paths, []string{"a/late"}) {
			t.Fatalf("runs %+v", runs)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if runs := f.all(); len(runs) != 2 || !slices.Equal(runs[1].paths, []string{"a/soon"}) {
			t.Errorf("runs %+v", runs)
		}
	})
}

// cutWhenReady runs a shell script, which makes the file $1 when it is ready,
// and cuts it then.
func cutWhenReady(t *testing.T, script string, args ...string) exited {
	t.Helper()
	ready := filepath.Join(t.TempDir(), "ready")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan exited, 1)
	go func() {
		done <- process{argv: append([]string{"sh", "-c", script, "sh", ready}, args...), env: rsyncEnv()}.run(ctx)
	}()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(ready); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the script does not start")
		}
	}
	cancel()
	return <-done
}

// The leader of a group ends at once; the other, which has something to put in
// order, is given its time.
func TestGroupIsGivenItsGrace(t *testing.T) {
	tmp := filepath.Join(t.TempDir(), "tmp")
	if err := os.WriteFile(tmp, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	e := cutWhenReady(t, `(trap 'sleep 0.3; rm "$2"; exit' TERM; : >"$1"; while :; do sleep 0.02; done) & wait`, tmp)
	if !e.canceled || e.code != -15 {
		t.Errorf("%+v", e)
	}
	if _, err := os.Stat(tmp); err == nil {
		t.Error("killed before it had removed its temporary file")
	}
	if d := time.Since(begin); d >= killGrace {
		t.Errorf("took %v: the end of the group goes unnoticed", d)
	}
}

// A member that ignores the request is killed, though its leader is gone.
func TestGroupIsKilledAfterItsGrace(t *testing.T) {
	alive := filepath.Join(t.TempDir(), "alive")
	e := cutWhenReady(t, `(trap '' TERM; : >"$1"; while sleep 0.02; do : >"$2"; done) & wait`, alive)
	if !e.canceled {
		t.Errorf("%+v", e)
	}
	_ = os.Remove(alive)
	time.Sleep(200 * time.Millisecond)
	if _, err := os.Stat(alive); err == nil {
		t.Error("it lives on")
	}
}
