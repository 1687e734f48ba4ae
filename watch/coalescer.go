package watch

import (
	"container/heap"
	"hash/maphash"
	"strings"
	"time"
)

// Limits of the coalescer.
const (
	maxPerDir  = 512                   // more pending paths in one directory become one scan of it
	maxPending = 1 << 16               // more of everything become scans of their directories
	maxScans   = 1 << 14               // more of those become one scan of the whole tree
	maxTouched = 1 << 18               // names remembered of paths that became part of a scan
	hotLooks   = 8                     // looks in close succession after which a path is hot
	hotGap     = 20 * time.Millisecond // close: the next event comes this soon after a path has settled
	hotLevels  = 6                     // 1, 2, 4, 8, 16, 30 s
	hotBase    = time.Second
	hotMax     = 30 * time.Second
	hotQuiet   = 500 * time.Millisecond
)

// due is a path to look at, or a directory to scan.
type due struct {
	path  string
	hints hint
	wall  int64 // ns since 1970 when the last event was received
	scan  bool  // scan this directory, one level, instead of looking at it
	hides bool  // see hint.hides

	// touched holds the names below a scanned directory that had events, by
	// hash, and what these said; nil with scan set means that any may have had.
	touched map[uint64]hint
}

var nameSeed = maphash.MakeSeed()

func nameHash(name string) uint64 { return maphash.String(nameSeed, name) }

// coalescer turns events into due looks. A path is due settle after its last
// event, at the latest settleMax after its first. A path that stays hot is
// looked at after 1 s, 2 s, 4 s … 30 s, and once more when it has been quiet
// for half a second. A file that is known to be open for writing must be quiet
// for as long from the start, and is due settle after it was closed, unless it is
// opened again and again. Its memory is bounded: where it has too many paths it
// remembers directories to scan. It has no clock and no lock: times are passed
// in, as durations since any fixed moment.
type coalescer struct {
	settle, settleMax time.Duration

	items   map[itemKey]*item // pending, and those that were looked at lately
	queue   itemHeap          // the same by time
	perDir  map[string]int    // pending paths of each directory
	pending int
	scans   int // pending directories to scan
	hiding  int // pending items that may hide a write, see hint.hides
	touched int
	told    int  // names remembered of directories that were scanned lately, see told
	all     bool // scan the whole tree

	merged uint64 // events for which something was pending already; reset leaves it
}

type itemKey struct {
	path string
	scan bool
}

type item struct {
	itemKey
	pending     bool
	urgent      bool // due at once, whatever comes
	hints       hint
	wall        int64
	first, last time.Duration
	looked      time.Duration
	at          time.Duration // when it is due, or forgotten when not pending
	looks       int
	level       int
	open        bool // the last event but attributes said so, see hint.isOpen
	openLook    bool // likewise, when it was last looked at
	touched     map[uint64]hint
	anyTouched  bool
	hides       bool
	index       int
	told
}

func newCoalescer(settle, settleMax time.Duration) *coalescer {
	c := &coalescer{settle: settle, settleMax: settleMax}
	c.reset()
	return c
}

// reset forgets everything; the caller scans the whole tree.
func (c *coalescer) reset() {
	c.items = map[itemKey]*item{}
	c.perDir = map[string]int{}
	c.queue, c.pending, c.scans, c.hiding, c.touched, c.told, c.all = nil, 0, 0, 0, 0, 0, false
}

func dirOf(path string) string { return path[:max(strings.LastIndexByte(path, '/'), 0)] }

