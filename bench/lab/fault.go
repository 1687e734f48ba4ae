package lab

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Shutdown stops the file system at once as a lost power supply does
// (FS_IOC_SHUTDOWN without flushing the log): every access fails with EIO until
// Remount. btrfs has no such call.
func (d *Disk) Shutdown() error {
	f, err := os.Open(d.Path)
	if err != nil {
		return fmt.Errorf("shut down disk %s: %w", d.opt.Name, err)
	}
	defer f.Close()
	const (
		shutdown   = 0x8004587d // FS_IOC_SHUTDOWN
		noLogFlush = 2
	)
	err = unix.IoctlSetPointerInt(int(f.Fd()), shutdown, noLogFlush)
	if errors.Is(err, unix.ENOTTY) {
		return unsupported("shut down "+d.opt.FS, "the kernel has no such call for it")
	}
	if err != nil {
		return fmt.Errorf("shut down disk %s: %w", d.opt.Name, err)
	}
	return nil
}

// ReadErrors makes every read from the device fail with EIO, of data and of
// metadata; writes work. What the kernel has cached is dropped as far as it is
// clean, so sync first what must fail.
func (d *Disk) ReadErrors() error {
	if d.opt.inMemory() {
		return unsupported("read errors on "+d.opt.FS, "it reads no device")
	}
	if d.healthy != "" {
		return nil
	}
	healthy := d.newFile("good")
	if err := copyInstant(healthy, d.backing, d.loop); err != nil {
		return fmt.Errorf("read errors on disk %s: %w", d.opt.Name, err)
	}
	d.healthy = healthy
	// The loop driver reads beyond the end of its file, and fails.
	if err := os.Truncate(d.backing, 0); err != nil {
		return fmt.Errorf("read errors on disk %s: %w", d.opt.Name, err)
	}
	return dropCaches()
}

// Heal makes the device readable again, with what was written in the meantime.
// A file system that gave up over the errors needs Remount.
func (d *Disk) Heal() error {
	if d.healthy == "" {
		return nil
	}
	if err := fillHoles(d.backing, d.healthy); err != nil {
		return fmt.Errorf("heal disk %s: %w", d.opt.Name, err)
	}
	d.dropHealthy()
	return dropCaches()
}

func (d *Disk) dropHealthy() {
	if d.healthy != "" {
		_ = os.Remove(d.healthy) // Close removes what is left
		d.healthy = ""
	}
}

// fillHoles copies from good what path has no data for.
func fillHoles(path, good string) error {
	in, err := os.Open(good)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer out.Close()
	st, err := in.Stat()
	if err != nil {
		return err
	}
	// To the full size first: writes of the file system cannot move it then.
	if err := out.Truncate(st.Size()); err != nil {
		return err
	}
	end := int64(0)
	gap := func(from, to int64) error {
		return eachData(in, from, to, func(a, b int64) error { return copyRange(out, in, a, b) })
	}
	if err := eachData(out, 0, st.Size(), func(from, to int64) error {
		err := gap(end, from)
		end = to
		return err
	}); err != nil {
		return err
	}
	return gap(end, st.Size())
}

func dropCaches() error {
	if err := os.WriteFile("/proc/sys/vm/drop_caches", []byte("3"), 0); err != nil {
		return fmt.Errorf("drop caches: %w", err)
	}
	return nil
}

// Quota limits what may be stored to bytes; more fails with EDQUOT. 0 lifts it.
// Only btrfs (a limit on the top quota group) binds root as well.
func (d *Disk) Quota(bytes int64) error {
	if d.opt.FS != "btrfs" {
		return unsupported("quota on "+d.opt.FS, "no quota there that holds for root and fails with EDQUOT")
	}
	if bytes == 0 {
		_, err := run("btrfs", "quota", "disable", d.Path)
		return err
	}
	if _, err := run("btrfs", "quota", "enable", d.Path); err != nil {
		return err
	}
	_, err := run("btrfs", "qgroup", "limit", strconv.FormatInt(bytes, 10), d.Path)
	return err
}
