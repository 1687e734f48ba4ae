package replicate

import "time"

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
}

type removal struct {
	at  time.Time
	seq uint64
}

func newGuard(limit uint64) *guard { return &guard{max: limit, counts: map[uint64]uint64{}} }

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

// forget takes back a removal that will not be carried out.
func (g *guard) forget(seq uint64) {
	g.sum -= g.counts[seq]
	delete(g.counts, seq)
}

// reset forgets everything: a person has approved it.
func (g *guard) reset() {
	*g = *newGuard(g.max)
}
