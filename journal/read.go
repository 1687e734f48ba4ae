package journal

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/dgraph-io/badger/v4"
)

// pageSize bounds how much is read in one read transaction: one that is held
// long keeps Badger from dropping what was deleted.
const pageSize = 1000

// Entries returns at most limit entries with seq >= from in order.
func (s *Source) Entries(from uint64, limit int) ([]Entry, error) {
	list, complete, err := s.readEntries(from, limit)
	if err == nil && !complete && !s.j.readOnly {
		// Either the newest entry was truncated just now, or it is lost.
		s.writing.Lock()
		defer s.writing.Unlock()
		if list, complete, err = s.readEntries(from, limit); err == nil && !complete {
			err = s.j.damaged(fmt.Sprintf("entry %d of source %s, the newest, is missing", s.Head(), s.name))
		}
	}
	if err != nil {
		return nil, fmt.Errorf("read entries of source %s: %w", s.name, err)
	}
	return list, nil
}

// readEntries also tells whether the list ends as it must: at its limit, or
// with the newest entry, which is superseded by none. An iterator over an
// unreadable block just ends.
func (s *Source) readEntries(from uint64, limit int) (list []Entry, complete bool, err error) {
	h := s.header() // what is committed but not yet taken over waits for the next call
	last := uint64(0)
	err = s.j.view(func(txn *badger.Txn) error {
		it := scan(txn, prefix(kindEntry, s.name))
		defer it.Close()
		for it.Seek(entryKey(s.name, from)); it.Valid() && len(list) < limit; it.Next() {
			e, err := itemEntry(s.j, it.Item())
			if err != nil {
				return err
			}
			last = e.Seq
			if e.Seq > h.Head {
				break
			}
			list = append(list, e)
		}
		return nil
	})
	complete = len(list) >= limit || last >= h.Head || from > h.Head || h.Truncated >= h.Head
	return list, complete, err
}

func itemEntry(j *Journal, item *badger.Item) (e Entry, err error) {
	err = item.Value(func(val []byte) error {
		if e, err = decodeEntry(item.Key(), val); err != nil {
			return j.corrupt(item.Key(), err)
		}
		return nil
	})
	return e, err
}

// child is one result of Children.
type child struct {
	name    string
	record  Record
	trusted bool
}

// Children calls fn for each record directly in dir, in byte order of the
// names. A record is not trusted when it does not count: dir is gone or came
// back since, and the path must be observed anew. Tombstones (Type Gone) are
// among them only in that case: the path may have been back in between, and
// read by a remote. What is
// recorded while fn runs may or may not be seen. An error of fn ends it and is
// returned as it is.
func (s *Source) Children(dir string, fn func(name string, r Record, trusted bool) error) error {
	return s.childrenBehind(dir, "", false, fn)
}

// childrenBehind is Children for the names behind one, if begun.
func (s *Source) childrenBehind(dir, after string, begun bool, fn func(name string, r Record, trusted bool) error) error {
	for ; ; begun = true {
		page, err := s.children(dir, after, begun)
		if err != nil {
			return fmt.Errorf("list %.200q of source %s: %w", dir, s.name, err)
		}
		if err := give(page, fn); err != nil {
			return err
		}
		if len(page) < pageSize {
			return nil
		}
		after = page[len(page)-1].name
	}
}

// children reads one page, with tombstones, behind a name.
func (s *Source) children(dir, after string, begun bool) ([]child, error) {
	var page []child
	err := s.j.view(func(txn *badger.Txn) error {
		st, err := s.standing(txn, dir)
		if err != nil {
			return err
		}
		below := belowKey(s.name, dir)
		it := scan(txn, below)
		defer it.Close()
		if begun {
			it.Seek(afterTree(append(bytes.Clone(below), after...)))
		} else {
			it.Seek(belowFirst(below, dir))
		}
		for it.Valid() && len(page) < pageSize {
			item := it.Item()
			name := item.Key()[len(below):]
			if i := bytes.IndexByte(name, 0); i >= 0 {
				// Inside a child that was just read: on to the one behind it.
				it.Seek(afterTree(item.Key()[:len(below)+i]))
				continue
			}
			r, err := itemRecord(s.j, item)
			if err != nil {
				return err
			}
			trusted := st.live && r.LastSeq >= st.since
			page = append(page, child{string(name), r, trusted})
			it.Next()
		}
		return nil
	})
	return page, err
}

