package sink

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"gorsyncd/journal"
	"gorsyncd/replicate"
)

// waiting is an event in the retry set: its receiver rejected it, or a remote
// fails with its path.
type waiting struct {
	rec   journal.Retry
	next  time.Time // not before; that of rec, or the next look at the remotes
	looks int       // in vain, at the remotes
}

// since is when the oldest of what it stands for was journaled.
func (w *waiting) since() time.Time {
	if w.rec.Since.IsZero() {
		return w.rec.First // of before that was noted
	}
	return w.rec.Since
}

// How often the events that wait for a failing path of a remote are looked at, and how
// many of them at once.
const (
	gatePoll    = time.Second
	gatePollMax = time.Minute
	gateParts   = 2000
)

// idGate marks events that wait for a remote; they have not failed.
const idGate = "waits"

// loadRetries takes over the stored retry set.
func (s *Sink) loadRetries(now time.Time) error {
	list, err := s.o.Store.Retries()
	if err != nil {
		return fmt.Errorf("read the retry set of %s: %w", s.o.FullName(), err)
	}
	for _, r := range list {
		if r.Next.After(now.Add(2 * s.o.Retry.Max)) {
			r.Next = now // the clock was set back
		}
		s.retries[r.Path] = &waiting{rec: r, next: r.Next}
	}
	return nil
}

// sideline moves an event to the retry set, or files it there once more.
func (s *Sink) sideline(it *item, out replicate.Outcome, now time.Time) {
	if w := s.retries[it.entry.Path]; s.byPath[it.entry.Path] != it && (w == nil || w.rec.Seq != it.entry.Seq) {
		return // given up or superseded while it was delivered
	}
	rec := journal.Retry{Path: it.entry.Path, Seq: it.entry.Seq, Op: it.entry.Op, First: it.entry.Time, Since: it.since}
	if old := s.retries[rec.Path]; old != nil {
		rec.Attempts = old.rec.Attempts
	}
	rec.ErrorID, rec.Error, rec.Next = out.ID, out.Message, now.Add(gatePoll)
	if out.ID != idGate {
		rec.Attempts++
		rec.Next = now.Add(s.o.Retry.Delay(rec.Attempts))
		s.rejected++
	}
	s.retries[rec.Path] = &waiting{rec: rec, next: rec.Next}
	s.scanAt = earlier(s.scanAt, rec.Next)
	s.update.put(rec)
	if s.byPath[rec.Path] == it {
		s.drop(it)
	}
}

// forget drops a record of the retry set.
func (s *Sink) forget(path string) {
	if w := s.retries[path]; w != nil {
		delete(s.told, w.rec.Seq)
	}
	delete(s.retries, path)
	s.update.del(path)
}

// dueRetries returns the events of the retry set that may go out, at most limit. When
// to look again is in scanAt.
func (s *Sink) dueRetries(g gates, limit int, now time.Time) (due []*item, err error) {
	if len(s.retries) == 0 || now.Before(s.scanAt) {
		return nil, nil
	}
	if s.retryBreaker.open(now) {
		s.scanAt = s.retryBreaker.until
		return nil, nil
	}
	for n, w := range s.longestWaiting(now) {
		if len(due) >= limit || n >= gateParts {
			s.scanAt = now // for the others
			break
		}
		it, err := s.dueRetry(g, w.rec.Path, w, now)
		if err != nil {
			return nil, err
		}
		if it != nil {
			due = append(due, it)
		} else if s.retries[w.rec.Path] == w {
			s.scanAt = earlier(s.scanAt, w.next)
		}
	}
	slices.SortFunc(due, func(a, b *item) int { return cmp.Compare(a.entry.Seq, b.entry.Seq) })
	return due, nil
}

// longestWaiting are the records whose time has come, so that each has its turn. When
// that of the next one comes is in scanAt.
func (s *Sink) longestWaiting(now time.Time) (list []*waiting) {
	s.scanAt = now.Add(gatePollMax)
	for _, w := range s.retries {
		if w.next.After(now) {
			s.scanAt = earlier(s.scanAt, w.next)
			continue
		}
		list = append(list, w)
	}
	slices.SortFunc(list, func(a, b *waiting) int { return cmp.Or(a.next.Compare(b.next), cmp.Compare(a.rec.Seq, b.rec.Seq)) })
	return list
}

// dueRetry returns the event of a record whose time has come, nil when it has to wait
// for a remote, or is not wanted any more.
func (s *Sink) dueRetry(g gates, path string, w *waiting, now time.Time) (*item, error) {
	st, _, err := g.standing(w.rec.Seq, path)
	if err != nil {
		return nil, err
	}
	if st != ready {
		w.next = now.Add(min(gatePollMax, gatePoll<<min(w.looks, 10)))
		w.looks++
		return nil, nil
	}
	it, err := s.remake(w, now)
	if err != nil {
		return nil, err
	}
	over, err := s.o.overtaken(it.entry)
	if err != nil {
		return nil, err
	}
	if over || !s.o.wants(&it.event) {
		s.forget(path)
		return nil, nil
	}
	return it, nil
}

// remake describes an event of the retry set again, as the path is now.
func (s *Sink) remake(w *waiting, now time.Time) (*item, error) {
	e := journal.Entry{Seq: w.rec.Seq, Op: w.rec.Op, Path: w.rec.Path, Time: w.rec.First}
	stored, known, err := s.o.Feed.Stored(e.Path)
	if err != nil {
		return nil, fmt.Errorf("look up %.200q: %w", e.Path, err)
	}
	if known && stored.Lost() > 0 {
		e.Count = stored.Lost() + 1 // that it was a directory is not in the record
	}
	var rec journal.Record
	if e.Op == journal.OpChange {
		if rec, _, err = s.o.Feed.Lookup(e.Path); err != nil {
			return nil, fmt.Errorf("look up %.200q: %w", e.Path, err)
		}
	}
	return &item{entry: e, event: s.o.newEvent(e, rec), at: now, since: w.since(), retry: true}, nil
}

func earlier(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}

// failingNow is how many events were rejected, and the one that was most often.
func (s *Sink) failingNow() (n int, worst *journal.Retry) {
	for _, w := range s.retries {
		if w.rec.Attempts == 0 {
			continue
		}
		n++
		if worst == nil || w.rec.Attempts > worst.Attempts || w.rec.Attempts == worst.Attempts && w.rec.Path < worst.Path {
			worst = &w.rec
		}
	}
	return n, worst
}
