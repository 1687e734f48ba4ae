package replicate

import (
	"fmt"
	"math"
	"os"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"gorsyncd/journal"
)

func wantLag(t *testing.T, g *rig, want float64) {
	t.Helper()
	synctest.Wait()
	if got := g.d.Status().LagSeconds; math.Abs(got-want) > 0.5 {
		t.Errorf("%.1f s behind, want %.1f", got, want)
	}
}

// TestLagOfAFailedAttempt: what changes again while it is under way, in vain, is
// owed since the first change.
func TestLagOfAFailedAttempt(t *testing.T) {
	simulate(t, nil, func(t *testing.T, g *rig, f *fakeTransport) {
		write(t, g.src, map[string]string{"a/f": "1"})
		f.takes = 10 * time.Second
		f.set(func(*Batch, Mode) Result { return failed("E-CONNECT", ClassTransient, 10) })
		g.j.change("a/f")
		time.Sleep(5 * time.Second)
		g.j.change("a/f") // while it is under way
		wantLag(t, g, 5)
		time.Sleep(5500 * time.Millisecond)
		if st := g.d.Status(); len(st.InFlight) != 0 {
			t.Fatalf("in flight: %+v", st.InFlight)
		}
		wantLag(t, g, 10.5)
	})
}

// TestLagOfARemovedDirectory: changes that were never sent do not become younger
// because the directory that they are in goes away.
func TestLagOfARemovedDirectory(t *testing.T) {
	simulate(t, nil, func(t *testing.T, g *rig, f *fakeTransport) {
		write(t, g.src, map[string]string{"a/f": "1", "a/g": "1"})
		f.set(func(*Batch, Mode) Result { return failed("E-CONNECT", ClassTransient, 10) })
		g.j.change("a/f", "a/g")
		time.Sleep(20 * time.Minute)
		g.j.remove("a", 3)
		wantLag(t, g, 1200)
		if err := os.RemoveAll(g.src + "/a"); err != nil {
			t.Fatal(err)
		}
		f.set(nil)
		g.d.RetryNow(nil)
		wantLag(t, g, 0)
	})
}

// TestLagOfARemovedDirectoryThatFailed is the same for what is in the retry set.
func TestLagOfARemovedDirectoryThatFailed(t *testing.T) {
	simulate(t, nil, func(t *testing.T, g *rig, f *fakeTransport) {
		write(t, g.src, map[string]string{"a/f": "1"})
		f.set(refuses("a/f"))
		g.j.change("a/f")
		time.Sleep(20 * time.Minute)
		f.set(func(*Batch, Mode) Result { return failed("E-CONNECT", ClassTransient, 10) })
		time.Sleep(2 * time.Minute)
		g.j.remove("a", 2)
		wantLag(t, g, 1320)
	})
}

// TestLagOfAChangeOfALink: a change of a path that waits as a name of a full sync is
// a change all the same.
func TestLagOfAChangeOfALink(t *testing.T) {
	simulate(t, nil, func(t *testing.T, g *rig, f *fakeTransport) {
		write(t, g.src, map[string]string{"a/f": "1"})
		if err := g.d.Pause(t.Context(), "", time.Time{}); err != nil {
			t.Fatal(err)
		}
		err := g.d.do(t.Context(), func() {
			g.d.queue.push(&Item{Path: "a/f", Op: journal.OpChange, asked: time.Now()}) // as queueLink does
		})
		if err != nil {
			t.Fatal(err)
		}
		wantLag(t, g, 0)
		g.j.change("a/f")
		time.Sleep(time.Minute)
		wantLag(t, g, 60)
	})
}

// TestNeedlessRetryOfABusySource: what has failed and is needless now is forgotten,
// though the journal has never been read to its end whenever that is looked at.
func TestNeedlessRetryOfABusySource(t *testing.T) {
	var g *rig
	var busy bool
	var times int
	const most = 500
	simulate(t, func(r *rig) {
		g = r
		g.o.Excluded = func(path string, _ bool) bool {
			if !busy || path != "a/f" {
				return false
			}
			if times++; times <= most {
				g.j.change(fmt.Sprintf("busy/%d", times)) // between reading and planning
			}
			return true
		}
	}, func(t *testing.T, g *rig, f *fakeTransport) {
		write(t, g.src, map[string]string{"a/f": "1"})
		f.set(refuses("a/f"))
		g.j.change("a/f")
		synctest.Wait()
		if g.d.Status().Failing != 1 {
			t.Fatal("it has not failed")
		}
		if err := g.d.do(t.Context(), func() { busy = true }); err != nil {
			t.Fatal(err)
		}
		g.d.RetryNow(nil)
		synctest.Wait()
		if times == 0 || times > 10 {
			t.Errorf("looked at %d times", times)
		}
		wantLag(t, g, 0)
	})
}

