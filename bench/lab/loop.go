package lab

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// settle is how long users of a file system get to be gone after they were
// killed, and a device to become quiet.
const settle = time.Minute

// attach puts a loop device over file. The device goes away by itself when its
// last user does; the returned file keeps it until it is mounted.
func attach(file string) (*os.File, error) {
	backing, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("attach: %w", err)
	}
	defer backing.Close()
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return nil, unsupported("loop device", "%v", err)
	}
	defer control.Close()
	for range 100 { // another process may take the free one first
		n, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			return nil, fmt.Errorf("find a free loop device: %w", err)
		}
		dev, err := openLoop(n)
		if err != nil {
			return nil, err
		}
		config := unix.LoopConfig{Fd: uint32(backing.Fd()), Size: 4096}
		config.Info.Flags = unix.LO_FLAGS_AUTOCLEAR
		copy(config.Info.File_name[:len(config.Info.File_name)-1], file)
		if err = unix.IoctlLoopConfigure(int(dev.Fd()), &config); err == nil {
			return dev, nil
		}
		dev.Close()
		if !errors.Is(err, unix.EBUSY) {
			return nil, fmt.Errorf("attach %s to %s: %w", file, dev.Name(), err)
		}
	}
	return nil, fmt.Errorf("attach %s: every loop device was taken: %w", file, ErrBusy)
}

// openLoop opens /dev/loopN and makes the node where nothing else does, as in
// a container.
func openLoop(n int) (*os.File, error) {
	path := fmt.Sprintf("/dev/loop%d", n)
	dev, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		if err := unix.Mknod(path, unix.S_IFBLK|0o660, int(unix.Mkdev(7, uint32(n)))); err != nil {
			return nil, fmt.Errorf("make %s: %w", path, err)
		}
		dev, err = os.OpenFile(path, os.O_RDWR, 0)
	}
	if err != nil {
		return nil, fmt.Errorf("open loop device: %w", err)
	}
	return dev, nil
}

// backingOf is the file that a loop device is over, "" if it is free.
func backingOf(dev string) string {
	b, err := os.ReadFile("/sys/block/" + strings.TrimPrefix(dev, "/dev/") + "/loop/backing_file")
	if err != nil {
		return "" // the kernel shows the file only for a device in use
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), " (deleted)")
}

// waitDetached waits until dev is no longer over file.
func waitDetached(dev, file string, d *Disk) error {
	for deadline := time.Now().Add(settle); backingOf(dev) == file; time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("%s over %s: %w: used by %v", dev, file, ErrBusy, d.Users())
		}
	}
	return nil
}
