package journal

import (
	"context"
	"fmt"
	"slices"
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
	return h.Dropped, time.Unix(0, h.DroppedAt)
}

// Since returns the seq of the first entry that was journaled at t or later, or
// the one behind the head. All that were journaled later follow it, also those
// from before a clock was set back.
func (s *Source) Since(t time.Time) (uint64, error) {
	next := s.Head() + 1
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

// Last returns the newest n entries, in order.
func (s *Source) Last(n int) ([]Entry, error) {
	var list []Entry
	h := s.header()
	err := s.j.view(func(txn *badger.Txn) error {
		o := badger.DefaultIteratorOptions
		o.PrefetchValues, o.Reverse, o.Prefix = false, true, prefix(kindEntry, s.name)
		it := txn.NewIterator(o)
		defer it.Close()
		for it.Seek(entryKey(s.name, h.Head)); it.Valid() && len(list) < n; it.Next() {
			e, err := itemEntry(s.j, it.Item())
			if err != nil {
				return err
			}
			list = append(list, e)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read last entries of source %s: %w", s.name, err)
	}
	slices.Reverse(list)
	return list, nil
}
