package journal

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"syscall"
	"unsafe"
)

// FileSystemID is an identity of the file system that an open directory is on,
// the same after each mount and on whatever device it turns up; 0 if it has
// none. It is made of the UUID where the kernel tells it (FS_IOC_GETFSUUID,
// Linux 6.9), and is statfs's f_fsid elsewhere. On XFS that is made of the device
// number, which may be another one after a restart of the machine.
func FileSystemID(dir int) (uint64, error) {
	if id := uuidOf(dir); id != 0 {
		return id, nil
	}
	var fs syscall.Statfs_t
	if err := syscall.Fstatfs(dir, &fs); err != nil {
		return 0, fmt.Errorf("statfs: %w", err)
	}
	return uint64(uint32(fs.Fsid.X__val[0]))<<32 | uint64(uint32(fs.Fsid.X__val[1])), nil
}

// SameDir tells whether two identities are of one directory. The device number
// of a file system may change at each mount.
func (r RootID) SameDir(o RootID) bool {
	return r.Ino == o.Ino && (r.Dev == o.Dev || r.FSID != 0 && r.FSID == o.FSID)
}

// uuidOf hashes the UUID, 0 if it is not told. A handle without permission to
// read (O_PATH) takes no ioctl, so the directory is opened once more.
func uuidOf(dir int) uint64 {
	const getUUID = 0x80111500 // _IOR(0x15, 0, struct fsuuid2)
	fd, err := syscall.Openat(dir, ".", syscall.O_RDONLY|syscall.O_DIRECTORY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return 0
	}
	defer syscall.Close(fd)
	var buf [17]byte // its length, and at most 16 bytes
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), getUUID, uintptr(unsafe.Pointer(&buf))); errno != 0 {
		return 0
	}
	n := min(int(buf[0]), len(buf)-1)
	if n < 8 || binary.LittleEndian.Uint64(buf[1:]) == 0 {
		return 0
	}
	h := fnv.New64a()
	h.Write(buf[1 : 1+n])
	return h.Sum64()
}
