package journal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"time"
)

// valueVersion starts every value, but for those that have a later one.
const valueVersion = 1

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var (
	errChecksum = errors.New("checksum mismatch")
	errShort    = errors.New("value is cut short")
	errTrailing = errors.New("value has trailing bytes")
	errRange    = errors.New("value out of range")
)

// sum covers the key too, so that a value that strayed to another key is
// found.
func sum(key, body []byte) uint32 {
	return crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, body)
}

// open checks version, which is at most newest, and sum of a stored value and
// returns a decoder of what is between.
func open(key, val []byte, newest byte) decoder {
	if len(val) < 5 {
		return decoder{err: errShort}
	}
	body, tail := val[:len(val)-4], val[len(val)-4:]
	if binary.BigEndian.Uint32(tail) != sum(key, body) {
		return decoder{err: errChecksum}
	}
	if body[0] == 0 || body[0] > newest {
		return decoder{err: fmt.Errorf("unknown version %d", body[0])}
	}
	return decoder{b: body[1:], v: body[0]}
}

// encoder builds a value.
type encoder struct{ b []byte }

func newEncoder(size int) *encoder {
	return &encoder{b: append(make([]byte, 0, size), valueVersion)}
}

// version replaces the first one.
func (e *encoder) version(v byte) { e.b[0] = v }

func (e *encoder) byte(v byte)   { e.b = append(e.b, v) }
func (e *encoder) uint(v uint64) { e.b = binary.AppendUvarint(e.b, v) }
func (e *encoder) int(v int64)   { e.b = binary.AppendVarint(e.b, v) }

func (e *encoder) bool(v bool) {
	if v {
		e.byte(1)
	} else {
		e.byte(0)
	}
}

func (e *encoder) string(s string) {
	e.uint(uint64(len(s)))
	e.b = append(e.b, s...)
}

// time keeps nanoseconds; the zero time is kept apart from 1970.
func (e *encoder) time(t time.Time) {
	e.bool(!t.IsZero())
	if !t.IsZero() {
		e.int(t.UnixNano())
	}
}

// seal ends the value with its sum.
func (e *encoder) seal(key []byte) []byte {
	return binary.BigEndian.AppendUint32(e.b, sum(key, e.b))
}

// decoder reads what encoder wrote. The first error sticks and makes all
// later reads return zero.
type decoder struct {
	b   []byte
	v   byte // version
	err error
}

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err = err
	}
	d.b = nil
}

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.fail(errShort)
		return 0
	}
	v := d.b[0]
	d.b = d.b[1:]
	return v
}

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail(errShort)
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) uint32() uint32 {
	v := d.uint()
	if v > 1<<32-1 {
		d.fail(errRange)
		return 0
	}
	return uint32(v)
}

func (d *decoder) int() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.fail(errShort)
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) bool() bool {
	v := d.byte()
	if v > 1 {
		d.fail(errRange)
	}
	return v == 1
}

func (d *decoder) bytes() []byte {
	n := d.uint()
	if n > uint64(len(d.b)) {
		d.fail(errShort)
		return nil
	}
	v := d.b[:n]
	d.b = d.b[n:]
	return v
}

func (d *decoder) string() string { return string(d.bytes()) }

func (d *decoder) time() time.Time {
	if !d.bool() {
		return time.Time{}
	}
	return time.Unix(0, d.int()).UTC()
}

// end returns the first error, and complains of bytes left over.
func (d *decoder) end() error {
	if d.err == nil && len(d.b) > 0 {
		d.err = errTrailing
	}
	return d.err
}
