package sink

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"gorsyncd/journal"
	"gorsyncd/replicate"
	"gorsyncd/watch"
)

func TestEvents(t *testing.T) {
	r := newRig(t)
	r.record(dirState("a"), file("a/1"), file("a/2"))
	r.step()
	r.want("change a/1, change a/2") // the directory itself was not asked for
	r.record(file("a/1"), gone("a/2"))
	r.step()
	r.want("change a/1, remove a/2")
	r.idle()
}

func TestDirectories(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Directories = true })
	r.record(dirState("a"), file("a/1"))
	r.step()
	r.want("change a, change a/1")
}

func TestOps(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Ops = []string{OpChange} })
	r.record(file("a"), file("b"))
	r.step()
	r.to.take()
	r.record(gone("a"), file("b"))
	check(t, r.sink.GiveUp(t.Context(), "limit"))
	r.step()
	r.record(file("c"))
	r.step()
	r.want("change c")
	r.idle()
}

func TestFilter(t *testing.T) {
	r := newRig(t, func(o *Options) {
		f, err := watch.ParseFilter([]watch.Rule{{Text: "+ */"}, {Text: "+ *.html"}, {Text: "- *"}})
		check(t, err)
		o.Filter = f
	})
	r.record(dirState("a"), file("a/x.html"), file("a/x.png"))
	r.step()
	r.want("change a/x.html")
	r.record(file("a/y.png"))
	if next := r.step(); next.IsZero() {
		t.Error("nobody writes the cursor")
	}
	r.want("")
	r.idle()
}

// TestNewestOfAPath: what was not delivered yet is superseded by what came since, also
// when that is not wanted.
func TestNewestOfAPath(t *testing.T) {
	r := newRig(t)
	r.to.answer = func([]Event) Result { return transient(idConnect, "", "down") }
	r.record(file("x"), dirState("d"), file("d/1"))
	r.step()
	r.want("")
	r.record(gone("x"), gone("d"))
	r.to.answer = nil
	r.later(time.Minute)
	r.want("remove x, remove d")
	r.idle()
}

func TestBackOff(t *testing.T) {
	r := newRig(t)
	r.to.answer = func([]Event) Result { return transient(idConnect, "", "down") }
	r.record(file("x"))
	next := r.step()
	if next.Sub(r.now) != time.Second {
		t.Errorf("first pause %s", next.Sub(r.now))
	}
	st := r.sink.Status()
	if st.State != replicate.StateRetrying || st.Error == nil || st.Error.ID != idConnect || st.LagEntries != 1 {
		t.Errorf("status: %+v", st)
	}
	r.later(time.Second)
	if next := r.step(); next.Sub(r.now) != 2*time.Second {
		t.Errorf("second pause %s", next.Sub(r.now))
	}
	r.record(file("y")) // does not wake it
	r.step()
	if len(r.to.batches) != 2 {
		t.Errorf("%d attempts", len(r.to.batches))
	}
	r.to.answer = nil
	r.sink.RetryNow(nil)
	r.step()
	r.want("change x, change y")
	r.idle()
}

func TestRetryAfter(t *testing.T) {
	r := newRig(t)
	r.to.answer = func([]Event) Result {
		res := transient(idStatus, "", "busy")
		res.After = 40 * time.Second
		return res
	}
	r.record(file("x"))
	if next := r.step(); next.Sub(r.now) != 40*time.Second {
		t.Errorf("pause %s", next.Sub(r.now))
	}
}

// TestOneIsRejected: the event to blame is found by halves; the others arrive, each once.
func TestOneIsRejected(t *testing.T) {
	r := newRig(t)
	r.to.answer = func(events []Event) Result {
		for i := range events {
			if events[i].rel == "f5" {
				return rejected(idExit, "", "no")
			}
		}
		return delivered
	}
	for _, f := range strings.Fields("f0 f1 f2 f3 f4 f5 f6 f7 f8 f9") {
		r.record(file(f))
	}
	r.step()
	r.want("change f0, change f1, change f2, change f3, change f4, change f6, change f7, change f8, change f9")
	st := r.sink.Status()
	if st.Failing != 1 || st.LagEntries != 1 || st.Error == nil || st.Error.Path != "f5" || st.State != replicate.StateRetrying {
		t.Errorf("status: %+v", st)
	}
	r.restart() // it is kept
	r.to.answer = nil
	r.later(time.Minute)
	r.want("change f5")
	r.idle()
}

