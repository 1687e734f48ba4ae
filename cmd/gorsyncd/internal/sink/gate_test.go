package sink

import (
	"testing"
	"time"

	"gorsyncd/journal"
	"gorsyncd/replicate"
)

func TestAcked(t *testing.T) {
	r := newRig(t).acked()
	r.record(file("a"))
	if next := r.step(); !next.IsZero() {
		t.Errorf("it polls: %s", next)
	}
	r.want("")
	r.ack()
	r.step()
	r.want("change a")
	r.idle()
}

// TestFailingPath: what fails on the remote waits, what comes behind does not, and
// nothing holds the journal.
func TestFailingPath(t *testing.T) {
	r := newRig(t).acked()
	r.record(file("bad"), file("good"))
	r.ack("bad")
	r.step()
	r.want("change good")
	if st := r.sink.Status(); st.Failing != 0 || st.LagEntries != 1 || st.State != replicate.StateSyncing {
		t.Errorf("status: %+v", st)
	}
	if low := r.o.Store.Cursor().Low; low != r.src.Head() {
		t.Errorf("cursor at %d of %d", low, r.src.Head())
	}
	r.later(time.Hour)
	r.want("")
	r.restart()
	check(t, r.remote.Commit(t.Context(), journal.Update{DelRetry: []string{"bad"}}))
	r.later(2 * gatePoll)
	r.want("change bad")
	r.idle()
}

// TestFailingPathChanges: its newer event takes the place of the one that waits.
func TestFailingPathChanges(t *testing.T) {
	r := newRig(t).acked()
	r.record(dirState("d"), file("d/bad"))
	r.ack("d/bad")
	r.step()
	r.record(gone("d"))
	check(t, r.remote.Commit(t.Context(), journal.Update{DelRetry: []string{"d/bad"}, Cursor: &journal.Cursor{Low: r.src.Head()}}))
	r.later(2 * gatePoll)
	r.want("remove d")
	r.idle()
}

// TestFullSyncGates: the cursor of a remote that needs a full sync says nothing, unless
// that was only asked for.
func TestFullSyncGates(t *testing.T) {
	r := newRig(t).acked()
	full := func(reason string) {
		check(t, r.remote.Commit(t.Context(), journal.Update{FullSync: &journal.FullSync{Reason: reason}}))
	}
	full("journal.max_size reached")
	r.record(file("a"))
	r.ack()
	r.step()
	r.want("")
	if st := r.sink.Status(); st.WaitsFor != "nas" {
		t.Errorf("waits for %q", st.WaitsFor)
	}
	check(t, r.remote.Commit(t.Context(), journal.Update{EndFullSync: true}))
	r.step()
	r.want("change a")
	for _, reason := range []string{"schedule @every 1h", "requested", "full_sync.on_start: always"} {
		full(reason)
		r.record(file("a"))
		r.ack()
		r.step()
		r.want("change a")
	}
	r.idle()
}

// TestResyncGates: nobody is told to fetch anew what is not there yet.
func TestResyncGates(t *testing.T) {
	r := newRig(t).acked()
	check(t, r.remote.Commit(t.Context(), journal.Update{FullSync: &journal.FullSync{Reason: "journal lost"}}))
	check(t, r.sink.GiveUp(t.Context(), "journal lost"))
	r.step()
	r.want("")
	check(t, r.remote.Commit(t.Context(), journal.Update{EndFullSync: true}))
	r.step()
	r.want("resync ")
	r.idle()
}

// TestWakes: Run notices acknowledgements and new entries by itself.
func TestWakes(t *testing.T) {
	r := newRig(t)
	r.o.Now, r.o.Gates = nil, []Remote{r.remote}
	told := make(chan string, 10)
	r.to.answer = func(events []Event) Result {
		for i := range events {
			told <- events[i].rel
		}
		return delivered
	}
	r.restart()
	done := make(chan error, 1)
	go func() { done <- r.sink.Run(t.Context()) }()
	for _, name := range []string{"a", "b"} {
		r.record(file(name))
		check(t, r.remote.Commit(t.Context(), journal.Update{State: &journal.RemoteState{LastSuccess: time.Now()}})) // wakes it, for nothing
		time.Sleep(gatePause / 4)
		r.ack()
		start := time.Now()
		select {
		case got := <-told:
			if got != name {
				t.Errorf("told of %s", got)
			}
			if d := time.Since(start); d >= lazily {
				t.Errorf("only the clock woke it, after %s", d)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("never told of %s", name)
		}
	}
	r.sink.Drain()
	check(t, <-done)
	if low := r.o.Store.Cursor().Low; low != r.src.Head() {
		t.Errorf("cursor at %d of %d", low, r.src.Head())
	}
	if err := r.sink.Pause(t.Context(), "", time.Time{}); err == nil {
		t.Error("paused after its end")
	}
}
