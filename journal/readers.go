package journal

import (
	"context"
	"fmt"
	"time"

	"github.com/dgraph-io/badger/v4"
)

// Wait returns as soon as there is, or was, an entry with at least this seq. It
// sleeps meanwhile and costs nothing.
func (s *Source) Wait(ctx context.Context, seq uint64) error {
	for {
		changed := s.Changed()
		if s.Head() >= seq {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Dropped tells of the newest entry that was truncated: its seq, 0 for none, and
// when the newest of them was journaled. Entries that are missing above it were
// superseded. Ask after reading: what was there then is not missing.
func (s *Source) Dropped() (seq uint64, at time.Time) {
	h := s.header()
	if h.Dropped == 0 {
		return 0, time.Time{}
	}
	return h.Dropped, s.j.OnWall(time.Unix(0, h.DroppedAt))
}

// Since returns the seq of the first entry that was journaled at t or later, by the
// wall clock as it goes now, or the one behind the head.
func (s *Source) Since(t time.Time) (uint64, error) {
	next, t := s.Head()+1, s.j.clock.fromWall(t)
	for from := uint64(0); ; {
		page, err := s.Entries(from, pageSize)
		if err != nil {
			return 0, err
		}
		for _, e := range page {
			if !e.Time.Before(t) {
				return e.Seq, nil
			}
		}
		if len(page) < pageSize {
			return next, nil
		}
		from = page[len(page)-1].Seq + 1
	}
}

// Before returns at most limit entries with a seq below the given one, the newest
// first.
func (s *Source) Before(seq uint64, limit int) ([]Entry, error) {
	var list []Entry
	seq = min(seq, s.Head()+1)
	if seq == 0 {
		return nil, nil
	}
	err := s.j.view(func(txn *badger.Txn) error {
		o := badger.DefaultIteratorOptions
		o.PrefetchValues, o.Reverse, o.Prefix = false, true, prefix(kindEntry, s.name)
		it := txn.NewIterator(o)
		defer it.Close()
		for it.Seek(entryKey(s.name, seq-1)); it.Valid() && len(list) < limit; it.Next() {
			e, err := itemEntry(s.j, it.Item())
			if err != nil {
				return err
			}
			list = append(list, e)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read entries of source %s backwards: %w", s.name, err)
	}
	return list, nil
}