func baseOf(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

func join(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}

// add notes an event.
func (c *coalescer) add(path string, h hint, now time.Duration, wall int64) {
	if c.all {
		c.merged++
		return
	}
	if path != "" {
		if d := c.items[itemKey{dirOf(path), true}]; d != nil && d.pending {
			c.merged++
			c.absorb(d, path, h, now, wall)
			return
		}
	}
	before := c.pending
	it := c.touch(itemKey{path: path}, h, now, wall)
	if c.pending == before {
		c.merged++
	}
	c.schedule(it)
	if path != "" && c.perDir[dirOf(path)] > maxPerDir {
		c.collapse(func(dir string) bool { return dir == dirOf(path) }, now)
	}
	c.bound(now)
}

// addNow notes a path that is due at once.
func (c *coalescer) addNow(path string, h hint, now time.Duration, wall int64) {
	if c.all {
		return
	}
	it := c.touch(itemKey{path: path}, h, now, wall)
	it.urgent = true
	c.schedule(it)
	c.bound(now)
}

// touch returns the pending item of the key.
func (c *coalescer) touch(key itemKey, h hint, now time.Duration, wall int64) *item {
	it := c.items[key]
	if it == nil {
		it = &item{itemKey: key}
		c.items[key] = it
		heap.Push(&c.queue, it)
	}
	if !it.pending {
		// Between events, not since the look: in a stream looks come at any time
		// after the last event, see pace.
		if now > it.last+c.settle+hotGap {
			it.looks = 0
		}
		it.pending = true
		it.first = now
		it.hints = 0
		it.wall = 0
		c.recall(it, now)
		c.count(it, 1)
	}
	it.said = it.said.then(h)
	it.hints = it.hints.then(h) | it.said&hintOver
	if h&(hintWrite|hintName) != 0 { // what has the name now need not be what was open
		it.open = h.isOpen()
	}
	it.last = now
	it.wall = max(it.wall, wall)
	if !it.scan && it.hints.hides() {
		c.hide(it)
	}
	return it
}

func (c *coalescer) hide(it *item) {
	if !it.hides {
		it.hides = true
		c.hiding++
	}
}

func (c *coalescer) count(it *item, n int) {
	c.pending += n
	if n < 0 && it.hides {
		it.hides = false
		c.hiding--
	}
	switch {
	case it.scan:
		c.scans += n
	case it.path != "":
		dir := dirOf(it.path)
		if c.perDir[dir] += n; c.perDir[dir] == 0 {
			delete(c.perDir, dir)
		}
	}
}

// schedule sets when a pending item is due.
func (c *coalescer) schedule(it *item) {
	switch {
	case it.urgent:
		it.at = 0
	case it.level == 0 && it.open && !it.scan:
		it.at = max(1, min(it.last+max(hotQuiet, c.settle), it.first+c.settleMax))
	case it.level == 0 || it.closed():
		it.at = max(1, min(it.last+c.pause(it), it.first+c.settleMax))
	default:
		// A path that has paused for longer than its back-off settles again, too.
		it.at = max(1, min(it.last+max(hotQuiet, c.settle), max(it.looked+backoff(it.level), it.first+c.settle)))
	}
	heap.Fix(&c.queue, it.index)
}

// closed says that a file that was still being written at its last look is ready.
func (it *item) closed() bool { return it.openLook && !it.open && it.hints&hintClose != 0 }

// closedPart is what part of settle a file waits that was closed: whoever wrote
// it is done with it, but for the attributes that some set afterwards.
const closedPart = 4

// pause is how long nothing has to happen to a path before it is looked at.
func (c *coalescer) pause(it *item) time.Duration {
	if it.hints&hintClose != 0 && !it.open && !it.scan {
		return c.settle / closedPart
	}
	return c.settle
}

func backoff(level int) time.Duration { return min(hotBase<<(level-1), hotMax) }

// absorb makes a path part of a pending scan of its directory.
func (c *coalescer) absorb(d *item, path string, h hint, now time.Duration, wall int64) {
	d.hints |= h
	d.last = now
	d.wall = max(d.wall, wall)
	if !d.anyTouched {
		if c.touched >= maxTouched {
			c.touched -= len(d.touched)
			d.anyTouched, d.touched = true, nil
			c.hide(d)
		} else {
			if d.touched == nil {
				d.touched = map[uint64]hint{}
			}
			before, name := len(d.touched), nameHash(baseOf(path))
			d.touched[name] = d.touched[name].then(h) | (d.before(name)|d.touched[name]).then(h)&hintOver
			if d.touched[name].hides() {
				c.hide(d)
			}
			c.touched += len(d.touched) - before
		}
	}
	c.schedule(d)
}

// collapse turns the pending paths of the directories that which chooses into
// scans of these directories.
func (c *coalescer) collapse(which func(dir string) bool, now time.Duration) {
	var paths []*item
	for key, it := range c.items {
		if !key.scan && it.pending && key.path != "" && which(dirOf(key.path)) {
			paths = append(paths, it)
		}
	}
	for _, it := range paths {
		d := c.touch(itemKey{dirOf(it.path), true}, it.hints, now, it.wall)
		d.first = min(d.first, it.first)
		d.urgent = d.urgent || it.urgent
		c.absorb(d, it.path, it.hints, now, it.wall)
		c.count(it, -1)
		c.drop(it)
	}
}

func (c *coalescer) drop(it *item) {
	c.forget(it)
	heap.Remove(&c.queue, it.index)
	delete(c.items, it.itemKey)
}

// bound keeps the memory bounded: first the memory of past looks goes, then
// paths become scans of their directories, then a scan of everything.
func (c *coalescer) bound(now time.Duration) {
	if len(c.items) <= maxPending {
		return
	}
	for _, it := range c.items {
		if !it.pending {
			c.drop(it)
		}
	}
	if len(c.items) <= maxPending/2 {
		return
	}
	c.collapse(func(string) bool { return true }, now)
	if c.scans > maxScans {
		c.reset()
		c.all = true
	}
}

// pop returns what is due, oldest first, at most limit. everything means that
// the whole tree must be scanned and nothing else is pending.
func (c *coalescer) pop(now time.Duration, limit int) (list []due, everything bool) {
	if c.all {
		c.all = false
		return nil, true
	}
	for len(c.queue) > 0 && len(list) < limit {
		it := c.queue[0]
		if it.at > now {
			break
		}
		if !it.pending {
			c.drop(it)
			continue
		}
		d := due{path: it.path, hints: it.hints, wall: it.wall, scan: it.scan, hides: it.hides}
		if it.scan && !it.anyTouched {
			d.touched = it.touched
		}
		list = append(list, d)
		c.done(it, now)
	}
	return list, false
}

// done remembers a look, for a while, to tell hot paths.
func (c *coalescer) done(it *item, now time.Duration) {
	c.count(it, -1)
	c.touched -= len(it.touched)
	c.remember(it)
	it.touched, it.anyTouched = nil, false
	// One that was hurried tells of whoever hurried it, such as a fence, and not of
	// a path that does not settle.
	hurried := it.urgent
	it.pending, it.urgent = false, false
	if !hurried {
		it.looks++
	}
	quiet := hurried || now >= it.last+c.pause(it)
	if it.closed() {
		it.level, it.looks = 0, 0
	}
	if it.level > 0 && !hurried {
		quiet = now >= it.last+max(hotQuiet, c.settle)
	}
	if (!quiet || it.level == 0 && it.looks > hotLooks) && it.level < hotLevels {
		it.level++
	}
	it.looked, it.openLook = now, it.open
	it.at = now + max(hotBase, 2*backoff(max(it.level, 1)))
	if it.level == 0 {
		it.at = now + hotBase
	}
	heap.Fix(&c.queue, it.index)
}

// satisfied says that the path was observed at wall: events received until
// then need no look. It returns what they were and when the last was received.
func (c *coalescer) satisfied(path string, wall int64, now time.Duration) (h hint, last int64) {
	it := c.items[itemKey{path: path}]
	if it == nil || !it.pending || it.wall > wall {
		return 0, 0
	}
	h, last = it.hints, it.wall
	c.done(it, now)
	return h, last
}

// waiting returns what events said of a path that is not looked at yet.
func (c *coalescer) waiting(path string) hint {
	if c.all {
		return ^hint(0)
	}
	var h hint
	if it := c.items[itemKey{path: path}]; it != nil && it.pending {
		h = it.hints
	}
	if path == "" {
		return h
	}
	if d := c.items[itemKey{dirOf(path), true}]; d != nil && d.pending {
		if d.anyTouched {
			return h | d.hints
		}
		h |= d.touched[nameHash(baseOf(path))]
	}
	return h
}

// hurry makes everything pending due now: a fence waits for it.
func (c *coalescer) hurry() {
	for _, it := range c.queue {
		if it.pending {
			it.urgent, it.at = true, 0
		}
	}
	heap.Init(&c.queue)
}

// hurried says whether anything is left that hurry or addNow made due.
func (c *coalescer) hurried() bool {
	return c.all || len(c.queue) > 0 && c.queue[0].at == 0
}

// next returns when pop has something to do.
func (c *coalescer) next() (time.Duration, bool) {
	if c.all {
		return 0, true
	}
	if len(c.queue) == 0 {
		return 0, false
	}
	return c.queue[0].at, true
}

type itemHeap []*item

func (h itemHeap) Len() int           { return len(h) }
func (h itemHeap) Less(i, j int) bool { return h[i].at < h[j].at }
func (h itemHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}
func (h *itemHeap) Push(x any) {
	it := x.(*item)
	it.index = len(*h)
	*h = append(*h, it)
}
func (h *itemHeap) Pop() any {
	old := *h
	it := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	return it
}
