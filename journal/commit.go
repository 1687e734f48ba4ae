package journal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dgraph-io/badger/v4"

	"gorsyncd/journal/failpoint"
)

// Limits of one Badger transaction, well below Badger's own (15 % of the
// memtable: 2.5 MB and 26,000 operations).
const (
	groupBytes = 1 << 20
	groupOps   = 10_000
)

// op is one write of a transaction; a nil val deletes the key.
type op struct {
	key, val []byte
	was      uint64 // mark of what the key had before, 0 for nothing
}

// request is what one caller wants committed as a whole.
type request struct {
	ops  []op
	size int
	done chan error
}

// submit commits ops atomically and returns when they are durable. A context
// that ends before the commit was queued leaves everything as it was; later it
// has no influence, so that memory and disk agree.
func (j *Journal) submit(ctx context.Context, ops []op) error {
	if j.readOnly {
		return ErrReadOnly
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	r := &request{ops: ops, done: make(chan error, 1)}
	for _, o := range ops {
		r.size += len(o.key) + len(o.val)
	}
	select {
	case j.requests <- r:
		return <-r.done
	case <-ctx.Done():
		return ctx.Err()
	}
}

// committer is the only writer. What queues up while it waits for the disk
// shares the next commit.
func (j *Journal) committer() {
	defer close(j.committerDone)
	for r := range j.requests {
		j.turns.Add(1)
		group, size, ops := []*request{r}, r.size, len(r.ops)
	gather:
		for size < groupBytes/2 && ops < groupOps/2 {
			select {
			case r, ok := <-j.requests:
				if !ok {
					break gather
				}
				group, size, ops = append(group, r), size+r.size, ops+len(r.ops)
			default:
				break gather
			}
		}
		began := time.Now()
		j.commitGroup(group)
		if j.committed != nil {
			j.committed(time.Since(began))
		}
		j.turns.Add(1)
	}
}

// Committing tells how many groups of writes were begun and whether the last of
// them is under way: a watchdog sees from it that none takes for ever.
func (j *Journal) Committing() (begun uint64, busy bool) {
	n := j.turns.Load()
	return (n + 1) / 2, n%2 == 1
}

// commitGroup writes the requests in one transaction, or one by one when they
// do not fit together.
func (j *Journal) commitGroup(group []*request) {
	err := j.commit(group)
	if errors.Is(err, badger.ErrTxnTooBig) && len(group) > 1 {
		for _, r := range group {
			r.done <- j.commit([]*request{r})
		}
		return
	}
	for _, r := range group {
		r.done <- err
	}
}

func (j *Journal) commit(group []*request) error {
	if err := j.Err(); err != nil {
		return err
	}
	if err := j.reserve.toCommit(); err != nil {
		return err
	}
	txn := j.db.NewTransaction(true)
	defer txn.Discard()
	top := j.top.begin()
	for _, r := range group {
		for _, o := range r.ops {
			top.note(o)
			var err error
			if o.val == nil {
				err = txn.Delete(o.key)
			} else {
				err = txn.Set(o.key, o.val)
			}
			if err != nil { // nothing is written yet
				return fmt.Errorf("write %s: %w", describe(o.key), err)
			}
		}
	}
	if err := txn.Set(rootKey, top.encode()); err != nil {
		return fmt.Errorf("write %s: %w", describe(rootKey), err)
	}
	j.commits.Add(1)
	failpoint.Hit("journal.commit.before")
	err := failpoint.Fail("journal.commit")
	if err == nil {
		err = j.commitTxn(txn)
	}
	if err != nil {
		return j.fail(fmt.Errorf("journal commit failed, restart needed: %w", err))
	}
	failpoint.Hit("journal.commit.after")
	j.top.take(top)
	j.pulse.beat(j.epoch, top.Serial)
	if j.reserve.follow() {
		select {
		case j.rotated <- struct{}{}:
		default:
		}
	}
	return nil
}

// fail marks the journal failed. After an error of a commit Badger's memory
// may be ahead of its disk, so nothing read from now on can be trusted.
func (j *Journal) fail(err error) error {
	if j.failure.CompareAndSwap(nil, &err) {
		j.log.Error("journal failed", "error", err)
	}
	return j.Err()
}
