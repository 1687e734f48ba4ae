package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Image is the durable state of a disk at one instant.
type Image struct {
	Path string // a file next to the backing file
	disk *Disk
}

// Remove removes the image; Close of its disk does so too.
func (i *Image) Remove() error { return os.Remove(i.Path) }

// PowerCut loses what is not durable at this instant and mounts the rest again
// at the same path. Stop or kill the users of the disk first: those that
// survive keep a dead file system, and are ErrBusy on btrfs, which refuses to
// mount a copy next to its original.
func (d *Disk) PowerCut() error {
	img, err := d.Snap()
	if err != nil {
		return err
	}
	return d.replace(img.Path)
}

// Snap takes the state that a power cut now would leave, without syncing or
// stopping anything. Without cloning (see the package's guarantees) it needs
// writers to be stopped, else it is ErrBusy after a minute.
func (d *Disk) Snap() (*Image, error) {
	if d.opt.inMemory() {
		return nil, unsupported("image of "+d.opt.FS, "nothing in memory survives a power cut")
	}
	if d.healthy != "" {
		return nil, fmt.Errorf("image of disk %s: it cannot be read; heal it first", d.opt.Name)
	}
	img := &Image{Path: d.newFile("snap"), disk: d}
	if err := copyInstant(img.Path, d.backing, d.loop); err != nil {
		return nil, fmt.Errorf("image of disk %s: %w", d.opt.Name, err)
	}
	return img, nil
}

// SnapFrozen takes the state as a snapshot by an administrator does: synced, with
// writers held up meanwhile.
func (d *Disk) SnapFrozen() (img *Image, err error) {
	dir, err := os.Open(d.Path)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	const freeze, thaw = 0xc0045877, 0xc0045878 // FIFREEZE, FITHAW
	if err := unix.IoctlSetInt(int(dir.Fd()), freeze, 0); err != nil {
		return nil, fmt.Errorf("freeze disk %s: %w", d.opt.Name, err)
	}
	defer func() {
		if err2 := unix.IoctlSetInt(int(dir.Fd()), thaw, 0); err == nil && err2 != nil {
			err = fmt.Errorf("thaw disk %s: %w", d.opt.Name, err2)
		}
	}()
	return d.Snap()
}

// Restore puts the image in the place of the present state, which is lost, and
// mounts it. The image stays for another time. Users as for PowerCut.
func (d *Disk) Restore(img *Image) error {
	if img.disk != d {
		return fmt.Errorf("restore disk %s: the image is of disk %s", d.opt.Name, img.disk.opt.Name)
	}
	next := d.newFile("img")
	if err := copyFile(next, img.Path); err != nil {
		return fmt.Errorf("restore disk %s: %w", d.opt.Name, err)
	}
	return d.replace(next)
}

// replace drops the mounted state and mounts the file next in its place.
func (d *Disk) replace(next string) error {
	if d.mounted {
		// A dead file system unmounts at once instead of writing all back.
		_ = d.Shutdown() // not offered by btrfs, which only takes longer
		var err error
		if d.opt.FS == "btrfs" {
			err = d.unmount(settle / 2)
		} else {
			err = d.Unmount()
		}
		if err != nil {
			return err
		}
	}
	if d.opt.FS == "btrfs" {
		if err := waitDetached(d.loop, d.backing, d); err != nil {
			return err
		}
		if err := forgetBtrfs(d.loop); err != nil {
			return err
		}
	}
	if err := os.Remove(d.backing); err != nil {
		return fmt.Errorf("drop the old state: %w", err)
	}
	d.dropHealthy()
	d.backing = next
	return d.Mount()
}

// forgetBtrfs makes the kernel forget the device. Before Linux 6.2 it remembers
// an unmounted one, prefers the newest generation of a file system that it has
// seen, and refuses an older image.
func forgetBtrfs(dev string) error {
	control, err := os.OpenFile("/dev/btrfs-control", os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("forget btrfs device: %w", err)
	}
	defer control.Close()
	const forgetDev = 0x50009405 // BTRFS_IOC_FORGET_DEV
	var args struct {
		fd   int64
		name [4088]byte
	}
	copy(args.name[:], dev)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, control.Fd(), forgetDev, uintptr(unsafe.Pointer(&args)))
	if errno != 0 && errno != unix.ENOENT { // ENOENT: forgotten already
		return fmt.Errorf("forget btrfs device %s: %w", dev, errno)
	}
	return nil
}

// copyInstant copies the file under the loop device dev as it is at one
// instant; ErrBusy if the device does not come to rest.
func copyInstant(dst, src, dev string) error {
	if err := cloneFile(dst, src); err == nil {
		return nil
	}
	return atRest(dev, settle, func() error {
		if err := os.Remove(dst); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err // of the attempt before
		}
		return copyFile(dst, src)
	})
}

// atRest calls attempt until the device changed nothing from its start to its
// end.
func atRest(dev string, patience time.Duration, attempt func() error) error {
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		before, idle, err := deviceWrites(dev)
		if err != nil {
			return err
		}
		if idle {
			if err := attempt(); err != nil {
				return err
			}
			after, idle, err := deviceWrites(dev)
			if err != nil || idle && after == before {
				return err
			}
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%w: writes did not settle within %s; stop the writers or use a directory that clones files", ErrBusy, patience)
		}
	}
}

// deviceWrites identifies what a block device has completed so far that changes
// it, and says whether nothing is under way.
func deviceWrites(dev string) (done string, idle bool, err error) {
	b, err := os.ReadFile(filepath.Join("/sys/block", strings.TrimPrefix(dev, "/dev/"), "stat"))
	if errors.Is(err, os.ErrNotExist) || dev == "" {
		return "", true, nil // not attached: nothing writes
	}
	if err != nil {
		return "", false, fmt.Errorf("read device counters: %w", err)
	}
	f := strings.Fields(string(b)) // Documentation/block/stat.rst
	if len(f) < 15 {
		return "", false, unsupported("device counters", "kernel before 4.18")
	}
	return f[4] + " " + f[6] + " " + f[11], f[8] == "0", nil
}
