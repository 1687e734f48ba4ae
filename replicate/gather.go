package replicate

import "time"

// gatherTime is how long changes wait at most for more of them, or for the run
// that is under way.
const gatherTime = 50 * time.Millisecond

// gathering tells whether live changes wait for a moment. Where nothing is under
// way they go at once. Beside another run they go when they are a full batch, or
// old enough: each run costs three processes and a connection, and in a burst
// many small ones would leave it no processor. Runs that may be long, those of big
// files and of full syncs, are waited for by nobody.
func (d *Dispatcher) gathering(now time.Time) bool {
	if d.queue.len() >= d.maxFiles || !d.listing() {
		d.gatherUntil = time.Time{}
		return false
	}
	if d.gatherUntil.IsZero() {
		d.gatherUntil = now.Add(gatherTime)
	}
	return now.Before(d.gatherUntil)
}

// listing tells whether a run of live changes is under way that should be short.
func (d *Dispatcher) listing() bool {
	for _, b := range d.flights {
		if (b.Lane == LaneList || b.Lane == LaneTop || b.Lane == LaneRoot) && !b.tidy {
			return true
		}
	}
	return false
}
