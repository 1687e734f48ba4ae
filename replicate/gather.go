package replicate

import "time"

const (
	// gatherTime is how long changes wait at least for more of them beside the run
	// that is under way, gatherMost at most.
	gatherTime = 50 * time.Millisecond
	gatherMost = 250 * time.Millisecond
	// gatherMany changes are a burst, of which more is to come.
	gatherMany = 100
	// gatherFiles changes are worth a run beside another; beside two twice as many
	// are, and so on, as far as gatherRuns.
	gatherFiles = 2000
	gatherRuns  = 3
)

// gathering tells whether live changes wait for a moment. Where nothing is under
// way they go at once. Beside another run they go when they are worth one, or when
// they have waited about as long as a run takes: each costs three processes
// and a connection, and in a burst many small ones would leave it no processor.
// Runs that may be long, those of big files and of full syncs, are waited for by
// nobody. In a steady stream of changes there is a pause between runs, see stream.
func (d *Dispatcher) gathering(now time.Time) bool {
	runs := min(d.listing(), gatherRuns)
	worth := len(d.waiters) > 0 || // somebody waits
		d.ledger.open >= d.o.window || // nothing can come any more
		d.queue.len() >= d.worth(runs)
	pause := d.stream.until(now)
	if worth || runs == 0 && !now.Before(pause) {
		d.gatherFrom, d.gatherUntil = time.Time{}, time.Time{}
		return false
	}
	if d.gatherFrom.IsZero() {
		d.gatherFrom = now
	}
	if d.gatherUntil = pause; !now.Before(pause) {
		d.gatherUntil = d.gatherFrom.Add(d.patience(runs))
	}
	return now.Before(d.gatherUntil)
}

// worth is how many changes need not wait beside so many runs.
func (d *Dispatcher) worth(runs int) int {
	return min(gatherFiles<<max(runs-1, 0), d.batchFiles())
}

// patience is how long changes wait beside so many runs.
func (d *Dispatcher) patience(runs int) time.Duration {
	if d.queue.len() >= gatherMany {
		return gatherMost * time.Duration(runs)
	}
	return min(max(gatherTime, d.runTime), gatherMost)
}

// listing is how many runs of live changes are under way that should be short.
func (d *Dispatcher) listing() int {
	n := 0
	for _, b := range d.flights {
		if (b.Lane == LaneList || b.Lane == LaneTop || b.Lane == LaneRoot) && !b.tidy {
			n++
		}
	}
	return n
}

// A list of paths is to take a run of about longRun, or less where there are not so
// many: paths wait for all of it when they change again, but what a run costs by
// itself has to be little of what it does.
const (
	longRun    = 2 * time.Second
	leastFiles = 1000
)

// tookTime learns from a run that brought all it carried over how long one takes
// of late, and how many paths may be in one.
func (d *Dispatcher) tookTime(rep report, took time.Duration) {
	b := rep.batch
	if b.Lane != LaneList && b.Lane != LaneTop || b.tidy || rep.verify != nil || rep.res.Outcome.Class != ClassOK {
		return
	}
	switch {
	case b.Retry:
	case d.runTime == 0:
		d.runTime = took
	default:
		d.runTime += (took - d.runTime) / 4
	}
	switch n := len(b.Items); {
	case took > 2*longRun && n > leastFiles: // once for all that were as large
		d.shortFiles = max(leastFiles, min(d.shortFiles, n/2))
	case took < longRun/2 && n >= d.shortFiles/2:
		d.shortFiles = min(2*d.shortFiles, d.o.BatchFiles)
	}
}

// batchFiles is how many live changes one batch may have: all workers together no
// more than are held in memory.
func (d *Dispatcher) batchFiles() int {
	return min(d.maxFiles, d.shortFiles, max(1, d.o.window/d.o.Workers))
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