// Lookup returns the record of a path, false when it has none that counts.
func (s *Source) Lookup(path string) (Record, bool, error) {
	var r Record
	var ok bool
	err := s.j.view(func(txn *badger.Txn) (err error) {
		r, ok, err = s.trusted(txn, path)
		return err
	})
	if err != nil {
		return Record{}, false, fmt.Errorf("look up %.200q in source %s: %w", path, s.name, err)
	}
	return r, ok, nil
}

// Unknown returns those of paths that the index takes for not existing, in order.
// Many paths of few directories are looked up faster so than one by one.
func (s *Source) Unknown(paths []string) ([]string, error) {
	var out []string
	for page := range slices.Chunk(paths, pageSize) {
		above := map[string]standing{}
		err := s.j.view(func(txn *badger.Txn) error {
			for _, path := range page {
				known, err := s.known(txn, path, above)
				if err != nil {
					return err
				}
				if !known {
					out = append(out, path)
				}
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("look up paths in source %s: %w", s.name, err)
		}
	}
	return out, nil
}

// known is trusted for one of many paths; above holds what was found of their
// directories.
func (s *Source) known(txn *badger.Txn, path string, above map[string]standing) (bool, error) {
	r, known, err := lookup(s.j, txn, indexKey(s.name, path), decodeRecord)
	if err != nil || !known {
		return false, err
	}
	st := standing{live: true}
	if path != "" {
		dir, seen := parent(path), false
		if st, seen = above[dir]; !seen {
			if st, err = s.standing(txn, dir); err != nil {
				return false, err
			}
			above[dir] = st
		}
	}
	return st.trusts(r), nil
}

// Stored returns what the index keeps of a path, whether or not it counts: a
// tombstone, or a record that a directory above has shadowed. false means that
// the path was never recorded, or was swept.
func (s *Source) Stored(path string) (Record, bool, error) {
	var r Record
	var ok bool
	err := s.j.view(func(txn *badger.Txn) (err error) {
		r, ok, err = lookup(s.j, txn, indexKey(s.name, path), decodeRecord)
		return err
	})
	if err != nil {
		return Record{}, false, fmt.Errorf("look up %.200q in source %s: %w", path, s.name, err)
	}
	return r, ok, nil
}

// NewestReplaced returns a seq above which no directory has taken the place of
// another, as Record.Replaced tells: what is known without reading a record.
func (s *Source) NewestReplaced() uint64 { return s.replaced.Load() }

// Latest returns the newest entry of a path that is still present. It is
// quick for a path in the index; the entry of one removed long ago is searched
// for among those that all remotes have.
func (s *Source) Latest(path string) (Entry, bool, error) {
	var e Entry
	var ok bool
	err := s.j.view(func(txn *badger.Txn) error {
		r, known, err := lookup(s.j, txn, indexKey(s.name, path), decodeRecord)
		if err != nil {
			return err
		}
		if known && !r.baseline {
			e, ok, err = lookup(s.j, txn, entryKey(s.name, r.LastSeq), decodeEntry)
			if ok = ok && e.Path == path; ok || err != nil {
				return err
			}
		}
		e, ok, err = s.searchBack(txn, path)
		return err
	})
	if err != nil || !ok {
		return Entry{}, false, err
	}
	return e, true, nil
}

// searchBack looks through the entries that are swept, newest first: only
// their paths may have lost their index record.
func (s *Source) searchBack(txn *badger.Txn, path string) (Entry, bool, error) {
	o := badger.DefaultIteratorOptions
	o.PrefetchValues, o.Reverse, o.Prefix = false, true, prefix(kindEntry, s.name)
	it := txn.NewIterator(o)
	defer it.Close()
	for it.Seek(entryKey(s.name, s.header().Swept)); it.Valid(); it.Next() {
		e, err := itemEntry(s.j, it.Item())
		if err != nil || e.Path == path {
			return e, err == nil, err
		}
	}
	return Entry{}, false, nil
}
