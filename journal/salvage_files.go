package journal

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"slices"
	"sort"
	"syscall"

	"github.com/dgraph-io/badger/v4/options"
	"github.com/dgraph-io/badger/v4/table"
	"github.com/dgraph-io/badger/v4/y"
)

// openSalvage opens all tables and logs that can be opened.
func openSalvage(dir string) (*salvage, error) {
	s := new(salvage)
	tables, err := filesWith(dir, tableSuffix)
	if err != nil {
		return nil, fmt.Errorf("list tables: %w", err)
	}
	kept, err := filesWith(dir, keptSuffix)
	if err != nil {
		return nil, fmt.Errorf("list tables: %w", err)
	}
	for _, name := range append(tables, kept...) {
		if b, undo, err := mapFile(name); err == nil {
			s.undo = append(s.undo, undo)
			if st := newTableStream(b); st != nil {
				s.streams = append(s.streams, st)
			}
		}
	}
	logs, err := filesWith(dir, ".mem")
	if err != nil {
		return nil, fmt.Errorf("list logs: %w", err)
	}
	for _, name := range logs {
		if b, undo, err := mapFile(name); err == nil {
			s.streams = append(s.streams, readLog(b))
			undo()
		}
	}
	return s, nil
}

// mapFile maps a file for reading.
func mapFile(name string) (b []byte, undo func(), err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	b, err = syscall.Mmap(int(f.Fd()), 0, int(info.Size()), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return nil, nil, err
	}
	return b, func() { _ = syscall.Munmap(b) }, nil
}

// listStream is a sorted list.
type listStream struct {
	list []version
	at   int
}

func (l *listStream) seek(key []byte) {
	l.at = sort.Search(len(l.list), func(i int) bool { return y.CompareKeys(l.list[i].key, key) >= 0 })
}

func (l *listStream) head() (version, bool) {
	if l.at >= len(l.list) {
		return version{}, false
	}
	return l.list[l.at], true
}

func (l *listStream) next() { l.at++ }

// tableStream reads a table up to the first block that is unreadable, and the
// rest from the end back to the last such block.
type tableStream struct {
	it   *table.Iterator
	rest listStream
	last []byte // of it
	on   bool   // it stands on something
}

func newTableStream(b []byte) (t *tableStream) {
	var err error
	defer func() {
		if err != nil {
			t = nil
		}
	}()
	defer recovered(&err)
	tab, err := table.OpenInMemoryTable(b, 0, &table.Options{
		Compression: options.Snappy, BlockSize: 4 << 10, ChkMode: options.OnBlockRead,
	})
	if err != nil {
		return nil
	}
	t = &tableStream{it: tab.NewIterator(table.NOCACHE)}
	n := uint32(0)
	for t.seek(nil); t.on; t.next() {
		n++
	}
	if n < tab.KeyCount() {
		t.rest.list = backwards(tab, t.last)
	}
	return t
}

// backwards reads a table from its end to an unreadable block, or to a key.
func backwards(tab *table.Table, to []byte) (list []version) {
	var err error
	defer recovered(&err) // what was read until then is returned
	it := tab.NewIterator(table.REVERSED | table.NOCACHE)
	defer it.Close()
	defer func() { slices.Reverse(list) }()
	for it.Rewind(); it.Valid() && (to == nil || y.CompareKeys(it.Key(), to) > 0); it.Next() {
		v := it.ValueCopy()
		v.Value = slices.Clone(v.Value)
		list = append(list, version{slices.Clone(it.Key()), v})
	}
	return list
}

// step moves the iterator; a panic ends it.
func (t *tableStream) step(move func()) {
	var err error
	defer func() {
		if err != nil {
			t.on = false
		}
	}()
	defer recovered(&err)
	move()
	if t.on = t.it.Valid(); t.on {
		t.last = append(t.last[:0], t.it.Key()...)
	}
}

func (t *tableStream) seek(key []byte) {
	if key == nil {
		t.step(t.it.Rewind)
	} else {
		t.step(func() { t.it.Seek(key) })
	}
	t.rest.seek(key)
}

func (t *tableStream) head() (version, bool) {
	if t.on {
		return version{t.last, t.it.Value()}, true
	}
	return t.rest.head()
}

func (t *tableStream) next() {
	if !t.on {
		t.rest.next()
		return
	}
	if t.step(t.it.Next); !t.on {
		for t.rest.seek(t.last); t.rest.at < len(t.rest.list) && y.CompareKeys(t.rest.list[t.rest.at].key, t.last) == 0; {
			t.rest.next()
		}
	}
}

// Layout of a write-ahead log: a header, then records of meta, user meta,
// lengths of key and value, expiry (varints), key, value, CRC-32C.
const (
	logHeader   = 20
	logFinished = 1 << 7 // meta of the record that ends a transaction
)

// readLog reads a write-ahead log, whole transactions or not, and goes on
// behind what is unreadable as soon as a record has a right sum again.
func readLog(b []byte) (l *listStream) {
	l = new(listStream)
	defer func() {
		slices.SortStableFunc(l.list, func(a, b version) int { return y.CompareKeys(a.key, b.key) })
	}()
	var err error
	defer recovered(&err) // what was read until then is returned
	end := len(b)
	for end > 0 && b[end-1] == 0 {
		end--
	}
	for at := logHeader; at < end; {
		v, n := logRecord(b[at:])
		if n == 0 {
			at++
			continue
		}
		at += n
		if v.val.Meta&logFinished == 0 && len(v.key) > 8 {
			l.list = append(l.list, v)
		}
	}
	return l
}

// logRecord reads one record and its length, 0 if it is none.
func logRecord(b []byte) (v version, n int) {
	if len(b) < 2 {
		return v, 0
	}
	var f [3]uint64
	n = 2
	for i := range f {
		x, k := binary.Uvarint(b[n:])
		if k <= 0 {
			return v, 0
		}
		f[i], n = x, n+k
	}
	klen, vlen := f[0], f[1]
	if klen == 0 || klen > 2*maxPath || vlen > chunkBytes || n+int(klen+vlen)+crc32.Size > len(b) {
		return v, 0
	}
	body := n + int(klen+vlen)
	if binary.BigEndian.Uint32(b[body:]) != crc32.Checksum(b[:body], castagnoli) {
		return v, 0
	}
	v.key = slices.Clone(b[n : n+int(klen)])
	v.val = y.ValueStruct{Meta: b[0], Value: slices.Clone(b[n+int(klen) : body])}
	return v, body + crc32.Size
}
