package journal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/dgraph-io/badger/v4"

	"gorsyncd/journal/failpoint"
)

// errDroppedSource is returned by a handle whose source was dropped.
var errDroppedSource = errors.New("source was dropped")

// kindsOfSource are those of the records below a header. Cursors, which the root
// sums up, are not among them: DropRemote deletes them.
var kindsOfSource = []byte{kindEntry, kindFull, kindIndex, kindInode, kindRetry, kindState, kindPin}

// DropSource forgets a source that has no remotes, with its index. Nothing of it may
// be in use. Dropping one that is not there does nothing. The space is released by
// Maintain, which goes on with it after a crash.
func (j *Journal) DropSource(ctx context.Context, name string) error {
	if j.readOnly {
		return ErrReadOnly
	}
	j.mu.Lock()
	s, busy := j.sources[name], j.dropping[name]
	if s != nil && !busy {
		j.dropping[name] = true // from now on the side file does not get it
	}
	j.mu.Unlock()
	if s == nil {
		return nil
	}
	err := errDroppedSource
	if !busy {
		err = s.drop(ctx)
		j.mu.Lock()
		delete(j.dropping, name)
		if err == nil {
			delete(j.sources, name)
			j.ghosts[name] = true
		}
		j.mu.Unlock()
	}
	if err != nil {
		return fmt.Errorf("drop source %s: %w", name, err)
	}
	return nil
}

// drop deletes the header. What is below it belongs to nobody then, and no sum has
// it. The side file forgets the source first: it must not know of one that the
// database lacks.
func (s *Source) drop(ctx context.Context) error {
	s.recording.Lock()
	defer s.recording.Unlock()
	s.writing.Lock()
	defer s.writing.Unlock()
	if list := s.Remotes(); len(list) > 0 {
		return fmt.Errorf("it has remote %s", list[0])
	}
	if err := s.j.enter(); err != nil {
		return err
	}
	defer s.j.leave()
	if err := s.j.checkpoint(); err != nil {
		return err
	}
	failpoint.Hit("journal.drop.source")
	if err := s.j.submit(ctx, []op{{key: sourceKey(s.name)}}); err != nil {
		return err
	}
	s.dropped = true
	return nil
}

// findGhosts looks for records of sources that were dropped.
func (j *Journal) findGhosts(txn *badger.Txn) {
	it := scan(txn, nil)
	defer it.Close()
	for it.Rewind(); it.Valid(); {
		key := it.Item().KeyCopy(nil)
		i := bytes.IndexByte(key, 0)
		if key[0] == kindMeta || i < 0 {
			it.Seek([]byte{key[0] + 1})
			continue
		}
		if name := string(key[1:i]); j.sources[name] == nil && bytes.IndexByte(kindsOfSource, key[0]) >= 0 {
			j.ghosts[name] = true
		}
		it.Seek(append(key[:i:i], 1)) // all keys of this kind and source
	}
}

// haunted are the dropped sources whose records are not all deleted; with every
// they are all that may have left some in any snapshot.
func (j *Journal) haunted(every bool) []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	names := slices.Sorted(maps.Keys(j.ghosts))
	if every {
		return append(names, slices.Collect(maps.Keys(j.dropping))...)
	}
	return slices.DeleteFunc(names, func(n string) bool { return !j.ghosts[n] })
}

// purge deletes what is left of dropped sources. One that is there again meanwhile
// was purged before it was made.
func (j *Journal) purge(ctx context.Context, names []string) error {
	j.purging.Lock()
	defer j.purging.Unlock()
	if err := j.enter(); err != nil {
		return err
	}
	defer j.leave()
	for _, name := range names {
		j.mu.Lock()
		left := j.ghosts[name]
		j.mu.Unlock()
		if !left {
			continue
		}
		for _, kind := range kindsOfSource {
			if err := repeat(ctx, func(ctx context.Context) (bool, error) { return j.purgePage(ctx, prefix(kind, name)) }); err != nil {
				return fmt.Errorf("delete what is left of source %s: %w", name, err)
			}
		}
		j.mu.Lock()
		j.ghosts[name] = false
		j.mu.Unlock()
	}
	return nil
}

func (j *Journal) purgePage(ctx context.Context, pre []byte) (more bool, err error) {
	var ops []op
	size := 0
	err = j.reading(func(txn *badger.Txn) error {
		it := scan(txn, pre)
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			if len(ops) == groupOps/2 || size > groupBytes/2 {
				more = true
				break
			}
			key := it.Item().KeyCopy(nil)
			ops, size = append(ops, op{key: key}), size+len(key)
		}
		return nil
	})
	if err != nil || len(ops) == 0 {
		return false, err
	}
	return more, j.submit(ctx, ops)
}
