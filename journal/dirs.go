package journal

import (
	"fmt"

	"github.com/dgraph-io/badger/v4"
)

// Weight says how much there is to be compared.
type Weight struct {
	Dirs  uint64
	Files uint64 // all that is no directory
	Bytes int64  // of regular files, by their size
}

// Add returns the sum of two weights.
func (w Weight) Add(o Weight) Weight {
	return Weight{w.Dirs + o.Dirs, w.Files + o.Files, w.Bytes + o.Bytes}
}

// Sub returns what is left of a weight, at least zero of each.
func (w Weight) Sub(o Weight) Weight {
	return Weight{w.Dirs - min(w.Dirs, o.Dirs), w.Files - min(w.Files, o.Files), w.Bytes - min(w.Bytes, o.Bytes)}
}

// reaches tells whether a weight is as much as a limit allows in any respect.
func (w Weight) reaches(limit Weight) bool {
	return w.Dirs >= limit.Dirs || w.Files >= limit.Files || w.Bytes >= limit.Bytes
}

// Dirs returns live directories in index order (depth first, names in byte
// order, the root first), those behind the directory after if begun, as many as
// it takes to reach the limit, at least one. It never takes a directory for live
// that must be observed anew. Their weight is that of all up to the next
// directory, which is about what is in them: files that come behind a
// subdirectory in this order count as its own.
func (s *Source) Dirs(after string, begun bool, limit Weight) (list []string, weight Weight, err error) {
	from := indexKey(s.name, after)
	if begun {
		from = append(from, 0)
	}
	err = s.eachLive(from, prefix(kindIndex, s.name), func(path func() string, r Record) bool {
		if r.Type == Dir {
			if len(list) > 0 && weight.reaches(limit) {
				return false
			}
			list = append(list, path())
		}
		if len(list) > 0 {
			weight = weight.Add(r.weight())
		}
		return true
	})
	return list, weight, err
}

// Weigh adds up what is live at and below sub, behind the directory after if
// begun.
func (s *Source) Weigh(sub, after string, begun bool) (w Weight, err error) {
	pre := indexKey(s.name, sub)
	from := pre
	if begun {
		from = append(indexKey(s.name, after), 0)
	}
	err = s.eachLive(from, pre, func(path func() string, r Record) bool {
		if sub == "" || within(sub, path()) {
			w = w.Add(r.weight())
		}
		return true
	})
	return w, err
}

func (r *Record) weight() Weight {
	switch r.Type {
	case Dir:
		return Weight{Dirs: 1}
	case File:
		return Weight{Files: 1, Bytes: r.Size}
	}
	return Weight{Files: 1}
}

// eachLive calls fn with what is live, from a key on, as long as it returns true.
func (s *Source) eachLive(from, pre []byte, fn func(path func() string, r Record) bool) error {
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
			if trusted && !fn(w.path, r) {
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
