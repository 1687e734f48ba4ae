package replicate

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"gorsyncd/journal"
)

// fakeProber is a transport that also probes, from a script.
type fakeProber struct {
	*fakeTransport

	pmu    sync.Mutex
	takes  time.Duration
	tidies time.Duration // after an answer; 0: there is none before the end
	answer probed
	at     []time.Time
}

func (f *fakeProber) Probe(ctx context.Context, _ string, answer func(probed)) probed {
	f.pmu.Lock()
	f.at = append(f.at, time.Now())
	takes, tidies, all := f.takes, f.tidies, f.answer
	f.pmu.Unlock()
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		return probed{why: Outcome{Class: ClassCanceled}, sent: true}
	}
	if tidies > 0 {
		early := all
		early.clean = false
		answer(early)
		select {
		case <-time.After(tidies):
		case <-ctx.Done():
			return probed{why: Outcome{Class: ClassCanceled}, sent: true}
		}
	}
	return all
}

func (f *fakeProber) say(p probed) {
	f.pmu.Lock()
	defer f.pmu.Unlock()
	f.answer = p
}

func (f *fakeProber) count() int {
	f.pmu.Lock()
	defer f.pmu.Unlock()
	return len(f.at)
}

// allOf is what can be looked at with -A and -X.
func allOf() aspects { return aspectsOf([]string{"-AX"}, os.Geteuid() == 0) }

func finds(ids ...string) probed {
	p := probed{done: true, sent: true, clean: true, looked: allOf()}
	for _, id := range ids {
		p.found = append(p.found, journal.Finding{ID: id, Detail: "seen"})
	}
	return p
}

// logLines is a log that tests count in.
type logLines struct {
	mu  sync.Mutex
	buf strings.Builder
}

func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logLines) count(level, id string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.buf.String()) {
		if strings.Contains(line, "level="+level) && strings.Contains(line, "error_id="+id) {
			n++
		}
	}
	return n
}

// probing simulates a remote with -A and -X; answer is that of its probes.
func simulateProbes(t *testing.T, answer probed, opt func(*rig), test func(t *testing.T, g *rig, f *fakeProber, log *logLines)) {
	var f *fakeProber
	log := &logLines{}
	simulate(t, func(g *rig) {
		f = &fakeProber{fakeTransport: g.o.transport.(*fakeTransport), answer: answer}
		g.o.transport, g.o.Scratch = f, t.TempDir()
		g.o.Rsync.Args = []string{"-AX"}
		g.o.Logger = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		if opt != nil {
			opt(g)
		}
	}, func(t *testing.T, g *rig, _ *fakeTransport) { test(t, g, f, log) })
}

func statusIDs(st Status) string {
	var ids []string
	for _, f := range st.Findings {
		ids = append(ids, f.ID)
	}
	return strings.Join(ids, " ")
}

// TestProbeEachDay: at once, then daily, also over restarts; what is found is
// stored, told once, and kept over the restart.
func TestProbeEachDay(t *testing.T) {
	simulateProbes(t, finds("W-OWNERS"), nil, func(t *testing.T, g *rig, f *fakeProber, log *logLines) {
		check := func(what string, probes int) {
			t.Helper()
			synctest.Wait()
			if n := f.count(); n != probes {
				t.Fatalf("%s: %d probes, want %d", what, n, probes)
			}
			if ids := statusIDs(g.d.Status()); ids != "W-OWNERS" || g.d.Status().State != StateInSync {
				t.Fatalf("%s: findings %q, state %s", what, ids, g.d.Status().State)
			}
		}
		check("new", 1)
		since := g.d.Status().Findings[0].Since
		time.Sleep(20 * time.Hour)
		g.stop()
		g.start()
		check("restart within a day", 1)
		time.Sleep(5 * time.Hour)
		check("a day after", 2)
		time.Sleep(72 * time.Hour)
		check("three days after", 5)
		if at := g.d.Status().Findings[0].Since; !at.Equal(since) {
			t.Errorf("since %v, then %v", since, at)
		}
		if n := log.count("WARN", "W-OWNERS"); n != 1 {
			t.Errorf("told %d times", n)
		}
		if st := g.r.State().Probe; st.Dirty {
			t.Errorf("stored %+v", st)
		}
	})
}

