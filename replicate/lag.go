package replicate

import (
	"fmt"
	"slices"
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

// seen tells which entries this process has read: a seq that was missing when it was
// its turn had been superseded by an entry that has not been read yet.
type seen struct {
	start uint64   // nothing at or below it was read by this process
	from  uint64   // all that there was up to it has been read, and what has replaced it then
	seqs  []uint64 // of what has been read since, as far as somebody may ask

	// When there was nothing journaled behind head, the remote had had all up to low
	// for good: no entry behind head asks for that.
	head, low uint64

	// skipped are paths that were acknowledged though nothing was sent, with since
	// when they waited: they were gone, and the entry that says so, or one that has
	// replaced it, had not been read.
	skipped map[string]time.Time
}

func (s *seen) skip(path string, since time.Time) {
	if since.IsZero() {
		return
	}
	if s.skipped == nil {
		s.skipped = map[string]time.Time{}
	}
	s.skipped[path] = older(s.skipped[path], since)
}

// caughtUp tells that there is nothing to read.
func (s *seen) caughtUp(read uint64) { *s = seen{start: s.start, from: read} }

// forget drops what no entry behind read asks for: a remote may be behind for ever.
func (s *seen) forget(read, head, low uint64) {
	if read < s.head {
		return
	}
	if i, _ := slices.BinarySearch(s.seqs, s.low+1); i > len(s.seqs)/2 {
		s.seqs = slices.Clone(s.seqs[i:])
	}
	s.head, s.low = head, low
}

// had tells whether an entry was there when it was its turn.
func (s *seen) had(seq uint64) bool {
	if seq <= s.start {
		return false
	}
	_, found := slices.BinarySearch(s.seqs, seq)
	return seq <= s.from || found
}

// ahead looks through what is in the journal behind the window: an entry that stands
// for an older one may be the oldest of all. It keeps only those that nothing younger
// than they are precedes, so that the first one that is not read yet is the oldest.
type ahead struct {
	to   uint64 // looked through up to it
	list []waiting
}

type waiting struct {
	seq   uint64
	since time.Time
}

// aheadGrain is how exactly it is known since when something waits: a job that writes
// a million files in the same order every night is to cost some thousand moments.
const aheadGrain = time.Second

// note takes in entries in order.
func (a *ahead) note(seq uint64, since time.Time) {
	n := len(a.list)
	for n > 0 && !a.list[n-1].since.Before(since) {
		n--
	}
	if n > 0 && since.Sub(a.list[n-1].since) < aheadGrain {
		a.list = a.list[:n]
		a.list[n-1].seq = seq
		return
	}
	a.list = append(a.list[:n], waiting{seq, since})
}

// oldest is since when the oldest waits of those behind what has been read; zero
// when none is known.
func (a *ahead) oldest(read uint64) time.Time {
	n := 0
	for n < len(a.list) && a.list[n].seq <= read {
		n++
	}
	if n == len(a.list) {
		*a = ahead{to: a.to}
		return time.Time{}
	}
	a.list = a.list[n:]
	return a.list[0].since
}

// aheadStep is how many entries are looked through before anything else is done.
const aheadStep = 5 * readStep

// lookAhead looks through some of what does not fit into the window.
func (d *Dispatcher) lookAhead() error {
	if d.ledger.open < d.o.window {
		return nil
	}
	a := &d.ahead
	a.oldest(d.ledger.read)
	a.to = max(a.to, d.ledger.read)
	for stop := a.to + aheadStep; a.to < d.o.Feed.Head(); {
		if a.to >= stop {
			d.again = true
			return nil
		}
		head := d.o.Feed.Head()
		entries, err := d.o.Feed.Entries(a.to+1, readStep)
		if err != nil {
			return fmt.Errorf("read journal of %s: %w", d.o.Source, err)
		}
		for _, e := range entries {
			a.to = e.Seq
			if has(d.completed.cursor, e.Seq) {
				continue
			}
			if seq, since := e.Since(d.o.Name); seq != e.Seq {
				a.note(e.Seq, since)
			}
		}
		if len(entries) < readStep {
			a.to = max(a.to, head)
		}
	}
	return nil
}
