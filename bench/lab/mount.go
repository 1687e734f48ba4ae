package lab

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// bind is a bind mount of a directory of the disk.
type bind struct{ src, dst string }

// supportedFS asks the kernel, which loads a module if it has one.
func supportedFS(fs string) error {
	fd, err := unix.Fsopen(fs, unix.FSOPEN_CLOEXEC)
	switch {
	case err == nil:
		return unix.Close(fd)
	case errors.Is(err, unix.ENODEV):
		return unsupported("mount "+fs, "the kernel has no such file system")
	case errors.Is(err, unix.EPERM):
		return unsupported("mount "+fs, "needs root")
	case errors.Is(err, unix.ENOSYS): // before Linux 5.2; mounting tells
		return nil
	}
	return fmt.Errorf("mount %s: %w", fs, err)
}

// Mount mounts the disk and its binds again after Unmount. Its content is that
// from before, except in memory (tmpfs, ramfs), where it is empty. A bind whose
// directory did not survive is an error; the disk is mounted nevertheless.
func (d *Disk) Mount() error {
	if d.mounted {
		return nil
	}
	if err := d.mountSelf(); err != nil {
		return fmt.Errorf("mount disk %s: %w", d.opt.Name, err)
	}
	d.mounted = true
	var errs []error
	for _, b := range d.binds {
		errs = append(errs, bindMount(b.src, b.dst))
	}
	return errors.Join(append(errs, d.refill())...)
}

func (d *Disk) mountSelf() error {
	if d.opt.inMemory() {
		data := fmt.Sprintf("mode=755,size=%dm,nr_inodes=%d", d.opt.MB, d.opt.Inodes)
		if d.opt.FS == "ramfs" {
			data = "mode=755"
		}
		return d.mountAt(d.opt.FS, data)
	}
	dev, err := d.device()
	if err != nil {
		return err
	}
	defer dev.Close() // the mount keeps the device from here on
	d.loop = dev.Name()
	data := ""
	if d.opt.FS == "xfs" {
		data = "nouuid" // an older image has the UUID of the state it replaces
	}
	return d.mountAt(d.loop, data)
}

// mountAt mounts, and keeps the mount from spreading into other namespaces,
// which would keep the file system alive after the unmount here. Below OwnMounts
// they are all ours, and the unmount reaches them.
func (d *Disk) mountAt(source, data string) error {
	err := unix.Mount(source, d.Path, d.opt.FS, 0, data)
	// btrfs mounts no second file system of one id, and one that was detached
	// lives on as long as somebody has it open.
	for end := time.Now().Add(settle); errors.Is(err, unix.EEXIST) && time.Now().Before(end); {
		time.Sleep(20 * time.Millisecond)
		err = unix.Mount(source, d.Path, d.opt.FS, 0, data)
	}
	if err != nil {
		return fmt.Errorf("mount %s: %w", source, err)
	}
	if os.Getenv(ownMountsEnv) != "" {
		return nil
	}
	return unix.Mount("", d.Path, "", unix.MS_PRIVATE, "")
}

// device is the loop device over the backing file: the present one while a
// detached file system still uses it, so that one backing file never has two.
func (d *Disk) device() (*os.File, error) {
	if d.loop != "" {
		if dev, err := os.OpenFile(d.loop, os.O_RDWR, 0); err == nil {
			if backingOf(d.loop) == d.backing {
				return dev, nil
			}
			dev.Close()
		}
	}
	return attach(d.backing)
}

// patience is how long users that were killed a moment ago may take to go.
const patience = 2 * time.Second

// Unmount makes the disk vanish and leaves the empty directory. It waits for
// users that were killed a moment ago; those that stay keep what they have
// open, without a name.
func (d *Disk) Unmount() error {
	if !d.mounted {
		return nil
	}
	err := d.unmount(patience)
	if errors.Is(err, ErrBusy) {
		err = d.detach()
	}
	return err
}

// unmount really unmounts; ErrBusy with the users' pids after patience.
func (d *Disk) unmount(patience time.Duration) error {
	d.dropFiller()
	if err := d.unmountBinds(); err != nil {
		return err
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		err := unix.Unmount(d.Path, 0)
		switch {
		case err == nil:
			d.mounted = false
			return nil
		case !errors.Is(err, unix.EBUSY):
			return fmt.Errorf("unmount %s: %w", d.Path, err)
		case time.Now().After(deadline):
			return fmt.Errorf("unmount %s: %w: used by %v", d.Path, ErrBusy, d.Users())
		}
	}
}

func (d *Disk) detach() error {
	if err := unix.Unmount(d.Path, unix.MNT_DETACH); err != nil {
		return fmt.Errorf("detach %s: %w", d.Path, err)
	}
	d.mounted = false
	return nil
}

// Remount unmounts and mounts again; what was written is kept. It heals a file
// system that shut itself down.
func (d *Disk) Remount() error {
	if err := d.Unmount(); err != nil {
		return err
	}
	return d.Mount()
}

// ReadOnly switches the file system between read-only and writable. ErrBusy if
// files are still open for writing after a while.
func (d *Disk) ReadOnly(on bool) error {
	flags := uintptr(unix.MS_REMOUNT)
	if on {
		d.dropFiller()
		flags |= unix.MS_RDONLY
	}
	err := unix.Mount("", d.Path, "", flags, "")
	for end := time.Now().Add(patience); errors.Is(err, unix.EBUSY) && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
		err = unix.Mount("", d.Path, "", flags, "")
	}
	if errors.Is(err, unix.EBUSY) {
		return fmt.Errorf("make %s read-only: %w: used by %v", d.Path, ErrBusy, d.Users())
	}
	if err != nil {
		return fmt.Errorf("make %s read-only=%t: %w", d.Path, on, err)
	}
	if !on {
		return d.refill()
	}
	return nil
}

// Bind mounts the directory src of the disk on the existing directory dst as
// well. The bind goes with the disk and comes back with it, until Close.
func (d *Disk) Bind(src, dst string) error {
	if src != d.Path && !strings.HasPrefix(src, d.Path+"/") {
		return fmt.Errorf("bind %s: not on the disk at %s", src, d.Path)
	}
	if err := bindMount(src, dst); err != nil {
		return err
	}
	d.binds = append(d.binds, bind{src, dst})
	return nil
}

func bindMount(src, dst string) error {
	if err := unix.Mount(src, dst, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind %s to %s: %w", src, dst, err)
	}
	return unix.Mount("", dst, "", unix.MS_PRIVATE, "")
}

func (d *Disk) unmountBinds() error {
	for _, b := range d.binds {
		err := unix.Unmount(b.dst, unix.MNT_DETACH)
		if err != nil && !errors.Is(err, unix.EINVAL) { // EINVAL: not mounted
			return fmt.Errorf("unmount %s: %w", b.dst, err)
		}
	}
	return nil
}
