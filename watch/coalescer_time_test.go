package watch

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// burst is what a path owes: a look for its events from the first to the last.
type burst struct {
	first, last time.Duration
	urgent      bool
}

// punctual runs a coalescer in virtual time, popping at the very moments that
// next names, and judges when each path is looked at.
type punctual struct {
	c      *coalescer
	now    time.Duration
	owed   map[string]burst
	looked map[itemKey]time.Duration
	within map[string]time.Duration // the last event in each directory
}

func (p *punctual) event(path string, urgent bool) {
	b, ok := p.owed[path]
	if !ok {
		b.first = p.now
	}
	b.last, b.urgent = p.now, b.urgent || urgent
	p.owed[path] = b
	p.within[dirOf(path)] = p.now
	if urgent {
		p.c.addNow(path, hintName, p.now, int64(p.now))
	} else {
		p.c.add(path, hintWrite, p.now, int64(p.now))
	}
}

// advance lets time pass and pops whenever something is due.
func (p *punctual) advance(t *rapid.T, until time.Duration) {
	for {
		at, ok := p.c.next()
		if !ok || at > until {
			break
		}
		p.now = max(p.now, at)
		list, all := p.c.pop(p.now, rapid.IntRange(50, 300).Draw(t, "limit"))
		if all {
			clear(p.owed)
		}
		for _, d := range list {
			p.judge(t, d)
		}
	}
	p.now = until
	for path, b := range p.owed {
		if late := min(max(b.last, p.within[dirOf(path)])+max(hotQuiet, p.c.settle), b.first+p.c.settleMax+hotMax); p.now > late+time.Millisecond {
			t.Fatalf("%v: %q with events from %v to %v has not been looked at", p.now, path, b.first, b.last)
		}
	}
}

// judge compares the moment of a look, or of a scan that stands for looks,
// with what was promised.
func (p *punctual) judge(t *rapid.T, d due) {
	key := itemKey{d.path, d.scan}
	all := burst{first: p.now}
	served := []string{d.path}
	if d.scan {
		served = nil
		for path := range p.owed {
			if dirOf(path) == d.path {
				served = append(served, path)
			}
		}
	}
	for _, path := range served {
		b, ok := p.owed[path]
		if !ok {
			t.Fatalf("%v: a look at %q for no event", p.now, path)
		}
		if _, ok := d.touched[nameHash(baseOf(path))]; d.scan && d.touched != nil && !ok {
			t.Fatalf("%q had an event and is not in the names of the scan", path)
		}
		all.first, all.last, all.urgent = min(all.first, b.first), max(all.last, b.last), all.urgent || b.urgent
		delete(p.owed, path)
	}
	if len(served) == 0 {
		t.Fatalf("%v: a scan of %q for no event", p.now, d.path)
	}
	if d.scan { // one of its paths may have been looked at by itself since
		all.last = max(all.last, p.within[d.path])
	}
	settle, most := p.c.settle, p.c.settleMax
	before, again := p.looked[key]
	again = again && p.now-before <= 2*hotMax+time.Second
	early := min(all.last+settle, all.first+most)
	limit := early
	if again { // it may be hot
		early = min(all.first+settle, all.first+most)
		limit = min(all.last+max(settle, hotQuiet), max(all.first+most, before+hotMax))
	}
	if !all.urgent && !d.scan && p.now < early {
		t.Fatalf("%v: %q was looked at before it settled: events from %v to %v", p.now, d.path, all.first, all.last)
	}
	if all.urgent {
		limit = all.last
	}
	if d.scan { // a hot path may have become part of it when its directory filled up
		limit = max(limit, all.last)
	}
	if p.now > limit {
		t.Fatalf("%v: %+v was late (limit %v): events from %v to %v, before at %v %v", p.now, key, limit, all.first, all.last, before, again)
	}
	p.looked[key] = p.now
}

// TestLooksArePunctual: a path is looked at when it has been quiet for settle,
// at the latest settleMax after its first event; one that is hot no more than
// 30 s after its last look; and never before it settled. A directory with too
// many paths is scanned within the same time.
func TestLooksArePunctual(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := &punctual{owed: map[string]burst{}, looked: map[itemKey]time.Duration{}, within: map[string]time.Duration{}, now: time.Millisecond,
			c: newCoalescer(time.Duration(rapid.IntRange(0, 50).Draw(t, "settle"))*time.Millisecond,
				time.Duration(rapid.IntRange(50, 2000).Draw(t, "settle max"))*time.Millisecond)}
		pause := rapid.SampledFrom([]int{0, 1, 3, 10, 30, 100, 700, 5000, 70000})
		for range rapid.IntRange(40, 200).Draw(t, "steps") {
			switch rapid.IntRange(0, 9).Draw(t, "do") {
			case 0: // a directory fills up
				dir, first := rapid.IntRange(0, 2).Draw(t, "dir"), rapid.IntRange(0, 600).Draw(t, "first")
				for i := range rapid.IntRange(1, maxPerDir+200).Draw(t, "files") {
					p.event(fmt.Sprintf("d%d/%d", dir, first+i), false)
				}
			case 1, 2, 3: // a file written again and again
				path := fmt.Sprintf("d%d/%d", rapid.IntRange(0, 2).Draw(t, "dir"), rapid.IntRange(0, 3).Draw(t, "name"))
				gap := pause.Draw(t, "gap")
				for range rapid.IntRange(1, 40).Draw(t, "writes") {
					p.event(path, false)
					p.advance(t, p.now+time.Duration(min(gap, 700))*time.Millisecond)
				}
			case 4:
				p.event(rapid.SampledFrom([]string{"", "d0", "d0/1", "top"}).Draw(t, "path"), false)
			case 5:
				p.event("d1/2", true)
				p.advance(t, p.now)
			case 6: // a big file grows for minutes
				gap := time.Duration(rapid.IntRange(10, 400).Draw(t, "gap")) * time.Millisecond
				for range rapid.IntRange(100, 300).Draw(t, "writes") {
					p.event("d0/0", false)
					p.advance(t, p.now+gap)
				}
			default:
				p.advance(t, p.now+time.Duration(pause.Draw(t, "pause"))*time.Millisecond)
			}
			if p.c.touched > maxTouched || len(p.c.items) > maxPending+1 {
				t.Fatalf("%d names and %d items are remembered", p.c.touched, len(p.c.items))
			}
		}
		p.advance(t, p.now+10*hotMax)
		if len(p.owed) > 0 || p.c.pending != 0 || len(p.c.items) != 0 {
			t.Fatalf("left: %v, %d pending, %d items", p.owed, p.c.pending, len(p.c.items))
		}
	})
}
