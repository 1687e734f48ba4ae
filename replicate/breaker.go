package replicate

import "time"

// breaker is the back-off of the remote as a whole. While it is open nothing
// is sent; when its time is up one batch probes, and its success closes it.
type breaker struct {
	out      Outcome // last failure; "" ID when closed
	exit     int
	attempts int
	since    time.Time // first failure in a row
	at       time.Time // last failure
	until    time.Time
}

func (b *breaker) open() bool { return b.attempts > 0 }

// fail notes a failure of a run that began at started. Runs that were already
// under way when the breaker opened tell nothing new. A config failure needs a
// person, so it waits the longest at once.
func (b *breaker) fail(now, started time.Time, out Outcome, exit int, r RetryOptions) {
	if b.open() && started.Before(b.at) {
		return
	}
	if !b.open() {
		b.since = now
	}
	b.attempts++
	b.out, b.exit, b.at = out, exit, now
	wait := r.Delay(b.attempts)
	if out.Class == ClassConfig {
		wait = r.Max
	}
	b.until = now.Add(wait)
}

// close ends the back-off and tells whether there was one.
func (b *breaker) close() bool {
	was := b.open()
	*b = breaker{}
	return was
}
