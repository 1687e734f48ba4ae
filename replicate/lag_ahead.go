package replicate

import (
	"fmt"
	"time"
)

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
