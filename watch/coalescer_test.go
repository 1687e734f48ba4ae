package watch

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func popAll(c *coalescer, now time.Duration) (looks, scans map[string]bool, all bool) {
	looks, scans = map[string]bool{}, map[string]bool{}
	for {
		list, everything := c.pop(now, 100)
		all = all || everything
		for _, d := range list {
			if d.scan {
				scans[d.path] = true
			} else {
				looks[d.path] = true
			}
		}
		if len(list) == 0 && !everything {
			return looks, scans, all
		}
	}
}

func TestSettle(t *testing.T) {
	c := newCoalescer(2*time.Millisecond, time.Second)
	c.add("a/f", hintWrite, 0, 1)
	if at, ok := c.next(); !ok || at != 2*time.Millisecond {
		t.Errorf("due at %v, want settle after the event", at)
	}
	for now := time.Duration(0); now < time.Second; now += time.Millisecond {
		c.add("a/f", hintWrite, now, int64(now))
		if looks, _, _ := popAll(c, now); len(looks) > 0 {
			t.Fatalf("looked at %v although it is not quiet", now)
		}
	}
	if looks, _, _ := popAll(c, time.Second); !looks["a/f"] {
		t.Error("not looked at settleMax after the first event")
	}
}

// TestHotPath writes without a pause for two minutes, then stops.
func TestHotPath(t *testing.T) {
	c := newCoalescer(2*time.Millisecond, time.Second)
	var at []time.Duration
	end := 2 * time.Minute
	for now := time.Duration(0); now < end+time.Minute; now += time.Millisecond {
		if now < end {
			c.add("big", hintWrite, now, int64(now))
		}
		if looks, _, _ := popAll(c, now); looks["big"] {
			at = append(at, now)
		}
	}
	want := []time.Duration{1, 2, 4, 8, 16, 32, 62, 92}
	for i, w := range want {
		if i >= len(at) || at[i].Round(100*time.Millisecond) != w*time.Second {
			t.Fatalf("looked at %v, want at seconds %v", at, want)
		}
	}
	if last := at[len(at)-1]; last < end || last > end+time.Second || len(at) != len(want)+1 {
		t.Errorf("looked at %v, want one last look soon after %v", at, end)
	}
}

// TestHotPathSettlesAfterAPause: what was hot and has paused is not looked at
// in the middle of its next change.
func TestHotPathSettlesAfterAPause(t *testing.T) {
	c := newCoalescer(2*time.Millisecond, time.Second)
	now := time.Duration(0)
	for ; now <= 1100*time.Millisecond; now += time.Millisecond {
		c.add("big", hintWrite, now, int64(now))
		popAll(c, now) // looked at once, while it is being written
	}
	popAll(c, 2*time.Second)
	start := 3500 * time.Millisecond // longer than its back-off, not yet forgotten
	c.add("big", hintWrite, start, int64(start))
	if at, _ := c.next(); at != start+2*time.Millisecond {
		t.Errorf("due at %v, want settle after %v", at, start)
	}
}

// TestRepeatedEditsAreNotHot: somebody who saves every 50 ms waits for nothing.
func TestRepeatedEditsAreNotHot(t *testing.T) {
	c := newCoalescer(2*time.Millisecond, time.Second)
	for i := range 100 {
		now := time.Duration(i) * 50 * time.Millisecond
		c.add("f", hintWrite, now, int64(now))
		if looks, _, _ := popAll(c, now+2*time.Millisecond); !looks["f"] {
			t.Fatalf("save %d was not looked at after settle", i)
		}
	}
}

func TestHurry(t *testing.T) {
	c := newCoalescer(time.Second, time.Minute)
	c.add("f", hintWrite, 0, 1)
	if c.hurried() {
		t.Error("hurried before hurry")
	}
	c.hurry()
	c.add("f", hintWrite, 1, 2)
	if !c.hurried() {
		t.Error("an event took the hurry away")
	}
	if looks, _, _ := popAll(c, 2); !looks["f"] || c.hurried() {
		t.Error("not looked at, or still hurried")
	}
}

