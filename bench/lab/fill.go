package lab

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// filler holds blocks and inodes in files without a name, so that what watches
// or copies the tree never sees it.
type filler struct {
	files []*os.File
	leave int64 // bytes left free; -1: inodes are filled, not blocks
}

// Fill takes every free block: the next write that needs one fails with ENOSPC,
// for root too. It holds over a power cut and a mount until Release.
func (d *Disk) Fill() error { return d.FillLeave(0) }

// FillLeave is Fill but for about so many bytes.
func (d *Disk) FillLeave(bytes int64) error {
	if d.opt.FS == "ramfs" {
		return unsupported("fill ramfs", "it has no limit")
	}
	d.Release()
	d.filler = &filler{leave: bytes}
	return d.refill()
}

// FillInodes takes every inode: the next new file fails with ENOSPC. It needs
// a disk with an inode limit, small enough for this process's open files.
func (d *Disk) FillInodes() error {
	if d.opt.Inodes == 0 {
		return unsupported("fill inodes of "+d.opt.FS, "the disk was made without an inode limit")
	}
	d.Release()
	d.filler = &filler{leave: -1}
	return d.refill()
}

// Release frees what Fill, FillLeave or FillInodes took.
func (d *Disk) Release() {
	d.dropFiller()
	d.filler = nil
}

// dropFiller frees the files but keeps the intent for the next mount.
func (d *Disk) dropFiller() {
	if d.filler == nil {
		return
	}
	for _, f := range d.filler.files {
		f.Close()
	}
	d.filler.files = nil
}

func (d *Disk) refill() error {
	if d.filler == nil {
		return nil
	}
	// Blocks freed or reserved in memory count only when they are settled.
	if err := d.sync(); err != nil {
		return err
	}
	var err error
	if d.filler.leave < 0 {
		err = d.fillInodes()
	} else {
		err = d.fillBlocks(d.filler.leave)
	}
	if err != nil {
		return fmt.Errorf("fill disk %s: %w", d.opt.Name, err)
	}
	return nil
}

func (d *Disk) tempFile() (*os.File, error) {
	fd, err := unix.Open(d.Path, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, fmt.Errorf("file without a name: %w", err)
	}
	f := os.NewFile(uintptr(fd), d.Path)
	d.filler.files = append(d.filler.files, f)
	return f, nil
}

func (d *Disk) fillInodes() error {
	for {
		if _, err := d.tempFile(); err != nil {
			if errors.Is(err, unix.ENOSPC) {
				return nil
			}
			return err
		}
	}
}

// fillBlocks takes space in ever smaller pieces until none is left, then
// metadata on btrfs, which has space of its own where small files fit. What is
// to stay free is given back at the end: free-space figures are estimates.
func (d *Disk) fillBlocks(leave int64) error {
	f, err := d.tempFile()
	if err != nil {
		if errors.Is(err, unix.ENOSPC) { // nothing to take
			return nil
		}
		return err
	}
	var size int64
	for range 3 { // what the file system freed or gave back in the meantime
		if size, err = grow(f, size); err != nil {
			return err
		}
		if err := d.sync(); err != nil {
			return err
		}
	}
	if leave > 0 {
		if err := f.Truncate(max(size-leave, 0)); err != nil {
			return err
		}
		return d.sync()
	}
	if d.opt.FS == "btrfs" {
		return d.fillMetadata(f)
	}
	return nil
}

// grow extends f from size until no block is left, and returns its size.
func grow(f *os.File, size int64) (int64, error) {
	const block = 4096
	for chunk := int64(1) << 32; chunk >= block; {
		err := unix.Fallocate(int(f.Fd()), 0, size, chunk)
		switch {
		case err == nil:
			size += chunk
		case errors.Is(err, unix.ENOSPC):
			chunk /= 2
		default:
			return size, fmt.Errorf("allocate %d bytes: %w", chunk, err)
		}
	}
	return size, nil
}

// fillMetadata hangs attributes on f until no metadata block is left.
func (d *Disk) fillMetadata(f *os.File) error {
	for size := 8000; size > 8; {
		name := fmt.Sprintf("user.%d", size)
		for n := 0; ; n++ {
			err := unix.Fsetxattr(int(f.Fd()), fmt.Sprintf("%s.%d", name, n), make([]byte, size), 0)
			if errors.Is(err, unix.ENOSPC) {
				break
			}
			if err != nil {
				return fmt.Errorf("fill metadata: %w", err)
			}
		}
		size /= 8
	}
	return nil
}

func (d *Disk) sync() error {
	f, err := os.Open(d.Path)
	if err != nil {
		return fmt.Errorf("sync disk %s: %w", d.opt.Name, err)
	}
	defer f.Close()
	if err := unix.Syncfs(int(f.Fd())); err != nil && !errors.Is(err, unix.ENOSPC) {
		return fmt.Errorf("sync disk %s: %w", d.opt.Name, err)
	}
	return nil
}