// TestProbeMended: what is not found any more is told, and a full sync brings
// right what was kept wrong.
func TestProbeMended(t *testing.T) {
	simulateProbes(t, finds("W-SYMLINKS", idOld), nil, func(t *testing.T, g *rig, f *fakeProber, log *logLines) {
		f.say(finds("W-SYMLINKS"))
		g.d.RetryNow(nil)
		synctest.Wait()
		if full := g.r.State().LastFull; !full.IsZero() || statusIDs(g.d.Status()) != "W-SYMLINKS" {
			t.Fatalf("another version needs no full sync: %v", g.d.Status())
		}
		f.say(finds())
		g.d.RetryNow(nil)
		synctest.Wait()
		if st := g.d.Status(); statusIDs(st) != "" || st.LastFull == nil || st.State != StateInSync {
			t.Errorf("after mending: %+v", st)
		}
		if !slices.ContainsFunc(f.all(), func(r fakeRun) bool { return r.kind == "reconcile" }) {
			t.Error("no full sync after mending")
		}
		if n := log.count("INFO", "W-SYMLINKS"); n != 1 {
			t.Errorf("told %d times", n)
		}
	})
}

// TestProbeBeforeFirstFullSync: the full sync of a new remote knows what to
// leave out.
func TestProbeBeforeFirstFullSync(t *testing.T) {
	var mu sync.Mutex
	var barely []bare // guarded by mu
	simulateProbes(t, finds("W-XATTRS"), func(g *rig) {
		f := g.o.transport.(*fakeProber)
		f.takes = time.Minute
		f.reply = func(b *Batch, _ Mode) Result {
			if b.chunk != nil {
				mu.Lock()
				defer mu.Unlock()
				barely = append(barely, b.bare)
			}
			return Result{Outcome: Outcome{Class: ClassOK}}
		}
		g.r.full = &journal.FullSync{Reason: journal.NewRemote}
		write(t, g.src, map[string]string{"a/f": "1"})
		g.j.scan(t, true)
	}, func(t *testing.T, g *rig, f *fakeProber, _ *logLines) {
		if n := len(f.all()); n != 0 {
			t.Fatalf("%d runs before the first probe has ended", n)
		}
		g.j.change("a/f") // live changes do not wait
		synctest.Wait()
		if n := len(f.all()); n != 1 {
			t.Fatalf("%d runs, want that of the live change", n)
		}
		if err := g.d.WaitFor(t.Context(), g.j.Head(), nil); err != nil {
			t.Fatal(err)
		}
		mu.Lock()
		defer mu.Unlock()
		if len(barely) == 0 || slices.Contains(barely, bare{}) || slices.Contains(barely, bare{acls: true, xattrs: true}) {
			t.Errorf("full sync with %+v", barely)
		}
	})
}

