package replicate

import (
	"time"

	"gorsyncd/journal"
)

// Observer is told of what becomes of a remote. What it is called by must go on:
// it does not wait. Ended may be called beside the others.
type Observer interface {
	// Delivered tells that a change is on the remote that was journaled at since:
	// the oldest one that it stands for, as far as that is known.
	Delivered(at, since time.Time)
	// Carried tells of bytes of files, at their full size.
	Carried(at time.Time, bytes int64)
	// Health tells that the remote works, or with which error it took nothing.
	Health(at time.Time, errorID string)
	// Ended tells of a full sync or a verify that came to its end.
	Ended(Ending)
}

// Ending is what a full sync or a verify came to.
type Ending struct {
	Verify       bool // else a full sync
	Began, Ended time.Time
	Reason       string
	Path         string // only this subtree; "" for everything
	Checksum     bool
	Complete     bool
	Dirs, Paths  uint64
	Differences  uint64
	Repaired     uint64
	Message      string // why it is not complete
}

type unobserved struct{}

func (unobserved) Delivered(time.Time, time.Time) {}
func (unobserved) Carried(time.Time, int64)       {}
func (unobserved) Health(time.Time, string)       {}
func (unobserved) Ended(Ending)                   {}

// delivered tells of an item that is on the remote. What stands for no change,
// such as the stamp of a directory or a name of a full sync, has no time.
func (d *Dispatcher) delivered(now, since time.Time) {
	if !since.IsZero() {
		d.o.Observer.Delivered(now, d.o.Clock.OnWall(since))
	}
}

// owes notes that a record of the retry set stands for a change of that time; one
// that came while an older state was under way is owed after it.
func (e *retryEntry) owes(since time.Time) {
	p := &e.since
	if e.item.state == itemInFlight {
		p = &e.later
	}
	if !since.IsZero() && (p.IsZero() || since.Before(*p)) {
		*p = since
	}
}

// owed tells since when what has just arrived was owed: the state that was under
// way or, when nothing came after it, everything.
func (e *retryEntry) owed() (since time.Time) {
	if !e.again && e.since.IsZero() {
		e.since = e.later // it came while an attempt was under way that failed
	}
	since, e.since, e.later = e.since, e.later, time.Time{}
	return since
}

// oldest is since when the remote is behind with a path; zero for a record that
// stands for no change.
func (e *retryEntry) oldest() time.Time { return older(e.since, e.later) }

// loadOwed takes over what is known of the records of an earlier process.
func (s *retrySet) loadOwed() {
	for _, e := range s.byPath {
		e.since = owedBy(e.Retry)
	}
}

// waits is since when the remote is behind with an item; zero for what stands for no
// change.
func (d *Dispatcher) waits(it *Item, retry bool) time.Time {
	if e := d.retries.get(it.Path); retry && e != nil && e.item == it {
		return e.oldest()
	}
	return it.Time
}

// needless forgets since when items are owed that are acknowledged though nothing
// was sent.
func (d *Dispatcher) needless(it *Item, retry bool) {
	it.Time = time.Time{}
	if e := d.retries.get(it.Path); retry && e != nil && e.item == it {
		e.since, e.later = time.Time{}, time.Time{}
	}
}

func (d *Dispatcher) tellFull(f *journal.FullSync, now time.Time) {
	d.o.Observer.Ended(Ending{Began: f.Started, Ended: now, Reason: f.Reason, Path: f.Sub, Checksum: f.Checksum, Complete: true, Dirs: f.Done})
}

func (d *Dispatcher) tellVerify(r VerifyResult) {
	d.o.Observer.Ended(Ending{Verify: true, Began: r.Started, Ended: r.Ended, Path: r.Path, Checksum: r.Checksum, Complete: r.Complete,
		Dirs: r.Dirs, Paths: r.Paths, Differences: r.Differences, Repaired: r.Repaired, Message: r.Message})
}
