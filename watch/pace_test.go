package watch

import (
	"fmt"
	"os"
	"testing"
	"time"
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
	if made := calls() - before; made > n/2 {
		t.Errorf("%d calls of Record for %d files", made, n)
	}
}
