package replicate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gorsyncd/journal"
)

// fakeTransport answers at once, or after a virtual while, from a script.
type fakeTransport struct {
	mu    sync.Mutex
	takes time.Duration
	reply func(b *Batch, mode Mode) Result // nil: all is well
	runs  []fakeRun
}

type fakeRun struct {
	at    time.Time
	mode  Mode
	kind  string
	paths []string
	retry bool
}

func (f *fakeTransport) Keep(*Batch) {}
func (f *fakeTransport) Rest()       {}

func (f *fakeTransport) Run(ctx context.Context, b *Batch, mode Mode) Result {
	f.mu.Lock()
	f.runs = append(f.runs, fakeRun{time.Now(), mode, b.Kind(), slices.Clone(b.Paths), b.Retry})
	reply, takes := f.reply, f.takes
	f.mu.Unlock()
	if takes > 0 {
		select {
		case <-time.After(takes):
		case <-ctx.Done():
			return Result{Outcome: Outcome{Class: ClassCanceled}}
		}
	}
	if reply != nil {
		return reply(b, mode)
	}
	return Result{Outcome: Outcome{Class: ClassOK}}
}

func (f *fakeTransport) Close() {}

func (f *fakeTransport) set(reply func(*Batch, Mode) Result) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reply = reply
}

func (f *fakeTransport) all() []fakeRun {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.runs)
}

func failed(id string, class Class, exit int) Result {
	return Result{Exit: exit, Outcome: Outcome{ID: id, Class: class, Message: "it failed"}}
}

// refuses makes every batch with the path fail at it alone.
func refuses(path string) func(*Batch, Mode) Result {
	return func(b *Batch, mode Mode) Result {
		if !slices.Contains(b.Paths, path) {
			return Result{Outcome: Outcome{Class: ClassOK}}
		}
		if mode == Verify {
			return Result{Outcome: Outcome{Class: ClassOK}, Changes: []Change{{Item: "<f.st......", Path: path}}}
		}
		return failed("E-DEST-PERM", ClassEntry, 23)
	}
}

// simulate runs a test on a fake transport in virtual time.
func simulate(t *testing.T, opt func(*rig), test func(t *testing.T, g *rig, f *fakeTransport)) {
	base := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeTransport{}
		g := &rig{tb: t, src: base + "/src", dst: base + "/dst"}
		for _, dir := range []string{g.src, g.dst} {
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		g.j, g.r = newMemJournal(g.src), newMemRemote(0)
		g.o = Options{Source: "s", Name: "r", Root: g.src, Feed: g.j, Tree: g.j, Store: g.r, transport: f,
			Retry: RetryOptions{Initial: time.Second, Max: time.Minute}}
		g.to(g.dst)
		if opt != nil {
			opt(g)
		}
		g.start()
		synctest.Wait()
		test(t, g, f)
		g.stop()
	})
}

func TestBackoffOfRemote(t *testing.T) {
	simulate(t, nil, func(t *testing.T, g *rig, f *fakeTransport) {
		write(t, g.src, map[string]string{"a/f": "1", "b/f": "1"})
		f.set(func(*Batch, Mode) Result { return failed("E-CONNECT", ClassTransient, 10) })
		begin := time.Now()
		g.j.change("a/f", "b/f")
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		var at []time.Duration
		for _, r := range f.all() {
			at = append(at, r.at.Sub(begin).Round(time.Second))
		}
		// 1, 2, 4, … s after each other, then every minute.
		want := []time.Duration{0, 1, 3, 7, 15, 31, 63, 123, 183, 243}
		for i := range want {
			want[i] *= time.Second
		}
		if !slices.Equal(at, want) {
			t.Errorf("attempts at %v, want %v", at, want)
		}
		if len(g.r.retries) != 0 {
			t.Error("a failure of the remote touched a path")
		}
		if st := g.d.Status(); st.State != StateRetrying || st.Error.Attempts != len(want) || st.LagEntries != 2 {
			t.Errorf("status %+v", st)
		}
		f.set(nil)
		g.d.RetryNow(nil)
		synctest.Wait()
		if st := g.d.Status(); st.State != StateInSync || st.Error != nil || st.LagEntries != 0 {
			t.Errorf("after recovery: %+v", st)
		}
	})
}

