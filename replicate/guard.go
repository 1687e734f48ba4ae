package replicate

import (
	"time"

	"gorsyncd/journal"
)

// guardWindow is the sliding time within which removals add up.
const guardWindow = time.Minute

// guard adds up removals by the time they were journaled, so that a remote
// that was away for a day does not trip over a day's ordinary removals, and a
// mass removal trips it whenever it is read.
type guard struct {
	max    uint64 // 0: no guard
	sum    uint64
	counts map[uint64]uint64 // by seq, within the window
	order  []removal         // by time
	// replaced has the count of each directory that became something else. The
	// journal repeats it in every later entry of the path, as long as one of the
	// remotes has not followed.
	replaced map[string]uint64
}

type removal struct {
	at  time.Time
	seq uint64
}

func newGuard(limit uint64) *guard {
	return &guard{max: limit, counts: map[uint64]uint64{}, replaced: map[string]uint64{}}
}

// add takes in a removal and tells whether there are too many now.
func (g *guard) add(at time.Time, seq, count uint64) bool {
	if g.max == 0 {
		return false
	}
	g.order = append(g.order, removal{at, seq})
	g.counts[seq] = max(count, 1)
	g.sum += max(count, 1)
	for len(g.order) > 0 && at.Sub(g.order[0].at) >= guardWindow {
		g.forget(g.order[0].seq)
		g.order = g.order[1:]
	}
	return g.sum > g.max
}

// repeats tells whether the count of an entry is that of an earlier one, and
// remembers it for the next.
func (g *guard) repeats(e journal.Entry) bool {
	was, known := g.replaced[e.Path]
	if e.Op != journal.OpChange || e.Count == 0 {
		delete(g.replaced, e.Path)
		return false
	}
	if g.max > 0 {
		g.replaced[e.Path] = e.Count
	}
	return known && e.Count <= was
}

// forget takes back a removal that will not be carried out, and tells how many
// paths that were.
func (g *guard) forget(seq uint64) uint64 {
	n := g.counts[seq]
	g.sum -= n
	delete(g.counts, seq)
	return n
}

// reset forgets everything: a person has approved it. What is repeated of it
// stays approved.
func (g *guard) reset() {
	known := g.replaced
	*g = *newGuard(g.max)
	g.replaced = known
}
