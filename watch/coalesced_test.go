package watch

import (
	"fmt"
	"testing"
	"time"
)

// TestMergedEvents: every event but the first one of each look is counted as merged,
// also those of a directory that is scanned as a whole.
func TestMergedEvents(t *testing.T) {
	c := newCoalescer(10*time.Millisecond, time.Second)
	add := func(path string) { c.add(path, hintWrite, 0, 0) }
	looks := func() int {
		list, everything := c.pop(time.Hour, 1<<20)
		if everything {
			return 1
		}
		return len(list)
	}
	for range 5 {
		add("a")
	}
	add("b")
	add("")
	if n := looks(); n != 3 || c.merged != 4 {
		t.Errorf("7 events made %d looks and %d were merged", n, c.merged)
	}
	add("a")
	if c.merged != 4 {
		t.Errorf("an event after the look was merged: %d", c.merged)
	}
	c.merged = 0
	looks()
	for i := range maxPerDir + 100 {
		add(fmt.Sprintf("d/%d", i))
	}
	if n := looks(); n != 1 || c.merged != 99 {
		t.Errorf("%d looks, %d merged", n, c.merged)
	}
	c.all = true
	add("x")
	if c.merged != 100 {
		t.Errorf("%d merged while everything is to be scanned", c.merged)
	}
}
