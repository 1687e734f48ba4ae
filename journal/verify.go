package journal

import (
	"context"
	"fmt"
	"time"

	"github.com/dgraph-io/badger/v4"
)

// verify compares what was loaded with pulse and side file, and every value
// with the sums above it. For a journal of an earlier version, which has
// none, it returns the writes that add them.
func (j *Journal) verify(fresh bool) (upgrade []op, err error) {
	beat, err := readPulse(j.dir)
	if err != nil {
		return nil, err
	}
	if lost := j.compare(fresh, beat); lost != "" {
		return nil, &LostError{Dir: j.dir, What: lost}
	}
	err = j.view(func(txn *badger.Txn) error {
		v := verifier{j: j, ctx: context.Background(), txn: txn}
		lost, err := v.all()
		if lost != "" && err == nil {
			err = &LostError{Dir: j.dir, What: lost}
		}
		upgrade = v.upgrade
		return err
	})
	if err != nil {
		return nil, err
	}
	return upgrade, j.takeUpgrade(upgrade)
}

// takeUpgrade makes the handles carry the sums that are about to be written.
func (j *Journal) takeUpgrade(ops []op) error {
	for _, o := range ops {
		for _, s := range j.sources {
			if string(o.key) == string(sourceKey(s.name)) {
				h, err := decodeHeader(o.key, o.val)
				if err != nil {
					return j.corrupt(o.key, err)
				}
				s.h = h
			}
			for _, r := range s.remotes {
				if string(o.key) == string(remoteKey(kindCursor, s.name, r.name)) {
					c, err := decodeCursor(o.key, o.val)
					if err != nil {
						return j.corrupt(o.key, err)
					}
					r.held = c.holdings
				}
			}
		}
	}
	return nil
}

// Verify reads the tables from the disk and compares every value with the sums
// above it, on a snapshot and beside everything else; it uses at most half of a
// processor. What is missing fails
// the journal: the error is a *LostError or *CorruptError then, and so is that
// of the next Open.
func (j *Journal) Verify(ctx context.Context) error {
	acked := j.serial.Load()
	var lost string
	err := j.verifyOpenTables(ctx)
	if err == nil {
		err = j.view(func(txn *badger.Txn) (err error) {
			v := verifier{j: j, ctx: ctx, txn: txn, gentle: true, acked: acked}
			lost, err = v.all()
			return err
		})
	}
	if lost != "" {
		err = j.damaged(lost)
	}
	if isDamage(err) && j.Err() == nil {
		err = j.damaged(err.Error())
	}
	if err != nil {
		return fmt.Errorf("verify journal: %w", err)
	}
	return nil
}

// verifier is one comparison of everything with its sums. Its methods return
// what is missing, "" when nothing is.
type verifier struct {
	j      *Journal
	ctx    context.Context
	txn    *badger.Txn
	gentle bool   // pause now and then
	acked  uint64 // commits that must be there

	n       int
	top     uint64 // marks of headers and cursors added up
	summed  bool   // there is a root, and so there must be sums everywhere
	upgrade []op
}

// gentleEvery is the number of values, about half a millisecond of work,
// between two pauses of gentlePause.
const (
	gentleEvery = 1024
	gentlePause = time.Millisecond
)

// each is each with pauses, a look at the context, and the values verified.
func (v *verifier) each(pre []byte, fn func(key, val []byte) error) error {
	return each(v.txn, pre, func(key, val []byte) error {
		if v.n++; v.n%gentleEvery == 0 {
			if err := v.ctx.Err(); err != nil {
				return err
			}
			if v.gentle {
				time.Sleep(gentlePause)
			}
		}
		if err := sound(key, val); err != nil {
			return v.j.corrupt(key, err)
		}
		return fn(key, val)
	})
}

func (v *verifier) all() (lost string, err error) {
	top, found, err := lookup(v.j, v.txn, rootKey, decodeRoot)
	if err != nil {
		return "", err
	}
	v.summed = found
	headers := map[string]header{}
	err = v.each(sourcePrefix, func(key, val []byte) error {
		h, err := decodeHeader(key, val)
		if err != nil {
			return v.j.corrupt(key, err)
		}
		headers[string(key[len(sourcePrefix):])] = h
		v.top += mark(key, val)
		return nil
	})
	for name, h := range headers {
		if lost == "" && err == nil {
			lost, err = (&sourceVerifier{verifier: v, name: name, h: h}).all()
		}
	}
	switch {
	case lost != "" || err != nil:
	case found && top.Serial < v.acked:
		lost = fmt.Sprintf("the newest commit is number %d, but %d were acknowledged", top.Serial, v.acked)
	case found && top.Digest != v.top:
		lost = "a source or remote is missing, or is an older one"
	}
	return lost, err
}
