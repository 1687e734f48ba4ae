package journal

import (
	"bytes"
	"fmt"
	"sync"

	"github.com/dgraph-io/badger/v4"
)

// walkSize bounds the records that a Walk reads at once, and so what it keeps.
const walkSize = 8192

// Walk is Children for one who goes through the whole index: where directories
// are asked for in index order, it reads many at once, one seek for all. What
// Record changes is not kept, so that an answer is as new as that of Children.
// It may be used by one goroutine at a time, beside the only caller of Record.
type Walk struct {
	s    *Source
	size int // walkSize, but for tests

	mu    sync.Mutex // guards the following; Record may be under way
	gen   uint64     // raised by each change of what is kept
	known bool       // there is something
	// All keys from the first to the one before the second were read; nil is the
	// end of the index.
	from, to []byte
	lists    map[string][]child  // of directories that have any record in them
	gaps     map[string]struct{} // directories of which that does not count
	skipped  map[string]struct{} // likewise, with all below
}

// Walk returns a new one, which takes the place of any before: those go on, but
// each reads for itself.
func (s *Source) Walk() *Walk {
	w := &Walk{s: s, size: walkSize}
	s.walk.Store(w)
	return w
}

// Children is that of Source.
func (w *Walk) Children(dir string, fn func(name string, r Record, trusted bool) error) error {
	if w.s.walk.Load() != w {
		return w.s.Children(dir, fn)
	}
	list, ok := w.take(dir)
	more := false
	if !ok {
		var err error
		if list, more, err = w.read(dir); err != nil {
			return fmt.Errorf("list %.200q of source %s: %w", dir, w.s.name, err)
		}
	}
	if err := give(list, fn); err != nil || !more {
		return err
	}
	return w.s.childrenBehind(dir, list[len(list)-1].name, true, fn)
}

// give calls fn with all of a list but tombstones that count.
func give(list []child, fn func(name string, r Record, trusted bool) error) error {
	for _, c := range list {
		if c.record.Type == Gone && c.trusted {
			continue
		}
		if err := fn(c.name, c.record, c.trusted); err != nil {
			return err
		}
	}
	return nil
}

// take returns what is kept of a directory.
func (w *Walk) take(dir string) ([]child, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.known || dir == "" {
		return nil, false
	}
	key := indexKey(w.s.name, dir)
	if bytes.Compare(key, w.from) < 0 || w.to != nil && bytes.Compare(afterTree(key), w.to) > 0 {
		return nil, false
	}
	if _, gap := w.gaps[dir]; gap || w.isSkipped(dir) {
		return nil, false
	}
	return w.lists[dir], true
}

func (w *Walk) isSkipped(dir string) bool {
	for ; dir != "" && len(w.skipped) > 0; dir = parent(dir) {
		if _, ok := w.skipped[dir]; ok {
			return true
		}
	}
	return false
}

// gap says that nothing is known of the names in a directory any more.
func (w *Walk) gap(dir string) {
	if len(w.gaps) >= w.size {
		w.forget()
	}
	if w.known {
		delete(w.lists, dir)
		w.gaps[dir] = struct{}{}
	}
}

func (w *Walk) forget() { w.known, w.lists, w.gaps, w.skipped = false, nil, nil, nil }

