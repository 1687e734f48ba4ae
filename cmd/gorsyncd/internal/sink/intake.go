package sink

import (
	"fmt"
	"strings"
	"time"

	"gorsyncd/journal"
)

// window is how many events wait in memory; what is behind them waits in the
// journal.
const window = 5000

// readStep is how many entries are read at a time.
const readStep = 1000

// item is an event on its way.
type item struct {
	entry journal.Entry
	event Event
	at    time.Time // when it was read
	since time.Time // when the oldest of what it stands for was journaled, by Options.Clock
	gone  bool      // a newer one took its place
	retry bool      // of the retry set
}

// intake reads forward from the cursor while there is room. The caller holds mu.
func (s *Sink) intake(now time.Time) error {
	for len(s.pending) < window {
		head := s.o.Feed.Head()
		if s.read >= head {
			return nil
		}
		limit := min(readStep, window-len(s.pending))
		entries, err := s.o.Feed.Entries(s.read+1, limit)
		if err != nil {
			return fmt.Errorf("read journal of %s: %w", s.o.Source, err)
		}
		for _, e := range entries {
			if err := s.take(e, now); err != nil {
				return err
			}
		}
		if len(entries) < limit && s.read < head {
			s.read = head // the others were superseded
			s.moved = true
		}
	}
	return nil
}

// take files one entry. What waits for an older state of the path, or of what is
// below a removed directory, is superseded.
func (s *Sink) take(e journal.Entry, now time.Time) error {
	s.read, s.moved = e.Seq, true
	if s.start.Has(e.Seq) {
		return nil
	}
	_, since := e.Since(JournalName(s.o.Name))
	if before := s.supersede(e); !before.IsZero() && before.Before(since) {
		since = before
	}
	var rec journal.Record
	if e.Op == journal.OpChange {
		var err error
		if rec, _, err = s.o.Feed.Lookup(e.Path); err != nil {
			return fmt.Errorf("look up %.200q: %w", e.Path, err)
		}
	}
	ev := s.o.newEvent(e, rec)
	if s.o.wants(&ev) {
		it := &item{entry: e, event: ev, at: now, since: since}
		s.pending = append(s.pending, it)
		s.byPath[e.Path] = it
	}
	return nil
}

// wants tells whether an event is one that the sink was configured for.
func (o *Options) wants(ev *Event) bool {
	if !o.tells(ev.Op) || ev.Op == OpChange && ev.isDir && !o.Directories {
		return false
	}
	return !o.Filter.Match(ev.rel, ev.isDir).Excluded
}

// supersede drops what an entry takes the place of. An entry that counts more than
// itself is of a directory that is gone with all that was below it. It tells since
// when the oldest of them has waited; zero for none.
func (s *Sink) supersede(e journal.Entry) (since time.Time) {
	note := func(at time.Time) {
		if since.IsZero() || at.Before(since) {
			since = at
		}
	}
	if it := s.byPath[e.Path]; it != nil {
		note(it.since)
		s.drop(it)
	}
	if w := s.retries[e.Path]; w != nil {
		note(w.since())
		s.forget(e.Path)
	}
	if !(e.Op == journal.OpRemove && e.Count > 1 || e.Op == journal.OpChange && e.Count > 0) {
		return since
	}
	for path, it := range s.byPath {
		if it.entry.Op == journal.OpChange && strings.HasPrefix(path, e.Path+"/") {
			note(it.since)
			s.drop(it)
		}
	}
	for path, w := range s.retries {
		if w.rec.Op == journal.OpChange && strings.HasPrefix(path, e.Path+"/") {
			note(w.since())
			s.forget(path)
		}
	}
	return since
}

func (s *Sink) drop(it *item) {
	it.gone = true
	if s.retries[it.entry.Path] == nil {
		delete(s.told, it.entry.Seq)
	}
	delete(s.byPath, it.entry.Path)
	s.moved = true
}

// sweepGone takes out what was dropped or delivered.
func (s *Sink) sweepGone() {
	kept := s.pending[:0]
	for _, it := range s.pending {
		if !it.gone {
			kept = append(kept, it)
		}
	}
	clear(s.pending[len(kept):])
	s.pending = kept
}

// maxRanges bounds what a cursor lists above its low end: what is missing from it is
// only delivered once more after a crash.
const maxRanges = 200

// cursor is what has been read, less what is still on its way.
func (s *Sink) cursor() journal.Cursor {
	if len(s.pending) == 0 {
		return journal.Cursor{Low: s.read}
	}
	c := journal.Cursor{Low: s.pending[0].entry.Seq - 1}
	for i, it := range s.pending {
		to := s.read
		if i+1 < len(s.pending) {
			to = s.pending[i+1].entry.Seq - 1
		}
		if from := it.entry.Seq + 1; from <= to && len(c.Done) < maxRanges {
			c.Done = append(c.Done, journal.Range{From: from, To: to})
		}
	}
	return c
}
