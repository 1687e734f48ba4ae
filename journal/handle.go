package journal

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// errNoHandle means that the file system does not give files an identity.
var errNoHandle = errors.New("file system without file handles")

// fileHandle returns what names a file for the life of its file system: inode
// and generation, mostly. It survives renames and reboots. A copy has another
// one, even at the same inode number. It is nil where asking is forbidden.
func fileHandle(name string) ([]byte, error) {
	h, _, err := unix.NameToHandleAt(unix.AT_FDCWD, name, 0)
	switch {
	case err == nil:
		return append(binary.BigEndian.AppendUint32(nil, uint32(h.Type())), h.Bytes()...), nil
	case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EOVERFLOW):
		return nil, errNoHandle
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.ENOSYS): // forbidden by a sandbox
		return nil, nil
	}
	return nil, fmt.Errorf("identify %s: %w", name, err)
}
