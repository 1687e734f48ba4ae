package main

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"gorsyncd/bench/lab"
)

// diskRows are full disks, disks that cannot be read, and limits of the
// process.
func diskRows() []*row {
	return []*row{
		{name: "full-state", what: "no space at the state directory", disks: journaling, split: true,
			inject: func(w *world) error { return w.full(w.stateDisk, false) }},
		{name: "full-state-race", what: "the space at the state directory goes away within milliseconds, during commits", disks: journaling, split: true,
			inject: func(w *world) error { return w.fullRace(w.stateDisk) }},
		{name: "full-source", what: "no space at source and state directory", disks: journaling,
			inject: func(w *world) error { return w.full(w.host, false) }},
		{name: "full-remote", what: "no space at the remotes", disks: journaling, farMB: 300,
			inject: func(w *world) error { return w.full(w.far, false) }},
		{name: "inodes-state", what: "no inodes at the state directory", disks: []string{"ext4"}, split: true, inodes: 2000,
			inject: func(w *world) error { return w.full(w.stateDisk, true) }},
		{name: "inodes-remote", what: "no inodes at the remotes", disks: []string{"ext4"}, inodes: 8000,
			inject: func(w *world) error { return w.full(w.far, true) }},
		{name: "quota-remote", what: "the remotes' quota is reached", disks: []string{"btrfs"}, inject: quotaRemote},
		{name: "eio-source", what: "read errors at the source", disks: []string{"ext4", "xfs"}, split: true, blind: true, idle: true, inject: readErrors},
		{name: "ro-remote-fs", what: "the remotes' file system is remounted read-only", disks: journaling, inject: readOnlyRemote},
		{name: "emfile", what: "the daemon runs out of file descriptors", inject: func(w *world) error {
			return w.limited(unix.RLIMIT_NOFILE, uint64(8+w.rnd.IntN(60)))
		}},
		{name: "enomem", what: "the daemon runs out of memory", inject: func(w *world) error {
			return w.limited(unix.RLIMIT_AS, uint64(900+w.rnd.IntN(900))<<20)
		}},
		{name: "efbig", what: "the daemon may not write large files", inject: func(w *world) error {
			return w.limited(unix.RLIMIT_FSIZE, uint64(1+w.rnd.IntN(64))<<16)
		}},
	}
}

// full fills a disk for a while.
func (w *world) full(d *lab.Disk, inodes bool) error {
	w.after(0, 300*time.Millisecond)
	fill := d.Fill
	if inodes {
		fill = d.FillInodes
	}
	if err := fill(); err != nil {
		return fmt.Errorf("fill: %w", err)
	}
	w.fault("full")
	w.after(300*time.Millisecond, 2500*time.Millisecond)
	if w.rnd.IntN(3) == 0 {
		// Also a start on a full disk.
		if err := w.kill(); err != nil {
			return err
		}
		if err := w.daemon.Spawn(); err != nil {
			return err
		}
		w.after(300*time.Millisecond, 1500*time.Millisecond)
	}
	d.Release()
	if d == w.host {
		// A write that failed can have changed the mtime (btrfs), and causes no
		// event: only a scan finds it.
		w.daemon.Stop()
		return w.start()
	}
	return nil
}

// fullRace fills up with what other programs write while commits run.
func (w *world) fullRace(d *lab.Disk) error {
	w.after(0, 300*time.Millisecond)
	for range 3 {
		if err := d.FillLeave(w.rnd.Int64N(4 << 20)); err != nil {
			return err
		}
		w.fault("filled at once")
		w.after(0, 400*time.Millisecond)
		d.Release()
		if err := w.start(); err != nil { // it may have died of it
			return err
		}
		w.after(0, 300*time.Millisecond)
	}
	return nil
}

func quotaRemote(w *world) error {
	used, err := usedBytes(w.far.Path)
	if err == nil {
		err = w.far.Quota(used + 1<<20)
	}
	if err != nil {
		return err
	}
	w.fault("quota")
	w.after(500*time.Millisecond, 2500*time.Millisecond)
	return w.far.Quota(0)
}

// readErrors makes the source unreadable for a while.
func readErrors(w *world) error {
	w.load.steps(30)
	// A write would make the backing file grow again, with zeros in place of
	// the errors.
	if err := w.host.ReadOnly(true); err != nil {
		return err
	}
	if err := w.host.ReadErrors(); err != nil {
		return err
	}
	w.fault("reads fail")
	if w.rnd.IntN(2) == 0 {
		if err := w.kill(); err != nil {
			return err
		}
		if err := w.daemon.Spawn(); err != nil {
			return err
		}
	} else if _, _, err := w.daemon.Run("sync", "--checksum"); err != nil {
		return err
	}
	w.after(500*time.Millisecond, 2*time.Second)
	// Its user processes must end before the disk can be healed.
	pids, err := w.freeze()
	if err != nil {
		return err
	}
	if err := w.fell(pids); err != nil {
		return err
	}
	if err := w.host.Heal(); err != nil {
		return err
	}
	if err := w.host.ReadOnly(false); err != nil {
		return err
	}
	return w.start()
}

func readOnlyRemote(w *world) error {
	w.after(0, 500*time.Millisecond)
	for i := 0; ; i++ {
		err := w.far.ReadOnly(true)
		if err == nil {
			break
		}
		if i > 200 { // somebody always has a file open for writing
			return err
		}
		time.Sleep(5 * time.Millisecond)
	}
	w.fault("read-only")
	w.after(300*time.Millisecond, 2*time.Second)
	return w.far.ReadOnly(false)
}

// limited lowers a limit of the running daemon and raises it again. One that
// dies of it is started again.
func (w *world) limited(what int, to uint64) error {
	w.after(0, 300*time.Millisecond)
	restore, err := lab.Rlimit(w.daemon.Pid(), what, to)
	if err != nil {
		return err
	}
	w.fault("limit %d of the daemon is %d", what, to)
	w.after(500*time.Millisecond, 2500*time.Millisecond)
	if w.daemon.Ended() {
		w.fault("it has ended")
		return w.start()
	}
	return restore()
}

// usedBytes is what a file system holds.
func usedBytes(dir string) (int64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, err
	}
	return int64(st.Blocks-st.Bfree) * st.Bsize, nil
}
