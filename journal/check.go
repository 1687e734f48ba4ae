package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/dgraph-io/badger/v4"
)

// maxProblems bounds a Report: a journal that is broken is so in many places.
const maxProblems = 100

// Report is the result of Check.
type Report struct {
	Entries  uint64
	Index    uint64 // records, tombstones and shadowed ones included
	Retries  uint64
	Problems []string // at most 100; none when the journal is sound
}

// Check verifies every rule of the package documentation on one snapshot of
// the journal: it may run beside everything else, but keeps Badger from
// dropping deleted data until it ends. The error is only about not being able
// to look.
func (j *Journal) Check(ctx context.Context) (Report, error) {
	c := checker{j: j, ctx: ctx}
	c.checkSide()
	err := j.view(func(txn *badger.Txn) error {
		c.txn = txn
		return c.all()
	})
	if err != nil {
		return c.rep, fmt.Errorf("check journal: %w", err)
	}
	return c.rep, nil
}

// checker is one run of Check.
type checker struct {
	j    *Journal
	ctx  context.Context
	txn  *badger.Txn
	rep  Report
	keys int
}

func (c *checker) problem(format string, args ...any) {
	if len(c.rep.Problems) < maxProblems {
		c.rep.Problems = append(c.rep.Problems, fmt.Sprintf(format, args...))
	}
}

// checkSide compares with the side file as it is now, which the database must
// never be behind.
func (c *checker) checkSide() {
	side, err := readSide(c.j.dir)
	if err != nil {
		c.problem("%v", err)
		return
	}
	if side == nil {
		c.problem("%s is missing", sidePath(c.j.dir))
		return
	}
	if side.Epoch != c.j.epoch {
		c.problem("%s belongs to another database", sidePath(c.j.dir))
	}
	for name, head := range side.Heads {
		c.j.mu.Lock()
		s := c.j.sources[name]
		c.j.mu.Unlock()
		if s == nil && slices.Contains(c.j.haunted(true), name) {
			continue // dropped since the side file was read
		}
		if s == nil {
			c.problem("source %s of %s is missing", name, sidePath(c.j.dir))
		} else if s.Head() < head {
			c.problem("source %s ends at seq %d, but %d was acknowledged", name, s.Head(), head)
		}
	}
}

// each is each with a look at the context now and then; an undecodable value
// is a problem, not the end.
func (c *checker) each(pre []byte, fn func(key, val []byte) error) error {
	return each(c.txn, pre, func(key, val []byte) error {
		if c.keys++; c.keys%1024 == 0 && c.ctx.Err() != nil {
			return c.ctx.Err()
		}
		return c.found(fn(key, val))
	})
}

// found turns damage into a problem and keeps other errors.
func (c *checker) found(err error) error {
	var corrupt *CorruptError
	if errors.As(err, &corrupt) {
		c.problem("%s: %v", corrupt.Place, corrupt.Err)
		return nil
	}
	return err
}

func (c *checker) all() error {
	headers := map[string]header{}
	known := map[string]bool{string(formatKey): true, string(rootKey): true} // starts of keys
	err := c.each(sourcePrefix, func(key, val []byte) error {
		h, err := decodeHeader(key, val)
		if err != nil {
			return c.j.corrupt(key, err)
		}
		name := string(bytes.TrimPrefix(key, sourcePrefix))
		headers[name], known[string(key)] = h, true
		return nil
	})
	if err != nil {
		return err
	}
	for name, h := range headers {
		s := sourceChecker{checker: c, src: name, h: h, pins: map[string]uint64{}, remotes: map[string]bool{}}
		for _, step := range []func() error{s.pinned, s.entries, s.index, s.inodes, s.cursors, s.retries} {
			if err := step(); err != nil {
				return err
			}
		}
		for _, kind := range []byte{kindEntry, kindIndex, kindInode, kindCursor, kindRetry, kindFull, kindState, kindPin} {
			known[string(prefix(kind, name))] = true
		}
	}
	for _, name := range c.j.haunted(true) { // left by a DropSource, and harmless
		for _, kind := range kindsOfSource {
			known[string(prefix(kind, name))] = true
		}
	}
	if err := c.sums(); err != nil {
		return err
	}
	return c.strangers(known)
}

// sums is what Verify does, for what the checks before do not find.
func (c *checker) sums() error {
	if len(c.rep.Problems) > 0 {
		return nil
	}
	v := verifier{j: c.j, ctx: c.ctx, txn: c.txn}
	lost, err := v.all()
	if lost != "" {
		c.problem("%s", lost)
	}
	return c.found(err)
}

// strangers looks for keys that belong to no source.
func (c *checker) strangers(known map[string]bool) error {
	it := scan(c.txn, nil)
	defer it.Close()
	for it.Rewind(); it.Valid(); {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		key := it.Item().KeyCopy(nil)
		if known[string(key)] {
			it.Next()
			continue
		}
		if i := bytes.IndexByte(key, 0); i >= 0 && known[string(key[:i+1])] {
			it.Seek(append(key[:i:i], 1)) // all keys of this kind and source
			continue
		}
		c.problem("%s belongs to no source", describe(key))
		it.Next()
	}
	return nil
}