// TestPinned: a path that fails is a part of the lag, and not of what the journal has
// to keep: giving up the remote's place would free nothing.
func TestPinned(t *testing.T) {
	simulate(t, nil, func(t *testing.T, g *rig, f *fakeTransport) {
		write(t, g.src, map[string]string{"a/f": "1", "a/g": "1"})
		f.set(refuses("a/f"))
		g.j.change("a/f")
		synctest.Wait()
		if st := g.d.Status(); st.LagEntries != 1 || st.Pinned != 0 {
			t.Errorf("failing: %d entries, %d pinned", st.LagEntries, st.Pinned)
		}
		f.set(func(*Batch, Mode) Result { return failed("E-CONNECT", ClassTransient, 10) })
		g.j.change("a/g")
		synctest.Wait()
		if st := g.d.Status(); st.LagEntries != 2 || st.Pinned != 1 {
			t.Errorf("and another one waits: %d entries, %d pinned", st.LagEntries, st.Pinned)
		}
	})
}

// TestSeenIsBounded: what is kept of what was read does not grow with the time that a
// remote has been behind, and answers all that may be asked.
func TestSeenIsBounded(t *testing.T) {
	const backlog, window = 1000, 100
	var s seen
	for read := uint64(1); read < 50_000; read++ {
		s.seqs = append(s.seqs, read)
		low := read - min(read, window)
		s.forget(read, read+backlog, low)
		// The entry that is read next came when the remote had come so far:
		was := low - min(low, backlog)
		for seq := was + 1; seq <= read; seq += 37 {
			if !s.had(seq) {
				t.Fatalf("%d is forgotten at %d", seq, read)
			}
		}
		if n := len(s.seqs); n > 5*(backlog+window) {
			t.Fatalf("%d at %d", n, read)
		}
	}
}

// TestAheadIsBounded: many that wait in the order of their age are some moments.
func TestAheadIsBounded(t *testing.T) {
	var a ahead
	begin := time.Unix(1_800_000_000, 0)
	at := func(seq uint64) time.Time { return begin.Add(time.Duration(seq) * time.Millisecond) }
	const many = 100_000
	for seq := uint64(1); seq <= many; seq++ {
		a.note(seq, at(seq))
	}
	if len(a.list) > many/1000+1 {
		t.Errorf("%d moments", len(a.list))
	}
	for read := uint64(0); read < many; read += 61 {
		if got, want := a.oldest(read), at(read+1); got.After(want) || want.Sub(got) > aheadGrain {
			t.Fatalf("behind %d: %v, want %v", read, got, want)
		}
	}
	if got := a.oldest(many); !got.IsZero() {
		t.Errorf("behind all: %v", got)
	}
	a.note(many+1, at(50))
	a.note(many+2, at(many))
	a.note(many+3, at(10)) // older than both
	if got := a.oldest(many); !got.Equal(at(10)) || len(a.list) != 1 {
		t.Errorf("%v, %v", got, a.list)
	}
}

// TestOwedBy: records of before there was a Since stand for changes that are as old as
// their first failure; what was only late does not, and First is by another clock.
func TestOwedBy(t *testing.T) {
	first, since := time.Unix(1_800_000_000, 0), time.Unix(1_700_000_000, 0)
	for _, c := range []struct {
		r    journal.Retry
		want time.Time
	}{
		{journal.Retry{First: first, Attempts: 1, ErrorID: "E-DEST-PERM"}, first},
		{journal.Retry{First: first, Attempts: 1, ErrorID: "E-DEST-PERM", Since: since}, since},
		{journal.Retry{First: first, Attempts: 1, ErrorID: idChanged}, time.Time{}},
		{journal.Retry{First: first, Attempts: changedPatience + 1, ErrorID: idChanged}, first},
		{journal.Retry{First: first}, time.Time{}},
	} {
		if got := owedBy(c.r); !got.Equal(c.want) {
			t.Errorf("%+v: %v, want %v", c.r, got, c.want)
		}
	}
}

// hungFeed is a feed whose reader hangs at once, and that counts what is read.
type hungFeed struct {
	*memJournal
	hung chan struct{}
	read atomic.Int64
}

func (h *hungFeed) Changed() <-chan struct{} {
	<-h.hung
	return h.memJournal.Changed()
}

func (h *hungFeed) Entries(from uint64, limit int) ([]journal.Entry, error) {
	list, err := h.memJournal.Entries(from, limit)
	h.read.Add(int64(len(list)))
	return list, err
}

// TestStatusOfAHungStart: who asks a remote that has hung since it began is told how
// far it is behind, and has not the whole journal read each time.
func TestStatusOfAHungStart(t *testing.T) {
	h := &hungFeed{hung: make(chan struct{})}
	simulate(t, func(g *rig) {
		h.memJournal, h.hung = g.j, make(chan struct{})
		g.o.Feed = h
		for i := range 500 {
			g.j.change(fmt.Sprint(i))
		}
		time.Sleep(time.Hour)
	}, func(t *testing.T, g *rig, f *fakeTransport) {
		for range 5 {
			begin := time.Now()
			st := g.d.Status()
			if st.LagEntries != 500 || st.LagSeconds < 3600 || st.LagSeconds > 3610 {
				t.Errorf("%d entries, %.1f s", st.LagEntries, st.LagSeconds)
			}
			if took := time.Since(begin); took > 2*time.Second {
				t.Errorf("answered after %v", took)
			}
		}
		if n := h.read.Load(); n > 20 {
			t.Errorf("%d entries were read", n)
		}
		close(h.hung)
	})
}