func TestSatisfied(t *testing.T) {
	c := newCoalescer(time.Millisecond, time.Second)
	c.add("f", hintWrite, 0, 10)
	if h, _ := c.satisfied("f", 9, 0); h != 0 {
		t.Error("an event after the observation was dropped")
	}
	if h, last := c.satisfied("f", 10, 0); h != hintWrite || last != 10 {
		t.Errorf("satisfied returned %v, %v", h, last)
	}
	if looks, _, _ := popAll(c, time.Second); len(looks) > 0 {
		t.Error("looked at although it was observed")
	}
}

// TestNothingIsForgotten: whatever comes, each path that had an event is looked
// at, or its directory is scanned, or the tree is, after the event.
func TestNothingIsForgotten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newCoalescer(2*time.Millisecond, 100*time.Millisecond)
		now := time.Duration(1)
		owed := map[string]time.Duration{} // path to its first event not yet answered
		dirs := rapid.IntRange(1, 40).Draw(t, "dirs")
		answer := func() {
			list, all := c.pop(now, rapid.IntRange(1, 2000).Draw(t, "limit"))
			if all {
				clear(owed)
			}
			for _, d := range list {
				if !d.scan {
					delete(owed, d.path)
					continue
				}
				for p := range owed {
					if dirOf(p) == d.path {
						if d.touched != nil {
							if _, ok := d.touched[nameHash(baseOf(p))]; !ok {
								t.Fatalf("%q had an event and is not in the names of the scan", p)
							}
						}
						delete(owed, p)
					}
				}
			}
		}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch rapid.IntRange(0, 9).Draw(t, "do") {
			case 0, 1, 2, 3:
				for range rapid.IntRange(1, 800).Draw(t, "burst") {
					p := fmt.Sprintf("d%d/%d", rapid.IntRange(0, dirs).Draw(t, "dir"), rapid.IntRange(0, 700).Draw(t, "name"))
					c.add(p, hintWrite, now, int64(now))
					if _, ok := owed[p]; !ok {
						owed[p] = now
					}
				}
			case 4:
				c.addNow("d1/0", hintName, now, int64(now))
				owed["d1/0"] = now
			case 5:
				c.hurry()
			default:
				now += time.Duration(rapid.IntRange(0, 200).Draw(t, "ms")) * time.Millisecond
				answer()
			}
			if at, ok := c.next(); len(owed) > 0 && !c.all && (!ok || at > now+hotMax+time.Second) {
				t.Fatalf("%d paths are owed a look and the next is due at %v, now is %v", len(owed), at, now)
			}
			if n := len(c.items); n > maxPending+1 || c.pending < 0 || c.touched < 0 || c.scans < 0 {
				t.Fatalf("%d items, %d pending, %d scans, %d names", n, c.pending, c.scans, c.touched)
			}
		}
		for range 100 {
			now += hotMax
			answer()
		}
		if len(owed) > 0 {
			t.Fatalf("forgotten: %v", owed)
		}
		if len(c.items) > 0 || c.pending != 0 || c.touched != 0 || c.scans != 0 || len(c.perDir) != 0 {
			t.Fatalf("not empty at the end: %+v", c)
		}
	})
}

func TestMemoryIsBounded(t *testing.T) {
	c := newCoalescer(time.Millisecond, time.Second)
	for i := range 300_000 {
		c.add(fmt.Sprintf("d%d/f", i), hintWrite, 0, 1)
		if len(c.items) > maxPending+1 {
			t.Fatalf("%d items", len(c.items))
		}
	}
	if _, _, all := popAll(c, 2*time.Second); !all {
		t.Error("too many directories did not become a scan of the tree")
	}
	for i := range 300_000 {
		c.add(fmt.Sprintf("d%d/%d", i%100, i), hintWrite, 0, 1)
	}
	_, scans, all := popAll(c, 4*time.Second)
	if len(scans) != 100 || all {
		t.Errorf("%d directories to scan, all %v; want 100", len(scans), all)
	}
}

// TestDueOrder: what is due first comes first.
func TestDueOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newCoalescer(2*time.Millisecond, 100*time.Millisecond)
		for i := range rapid.IntRange(1, 100).Draw(t, "paths") {
			at := time.Duration(rapid.IntRange(0, 1000).Draw(t, "ms")) * time.Millisecond
			c.add(fmt.Sprintf("d%d/f", i), hintWrite, at, int64(at))
		}
		before := int64(0)
		for {
			list, _ := c.pop(time.Hour, 7)
			if len(list) == 0 {
				return
			}
			for _, d := range list {
				if d.wall < before {
					t.Fatalf("an event of %d came after one of %d", d.wall, before)
				}
				before = d.wall
			}
		}
	})
}

