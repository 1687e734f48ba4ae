package journal

import (
	"context"

	"github.com/dgraph-io/badger/v4"
)

// remoteWrite is a Remote.Commit in the making: writes, and what the cursor's
// record will sum up after them.
type remoteWrite struct {
	r    *Remote
	ops  []op
	size int
	held holdings
}

func (w *remoteWrite) add(key, val []byte, was uint64) {
	w.ops = append(w.ops, op{key, val, was})
	w.size += len(key) + len(val)
}

// submit commits what was collected with the cursor's record, which sums it
// up, and takes the sums over.
func (w *remoteWrite) submit(ctx context.Context, cursor Cursor) error {
	r := w.r
	rec := cursorRecord{cursor, w.held}
	key := remoteKey(kindCursor, r.s.name, r.name)
	if err := r.s.j.submit(ctx, append(w.ops, op{key: key, val: rec.encode(key)})); err != nil {
		return err
	}
	w.ops, w.size = nil, 0
	r.mu.Lock()
	defer r.mu.Unlock()
	r.held = w.held
	return nil
}

// retries collects the changes of retry records. What does not fit into one
// transaction is committed at once, under the cursor as it is.
func (w *remoteWrite) retries(ctx context.Context, u Update) error {
	src, name := w.r.s.name, w.r.name
	marks := map[string]uint64{} // of this update
	for i := range u.PutRetry {
		key := retryKey(src, name, u.PutRetry[i].Path)
		if err := w.retry(ctx, marks, key, u.PutRetry[i].encode(key)); err != nil {
			return err
		}
	}
	for _, p := range u.DelRetry {
		if err := w.retry(ctx, marks, retryKey(src, name, p), nil); err != nil {
			return err
		}
	}
	return nil
}

func (w *remoteWrite) retry(ctx context.Context, marks map[string]uint64, key, val []byte) error {
	was, known := marks[string(key)]
	if !known && w.held.Retries > 0 {
		var err error
		if was, err = w.stored(key); err != nil {
			return err
		}
	}
	o := op{key, val, was}
	switch {
	case val == nil && was == 0:
		return nil
	case val == nil:
		w.held.Retries--
		marks[string(key)] = 0
	default:
		if was == 0 {
			w.held.Retries++
		}
		marks[string(key)] = mark(key, val)
	}
	w.held.Digest += o.delta()
	w.add(key, val, was)
	if len(w.ops) < chunkObservations && w.size < chunkBytes {
		return nil
	}
	return w.submit(ctx, w.r.Cursor())
}

func (w *remoteWrite) stored(key []byte) (m uint64, err error) {
	err = w.r.s.j.reading(func(txn *badger.Txn) (err error) {
		m, err = storedMark(w.r.s.j, txn, key)
		return err
	})
	return m, err
}

// rest collects full sync and state.
func (w *remoteWrite) rest(u Update) {
	src, name := w.r.s.name, w.r.name
	if u.FullSync != nil || u.EndFullSync {
		key := remoteKey(kindFull, src, name)
		var val []byte
		if u.FullSync != nil {
			val = u.FullSync.encode(key)
		}
		w.held.Full = w.replace(key, val, w.held.Full)
	}
	if u.State != nil {
		key := remoteKey(kindState, src, name)
		w.held.State = w.replace(key, u.State.encode(key), w.held.State)
	}
}

// replace writes a value and returns its mark; nothing stays nothing.
func (w *remoteWrite) replace(key, val []byte, was uint64) uint64 {
	if val == nil {
		if was != 0 {
			w.add(key, nil, was)
		}
		return 0
	}
	w.add(key, val, was)
	return mark(key, val)
}

// storedRetries sums up the retry records of a remote.
func storedRetries(j *Journal, txn *badger.Txn, src, remote string) (n, digest uint64, err error) {
	err = each(txn, retryPrefix(src, remote), func(key, val []byte) error {
		if err := sound(key, val); err != nil {
			return j.corrupt(key, err)
		}
		n++
		digest += mark(key, val)
		return nil
	})
	return n, digest, err
}
