package journal

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/dgraph-io/badger/v4"
)

// Limits of one Badger transaction, well below Badger's own (15 % of the
// memtable: 2.5 MB and 26,000 operations).
const (
	groupBytes = 1 << 20
	groupOps   = 10_000
)

// A file system with less than this free refuses commits: Badger writes
// through memory maps, so that a full one kills the process with SIGBUS, and
// needs room for memtables and compaction even to open again.
const (
	minFreeBytes  = 128 << 20
	minFreeInodes = 200
)

// op is one write of a transaction; a nil val deletes the key.
type op struct{ key, val []byte }

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
		j.commitGroup(group)
	}
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
	if err := j.room(); err != nil {
		return err
	}
	txn := j.db.NewTransaction(true)
	defer txn.Discard()
	for _, r := range group {
		for _, o := range r.ops {
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
	j.commits.Add(1)
	if err := j.commitTxn(txn); err != nil {
		return j.fail(err)
	}
	return nil
}

// fail marks the journal failed. After an error of a commit Badger's memory
// may be ahead of its disk, so nothing read from now on can be trusted.
func (j *Journal) fail(err error) error {
	err = fmt.Errorf("journal commit failed, restart needed: %w", err)
	j.failure.CompareAndSwap(nil, &err)
	j.log.Error("journal commit failed", "error", err)
	return j.Err()
}

// room checks free space once a second.
func (j *Journal) room() error {
	now := time.Now()
	if now.Sub(j.roomChecked) < time.Second {
		return j.roomErr
	}
	j.roomChecked, j.roomErr = now, nil
	bytes, inodes, err := freeSpace(j.dir)
	if err != nil {
		j.log.Warn("free space of the journal unknown", "error", err)
		return nil
	}
	if bytes < j.minFree || inodes < minFreeInodes {
		j.roomErr = fmt.Errorf("%w: %d MiB and %d inodes free in %s", ErrNoSpace, bytes>>20, inodes, j.dir)
	}
	return j.roomErr
}

// freeSpace returns what an unprivileged process may still use. File systems
// that do not count inodes have plenty.
func freeSpace(dir string) (bytes, inodes uint64, err error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, 0, fmt.Errorf("statfs %s: %w", dir, err)
	}
	inodes = st.Ffree
	if st.Files == 0 {
		inodes = 1 << 62
	}
	return st.Bavail * uint64(st.Bsize), inodes, nil
}