// TestAllAreRejected: the sink backs off instead of moving everything aside.
func TestAllAreRejected(t *testing.T) {
	r := newRig(t)
	r.to.answer = func([]Event) Result { return rejected(idExit, "", "no") }
	for i := range 200 {
		r.record(file(strings.Repeat("x", i+1)))
	}
	r.step()
	if n := len(r.to.batches); n > 20 {
		t.Errorf("%d attempts at once", n)
	}
	if st := r.sink.Status(); st.Failing > manyAlone || st.LagEntries != 200 {
		t.Errorf("status: %+v", st)
	}
	r.to.answer = nil
	r.to.take()
	for range 5 {
		r.later(time.Minute)
	}
	if n := strings.Count(r.to.take(), "change"); n != 200 {
		t.Errorf("%d arrived", n)
	}
	r.idle()
}

// TestSomeAreLeft: a receiver that knows which it refuses.
func TestSomeAreLeft(t *testing.T) {
	r := newRig(t)
	r.to.answer = func([]Event) Result {
		res := rejected(idStatus, "", "no")
		res.Left = []int{1}
		return res
	}
	r.record(file("a"), file("b"), file("c"))
	r.step()
	r.want("change a, change c")
	r.to.answer = func(events []Event) Result {
		return transient(idConnect, "", "down").from(0, len(events))
	}
	r.record(file("d"))
	r.later(5 * time.Second)
	r.want("")
	r.to.answer = nil
	r.later(time.Minute)
	r.want("change b, change d")
	r.idle()
}

// TestCutOff: what was under way is delivered again, with the same ids.
func TestCutOff(t *testing.T) {
	r := newRig(t)
	r.record(file("a"), file("b"))
	dying, kill := context.WithCancel(t.Context())
	r.to.answer = func([]Event) Result {
		kill()
		return transient(idSlow, "", "cut")
	}
	_, err := r.sink.Step(dying, r.now)
	check(t, err)
	first := r.to.ids[0]
	r.to.take()
	r.to.answer = nil
	r.restart()
	r.step()
	if again := r.to.ids[0]; strings.Join(first, " ") != strings.Join(again, " ") || len(first) != 2 || first[0] == first[1] {
		t.Errorf("ids: %v, again %v", first, again)
	}
	r.want("change a, change b")
	r.idle()
}

func TestPause(t *testing.T) {
	r := newRig(t)
	until := r.now.Add(time.Hour)
	check(t, r.sink.Pause(t.Context(), "tests", until))
	r.restart()
	r.record(file("a"))
	r.later(lazily)
	if next := r.step(); !next.Equal(until) {
		t.Errorf("next: %s", next)
	}
	if st := r.sink.Status(); st.State != replicate.StatePaused || st.Paused.Reason != "tests" || st.LagEntries != 1 {
		t.Errorf("status: %+v", st)
	}
	r.later(time.Hour)
	r.want("change a")
	check(t, r.sink.Pause(t.Context(), "", time.Time{}))
	r.record(file("b"))
	r.later(time.Hour)
	r.want("")
	check(t, r.sink.Resume(t.Context()))
	r.step()
	r.want("change b")
	r.idle()
}

func TestWaitFor(t *testing.T) {
	r := newRig(t)
	r.to.answer = func(events []Event) Result {
		for i := range events {
			if events[i].rel == "d/bad" {
				return rejected(idExit, "", "no")
			}
		}
		return delivered
	}
	r.record(dirState("d"), file("d/bad"), file("good"))
	seq := r.src.Head()
	over, cancel := context.WithCancel(t.Context())
	cancel()
	var blocked *replicate.BlockedError
	if err := r.sink.WaitFor(over, seq, []string{"good"}); !errors.As(err, &blocked) || blocked.Pending == 0 {
		t.Errorf("nothing was read yet: %v", err)
	}
	done := make(chan error, 1)
	go func() { done <- r.sink.WaitFor(t.Context(), seq, []string{"good"}) }()
	r.step()
	check(t, <-done)
	if err := r.sink.WaitFor(over, seq, []string{"x", "d"}); !errors.As(err, &blocked) || blocked.Pending != 1 || blocked.Failing != 1 || blocked.Last.ID != idExit {
		t.Errorf("one is rejected: %v", err)
	}
	go func() { done <- r.sink.WaitFor(t.Context(), seq, nil) }()
	r.to.answer = nil
	r.later(time.Minute)
	check(t, <-done)
}

func TestGather(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Gather, o.Batch = time.Second, 4 })
	r.record(file("a"))
	next := r.step()
	r.record(file("b"))
	r.step()
	r.want("")
	if next.Sub(r.now) != time.Second {
		t.Errorf("next in %s", next.Sub(r.now))
	}
	r.later(time.Second)
	r.want("change a, change b")
	r.record(file("a"), file("b"), file("c"), file("d"), file("e"))
	r.step() // full: at once
	r.want("change a, change b, change c, change d")
	r.later(time.Second)
	r.want("change e")
}

