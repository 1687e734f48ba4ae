package journal

import (
	"fmt"

	"github.com/dgraph-io/badger/v4"
)

// Dirs returns at most limit live directories in index order (depth first,
// names in byte order, the root first), those behind the directory after if
// begun. It never takes a directory for live that must be observed anew.
func (s *Source) Dirs(after string, begun bool, limit int) ([]string, error) {
	var list []string
	from := indexKey(s.name, after)
	if begun {
		from = append(from, 0)
	}
	err := s.eachDir(from, prefix(kindIndex, s.name), func(path string) bool {
		list = append(list, path)
		return len(list) < limit
	})
	return list, err
}

// CountDirs counts the live directories at and below sub.
func (s *Source) CountDirs(sub string) (n uint64, err error) {
	pre := indexKey(s.name, sub)
	err = s.eachDir(pre, pre, func(path string) bool {
		if within(sub, path) {
			n++
		}
		return true
	})
	return n, err
}

// eachDir calls fn with live directories from a key on, as long as it returns
// true.
func (s *Source) eachDir(from, pre []byte, fn func(path string) bool) error {
	err := s.j.view(func(txn *badger.Txn) error {
		w := s.newWalker(txn, pre)
		defer w.it.Close()
		if err := w.seek(txn, from); err != nil {
			return err
		}
		for w.it.Valid() {
			r, trusted, err := w.record()
			if err != nil {
				return err
			}
			if r.Type == Dir && trusted && !fn(w.path()) {
				return nil
			}
			w.next(r.Type)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("list directories of source %s: %w", s.name, err)
	}
	return nil
}
