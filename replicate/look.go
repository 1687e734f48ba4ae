package replicate

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// Presence is what a look at a path found.
type Presence uint8

const (
	Missing Presence = iota // not there, but its parent is
	Covered                 // its parent is missing, or something above is no directory
	IsDir                   // a directory
	IsFile                  // a regular file
	IsOther                 // a symlink, fifo, socket or device
	Unknown                 // could not be told: Seen.Err
)

// Seen is the present state of a path as far as batches care.
type Seen struct {
	Presence Presence
	Size     int64  // regular files
	Dev, Ino uint64 // Dev as the journal has it: 0 on the root's own device
	Nlink    uint64 // regular files
	Writable bool   // directories: by their owner
	Err      error
}

// look looks at paths below a root without following any symlink on the way:
// a path below a symlink is Covered, whatever the link leads to. Parents are
// remembered, so a look is good for one planning round only.
type look struct {
	root    string
	rootDev uint64
	dirs    map[string]Seen
	empty   map[string]bool // see isEmpty
	life    Life
}

// newLook opens the root as a run of rsync does: one that is not the directory
// that was indexed tells nothing about any path.
func newLook(o *Options) (*look, error) {
	life := o.life()
	life.Enter()
	defer life.Leave()
	f, err := openRoot(o)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return &look{root: o.Root, rootDev: fi.Sys().(*syscall.Stat_t).Dev, dirs: map[string]Seen{"": {Presence: IsDir}}, life: life}, nil
}

// rootEmpty tells whether nothing at all is in the root.
func rootEmpty(root string) bool {
	f, err := os.Open(root)
	if err != nil {
		return false
	}
	defer f.Close()
	_, err = f.Readdirnames(1)
	return errors.Is(err, io.EOF)
}

func (l *look) at(path string) Seen {
	if parent, ok := parentOf(path); ok {
		switch l.dir(parent) {
		case IsDir:
		case Unknown:
			return Seen{Presence: Unknown, Err: l.lstat(parent).Err}
		default:
			return Seen{Presence: Covered}
		}
	}
	return l.lstat(path)
}

// dir says what is at an ancestor, having looked at all above it first.
func (l *look) dir(path string) Presence { return l.dirSeen(path).Presence }

func (l *look) dirSeen(path string) Seen {
	if s, ok := l.dirs[path]; ok {
		return s
	}
	s := l.at(path)
	l.dirs[path] = s
	return s
}

// stat is os.Lstat, of which a batch has thousands, without what it allocates.
func (l *look) stat(path string, st *unix.Stat_t) error {
	l.life.Enter()
	defer l.life.Leave()
	name := l.root + "/" + path
	for {
		switch err := unix.Lstat(name, st); err {
		case unix.EINTR:
		case nil:
			return nil
		default:
			return &fs.PathError{Op: "lstat", Path: name, Err: err}
		}
	}
}

func (l *look) lstat(path string) Seen {
	var st unix.Stat_t
	err := l.stat(path, &st)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return Seen{Presence: Missing}
	case err != nil:
		return Seen{Presence: Unknown, Err: err}
	}
	s := Seen{Presence: IsOther, Ino: st.Ino}
	if st.Dev != l.rootDev {
		s.Dev = st.Dev
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		s.Presence, s.Writable = IsDir, st.Mode&0o200 != 0
	case unix.S_IFREG:
		s.Presence, s.Size, s.Nlink = IsFile, st.Size, uint64(st.Nlink)
	}
	return s
}
