package watch

import (
	"errors"
	"io/fs"
	"sync"

	"golang.org/x/sys/unix"

	"gorsyncd/journal"
)

// fileKey identifies an inode while it exists.
type fileKey struct{ dev, ino uint64 }

func keyOf(st *unix.Stat_t) fileKey { return fileKey{uint64(st.Dev), st.Ino} }

// stateOf turns what lstat said into a fingerprint. rootDev is the device of
// the source root, which is written as 0.
func stateOf(st *unix.Stat_t, rootDev uint64) journal.State {
	s := journal.State{
		Type:  typeOf(st.Mode),
		Mode:  st.Mode & 0o7777,
		UID:   st.Uid,
		GID:   st.Gid,
		Size:  st.Size,
		Mtime: st.Mtim.Nano(),
		Ctime: st.Ctim.Nano(),
		Dev:   uint64(st.Dev),
		Ino:   st.Ino,
		Nlink: uint32(st.Nlink),
	}
	if s.Dev == rootDev {
		s.Dev = 0
	}
	switch s.Type {
	case journal.Dir:
		s.Size, s.Nlink = 0, 0
	case journal.CharDev, journal.BlockDev:
		s.Rdev = uint64(st.Rdev)
	}
	return s
}

func typeOf(mode uint32) journal.Type {
	switch mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return journal.Dir
	case unix.S_IFLNK:
		return journal.Symlink
	case unix.S_IFIFO:
		return journal.Fifo
	case unix.S_IFSOCK:
		return journal.Socket
	case unix.S_IFCHR:
		return journal.CharDev
	case unix.S_IFBLK:
		return journal.BlockDev
	}
	return journal.File
}

func isDir(st *unix.Stat_t) bool { return st.Mode&unix.S_IFMT == unix.S_IFDIR }

// fstatat is lstat below a directory that is open.
func fstatat(dir int, name string, st *unix.Stat_t) error {
	for {
		err := unix.Fstatat(dir, name, st, unix.AT_SYMLINK_NOFOLLOW)
		if err != unix.EINTR {
			return err
		}
	}
}

// isGone tells errors that prove that a path does not exist from those that
// say nothing about it.
func isGone(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP)
}

// handle is a directory that is open for path resolution. It keeps its file system
// busy, so it is closed after each step.
type handle struct {
	fd       int
	st       unix.Stat_t
	life     Life // told of each call; nil for nobody
	readable bool // names can be read from fd itself, once

	// What name has asked for: the handle that outlives fd.
	named   bool
	stable  unix.FileHandle
	nameErr error
}

// name asks the kernel for the handle that events name the directory by.
func (h *handle) name() {
	if !h.named {
		h.named = true
		h.enter()
		defer h.leave()
		h.stable, _, h.nameErr = unix.NameToHandleAt(h.fd, "", unix.AT_EMPTY_PATH)
	}
}

func (h *handle) close() {
	if h != nil {
		unix.Close(h.fd)
	}
}

// openRoot opens the source root, through symbolic links as rsync does.
func openRoot(abs string) (*handle, error) {
	return newHandle(unix.Open(abs, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0))
}

func newHandle(fd int, err error) (*handle, error) {
	if err != nil {
		return nil, err
	}
	h := &handle{fd: fd}
	if err := unix.Fstat(fd, &h.st); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return h, nil
}

// newHandle is newHandle for what is below.
func (h *handle) newHandle(fd int, err error) (*handle, error) {
	d, err := newHandle(fd, err)
	if d != nil {
		d.life = h.life
	}
	return d, err
}

// lstat looks at a name in the directory.
func (h *handle) lstat(name string, st *unix.Stat_t) error {
	h.enter()
	defer h.leave()
	return fstatat(h.fd, name, st)
}

// stat looks at the directory itself, anew.
func (h *handle) stat() error {
	h.enter()
	defer h.leave()
	return unix.Fstat(h.fd, &h.st)
}

// open opens a directory below so that no symbolic link is followed: rel must name
// a directory of the tree itself.
func (h *handle) open(rel string) (*handle, error) {
	h.enter()
	defer h.leave()
	if rel == "" {
		return h.newHandle(unix.Openat(h.fd, ".", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0))
	}
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: noSymlinks}
	fd, err := unix.Openat2(h.fd, rel, &how)
	switch err {
	case unix.ENOSYS, unix.EPERM, unix.ENAMETOOLONG: // not before Linux 5.6, nor in some sandboxes, nor beyond PATH_MAX
		return h.walk(rel)
	}
	return h.newHandle(fd, err)
}

const noSymlinks = unix.RESOLVE_NO_SYMLINKS

// openToList is open for a directory whose names are to be read: that costs less
// where it may be.
func (h *handle) openToList(rel string) (*handle, error) {
	h.enter()
	defer h.leave()
	if rel != "" {
		how := unix.OpenHow{Flags: unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: noSymlinks}
		if fd, err := unix.Openat2(h.fd, rel, &how); err == nil {
			d, err := h.newHandle(fd, nil)
			if err == nil {
				d.readable = true
			}
			return d, err
		}
	}
	return h.open(rel)
}

// walk is open element by element.
func (h *handle) walk(rel string) (*handle, error) {
	fd := h.fd
	for start := 0; start < len(rel); {
		end := start
		for end < len(rel) && rel[end] != '/' {
			end++
		}
		next, err := unix.Openat(fd, rel[start:end], unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if fd != h.fd {
			unix.Close(fd)
		}
		if err != nil {
			return nil, err
		}
		fd = next
		start = end + 1
	}
	return h.newHandle(fd, nil)
}

// direntBufs are for reading directories; several trees may be at it.
var direntBufs = sync.Pool{New: func() any { return new([64 << 10]byte) }}

// names lists the directory, unsorted.
func (h *handle) names() ([]string, error) {
	h.enter()
	defer h.leave()
	fd := h.fd
	if !h.readable {
		var err error
		if fd, err = unix.Openat(h.fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err != nil {
			return nil, err
		}
		defer unix.Close(fd)
	}
	var list []string
	buf := direntBufs.Get().(*[64 << 10]byte)
	defer direntBufs.Put(buf)
	for {
		n, err := unix.ReadDirent(fd, buf[:])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, err
		}
		if n <= 0 {
			return list, nil
		}
		_, _, list = unix.ParseDirent(buf[:n], -1, list)
	}
}

// pathError puts the path to an error of a system call.
func pathError(op, path string, err error) error {
	return &fs.PathError{Op: op, Path: path, Err: err}
}
