package watch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// fanBuffer holds what is read at once, some thousand events.
const fanBuffer = 256 << 10

// After fanCalm reads in a row without an event that is wanted the reader pauses
// for fanPause before each: it takes longer to be woken than to read an event,
// and where much happens elsewhere on the file system the kernel may collect it.
const (
	fanCalm  = 16
	fanPause = time.Millisecond
)

var (
	errFormat  = errors.New("events of an unknown format")
	errStopped = errors.New("stopped")
)

// run reads until stop, and closes the group then. Like the reader of fsnotify it
// waits for nobody.
func (f *fanotify) run(q *events) {
	defer f.close()
	buf := make([]byte, fanBuffer)
	var batch fanBatch
	for idle := 0; ; {
		if idle > fanCalm {
			time.Sleep(fanPause)
		}
		n, waited, err := f.read(buf, q.hurry)
		if err == errStopped {
			return
		}
		batch.reset()
		if err == nil {
			err = batch.parse(buf[:n], f.handles)
		}
		if err != nil {
			q.pushError(fmt.Errorf("read fanotify: %w", err))
			batch.lost = true     // what the read had taken from the queue
			time.Sleep(tickEvery) // while this lasts the tree is scanned again and again
		}
		if idle++; q.pushBatch(&batch) {
			idle = 0
			f.wanted += uint64(len(batch.list))
			if waited {
				f.pace.woken(time.Since(f.base), f.wanted)
			}
		}
	}
}

// read waits for events, or for stop, which is errStopped, and tells whether there
// were none at first. In a stream of events it lets some gather, unless somebody
// is in a hurry.
func (f *fanotify) read(buf []byte, hurry <-chan struct{}) (n int, waited bool, err error) {
	for !f.stopped.Load() {
		n, err := unix.Read(f.fd, buf)
		switch err {
		case unix.EINTR:
		case unix.EAGAIN:
			waited = true
			if err := f.bell.wait(); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
				return 0, true, err
			}
			f.rest(hurry)
		default:
			return n, waited, err
		}
	}
	return 0, waited, errStopped
}

func (f *fanotify) rest(hurry <-chan struct{}) {
	d := f.pace.rest(time.Since(f.base), f.wanted)
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-hurry:
	case <-timer.C:
	}
}

// fanBatch is what one read returned, as far as it is wanted.
type fanBatch struct {
	list     []event
	lost     bool // the kernel dropped events, or they could not be understood
	nameless bool // a file was written that has no name here
}

func (b *fanBatch) reset() { *b = fanBatch{list: b.list[:0]} }

// parse takes the events of one read apart: a header, and records of the
// directory with the name, and of the inode.
func (b *fanBatch) parse(buf []byte, known *handles) error {
	const header = 24 // struct fanotify_event_metadata
	for len(buf) > 0 {
		if len(buf) < header {
			return errFormat
		}
		size := int(binary.NativeEndian.Uint32(buf))
		start := int(binary.NativeEndian.Uint16(buf[6:]))
		if buf[4] != unix.FANOTIFY_METADATA_VERSION || start < header || size < start || size > len(buf) {
			return errFormat
		}
		mask := binary.NativeEndian.Uint64(buf[8:])
		if mask&unix.FAN_Q_OVERFLOW != 0 {
			b.lost = true
		} else if err := b.event(mask, buf[start:size], known); err != nil {
			return err
		}
		buf = buf[size:]
	}
	return nil
}

// event reads the records of one event.
func (b *fanBatch) event(mask uint64, records []byte, known *handles) error {
	for len(records) > 0 {
		if len(records) < 4 {
			return errFormat
		}
		size := int(binary.NativeEndian.Uint16(records[2:]))
		if size < 4 || size > len(records) {
			return errFormat
		}
		if records[0] == unix.FAN_EVENT_INFO_TYPE_DFID_NAME {
			return b.named(mask, records[4:size], known)
		}
		records = records[size:]
	}
	// The link count of an inode changed, which the event of its name tells as
	// well; or a file was written that was opened by its handle, as a server of
	// NFS does, and whose directory the kernel does not know.
	b.nameless = b.nameless || mask&(unix.FAN_MODIFY|unix.FAN_CLOSE_WRITE) != 0
	return nil
}

// named reads a record of directory and name: fsid, length and type of the
// handle, the handle, the name with a NUL behind it.
func (b *fanBatch) named(mask uint64, rec []byte, known *handles) error {
	const fixed = 16
	if len(rec) < fixed {
		return errFormat
	}
	end := fixed + int(binary.NativeEndian.Uint32(rec[8:]))
	if end > len(rec) {
		return errFormat
	}
	dir, ok := known.find(identify(rec[:end]))
	if !ok {
		return nil
	}
	name, _, _ := bytes.Cut(rec[end:], []byte{0})
	e := event{dir: dir, hints: fanHints(mask)}
	if string(name) != "." {
		e.name = string(name)
	}
	b.list = append(b.list, e)
	return nil
}

// fanHints turns the mask of an event, which may stand for several, into hints.
func fanHints(mask uint64) hint {
	h := hintLoose
	if mask&(unix.FAN_CREATE|unix.FAN_DELETE|unix.FAN_MOVED_FROM|unix.FAN_MOVED_TO) != 0 {
		h |= hintName | hintEvent
	}
	if mask&(unix.FAN_CREATE|unix.FAN_MOVED_TO) != 0 {
		h |= hintMade
	}
	if mask&unix.FAN_DELETE != 0 {
		h |= hintGone
	}
	if mask&unix.FAN_MODIFY != 0 {
		h |= hintWrite | hintStore
	}
	if mask&unix.FAN_CLOSE_WRITE != 0 {
		h |= hintWrite | hintClose
	}
	if mask&unix.FAN_ATTRIB != 0 {
		h |= hintAttr
	}
	return h
}
