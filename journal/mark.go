package journal

import (
	"encoding/binary"
	"errors"

	"github.com/dgraph-io/badger/v4"
)

// A mark stands for one value at its key. Marks are added up, modulo 2^64, and
// the sums are kept in the values above: those of entries, index, inode keys
// and kept tombstones in the header of their source, those of retry records,
// full sync and state in the cursor of their remote, those of headers and
// cursors in the root. A value that is missing, that has come back, or that is
// an older version of itself changes a sum, and goes on to do so whatever is
// written later.

// mark is never the same for two versions of a value, but for one time in
// 2^32: it mixes the sum that ends the value, which covers the key too.
func mark(key, val []byte) uint64 {
	if len(val) < 4 {
		return 1
	}
	x := uint64(binary.BigEndian.Uint32(val[len(val)-4:])) | uint64(len(key)+len(val))<<32
	x ^= x >> 30 // the finalizer of splitmix64: equal differences do not cancel out
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

// inodeMark is the mark of an inode key, whose value is always the same.
func inodeMark(key []byte) uint64 { return mark(key, encodeSeq(key, 0)) }

// delta is what the write changes in the sum above.
func (o op) delta() uint64 {
	if o.val == nil {
		return -o.was
	}
	return mark(o.key, o.val) - o.was
}

// sound checks the sum of a stored value without decoding it.
func sound(key, val []byte) error {
	if len(val) < 5 {
		return errShort
	}
	if binary.BigEndian.Uint32(val[len(val)-4:]) != sum(key, val[:len(val)-4]) {
		return errChecksum
	}
	return nil
}

// storedMark is the mark of what the key has now, 0 when it has nothing.
func storedMark(j *Journal, txn *badger.Txn, key []byte) (uint64, error) {
	m, err := getValue(j, txn, key, func(key, val []byte) (uint64, error) { return mark(key, val), sound(key, val) })
	if errors.Is(err, badger.ErrKeyNotFound) {
		return 0, nil
	}
	return m, err
}