func TestConfigErrorWaitsLongest(t *testing.T) {
	simulate(t, nil, func(t *testing.T, g *rig, f *fakeTransport) {
		write(t, g.src, map[string]string{"a/f": "1"})
		f.set(func(*Batch, Mode) Result { return failed("E-AUTH", ClassConfig, 5) })
		g.j.change("a/f")
		time.Sleep(10*time.Minute + time.Second)
		synctest.Wait()
		if n := len(f.all()); n != 11 {
			t.Errorf("%d attempts in ten minutes, want one a minute", n)
		}
		if st := g.d.Status(); st.State != StateFailing {
			t.Errorf("state %s", st.State)
		}
	})
}

// A path that fails and changes all the time must not be sent all the time.
func TestNoHotLoop(t *testing.T) {
	simulate(t, nil, func(t *testing.T, g *rig, f *fakeTransport) {
		write(t, g.src, map[string]string{"a/bad": "1", "a/good": "1"})
		f.set(refuses("a/bad"))
		for range 600 {
			g.j.change("a/bad", "a/good")
			time.Sleep(100 * time.Millisecond)
		}
		synctest.Wait()
		tries := 0
		for _, r := range f.all() {
			if r.mode == Send && slices.Contains(r.paths, "a/bad") {
				tries++
			}
		}
		if tries < 5 || tries > 8 {
			t.Errorf("%d attempts in a minute of changes, want those of the back-off", tries)
		}
		rec, ok := g.r.retry("a/bad")
		if !ok || rec.Seq != g.j.Head()-1 || rec.Attempts != tries {
			t.Errorf("retry record %+v, head %d, %d tries", rec, g.j.Head(), tries)
		}
		if low := g.r.Cursor().Low; low != g.j.Head() {
			t.Errorf("cursor %d, head %d: one bad path holds the others", low, g.j.Head())
		}
		if st := g.d.Status(); st.State != StateFailing || st.Failing != 1 {
			t.Errorf("status %+v", st)
		}
		f.set(nil)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if _, ok := g.r.retry("a/bad"); ok || g.d.Status().State != StateInSync {
			t.Error("did not heal by itself")
		}
	})
}

// Paths that are due again while others of the retry set are sent leave the only
// worker to the rest.
func TestRetriesLeaveRoom(t *testing.T) {
	few := func(g *rig) {
		g.o.Workers, g.o.Retry = 1, RetryOptions{Initial: time.Millisecond, Max: 10 * time.Millisecond}
	}
	simulate(t, few, func(t *testing.T, g *rig, f *fakeTransport) {
		write(t, g.src, map[string]string{"a/1": "1", "a/2": "1", "a/3": "1", "a/4": "1", "b/good": "1"})
		f.set(func(b *Batch, _ Mode) Result { // nothing tells which path it was
			if strings.HasPrefix(b.Paths[0], "a/") {
				return failed("E-PARTIAL", ClassEntry, 23)
			}
			return Result{Outcome: Outcome{Class: ClassOK}}
		})
		f.mu.Lock()
		f.takes = time.Second
		f.mu.Unlock()
		g.j.change("a/1", "a/2", "a/3", "a/4")
		time.Sleep(time.Minute)
		begin := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := g.d.WaitFor(ctx, g.j.change("b/good"), []string{"b/good"}); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begin); took > 3100*time.Millisecond { // a second look under way, a try with its look, the change
			t.Errorf("a change took %v beside paths that fail", took)
		}
		time.Sleep(10 * time.Second)
		n := 0
		for _, r := range f.all() {
			if r.retry && r.mode == Send && r.at.Sub(begin) > 2*time.Second {
				n++
			}
		}
		if n < 4 {
			t.Errorf("%d attempts at the paths that fail within 10 s, want one after the other", n)
		}
	})
}

