package watch

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
)

// TestPace: single events, and bursts that do not last, never wait; a stream does,
// a little more the longer it lasts, and ends with it.
func TestPace(t *testing.T) {
	const ms = time.Millisecond
	for _, c := range []struct {
		name    string
		every   time.Duration
		n       int
		longest time.Duration // of all rests
		last    time.Duration // at the end
	}{
		{"nine a second", 111 * ms, 200, 0, 0},
		{"fifteen at once", ms, 15, 0, 0},
		{"a burst of a fifth of a second", 2 * ms, 100, 25 * ms, 25 * ms},
		{"a hundred a second for ten", 10 * ms, 1000, loopRest, loopRest},
	} {
		p := pace{most: loopRest}
		now, longest, last := time.Minute, time.Duration(0), time.Duration(0)
		for i := range c.n {
			now += c.every
			p.woken(now, uint64(i))
			last = p.rest(now, uint64(i))
			longest = max(longest, last)
		}
		if longest > c.longest || last > c.last || c.last == loopRest && last != loopRest {
			t.Errorf("%s: rests of up to %v, the last %v; want %v and %v", c.name, longest, last, c.longest, c.last)
		}
		if after := p.rest(now+2*time.Second, uint64(c.n)); after != 0 {
			t.Errorf("%s: a rest of %v after two seconds of silence", c.name, after)
		}
	}
}

// TestStreamSharesSteps: the events of a stream share steps, also of the
// observations that confirm them, and a fence has all of them.
func TestStreamSharesSteps(t *testing.T) { onBoth(t, testStreamSharesSteps) }

func testStreamSharesSteps(t *testing.T) {
	r := startTree(t)
	calls := func() int {
		r.idx.mu.Lock()
		defer r.idx.mu.Unlock()
		return r.idx.calls
	}
	before, n := calls(), 0
	for begin := time.Now(); time.Since(begin) < 4*time.Second; n++ {
		if err := os.WriteFile(r.path(fmt.Sprintf("f%d", n)), []byte("1"), 0o644); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	r.fence()
	if _, ok, _ := r.idx.Lookup(fmt.Sprintf("f%d", n-1)); !ok {
		t.Error("after a fence there is no record of the last file")
	}
	// On a machine that makes hardly any files there is no stream.
	if made := calls() - before; n >= 150 && made > n/2 {
		t.Errorf("%d calls of Record for %d files", made, n)
	}
}

// TestFenceInAStream: a fence waits neither for a rest of the loop nor for one of
// the reader.
func TestFenceInAStream(t *testing.T) { onBoth(t, testFenceInAStream) }

func testFenceInAStream(t *testing.T) {
	r := startTree(t)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(10 * time.Millisecond):
				_ = os.WriteFile(r.path(fmt.Sprintf("f%d", i)), []byte("1"), 0o644) // seen by its event or not at all
			}
		}
	}()
	time.Sleep(3 * time.Second)
	var took []time.Duration
	for range 15 {
		time.Sleep(70 * time.Millisecond)
		begin := time.Now()
		r.fence()
		took = append(took, time.Since(begin))
	}
	close(stop)
	<-stopped
	slices.Sort(took)
	// Rests are 200 and 50 ms by then: a fence that waits for them is seldom quick.
	if took[len(took)/3] > 20*time.Millisecond {
		t.Errorf("fences took %v", took)
	}
}

// TestStreamIsNotHot: a file that is written to every now and then in a stream is
// looked at as often as the loop takes a step.
func TestStreamIsNotHot(t *testing.T) {
	const ms = time.Millisecond
	for _, every := range []time.Duration{24, 25, 30, 40, 50, 90} {
		c := newCoalescer(2*ms, time.Second)
		rnd := rand.New(rand.NewPCG(1, uint64(every)))
		next, looked, worst := time.Second, time.Second, time.Duration(0)
		for step := time.Second; step < 3*time.Minute; step += 200*ms + time.Duration(rnd.IntN(20))*ms {
			for ; next < step; next += every*ms + time.Duration(rnd.IntN(9)-4)*ms {
				c.add("log", hintWrite, next, int64(next))
			}
			if dues, _ := c.pop(step, 10); len(dues) > 0 {
				worst = max(worst, step-looked)
				looked = step
			}
		}
		if worst > 1500*ms {
			t.Errorf("written every %d ms: not looked at for %v", every, worst)
		}
	}
}

// TestDozeHeedsEvents: an event that comes during a short wait counts for the pace
// as one that ends a long wait.
func TestDozeHeedsEvents(t *testing.T) {
	base := time.Now()
	tr := &Tree{base: base, events: newEvents(base), pace: pace{most: loopRest}}
	for range streamWakes + 2 {
		tr.events.push(fsnotify.Event{Name: "f", Op: fsnotify.Write})
		tr.doze(t.Context(), time.Microsecond)
	}
	if !tr.pace.on {
		t.Errorf("no stream after %d events: %+v", streamWakes+2, tr.pace)
	}
	level := tr.pace.level
	if tr.doze(t.Context(), time.Microsecond); tr.pace.level != level {
		t.Error("a wait in which nothing comes counts as well")
	}
}