// TestLookAheadOfItsEvents: a name is looked at when it was replaced already,
// and the event that says so comes afterwards.
func TestLookAheadOfItsEvents(t *testing.T) {
	const ms = time.Millisecond
	for name, c := range map[string]struct {
		before, after []hint
		gap           time.Duration
		want          bool
	}{
		"made and written, replaced": {[]hint{hintMade, hintWrite}, []hint{hintMade}, 5 * ms, true},
		"made, written and replaced": {[]hint{hintMade}, []hint{hintWrite, hintMade}, 5 * ms, true},
		"made and written, removed":  {[]hint{hintMade, hintWrite}, []hint{hintGone}, 5 * ms, true},
		"all before":                 {[]hint{hintMade, hintWrite, hintMade}, []hint{hintAttr}, 5 * ms, false},
		"only written":               {[]hint{hintWrite}, []hint{hintMade}, 5 * ms, false},
		"long after":                 {[]hint{hintMade, hintWrite}, []hint{hintMade}, lateEvent + 10*ms, false},
	} {
		for _, scanned := range []bool{false, true} {
			c2 := newCoalescer(ms, 10*ms)
			now := 10 * ms
			if scanned {
				c2.schedule(c2.touch(itemKey{"d", true}, 0, now, 1))
			}
			for _, h := range c.before {
				c2.add("d/k", h, now, 1)
			}
			now += 5 * ms
			if list, _ := c2.pop(now, 10); len(list) != 1 || list[0].scan != scanned {
				t.Fatalf("%s: %+v", name, list)
			}
			now += c.gap
			for _, h := range c.after {
				c2.add("d/k", h, now, 2)
			}
			now += 20 * ms
			list, _ := c2.pop(now, 10)
			if len(list) != 1 || list[0].hints.has(hintOver) != c.want {
				t.Errorf("%s, scanned %v: %+v", name, scanned, list)
			}
		}
	}
}

// TestToldIsBounded: what is remembered of scanned directories is, and past that
// any name may have been made and written.
func TestToldIsBounded(t *testing.T) {
	c, now := newCoalescer(time.Millisecond, time.Millisecond), time.Second
	for i := range 3 * maxTold / 1000 {
		dir := fmt.Sprint("d", i)
		c.schedule(c.touch(itemKey{dir, true}, 0, now, 1))
		for k := range 1000 {
			c.add(fmt.Sprint(dir, "/", k), hintMade, now, 1)
		}
		c.pop(now+2*time.Millisecond, 10)
		if c.told > maxTold {
			t.Fatalf("%d names are remembered", c.told)
		}
	}
	last := fmt.Sprint("d", 3*maxTold/1000-1)
	c.add(last+"/k", hintGone, now+3*time.Millisecond, 2)
	if it := c.items[itemKey{path: last + "/k"}]; !it.hints.has(hintOver) {
		t.Errorf("a name that is not remembered: %+v", it.hints)
	}
	c.pop(now+time.Hour, 10)
	c.pop(now+time.Hour, 10)
	if c.told != 0 {
		t.Errorf("%d names are remembered for ever", c.told)
	}
}

// TestHurriedIsNotHot: a path that a fence has looked at early settles as any other the
// next time. The halves of a rename would be journaled apart otherwise.
func TestHurriedIsNotHot(t *testing.T) {
	c := newCoalescer(2*time.Millisecond, time.Second)
	now := time.Duration(0)
	for range 20 {
		now += 100 * time.Millisecond
		c.add("a", hintName, now, 1)
		c.hurry()
		if list, _ := c.pop(now+100*time.Microsecond, 10); len(list) != 1 {
			t.Fatalf("hurried: %v", list)
		}
	}
	now += 100 * time.Millisecond
	c.add("a", hintName, now, 1)
	if list, _ := c.pop(now+2*time.Millisecond, 10); len(list) != 1 {
		t.Error("a change after flushes waits for more than settle")
	}
}