// A change that comes while its path is being retried is not lost.
func TestChangeDuringRetry(t *testing.T) {
	simulate(t, nil, func(t *testing.T, g *rig, f *fakeTransport) {
		write(t, g.src, map[string]string{"a/f": "1"})
		f.set(refuses("a/f"))
		g.j.change("a/f")
		time.Sleep(100 * time.Millisecond)
		f.mu.Lock()
		f.takes, f.reply = 10*time.Second, nil
		f.mu.Unlock()
		time.Sleep(2 * time.Second) // the retry is under way
		seq := g.j.change("a/f")
		n := len(f.all())
		if err := g.d.WaitFor(t.Context(), seq, nil); err != nil {
			t.Fatal(err)
		}
		if got := len(f.all()); got != n+1 {
			t.Errorf("%d runs after the change, want 1", got-n)
		}
	})
}

func TestGuardHoldsUntilApproved(t *testing.T) {
	simulate(t, func(g *rig) { g.o.MaxDelete = 100 }, func(t *testing.T, g *rig, f *fakeTransport) {
		write(t, g.src, map[string]string{"live/f": "1"})
		g.j.remove("d/ok", 100)
		synctest.Wait()
		if n := len(f.all()); n != 1 {
			t.Fatalf("%d runs for as many removals as allowed", n)
		}
		g.j.remove("d/more", 1)
		synctest.Wait()
		g.j.change("live/f")
		time.Sleep(time.Hour)
		synctest.Wait()
		st := g.d.Status()
		if n := len(f.all()); n != 1 || st.State != StateHeld || st.Held == nil || !strings.Contains(st.Held.Reason, "G-MAXDELETE") {
			t.Fatalf("%d runs while held, status %+v", n, st)
		}
		if g.r.State().Held == "" {
			t.Error("the hold is not durable")
		}
		if err := g.d.Approve(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if st := g.d.Status(); st.State != StateInSync || g.r.State().Approved != g.j.Head() {
			t.Errorf("after approval: %+v", st)
		}
		// A slow trickle never adds up.
		for i := range 300 {
			g.j.remove(fmt.Sprint("d/t", i), 1)
			time.Sleep(time.Second)
		}
		synctest.Wait()
		if st := g.d.Status(); st.State != StateInSync {
			t.Errorf("a trickle of removals: %+v", st)
		}
	})
}

func TestPause(t *testing.T) {
	simulate(t, nil, func(t *testing.T, g *rig, f *fakeTransport) {
		write(t, g.src, map[string]string{"a/f": "1"})
		if err := g.d.Pause(t.Context(), "backup", time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		seq := g.j.change("a/f")
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
		defer cancel()
		var blocked *BlockedError
		if err := g.d.WaitFor(ctx, seq, nil); !errors.As(err, &blocked) || blocked.Reason != "paused: backup" ||
			!errors.Is(err, context.DeadlineExceeded) || blocked.Pending != 1 {
			t.Errorf("WaitFor = %v", err)
		}
		if st := g.d.Status(); st.State != StatePaused || !g.r.State().Paused || len(f.all()) != 0 {
			t.Errorf("paused: %+v", st)
		}
		if p := g.d.Explain("a/f"); p.State != PathQueued || p.Position != 1 || p.Sending != StatePaused {
			t.Errorf("explain %+v", p)
		}
		begin := time.Now()
		if err := g.d.WaitFor(t.Context(), seq, nil); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(begin); d != 30*time.Minute {
			t.Errorf("went on after %v", d)
		}
		if g.r.State().Paused {
			t.Error("still paused")
		}
	})
}

func TestWaitForPaths(t *testing.T) {
	simulate(t, func(g *rig) { g.o.Workers = 1; g.o.BatchFiles = 1 }, func(t *testing.T, g *rig, f *fakeTransport) {
		write(t, g.src, map[string]string{"a/f": "1", "b/f": "1", "c/f": "1"})
		f.takes = time.Minute
		seq := g.j.change("a/f", "b/f", "c/f")
		begin := time.Now()
		if err := g.d.WaitFor(t.Context(), seq, []string{"b"}); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(begin); d != 2*time.Minute {
			t.Errorf("b came after %v", d)
		}
		if err := g.d.WaitFor(t.Context(), seq, nil); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(begin); d != 3*time.Minute {
			t.Errorf("all came after %v", d)
		}
	})
}

func TestDrainAndCut(t *testing.T) {
	simulate(t, func(g *rig) { g.o.BatchFiles = 1; g.o.Workers = 1 }, func(t *testing.T, g *rig, f *fakeTransport) {
		write(t, g.src, map[string]string{"a/f": "1", "b/f": "1"})
		f.takes = time.Minute
		g.j.change("a/f", "b/f")
		synctest.Wait()
		g.d.Drain()
		begin := time.Now()
		<-g.d.stopped
		if d := time.Since(begin); d != time.Minute || len(f.all()) != 1 {
			t.Errorf("drained after %v, %d runs", d, len(f.all()))
		}
		if low := g.r.Cursor().Low; low != 1 {
			t.Errorf("cursor %d: what ended during the drain was not written down", low)
		}
		g.stop()
		g.start()
		synctest.Wait()
		begin = time.Now()
		g.stop()
		if d := time.Since(begin); d != 0 {
			t.Errorf("cut took %v", d)
		}
		if low := g.r.Cursor().Low; low != 1 {
			t.Errorf("cursor %d after the cut", low)
		}
	})
}

func TestJournalFailureEndsRun(t *testing.T) {
	simulate(t, nil, func(t *testing.T, g *rig, f *fakeTransport) {
		g.stop()
		g.r.fail = errors.New("disk on fire")
		d, err := New(g.o)
		if err != nil {
			t.Fatal(err)
		}
		write(t, g.src, map[string]string{"a/f": "1"})
		g.j.change("a/f")
		if err := d.Run(t.Context()); !errors.Is(err, g.r.fail) {
			t.Errorf("Run = %v", err)
		}
	})
}

// An unjournaled path where a removal is due is not sent, and the removal is
// not forgotten.
func TestRemovalOutlivesABriefReturn(t *testing.T) {
	simulate(t, nil, func(t *testing.T, g *rig, f *fakeTransport) {
		write(t, g.src, map[string]string{"d/lock": "1"})
		g.j.remove("d/lock", 1)
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := len(f.all()); n != 0 {
			t.Fatalf("%d runs for a path that is there again", n)
		}
		os.Remove(g.src + "/d/lock")
		time.Sleep(2 * time.Second)
		synctest.Wait()
		runs := f.all()
		if len(runs) != 1 || runs[0].paths[0] != "d/lock" || g.r.Cursor().Low != 1 {
			t.Errorf("runs %+v, cursor %+v", runs, g.r.Cursor())
		}
	})
}

func TestStatusBeforeRun(t *testing.T) {
	j, r := newMemJournal(t.TempDir()), newMemRemote(3)
	j.head = 3
	j.change("a", "b", "c", "d", "e", "f", "g")
	r.state = journal.RemoteState{Paused: true, PauseReason: "x"}
	target, _ := ParseTarget("h::m")
	d, err := New(Options{Source: "s", Name: "r", Root: j.root, Target: target, Feed: j, Tree: j, Store: r})
	if err != nil {
		t.Fatal(err)
	}
	st := d.Status()
	if st.Name != "s/r" || st.State != StateStarting || st.LagEntries != 7 || st.Paused == nil || st.InFlight == nil {
		t.Errorf("status %+v", st)
	}
}
