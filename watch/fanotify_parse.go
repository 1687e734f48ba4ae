package watch

import (
	"bytes"
	"encoding/binary"
	"errors"

	"golang.org/x/sys/unix"
)

var errFormat = errors.New("events of an unknown format")

// fanSink is told what one read of a group returned.
type fanSink interface {
	// named is an event of a name in a directory, "." for the directory itself.
	// The name is valid during the call only.
	named(dir handleID, name []byte, hints hint)
	// nameless says that a file was written that has no name for the kernel.
	nameless(on fsid)
	// lost says that the kernel dropped events.
	lost()
}

// parseEvents takes the events of one read apart: a header, and records of the
// directory with the name, and of the inode.
func parseEvents(buf []byte, to fanSink) error {
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
			to.lost()
		} else if err := parseRecords(mask, buf[start:size], to); err != nil {
			return err
		}
		buf = buf[size:]
	}
	return nil
}

// parseRecords reads the records of one event.
func parseRecords(mask uint64, records []byte, to fanSink) error {
	var on fsid
	for len(records) > 0 {
		if len(records) < 4 {
			return errFormat
		}
		size := int(binary.NativeEndian.Uint16(records[2:]))
		if size < 4 || size > len(records) {
			return errFormat
		}
		if records[0] == unix.FAN_EVENT_INFO_TYPE_DFID_NAME {
			return parseName(mask, records[4:size], to)
		}
		copy(on[:], records[4:size])
		records = records[size:]
	}
	// The link count of an inode changed, which the event of its name tells as
	// well; or a file was written that was opened by its handle, as a server of
	// NFS does, and whose directory the kernel does not know.
	if mask&(unix.FAN_MODIFY|unix.FAN_CLOSE_WRITE) != 0 {
		to.nameless(on)
	}
	return nil
}

// parseName reads a record of directory and name: fsid, length and type of the
// handle, the handle, the name with a NUL behind it.
func parseName(mask uint64, rec []byte, to fanSink) error {
	const fixed = 16
	if len(rec) < fixed {
		return errFormat
	}
	end := fixed + int(binary.NativeEndian.Uint32(rec[8:]))
	if end > len(rec) {
		return errFormat
	}
	name, _, _ := bytes.Cut(rec[end:], []byte{0})
	to.named(identify(rec[:end]), name, fanHints(mask))
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
