package journal

import (
	"context"
	"time"

	"github.com/dgraph-io/badger/v4"

	"gorsyncd/journal/failpoint"
)

// sweepGrace is how long a tombstone stays after every remote has passed it:
// longer than a watch waits with an observation, so that a path that came back
// for a moment, and was read by a remote just then, is still known to be gone
// again.
const sweepGrace = 5 * time.Second

// sweepable returns what every remote had passed one grace ago.
func (s *Source) sweepable() uint64 {
	now := s.j.now()
	switch {
	case s.j.grace == 0:
		return s.acked()
	case s.passedAt.IsZero():
		s.passed, s.passedAt = s.acked(), now
	case now.Sub(s.passedAt) >= s.j.grace:
		done := s.passed
		s.passed, s.passedAt = s.acked(), now
		return done
	}
	return 0
}

// sweep goes on from header.Swept to what every remote has passed and deletes
// the tombstones on the way. An entry whose path is in a retry set is pinned:
// its tombstone stays, since the remote still has what is to be removed, and
// would never be told of it once the path has come back.
func (s *Source) sweep(ctx context.Context) error {
	s.writing.Lock()
	upto := s.sweepable()
	s.writing.Unlock()
	return repeat(ctx, func(ctx context.Context) (bool, error) { return s.sweepStep(ctx, upto) })
}

func (s *Source) sweepStep(ctx context.Context, acked uint64) (more bool, err error) {
	err = s.transact(ctx, func(txn *badger.Txn, h *header) ([]op, error) {
		if h.Swept >= acked {
			return nil, nil
		}
		failpoint.Hit("journal.sweep")
		d := newSweeper(s, txn, h)
		it := scan(txn, prefix(kindEntry, s.name))
		defer it.Close()
		examined := 0
		for it.Seek(entryKey(s.name, h.Swept+1)); it.Valid(); it.Next() {
			e, err := itemEntry(s.j, it.Item())
			if err != nil {
				return nil, err
			}
			if e.Seq > acked {
				break
			}
			if examined++; examined > sweepExamined || d.left() <= 0 {
				more = true
				return d.ops, nil
			}
			if done, err := d.entry(e); err != nil || !done {
				more = true
				return d.ops, err
			}
			h.Swept = e.Seq
		}
		h.Swept = acked
		return d.ops, nil
	})
	return more, err
}

// sweepPinned looks again at the tombstones that a retry record kept.
func (s *Source) sweepPinned(ctx context.Context) (more bool, err error) {
	err = s.transact(ctx, func(txn *badger.Txn, h *header) ([]op, error) {
		d := newSweeper(s, txn, h)
		pre := prefix(kindPin, s.name)
		it := scan(txn, pre)
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			if d.left() <= 0 {
				more = true
				return d.ops, nil
			}
			key := it.Item().KeyCopy(nil)
			seq, err := getValue(s.j, txn, key, decodeSeq)
			if err != nil {
				return nil, err
			}
			was, err := storedMark(s.j, txn, key)
			if err != nil {
				return nil, err
			}
			path := pathOf(key[len(pre):])
			if pinned, err := s.inRetry(txn, path); err != nil {
				return nil, err
			} else if pinned {
				continue
			}
			done, err := d.shadow(path, seq)
			if err != nil {
				return nil, err
			}
			if !done {
				more = true
				return d.ops, nil
			}
			d.ops = append(d.ops, op{key, nil, was})
		}
		return d.ops, nil
	})
	return more, err
}

// inRetry tells whether any remote has the path in its retry set.
func (s *Source) inRetry(txn *badger.Txn, path string) (bool, error) {
	for _, r := range s.handles() {
		_, found, err := lookup(s.j, txn, retryKey(s.name, r.name, path), decodeRetry)
		if found || err != nil {
			return found, err
		}
	}
	return false, nil
}

// sweeper collects the deletes of one transaction.
type sweeper struct {
	s   *Source
	txn *badger.Txn
	h   *header
	ops []op
	// gone has the index keys deleted by ops, which txn still shows.
	gone map[string]bool
}

func newSweeper(s *Source, txn *badger.Txn, h *header) *sweeper {
	return &sweeper{s: s, txn: txn, h: h, gone: map[string]bool{}}
}

func (d *sweeper) left() int { return sweepDeletes - len(d.ops) }

// entry deletes what the entry has left in the index to shadow other records.
// It is not done when the transaction is full.
func (d *sweeper) entry(e Entry) (done bool, err error) {
	if e.Op == OpChange && e.Count == 0 {
		return true, nil
	}
	pinned, err := d.s.inRetry(d.txn, e.Path)
	if err != nil {
		return false, err
	}
	if pinned {
		key := pinKey(d.s.name, e.Path)
		was, err := storedMark(d.s.j, d.txn, key)
		d.ops = append(d.ops, op{key, encodeSeq(key, e.Seq), was})
		return err == nil, err
	}
	return d.shadow(e.Path, e.Seq)
}

// shadow deletes the records below a path, and then its own if it is a
// tombstone, provided that it is still as the entry left it.
func (d *sweeper) shadow(path string, seq uint64) (done bool, err error) {
	src := d.s.name
	key := indexKey(src, path)
	top, known, err := lookup(d.s.j, d.txn, key, decodeRecord)
	if err != nil || !known || top.Type == Dir || top.LastSeq != seq {
		return err == nil, err
	}
	below := belowKey(src, path)
	it := scan(d.txn, below)
	defer it.Close()
	for it.Seek(belowFirst(below, path)); it.Valid(); it.Next() {
		if d.left() <= 0 {
			return false, nil
		}
		r, err := itemRecord(d.s.j, it.Item())
		if err != nil {
			return false, err
		}
		k := it.Item().KeyCopy(nil)
		d.delete(k, pathOf(k[len(src)+2:]), r)
	}
	if top.Type == Gone {
		d.delete(key, path, top)
	}
	return true, nil
}

func (d *sweeper) delete(key []byte, path string, r Record) {
	if d.gone[string(key)] {
		return
	}
	d.gone[string(key)] = true
	d.ops = append(d.ops, op{key, nil, r.mark})
	d.h.Index--
	if r.linked() {
		key := inodeKey(d.s.name, r.Dev, r.Ino, path)
		d.ops = append(d.ops, op{key, nil, inodeMark(key)})
	}
}
