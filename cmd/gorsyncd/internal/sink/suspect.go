package sink

import (
	"time"

	"gorsyncd/replicate"
)

// A receiver that answers 500 may be in trouble, or have trouble with one event only,
// which it would hold up all others with. After some failures in a row events go out
// alone; when one fails and the next one does not, the first is to blame.

// suspectAfter is how many failures in a row begin that.
const suspectAfter = 5

// suspectOne notes a failure of new events that the receiver did not blame any for.
func (s *Sink) suspectOne(failed []*item, out replicate.Outcome) {
	if s.breaker.attempts < suspectAfter || len(failed) == 0 || failed[0].event.Op == OpResync {
		return
	}
	if s.limit = 1; len(failed) > 1 {
		return
	}
	if s.suspect == nil {
		s.suspect, s.suspicion = failed[0], out
	} else {
		s.suspect = nil // another one fails as well
	}
}

// failRetries is fail for events of the retry set, where the one to blame may be: they
// go out alone, each with its own back-off, and new events are not held up.
func (s *Sink) failRetries(failed []*item, res Result, now time.Time) {
	s.retryBreaker.fail(res, s.o.Retry, now)
	s.scanAt = earlier(s.scanAt, s.retryBreaker.until)
	if s.retryLimit = 1; len(failed) == 1 {
		s.sideline(failed[0], res.Outcome, now)
	}
}

// limitOf is how many events at once go out of the kind that a batch is of.
func (s *Sink) limitOf(batch []*item) *int {
	if batch[0].retry {
		return &s.retryLimit
	}
	return &s.limit
}

// convict moves the suspect aside when another event has arrived.
func (s *Sink) convict(now time.Time) {
	it := s.suspect
	if s.suspect = nil; it != nil && s.byPath[it.entry.Path] == it {
		s.sideline(it, s.suspicion, now)
	}
}
