package watch

import "time"

// told is what events said of a path before it was looked at, kept for a moment
// after the look: what replaced the name may have been there already, and the
// event that says so comes later. Taken together they tell of a name that was
// made, written to and replaced (hintOver), which neither does alone.
type told struct {
	said hint            // of the path itself
	of   map[uint64]hint // of the names in a directory that was scanned, by hash
	any  bool            // these are not known: they may have been anything
}

const (
	lateEvent = 250 * time.Millisecond // an event may come so long after the look
	maxTold   = 1 << 16                // names of scanned directories that are remembered
)

// lately says whether the last look at an item may have been ahead of its events.
func (it *item) lately(now time.Duration) bool {
	return it.looked > 0 && now <= it.looked+lateEvent
}

// before is what events said of a name in a directory before its scan.
func (t *told) before(name uint64) hint {
	if t.any {
		return hintMade | hintWrite | hintTwice
	}
	return t.of[name].heeded()
}

// recall begins what is said of an item with what was said lately, of its path
// or in a scan of its directory.
func (c *coalescer) recall(it *item, now time.Duration) {
	if !it.lately(now) {
		c.forget(it)
	}
	if d := c.items[itemKey{dirOf(it.path), true}]; !it.scan && it.path != "" && d != nil && d.lately(now) {
		it.said |= d.before(nameHash(baseOf(it.path)))
	}
	it.said = it.said.heeded()
}

// remember keeps what was said of the names in a directory that is scanned now.
func (c *coalescer) remember(it *item) {
	if !it.scan {
		return
	}
	said := it.said
	c.forget(it)
	it.said = said
	if it.any = it.anyTouched || c.told+len(it.touched) > maxTold; !it.any {
		it.of = it.touched
		c.told += len(it.of)
	}
}

// forget is for what was said too long ago to matter.
func (c *coalescer) forget(it *item) {
	c.told -= len(it.of)
	it.told = told{}
}
