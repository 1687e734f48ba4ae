package journal

import (
	"fmt"
	"maps"
	"slices"

	"github.com/dgraph-io/badger/v4"
)

// verify compares what was loaded with the side file and the headers with
// what they count.
func (j *Journal) verify(fresh bool) error {
	if lost := j.compareSide(fresh); lost != "" {
		return &LostError{Dir: j.dir, What: lost}
	}
	for _, s := range j.all() {
		err := j.view(func(txn *badger.Txn) error {
			lost, err := s.countEntries(txn)
			if lost == "" && err == nil {
				lost, err = s.countIndex(txn)
			}
			if lost != "" && err == nil {
				err = &LostError{Dir: j.dir, What: lost}
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// compareSide returns what the database lacks that the side file knows of.
func (j *Journal) compareSide(fresh bool) string {
	if j.side == nil {
		return ""
	}
	if fresh {
		return fmt.Sprintf("the database is empty, but %s belongs to one", sidePath(j.dir))
	}
	if j.side.Epoch != j.epoch {
		return fmt.Sprintf("the database is another one (epoch %s) than %s belongs to (epoch %s)",
			j.epoch, sidePath(j.dir), j.side.Epoch)
	}
	for _, name := range slices.Sorted(maps.Keys(j.side.Heads)) {
		want := j.side.Heads[name]
		s := j.sources[name]
		if s == nil {
			return fmt.Sprintf("source %s is missing", name)
		}
		if s.h.Head < want {
			return fmt.Sprintf("source %s ends at seq %d, but %d was acknowledged", name, s.h.Head, want)
		}
	}
	return ""
}

// countEntries compares number, sum and bounds of the entries with the
// header.
func (s *Source) countEntries(txn *badger.Txn) (lost string, err error) {
	var n, sum uint64
	err = each(txn, prefix(kindEntry, s.name), func(key, val []byte) error {
		e, err := decodeEntry(key, val)
		if err != nil {
			return s.j.corrupt(key, err)
		}
		if e.Seq > s.h.Head || e.Seq <= s.h.Truncated {
			return s.j.corrupt(key, fmt.Errorf("outside of %d to %d", s.h.Truncated+1, s.h.Head))
		}
		n++
		sum += e.Seq
		return nil
	})
	if err == nil && (n != s.h.Entries || sum != s.h.Sum) {
		lost = fmt.Sprintf("source %s has %d entries with sum %d, but %d with sum %d were acknowledged",
			s.name, n, sum, s.h.Entries, s.h.Sum)
	}
	return lost, err
}

// countIndex compares the number of index records with the header. A lost
// record would be a removal never noticed.
func (s *Source) countIndex(txn *badger.Txn) (lost string, err error) {
	it := scan(txn, prefix(kindIndex, s.name))
	defer it.Close()
	n := uint64(0)
	for it.Rewind(); it.Valid(); it.Next() {
		n++
	}
	if n != s.h.Index {
		lost = fmt.Sprintf("source %s has %d index records, but %d were acknowledged", s.name, n, s.h.Index)
	}
	return lost, nil
}