// TestGiveUp: what the journal cannot keep is told as one event.
func TestGiveUp(t *testing.T) {
	r := newRig(t)
	r.to.answer = func([]Event) Result { return transient(idConnect, "", "down") }
	r.record(file("a"), file("b"))
	r.step()
	check(t, r.sink.GiveUp(t.Context(), "journal.max_size reached"))
	if low := r.o.Store.Cursor().Low; low != r.src.Head() {
		t.Errorf("still holds the journal at %d", low)
	}
	r.restart()
	if st := r.sink.Status(); st.Resync == nil || st.Resync.Reason != "journal.max_size reached" || st.State == replicate.StateInSync {
		t.Errorf("status: %+v", st)
	}
	r.record(file("c"))
	r.to.answer = nil
	r.later(time.Minute)
	r.want("resync , change c")
	r.restart()
	r.step()
	r.want("")
	r.idle()
}

// TestGiveUpKeepsTheLag: what was given up is owed for as long as it was before.
func TestGiveUpKeepsTheLag(t *testing.T) {
	r := newRig(t)
	r.to.answer = func([]Event) Result { return transient(idConnect, "", "down") }
	r.record(file("a"))
	r.step()
	r.later(time.Hour)
	check(t, r.sink.GiveUp(t.Context(), "journal.max_size reached"))
	r.restart()
	if lag := r.sink.Status().LagSeconds; lag < 3599 || lag > 3660 {
		t.Errorf("%.1f s behind, want an hour", lag)
	}
	r.to.answer = nil
	r.later(time.Hour)
	r.want("resync ")
	if lag := r.sink.Status().LagSeconds; lag != 0 {
		t.Errorf("%.1f s behind, want 0", lag)
	}
}

// TestLagOfARemovedDirectory: what waits does not become younger because the directory
// that it is in goes away.
func TestLagOfARemovedDirectory(t *testing.T) {
	r := newRig(t)
	r.record(dirState("d"), file("x"))
	r.step() // the directory is known
	r.to.answer = func([]Event) Result { return transient(idConnect, "", "down") }
	r.record(file("d/a"))
	r.step()
	r.sink.byPath["d/a"].since = r.now.Add(-time.Hour) // the journal has a clock of its own
	r.record(gone("d"))
	r.step()
	if st := r.sink.Status(); st.LagEntries != 1 || st.LagSeconds < 3599 || st.LagSeconds > 3660 {
		t.Errorf("%d events, %.1f s behind, want one and an hour", st.LagEntries, st.LagSeconds)
	}
}

// TestGiveUpMeanwhile: a delivery under way does not bring back what was given up.
func TestGiveUpMeanwhile(t *testing.T) {
	r := newRig(t)
	r.to.answer = func(events []Event) Result {
		if events[0].Op == OpResync {
			return delivered
		}
		check(t, r.sink.GiveUp(t.Context(), "limit"))
		return rejected(idExit, "", "no")
	}
	r.record(file("a"))
	r.step()
	r.want("resync ")
	r.idle()
}

// TestBelow: a removed directory is told path by path, however many they are.
func TestBelow(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Below, o.Batch = true, 3 })
	r.record(dirState("d"), file("d/1"), dirState("d/e"), file("d/e/2"), file("d/e/3"), file("x"))
	r.step()
	r.to.take()
	fails := 1
	r.to.answer = func(events []Event) Result {
		if events[0].rel == "d/e/3" && fails > 0 {
			fails--
			return transient(idConnect, "", "down")
		}
		return delivered
	}
	r.record(gone("d"), file("x"))
	r.step()
	r.want("remove d, remove d/1, remove d/e/2")
	r.later(time.Minute)
	r.want("remove d/e/3, change x") // what was told of it is not told again
	r.idle()
}

// TestLongBacklog: more than fits into the window, in order, none twice.
func TestLongBacklog(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Batch = 1000 })
	var all []change
	var want []string
	for i := range window + 2500 {
		name := strings.Repeat("a", 1+i%50) + time.Duration(i).String()
		all = append(all, file(name))
		want = append(want, "change "+name)
	}
	r.record(all...)
	r.step()
	r.want(strings.Join(want, ", "))
	r.idle()
}

// TestOutOfOrderAcks: the cursor keeps what was delivered above what waits.
func TestOutOfOrderAcks(t *testing.T) {
	r := newRig(t).acked()
	r.record(file("a"), file("b"), file("c"), file("d"))
	head := r.src.Head()
	check(t, r.remote.Commit(t.Context(), journal.Update{Cursor: &journal.Cursor{Low: head - 4, Done: []journal.Range{{From: head - 2, To: head - 1}}}}))
	r.step()
	r.want("change b, change c")
	if st := r.sink.Status(); st.WaitsFor != "nas" || st.LagEntries != 2 || st.State != replicate.StateSyncing {
		t.Errorf("status: %+v", st)
	}
	r.restart()
	r.step()
	r.want("")
	r.ack()
	r.step()
	r.want("change a, change d")
	r.idle()
}
