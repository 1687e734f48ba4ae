package journal

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4/y"
)

// ErrForeign means that a journal cannot be shown to be the one that its side
// file belongs to, so that nothing is taken from it.
var ErrForeign = errors.New("journal of unknown origin")

// Salvaged is a path that a journal which was set aside knew of.
type Salvaged struct {
	Source string
	Path   string
	State  State // as recorded; Type Gone when its removal may not have been told
}

// Salvage calls fn with every path that can still be read from the index of a
// journal that was set aside, directories before what is in them. Some may be
// missing, and some may have been removed and forgotten before: what was known
// once, not what is. The journal is read without Badger, which might die of it,
// and stays as it is. An error of fn ends it and is returned as it is.
//
// A fresh journal begins with these paths so that what was removed meanwhile
// is noticed: by looking at the tree, like any removal while no daemon ran.
func Salvage(dir string, fn func(Salvaged) error) error {
	defer faultsPanic()()
	side, err := readSide(dir)
	if err != nil {
		return err
	}
	if side == nil {
		return fmt.Errorf("%w: %s has no side file", ErrForeign, dir)
	}
	s, err := openSalvage(dir)
	if err != nil {
		return err
	}
	defer s.close()
	epoch := ""
	err = s.each(formatKey, func(key, val []byte) error {
		if e, err := decodeFormat(val); err == nil {
			epoch = e
		}
		return nil
	})
	if err != nil {
		return err
	}
	if beat, err := readPulse(dir); epoch == "" && err == nil && beat != nil {
		epoch = beat.Epoch // the format record is unreadable
	}
	if epoch != side.Epoch {
		return fmt.Errorf("%w: %s belongs to another one than %s", ErrForeign, sidePath(dir), dir)
	}
	t := salvagedTree{fn: fn}
	if err := s.each([]byte{kindIndex}, t.take); err != nil {
		return err
	}
	return t.flush()
}

// salvagedTree makes a tree of records in key order: what has something below
// it was a directory, even if it is gone.
type salvagedTree struct {
	fn   func(Salvaged) error
	last *Salvaged // not passed on yet
	skip []byte    // keys that start so are below something that is no directory
}

func (t *salvagedTree) take(key, val []byte) error {
	src, path, ok := bytes.Cut(key[1:], []byte{0})
	r, err := decodeRecord(key, val)
	if !ok || err != nil || checkPath(pathOf(path)) != nil || t.skip != nil && bytes.HasPrefix(key, t.skip) {
		return nil
	}
	t.skip = nil
	p := Salvaged{Source: string(src), Path: pathOf(path), State: r.State}
	if l := t.last; l != nil && l.Source == p.Source && l.State.Type == Gone && within(l.Path, p.Path) {
		l.State.Type = Dir
	}
	if err := t.flush(); err != nil {
		return err
	}
	if r.Type != Dir && r.Type != Gone {
		t.skip = append(bytes.Clone(key), 0)
	}
	t.last = &p
	return nil
}

func (t *salvagedTree) flush() error {
	if t.last == nil {
		return nil
	}
	p := *t.last
	t.last = nil
	return t.fn(p)
}

// salvage reads the newest readable version of every key from tables and
// logs.
type salvage struct {
	streams []stream
	undo    []func()
}

// stream yields versions of keys in Badger's order: by key, newest first.
type stream interface {
	seek(key []byte)
	head() (version, bool) // what it stands on, valid until next
	next()
}

// version is one version of a key.
type version struct {
	key []byte // with Badger's version behind it
	val y.ValueStruct
}

func (s *salvage) close() {
	for _, undo := range s.undo {
		undo()
	}
}

// deleted is Badger's mark of a value that is a deletion.
const deleted = 1

// each calls fn for the keys with that prefix.
func (s *salvage) each(pre []byte, fn func(key, val []byte) error) error {
	for _, st := range s.streams {
		st.seek(y.KeyWithTs(pre, 1<<64-1))
	}
	var done []byte // versions of this key are older ones
	for {
		var first stream
		var v version
		for _, st := range s.streams {
			if h, ok := st.head(); ok && (first == nil || y.CompareKeys(h.key, v.key) < 0) {
				first, v = st, h
			}
		}
		if first == nil || !bytes.HasPrefix(v.key, pre) {
			return nil
		}
		key := y.ParseKey(v.key)
		if done == nil || !bytes.Equal(key, done) {
			done = append(done[:0], key...)
			if v.val.Meta&deleted == 0 {
				if err := fn(done, v.val.Value); err != nil {
					return err
				}
			}
		}
		first.next()
	}
}