// TestProbeDrainsRetries: paths that failed for want of xattrs are sent without
// them at once.
func TestProbeDrainsRetries(t *testing.T) {
	simulateProbes(t, finds(), func(g *rig) { g.o.Retry.Max = 12 * time.Hour }, func(t *testing.T, g *rig, f *fakeProber, _ *logLines) {
		write(t, g.src, map[string]string{"a/f": "1"})
		f.set(func(b *Batch, mode Mode) Result {
			if b.bare.xattrs {
				return Result{Outcome: Outcome{Class: ClassOK}}
			}
			if mode == Verify {
				return Result{Outcome: Outcome{Class: ClassOK}, Changes: []Change{{Item: ".f........x", Path: "a/f"}}}
			}
			return failed("E-DEST-UNSUPPORTED", ClassEntry, 23)
		})
		f.say(finds("W-XATTRS"))
		g.j.change("a/f")
		// The failure itself makes the remote doubtful, but not sooner than an
		// hour after the last probe.
		time.Sleep(59 * time.Minute)
		synctest.Wait()
		if st := g.d.Status(); st.State != StateFailing || f.count() != 1 {
			t.Fatalf("%d probes, status %+v", f.count(), st)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if st := g.d.Status(); st.State != StateInSync || statusIDs(st) != "W-XATTRS" || f.count() != 2 {
			t.Errorf("%d probes, status %+v", f.count(), st)
		}
	})
}

// TestProbeTakesAWorker: a server may not let in one connection more.
func TestProbeTakesAWorker(t *testing.T) {
	simulateProbes(t, finds(), func(g *rig) {
		g.o.Workers = 1
		g.o.transport.(*fakeProber).takes = time.Minute
	}, func(t *testing.T, g *rig, f *fakeProber, _ *logLines) {
		write(t, g.src, map[string]string{"a/f": "1"})
		seq := g.j.change("a/f")
		time.Sleep(59 * time.Second)
		synctest.Wait()
		if n := len(f.all()); n != 0 {
			t.Fatalf("%d runs beside the probe", n)
		}
		if err := g.d.WaitFor(t.Context(), seq, nil); err != nil {
			t.Fatal(err)
		}
		f.fakeTransport.takes = time.Minute
		g.j.change("a/f")
		synctest.Wait()
		g.d.RetryNow(nil)
		time.Sleep(59 * time.Second)
		synctest.Wait()
		if n := f.count(); n != 1 {
			t.Fatalf("%d probes: one ran beside a batch", n)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if n := f.count(); n != 2 {
			t.Errorf("%d probes, want another after the batch", n)
		}
	})
}

// TestProbeStampsTheRoot: its files come and go there.
func TestProbeStampsTheRoot(t *testing.T) {
	simulateProbes(t, finds(), nil, func(t *testing.T, g *rig, f *fakeProber, _ *logLines) {
		runs := f.all()
		if len(runs) != 1 || runs[0].kind != "root" {
			t.Errorf("runs %+v, want one that stamps the root", runs)
		}
	})
}

// TestProbeInVainIsNoTrouble: a remote that cannot be probed is replicated as
// ever, keeps its findings, and is not asked all the time.
func TestProbeInVainIsNoTrouble(t *testing.T) {
	transient := probed{why: Outcome{ID: "E-BUSY", Class: ClassTransient}}
	simulateProbes(t, transient, nil, func(t *testing.T, g *rig, f *fakeProber, _ *logLines) {
		write(t, g.src, map[string]string{"a/f": "1"})
		if err := g.d.WaitFor(t.Context(), g.j.change("a/f"), nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(69 * time.Minute)
		synctest.Wait()
		if n := f.count(); n != 3 { // after 10 and 30 minutes, then after 70
			t.Errorf("%d probes in 69 minutes", n)
		}
		f.say(finds("W-MODES"))
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		f.say(probed{why: Outcome{ID: "E-READONLY", Class: ClassConfig}})
		time.Sleep(49 * time.Hour)
		synctest.Wait()
		if st := g.d.Status(); statusIDs(st) != "W-MODES" || st.Error != nil || f.count() != 6 {
			t.Errorf("%d probes, %+v", f.count(), st)
		}
	})
}

// TestProbeAfterTrouble: a remote that was away may be another one; one that
// comes and goes is not probed each time.
func TestProbeAfterTrouble(t *testing.T) {
	simulateProbes(t, finds(), nil, func(t *testing.T, g *rig, f *fakeProber, _ *logLines) {
		write(t, g.src, map[string]string{"a/f": "1"})
		for range 100 { // a failure each 2 s
			f.set(func(*Batch, Mode) Result { return failed("E-CONNECT", ClassTransient, 10) })
			g.j.change("a/f")
			time.Sleep(500 * time.Millisecond)
			f.set(nil)
			time.Sleep(1500 * time.Millisecond)
		}
		synctest.Wait()
		if n := f.count(); n < 2 || n > 4 { // the first, and at most one a minute
			t.Errorf("%d probes in 200 s", n)
		}
		f.set(func(*Batch, Mode) Result { return failed("E-CONNECT", ClassTransient, 10) })
		g.j.change("a/f")
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := f.count(); n > 5 {
			t.Errorf("%d probes: one of a remote that is away", n)
		}
	})
}

// TestProbeDirty: that something may have been left is durable before it is,
// and the next start sees to it.
func TestProbeDirty(t *testing.T) {
	simulateProbes(t, finds("W-OWNERS"), nil, func(t *testing.T, g *rig, f *fakeProber, _ *logLines) {
		f.pmu.Lock()
		f.takes = time.Minute
		f.pmu.Unlock()
		g.d.RetryNow(nil)
		time.Sleep(time.Second)
		synctest.Wait()
		if f.count() != 2 || !g.r.State().Probe.Dirty {
			t.Fatalf("%d probes, stored %+v", f.count(), g.r.State().Probe)
		}
		g.stop()
		if st := g.r.State().Probe; !st.Dirty || len(st.Findings) != 1 {
			t.Fatalf("stored after the cut %+v", st)
		}
		g.start()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if st := g.r.State().Probe; f.count() != 3 || st.Dirty || g.d.Status().State != StateInSync {
			t.Errorf("%d probes, stored %+v", f.count(), st)
		}
	})
}

// TestRepairSweepsTheProbe: a remote that was set back may have what a probe
// made again.
func TestRepairSweepsTheProbe(t *testing.T) {
	simulateProbes(t, finds(), nil, func(t *testing.T, g *rig, f *fakeProber, _ *logLines) {
		time.Sleep(time.Minute)
		before := f.count()
		if err := g.d.persist(t.Context(), func() {
			g.d.repair(&verify{}, []Difference{{Path: "a", Kinds: []DiffKind{DiffMissing}}}, time.Now())
		}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if f.count() != before+1 {
			t.Errorf("%d probes", f.count()-before)
		}
	})
}

// TestProbeOfAnotherQuestion: another target, or other arguments, are another
// matter; what was found elsewhere does not count.
func TestProbeOfAnotherQuestion(t *testing.T) {
	simulateProbes(t, finds("W-OWNERS", "W-XATTRS"), nil, func(t *testing.T, g *rig, f *fakeProber, _ *logLines) {
		g.stop()
		g.o.Rsync.Args = []string{"-A"}
		f.say(probed{why: Outcome{Class: ClassTransient}, looked: aspects{}})
		g.start()
		synctest.Wait()
		if ids := statusIDs(g.d.Status()); ids != "W-OWNERS" || f.count() != 2 {
			t.Errorf("%d probes, %q without -X", f.count(), ids)
		}
		g.stop()
		g.to("/elsewhere")
		g.start()
		synctest.Wait()
		if ids := statusIDs(g.d.Status()); ids != "" || f.count() != 3 {
			t.Errorf("%d probes, %q at another target", f.count(), ids)
		}
	})
}

// TestNoProbeWhileStopped: a pause and a hold are for probes, too.
func TestNoProbeWhileStopped(t *testing.T) {
	simulateProbes(t, finds(), func(g *rig) { g.r.state.Paused = true }, func(t *testing.T, g *rig, f *fakeProber, _ *logLines) {
		time.Sleep(time.Hour)
		synctest.Wait()
		if n := f.count(); n != 0 {
			t.Errorf("%d probes while paused", n)
		}
		if err := g.d.Resume(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if n := f.count(); n != 1 {
			t.Errorf("%d probes after the pause", n)
		}
	})
}