// walkChanged is called when a chunk was committed, or may have been.
func (s *Source) walkChanged(c *chunk) {
	w := s.walk.Load()
	if w == nil || len(c.records) == 0 {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.gen++
	if c.turned {
		w.forget()
	}
	for path := range c.records {
		if !w.known {
			return
		}
		if path != "" {
			w.gap(parent(path))
		}
	}
}

// read reads the records in a directory and, as far as there is room, all below
// and behind it. more says that the directory has others behind those returned.
func (w *Walk) read(dir string) (list []child, more bool, err error) {
	w.mu.Lock()
	w.forget()
	gen := w.gen
	w.mu.Unlock()
	r := ordered{s: w.s, room: w.size, base: len(w.s.name) + 2, lists: map[string][]child{}, skipped: map[string]struct{}{}}
	err = w.s.j.view(func(txn *badger.Txn) error {
		if err := r.enter(txn, dir); err != nil {
			return err
		}
		r.it = scan(txn, prefix(kindIndex, w.s.name))
		defer r.it.Close()
		return r.run()
	})
	if err != nil {
		return nil, false, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.gen == gen && !r.more {
		w.known, w.from, w.to = true, r.first.below, r.to
		w.lists, w.gaps, w.skipped = r.lists, map[string]struct{}{}, r.skipped
	}
	return r.first.list, r.more, nil
}

// ordered is one reading of the index in order, from a directory on.
type ordered struct {
	s       *Source
	it      *badger.Iterator
	base    int // length of the key prefix
	stack   []*reach
	first   *reach // the directory that was asked for
	room    int
	lists   map[string][]child
	skipped map[string]struct{}
	to      []byte // where the reading of everything has ended
	more    bool   // there was no room for all of first
}

// reach is a directory that the reading is in.
type reach struct {
	path  string
	below []byte // start of the keys below it
	standing
	whole bool // its first record was read
	list  []child
}

// enter learns how the directory and those above it stand.
func (o *ordered) enter(txn *badger.Txn, dir string) error {
	var above []string
	for p := dir; p != ""; p = parent(p) {
		above = append(above, p)
	}
	st := standing{live: true}
	for i := len(above); i >= 0; i-- {
		p := ""
		if i < len(above) {
			p = above[i]
		}
		r, known, err := lookup(o.s.j, txn, indexKey(o.s.name, p), decodeRecord)
		if err != nil {
			return err
		}
		st = st.in(r, known)
		o.stack = append(o.stack, &reach{path: p, below: belowKey(o.s.name, p), standing: st})
	}
	o.first = o.stack[len(o.stack)-1]
	o.first.whole = true
	return nil
}

// in tells how records stand in a directory that itself stands so.
func (st standing) in(r Record, known bool) standing {
	if !st.live || !known || r.Type != Dir {
		return standing{}
	}
	return standing{since: max(st.since, r.Since), live: true}
}

// run reads everything until there is no room, and after that what is left of
// the first directory, without what is below.
func (o *ordered) run() error {
	n := 0
	for o.it.Seek(belowFirst(o.first.below, o.first.path)); o.it.Valid(); n++ {
		key := o.it.Item().Key()
		for top := o.top(); top != o.stack[0] && !bytes.HasPrefix(key, top.below); top = o.top() {
			o.leave()
		}
		if n == o.room {
			o.to = bytes.Clone(key)
		}
		full := n >= o.room
		if full && !bytes.HasPrefix(key, o.first.below) {
			break
		}
		if full && len(o.first.list) >= o.room {
			o.more = true
			break
		}
		if err := o.record(full); err != nil {
			return err
		}
	}
	if o.to == nil {
		for len(o.stack) > 0 {
			o.leave()
		}
	}
	return nil
}

func (o *ordered) top() *reach { return o.stack[len(o.stack)-1] }

// leave ends a directory, all of whose records were read unless the room has
// ended before.
func (o *ordered) leave() {
	top := o.top()
	o.stack = o.stack[:len(o.stack)-1]
	if top.whole && top != o.first && o.to == nil && len(top.list) > 0 {
		o.lists[top.path] = top.list
	}
}

// record takes what the iterator stands on, and goes on.
func (o *ordered) record(full bool) error {
	top := o.top()
	if full {
		top = o.first
	}
	item := o.it.Item()
	name := item.Key()[len(top.below):]
	if i := bytes.IndexByte(name, 0); i >= 0 {
		// Below what is no directory of the index, or what there is no room for.
		key := item.Key()[:len(top.below)+i]
		if !full {
			o.skipped[pathOf(key[o.base:])] = struct{}{}
		}
		o.it.Seek(afterTree(key))
		return nil
	}
	r, err := itemRecord(o.s.j, item)
	if err != nil {
		return err
	}
	if top.whole {
		top.list = append(top.list, child{string(name), r, top.live && r.LastSeq >= top.since})
	}
	if r.Type == Dir && !full {
		below := append(item.KeyCopy(nil), 0)
		o.stack = append(o.stack, &reach{path: pathOf(below[o.base : len(below)-1]), below: below, standing: top.in(r, true), whole: true})
	}
	o.it.Next()
	return nil
}
