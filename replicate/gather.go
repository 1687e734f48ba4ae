package replicate

import "time"

const (
	// gatherTime is how long changes wait at least for more of them beside the run
	// that is under way, gatherMost at most.
	gatherTime = 50 * time.Millisecond
	gatherMost = 250 * time.Millisecond
)

// gathering tells whether live changes wait for a moment. Where nothing is under
// way they go at once. Beside another run they go when they are a full batch, or
// when they have waited about as long as a run takes: each costs three processes
// and a connection, and in a burst many small ones would leave it no processor.
// Runs that may be long, those of big files and of full syncs, are waited for by
// nobody. In a steady stream of changes there is a pause between runs, see stream.
func (d *Dispatcher) gathering(now time.Time) bool {
	pause := d.stream.until(now)
	if d.queue.len() >= d.maxFiles || len(d.waiters) > 0 {
		pause = now // nothing more to wait for, or somebody who does
	}
	switch {
	case now.Before(pause):
		d.gatherUntil = pause
		return true
	case d.queue.len() >= d.maxFiles || len(d.waiters) > 0 || !d.listing():
		d.gatherUntil = time.Time{}
		return false
	case d.gatherUntil.IsZero():
		d.gatherUntil = now.Add(min(max(gatherTime, d.runTime), gatherMost))
	}
	return now.Before(d.gatherUntil)
}

// tookTime learns how long a run of live changes takes of late.
func (d *Dispatcher) tookTime(b *Batch, took time.Duration) {
	switch {
	case b.Lane != LaneList && b.Lane != LaneTop, b.Retry, b.tidy:
	case d.runTime == 0:
		d.runTime = took
	default:
		d.runTime += (took - d.runTime) / 4
	}
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

const (
	// A stream begins when more than streamRuns runs have started at more than
	// streamRate a second, and streamChanges changes have come within a second. It
	// lasts as long as half as many do. (A file that comes or goes makes two, its
	// directory is one.)
	streamRuns    = 12
	streamRate    = 2
	streamChanges = 30
	// Runs of a stream start a streamShare-th of the time apart that it has
	// lasted, within these bounds.
	streamShare    = 4
	streamMinPause = 100 * time.Millisecond
	streamPause    = 500 * time.Millisecond
)

// stream notices that changes come all the time, one after the other: each with a
// run of its own would cost ten times the processor time that it takes to send
// them, and nobody watches each of a hundred files a second arrive. Single
// changes, and bursts, never wait for it. The zero value is no stream.
type stream struct {
	last    time.Time // start of the last run
	level   float64   // runs of late, less streamRate a second
	since   time.Time // when the stream began, zero if there is none
	second  time.Time // the one that is counted
	changes int       // in it
}

// took counts a change.
func (s *stream) took(now time.Time) {
	s.roll(now)
	s.changes++
}

// started counts a run of live changes.
func (s *stream) started(now time.Time) {
	s.roll(now)
	s.level = max(0, s.level-streamRate*now.Sub(s.last).Seconds()) + 1
	s.last = now
	if s.since.IsZero() && s.level > streamRuns && s.changes >= streamChanges {
		s.since = now
	}
}

// roll ends the stream after a second with few changes.
func (s *stream) roll(now time.Time) {
	over := now.Sub(s.second)
	if over < time.Second {
		return
	}
	if over >= 2*time.Second || s.changes < streamChanges/2 {
		s.since = time.Time{}
	}
	s.second, s.changes = now, 0
}

// until is when the next run may start: any time up to now where there is no
// stream.
func (s *stream) until(now time.Time) time.Time {
	s.roll(now)
	if s.since.IsZero() {
		return now
	}
	return s.last.Add(min(max(now.Sub(s.since)/streamShare, streamMinPause), streamPause))
}
