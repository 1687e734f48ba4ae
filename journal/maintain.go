package journal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dgraph-io/badger/v4"

	"gorsyncd/journal/failpoint"
)

// maxRetained bounds the entries kept for inspection only.
const maxRetained = 200_000

// Limits of one transaction of Maintain, during which Record waits.
const (
	sweepDeletes  = 500
	sweepExamined = 5000
)

// Maintain does one round of what keeps the journal small and verifiable: it
// deletes tombstones and what they shadow once every remote has passed them,
// deletes entries that every remote has and Retain does not keep, and what is left
// of dropped sources, and writes the checkpoint. It works in small transactions, so that Record and Commit go
// on meanwhile.
func (j *Journal) Maintain(ctx context.Context) error {
	if j.readOnly {
		return ErrReadOnly
	}
	for _, s := range j.all() {
		err := s.sweep(ctx)
		for _, step := range []func(context.Context) (bool, error){s.sweepPinned, s.truncate} {
			if err == nil {
				err = repeat(ctx, step)
			}
		}
		if errors.Is(err, errDroppedSource) {
			continue // meanwhile
		}
		if err != nil {
			return fmt.Errorf("maintain source %s: %w", s.name, err)
		}
	}
	if names := j.haunted(false); len(names) > 0 {
		if err := j.purge(ctx, names); err != nil {
			return err
		}
	}
	if err := j.enter(); err != nil {
		return err
	}
	defer j.leave()
	return j.checkpoint()
}

func repeat(ctx context.Context, step func(context.Context) (more bool, err error)) error {
	for {
		more, err := step(ctx)
		if err != nil || !more {
			return err
		}
	}
}

// transact runs fn with the header and a read transaction and commits what it
// returns.
func (s *Source) transact(ctx context.Context, fn func(txn *badger.Txn, h *header) ([]op, error)) error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if err := s.j.enter(); err != nil {
		return err
	}
	defer s.j.leave()
	h := s.header()
	var ops []op
	err := s.j.reading(func(txn *badger.Txn) (err error) {
		ops, err = fn(txn, &h)
		return err
	})
	if err != nil {
		return err
	}
	return s.commit(ctx, h, ops)
}

// truncate deletes entries from the old end on, up to the first that Retain
// keeps.
func (s *Source) truncate(ctx context.Context) (more bool, err error) {
	err = s.transact(ctx, func(txn *badger.Txn, h *header) ([]op, error) {
		upto := min(s.acked(), h.Swept)
		if h.Truncated >= upto {
			return nil, nil
		}
		failpoint.Hit("journal.truncate")
		retain := time.Duration(s.j.retain.Load())
		excess := s.excess(txn, h, upto, retain)
		cutoff := s.j.Now().Add(-retain)
		var ops []op
		it := scan(txn, prefix(kindEntry, s.name))
		defer it.Close()
		for it.Seek(entryKey(s.name, h.Truncated+1)); it.Valid(); it.Next() {
			e, err := itemEntry(s.j, it.Item())
			if err != nil {
				return nil, err
			}
			if e.Seq > upto {
				break
			}
			if retain > 0 && e.Time.After(cutoff) && len(ops) >= excess {
				return ops, nil
			}
			if len(ops) == sweepDeletes {
				more = true
				return ops, nil
			}
			ops = append(ops, op{it.Item().KeyCopy(nil), nil, e.mark})
			h.Truncated, h.Dropped = e.Seq, e.Seq
			h.DroppedAt = max(h.DroppedAt, e.Time.UnixNano())
			h.Entries--
			h.Sum -= e.Seq
		}
		h.Truncated = upto
		return ops, nil
	})
	return more, err
}

// excess counts the entries up to a seq beyond those that may be retained.
func (s *Source) excess(txn *badger.Txn, h *header, upto uint64, retain time.Duration) int {
	if retain <= 0 || h.Entries <= maxRetained {
		return 0
	}
	it := scan(txn, prefix(kindEntry, s.name))
	defer it.Close()
	n := 0
	for it.Rewind(); it.Valid() && seqOf(it.Item().Key()) <= upto; it.Next() {
		n++
	}
	return max(n-maxRetained, 0)
}
