package journal

import (
	"bytes"

	"github.com/dgraph-io/badger/v4"
)

// itemRecord decodes the index record that an iterator stands on.
func itemRecord(j *Journal, item *badger.Item) (r Record, err error) {
	err = item.Value(func(val []byte) error {
		if r, err = decodeRecord(item.Key(), val); err != nil {
			return j.corrupt(item.Key(), err)
		}
		return nil
	})
	return r, err
}

// belowFirst is where the keys below a directory begin. The keys below the
// root start with the key of the root itself, which is passed over.
func belowFirst(below []byte, dir string) []byte {
	if dir == "" {
		return append(bytes.Clone(below), 0)
	}
	return below
}

// afterTree is the first possible key behind a path and all below it.
func afterTree(key []byte) []byte { return append(bytes.Clone(key), 1) }

// standing tells how the records directly in a directory count.
type standing struct {
	since uint64 // records with a smaller LastSeq are stale
	live  bool   // the directory and all above are directories of the index
}

// standing reads the directory and its ancestors. A trusted record has a
// parent that is live and a LastSeq that is not below its since.
func (s *Source) standing(txn *badger.Txn, dir string) (standing, error) {
	st := standing{live: true}
	for p := dir; ; p = parent(p) {
		r, known, err := lookup(s.j, txn, indexKey(s.name, p), decodeRecord)
		if err != nil {
			return standing{}, err
		}
		if !known || r.Type != Dir {
			return standing{}, nil
		}
		st.since = max(st.since, r.Since)
		if p == "" {
			return st, nil
		}
	}
}

func (st standing) trusts(r Record) bool {
	return st.live && r.Type != Gone && r.LastSeq >= st.since
}

// trusted returns the record of a path if it is live and trusted.
func (s *Source) trusted(txn *badger.Txn, path string) (Record, bool, error) {
	r, known, err := lookup(s.j, txn, indexKey(s.name, path), decodeRecord)
	if err != nil || !known {
		return Record{}, false, err
	}
	st := standing{live: true}
	if path != "" {
		if st, err = s.standing(txn, parent(path)); err != nil {
			return Record{}, false, err
		}
	}
	if !st.trusts(r) {
		return Record{}, false, nil
	}
	return r, true, nil
}

// walker goes depth first over the index and knows for each record whether it
// is trusted. Subtrees that nothing live can be in are jumped over.
type walker struct {
	s     *Source
	it    *badger.Iterator
	base  int // length of the key prefix
	stack []level
}

// level is a directory that the walker is in.
type level struct {
	below []byte // start of the keys below it
	standing
}

func (s *Source) newWalker(txn *badger.Txn, under []byte) *walker {
	return &walker{s: s, it: scan(txn, under), base: len(s.name) + 2}
}

// seek goes to the first record at or after key and learns of the directories
// above it.
func (w *walker) seek(txn *badger.Txn, key []byte) error {
	w.it.Seek(key)
	w.stack = w.stack[:0]
	if !w.it.Valid() {
		return nil
	}
	path := w.path()
	if path == "" {
		return nil
	}
	var above []string
	for p := path; p != ""; {
		p = parent(p)
		above = append(above, p)
	}
	for i := len(above) - 1; i >= 0; i-- {
		st, err := w.s.standing(txn, above[i])
		if err != nil {
			return err
		}
		w.stack = append(w.stack, level{belowKey(w.s.name, above[i]), st})
	}
	return nil
}

func (w *walker) path() string { return pathOf(w.it.Item().Key()[w.base:]) }

// record returns what the walker stands on.
func (w *walker) record() (r Record, trusted bool, err error) {
	key := w.it.Item().Key()
	for len(w.stack) > 0 && !bytes.HasPrefix(key, w.stack[len(w.stack)-1].below) {
		w.stack = w.stack[:len(w.stack)-1]
	}
	if r, err = itemRecord(w.s.j, w.it.Item()); err != nil {
		return r, false, err
	}
	up := standing{live: true}
	if len(w.stack) > 0 {
		up = w.stack[len(w.stack)-1].standing
	}
	if r.Type != Dir && len(key) > w.base {
		return r, up.trusts(r), nil // next passes over what is below
	}
	up.live, up.since = r.Type == Dir && up.live, max(up.since, r.Since)
	below := bytes.Clone(key)
	if len(key) > w.base {
		below = append(below, 0)
	}
	w.stack = append(w.stack, level{below, up})
	return r, up.trusts(r), nil
}

// next goes on behind a record of that type.
func (w *walker) next(t Type) {
	if t == Dir {
		w.it.Next()
		return
	}
	key := w.it.Item().KeyCopy(nil)
	w.it.Next()
	if keyIs(w.it, append(key, 0)) {
		w.it.Seek(afterTree(key))
	}
}
