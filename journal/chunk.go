package journal

import (
	"bytes"
	"maps"
	"slices"
	"time"

	"github.com/dgraph-io/badger/v4"
)

// chunk is one transaction of Record in the making: the database as it was at
// the start, and over it what the observations so far have changed.
type chunk struct {
	s       *Source
	txn     *badger.Txn // read only
	now     time.Time   // by Journal.Now
	h       header
	acked   uint64             // every remote had passed it at the start
	remotes []progress         // at the start; nil until it is asked for
	records map[string]*Record // changed
	entries map[uint64]*Entry  // appended; nil when deleted
	ops     []op
	size    int
	turned  bool // the records below some directory may count otherwise than before

	// above holds, for directories that are live with all their ancestors,
	// the greatest Since of them. It outlives the chunk: while Record runs,
	// nothing else changes a live directory.
	above map[string]uint64
}

// write sets or deletes a value; was is the mark of the one before, or 0.
func (c *chunk) write(key, val []byte, was uint64) {
	c.ops = append(c.ops, op{key, val, was})
	c.size += len(key) + len(val)
}

func (c *chunk) record(path string) (Record, bool, error) {
	if r := c.records[path]; r != nil {
		return *r, true, nil
	}
	return lookup(c.s.j, c.txn, indexKey(c.s.name, path), decodeRecord)
}

// putRecord also keeps the inode keys and the number of records; old is nil
// when the path has no record.
func (c *chunk) putRecord(path string, old *Record, r Record) {
	src := c.s.name
	if old == nil {
		c.h.Index++
		old = &Record{}
	} else if (old.Type == Dir) != (r.Type == Dir) || old.Since != r.Since {
		c.turned = true
	}
	was, is := old.linked(), r.linked()
	if was && !(is && old.sameInode(r.State)) {
		key := inodeKey(src, old.Dev, old.Ino, path)
		c.write(key, nil, inodeMark(key))
	}
	if is && !(was && old.sameInode(r.State)) {
		key := inodeKey(src, r.Dev, r.Ino, path)
		c.write(key, encodeSeq(key, 0), 0)
	}
	key := indexKey(src, path)
	c.write(key, r.encode(key), old.mark)
	c.records[path] = &r
}

func (c *chunk) entry(seq uint64) (Entry, bool, error) {
	if e, changed := c.entries[seq]; changed {
		if e == nil {
			return Entry{}, false, nil
		}
		return *e, true, nil
	}
	return lookup(c.s.j, c.txn, entryKey(c.s.name, seq), decodeEntry)
}

func (c *chunk) putEntry(e Entry) {
	key := entryKey(c.s.name, e.Seq)
	c.write(key, e.encode(key), 0)
	c.entries[e.Seq] = &e
	c.h.Entries++
	c.h.Sum += e.Seq
}

func (c *chunk) deleteEntry(e Entry) {
	c.write(entryKey(c.s.name, e.Seq), nil, e.mark)
	c.entries[e.Seq] = nil
	c.h.Entries--
	c.h.Sum -= e.Seq
}

// since returns the greatest Since of the ancestors of a path; live is false
// when one of them is not a directory of the index.
func (c *chunk) since(path string) (since uint64, live bool, err error) {
	if path == "" {
		return 0, true, nil
	}
	p := parent(path)
	if since, live = c.above[p]; live {
		return since, true, nil
	}
	r, known, err := c.record(p)
	if err != nil || !known || r.Type != Dir {
		return 0, false, err
	}
	since, live, err = c.since(p)
	if err != nil || !live {
		return 0, false, err
	}
	since = max(since, r.Since)
	c.above[p] = since
	return since, true, nil
}

// countBelow counts what a directory holds: all records that are no
// tombstones nor shadowed by one, stale ones included, since the remotes may
// have them.
func (c *chunk) countBelow(dir string) (uint64, error) {
	pre := belowKey(c.s.name, dir)
	var own [][]byte // changed in this chunk, in key order
	for _, p := range slices.Collect(maps.Keys(c.records)) {
		if p != dir && within(dir, p) {
			own = append(own, indexKey(c.s.name, p))
		}
	}
	slices.SortFunc(own, bytes.Compare)
	it := scan(c.txn, pre)
	defer it.Close()
	it.Seek(belowFirst(pre, dir))
	n := uint64(0)
	var shadow []byte // keys that start so do not count
	for it.Valid() || len(own) > 0 {
		var key []byte
		var r Record
		if len(own) > 0 && (!it.Valid() || bytes.Compare(own[0], it.Item().Key()) <= 0) {
			key, own = own[0], own[1:]
			r = *c.records[pathOf(key[len(c.s.name)+2:])]
			if it.Valid() && bytes.Equal(key, it.Item().Key()) {
				it.Next()
			}
		} else {
			var err error
			key = it.Item().KeyCopy(nil)
			if r, err = itemRecord(c.s.j, it.Item()); err != nil {
				return 0, err
			}
			it.Next()
		}
		if shadow != nil && bytes.HasPrefix(key, shadow) {
			continue
		}
		if r.Type != Dir {
			shadow = append(key, 0)
		}
		if r.Type != Gone {
			n++
		}
	}
	return n, nil
}
