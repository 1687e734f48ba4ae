package replicate

import (
	"cmp"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v4"

	"gorsyncd/journal"
)

// Delay is how long to wait after the given number of failures in a row:
// doubling from Initial up to Max, with jitter. At least one failure.
func (r RetryOptions) Delay(attempts int) time.Duration {
	start := r.Max
	if n := attempts - 1; n < 32 && r.Initial<<n > 0 {
		start = min(r.Max, r.Initial<<max(n, 0))
	}
	b := backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(start),
		backoff.WithRandomizationFactor(r.Jitter),
		backoff.WithMaxInterval(r.Max),
		backoff.WithMaxElapsedTime(0),
	)
	return b.NextBackOff()
}

// idChanged marks a path that was different after a run without any complaint
// of rsync's: as a rule it changed meanwhile. That is no failure before it has
// happened changedPatience times in a row with no newer entry to explain it.
const (
	idChanged       = "E-VANISHED"
	changedPatience = 3
	changedDelay    = 100 * time.Millisecond
)

// failed tells whether the path has failed, rather than changed or not been
// sent yet.
func (e *retryEntry) failed() bool { return Failed(e.Retry) }

// Failed tells whether a record of the retry set is one of a failure, as Status
// counts them in Failing.
func Failed(r journal.Retry) bool {
	return r.Attempts > 0 && (r.ErrorID != idChanged || r.Attempts > changedPatience)
}

// wait is how long a record waits for its next attempt.
func (r RetryOptions) wait(rec journal.Retry) time.Duration {
	if rec.ErrorID != idChanged {
		return r.Delay(rec.Attempts)
	}
	if rec.Attempts <= changedPatience {
		return min(changedDelay<<(rec.Attempts-1), r.Max)
	}
	return r.Delay(rec.Attempts - changedPatience)
}

// longest is the longest time that any record waits.
func (r RetryOptions) longest() time.Duration {
	return r.Max + time.Duration(float64(r.Max)*r.Jitter)
}

// clampNext makes due at once what is to wait longer than any record does: the
// clock has been set back since it was written.
func clampNext(recs []journal.Retry, now time.Time, longest time.Duration) {
	for i := range recs {
		if recs[i].Next.After(now.Add(longest)) {
			recs[i].Next = now
		}
	}
}

// retrySet mirrors the retry records of one remote.
type retrySet struct {
	byPath map[string]*retryEntry
	// order is sorted by Next when sorted is true; due paths are at the front.
	order  []*retryEntry
	sorted bool
}

// retryEntry is a retry record with its item, which stands in no queue.
type retryEntry struct {
	journal.Retry
	item *Item
	// again is set when the path changed while it was in flight: success then
	// is success of the older state.
	again bool
	stamp bool // it has not failed: a run left the attributes of a directory to it

	// Since when changes are owed that it stands for, the state under way and a
	// later one; zero for none.
	since, later time.Time
}

func newRetrySet(recs []journal.Retry) *retrySet {
	s := &retrySet{byPath: make(map[string]*retryEntry, len(recs))}
	for _, r := range recs {
		s.put(r)
	}
	return s
}

func (s *retrySet) get(path string) *retryEntry { return s.byPath[path] }

func (s *retrySet) len() int { return len(s.byPath) }

// put adds or replaces the record of a path.
func (s *retrySet) put(r journal.Retry) *retryEntry {
	e := s.byPath[r.Path]
	if e == nil {
		e = &retryEntry{item: &Item{Path: r.Path}}
		s.byPath[r.Path] = e
		s.order = append(s.order, e)
	}
	e.Retry, e.stamp = r, false
	e.item.Seq, e.item.Op, e.item.Flags, e.item.asked = r.Seq, r.Op, r.Flags, r.First
	e.item.needless = 0 // something has happened
	// One that aborted a batch would abort each batch it is in.
	e.item.alone = r.ErrorID == "E-NOSPACE" || r.ErrorID == "E-DEST-IO" || r.ErrorID == "E-DEST-TOOBIG"
	s.sorted = false
	return e
}

func (s *retrySet) remove(path string) {
	e := s.byPath[path]
	if e == nil {
		return
	}
	delete(s.byPath, path)
	e.item.state = itemDropped
	if len(s.order) > 64 && len(s.byPath) < len(s.order)/2 {
		s.order = slices.DeleteFunc(s.order, func(e *retryEntry) bool { return s.byPath[e.Path] != e })
	}
}

func (s *retrySet) sort() {
	if !s.sorted {
		s.order = slices.DeleteFunc(s.order, func(e *retryEntry) bool { return s.byPath[e.Path] != e })
		slices.SortStableFunc(s.order, func(a, b *retryEntry) int {
			return cmp.Or(a.Next.Compare(b.Next), cmp.Compare(a.Seq, b.Seq))
		})
		s.sorted = true
	}
}

// due yields the items whose time has come, those that are not in flight.
func (s *retrySet) due(now time.Time) []*Item {
	s.sort()
	var out []*Item
	for _, e := range s.order {
		if e.Next.After(now) {
			break
		}
		if s.byPath[e.Path] == e && e.item.state == itemQueued {
			out = append(out, e.item)
		}
	}
	return out
}

// next is the earliest time from now on at which a path that is not in flight is
// due. What is due already waits for something else.
func (s *retrySet) next(now time.Time) (time.Time, bool) {
	s.sort()
	i, _ := slices.BinarySearchFunc(s.order, now, func(e *retryEntry, now time.Time) int {
		if e.Next.After(now) {
			return 1
		}
		return -1
	})
	for _, e := range s.order[i:] {
		if s.byPath[e.Path] == e && e.item.state == itemQueued {
			return e.Next, true
		}
	}
	return time.Time{}, false
}
