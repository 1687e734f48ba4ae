package replicate

import (
	"fmt"
	"time"

	"gorsyncd/journal"
)

// How far a remote is behind is the age of the oldest change that it has not had:
// one that waits or is under way, one that has failed and waits in the retry set,
// one that the journal has had to forget, for which a full sync makes up. Newer
// changes of the same path do not make it younger, nor does a restart, nor does
// anybody who sets the clock; see the journal's Entry.Since and Now. What has not
// been journaled yet does not count: a file that is being written is, every now
// and then (see the watch package).

// Clock is the journal's clock, by which entries are dated. *journal.Journal
// implements it.
type Clock interface {
	Now() time.Time
	// OnWall puts a time on the wall clock as it goes now.
	OnWall(time.Time) time.Time
}

var _ Clock = (*journal.Journal)(nil)

type wallClock struct{}

func (wallClock) Now() time.Time               { return time.Now() }
func (wallClock) OnWall(t time.Time) time.Time { return t }

// older is the older of two moments, of which zero is none.
func older(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// Lag is how far a remote is behind.
type Lag struct {
	Entries uint64    // it has not had
	Owed    uint64    // paths in the retry set
	Since   time.Time // when the oldest was journaled, by the journal's clock; zero for none
}

// Seconds is its age.
func (l Lag) Seconds(now time.Time) float64 {
	if l.Since.IsZero() {
		return 0
	}
	return max(0, now.Sub(l.Since).Seconds())
}

// StoredLag is the lag of a remote that has no Dispatcher, from what is stored. It
// reads all entries that the remote has not had.
func StoredLag(feed Feed, store Store, name string) (l Lag, err error) {
	cursor := store.Cursor()
	for from := cursor.Next(); ; {
		entries, err := feed.Entries(from, readStep)
		if err != nil {
			return l, fmt.Errorf("read journal: %w", err)
		}
		for _, e := range entries {
			from = e.Seq + 1
			if cursor.Has(e.Seq) {
				continue
			}
			_, since := e.Since(name)
			l.Since = older(l.Since, since)
			l.Entries++
		}
		if len(entries) < readStep {
			break
		}
	}
	recs, err := store.Retries()
	if err != nil {
		return l, fmt.Errorf("read retry set: %w", err)
	}
	l.Owed = uint64(len(recs))
	for _, r := range recs {
		l.Since = older(l.Since, owedBy(r))
	}
	if f := store.FullSync(); f != nil {
		l.Since = older(l.Since, f.Behind)
	}
	return l, nil
}

// owedBy is since when the remote is behind with a stored record. Those of before
// that was noted stand for changes that are as old as their first failure at least.
func owedBy(r journal.Retry) time.Time {
	if r.Since.IsZero() && Failed(r) {
		return r.First
	}
	return r.Since
}

// lag is how far the remote is behind, as far as the journal has been read and
// looked through.
func (d *Dispatcher) lag() Lag {
	l := Lag{Entries: uint64(d.ledger.open), Owed: uint64(d.retries.len())}
	if head := d.o.Feed.Head(); head > d.ledger.read {
		l.Entries += head - d.ledger.read
	}
	for it := range d.unacked() {
		l.Since = older(l.Since, it.Time)
	}
	for _, e := range d.retries.byPath {
		l.Since = older(l.Since, e.oldest())
	}
	if d.full != nil {
		l.Since = older(l.Since, d.full.rec.Behind)
	}
	l.Since = older(l.Since, d.ahead.oldest(d.ledger.read))
	if l.Since.IsZero() && l.Entries > 0 {
		l.Since = UnreadSince(d.o.Feed, d.ledger.read, d.o.Name)
	}
	return l
}

// UnreadSince is since when the first entry waits that a reader will read next.
func UnreadSince(feed interface {
	Entries(from uint64, limit int) ([]journal.Entry, error)
}, read uint64, name string) time.Time {
	next, err := feed.Entries(read+1, 1)
	if err != nil || len(next) == 0 {
		return time.Time{} // a journal that cannot be read ends Run
	}
	_, since := next[0].Since(name)
	return since
}

// since says how long this remote has been behind with the path of an entry that
// was just read and that nothing waits for: an entry stands for older ones that it
// has replaced, but those that this remote has had do not count. first is the seq of
// the oldest, or one below it.
func (d *Dispatcher) since(e journal.Entry) (first uint64, at time.Time) {
	passed := d.ledger.read
	if open := d.ledger.first(); open != 0 {
		passed = open - 1
	}
	first = min(passed+1, e.Seq)
	if e.First > passed {
		first = e.First
	}
	seq, at := e.Since(d.o.Name)
	if seq != e.Seq && d.seen.had(seq) {
		at = e.Time // it was sent, only not acknowledged durably when e came
	}
	at = older(at, d.seen.skipped[e.Path])
	delete(d.seen.skipped, e.Path)
	return first, at
}
