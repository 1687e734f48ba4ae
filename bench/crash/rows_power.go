package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"gorsyncd/bench/lab"
)

var journaling = []string{"ext4", "xfs", "btrfs"}

func powerRows() []*row {
	return []*row{
		{name: "power-host", what: "power cut of the machine with source and state directory on one file system", disks: journaling, blind: true, weight: 3,
			inject: func(w *world) error { return w.powerCut(w.host) }},
		{name: "power-split", what: "power cut of the machine with source and state directory on different file systems", disks: journaling, blind: true, split: true, weight: 3,
			inject: func(w *world) error { return w.powerCut(w.host, w.stateDisk) }},
		{name: "power-shutdown", what: "the file system of source and state directory shuts down (FS_IOC_SHUTDOWN) under the running daemon", disks: []string{"ext4", "xfs"}, blind: true,
			inject: shutdownHost},
		{name: "power-remote", what: "power cut of the remotes; found and repaired by verify", disks: journaling, blind: true,
			setup: deleteAll, inject: func(w *world) error { return w.powerCutRemotes() }, verify: verifyRepair},
		{name: "power-remote-fsync", what: "the same with fsync: true", disks: journaling, blind: true, setup: func(w *world) error {
			for _, r := range w.remotes {
				r.extra += ", fsync: true"
			}
			return deleteAll(w)
		}, inject: func(w *world) error { return w.powerCutRemotes() }, verify: verifyRepair},
		{name: "rollback-remote", what: "the remotes are set back to an older image; found and repaired by verify", disks: journaling, blind: true,
			setup: deleteAll, inject: rollbackRemotes, verify: verifyRepair},
		{name: "rollback-state", what: "the state directory is set back to an older image", disks: []string{"ext4"}, blind: true, split: true,
			setup: deleteAll, inject: rollbackState, verify: verifyRepair},
	}
}

// freeze stops the daemon with its children at one instant.
func (w *world) freeze() ([]int, error) {
	if w.daemon.Ended() {
		return nil, nil
	}
	pids := []int{w.daemon.Pid()}
	if err := w.daemon.Signal(syscall.SIGSTOP); errors.Is(err, os.ErrProcessDone) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	// One that was not stopped yet may have forked since it was listed.
	for more := true; more; {
		more = false
		for _, c := range lab.Children(w.daemon.Pid()) {
			if !slices.Contains(pids, c.PID) {
				pids, more = append(pids, c.PID), true
				_ = syscall.Kill(c.PID, syscall.SIGSTOP) // gone is as good
			}
		}
	}
	return pids, nil
}

// fell kills what freeze has stopped and waits until it is gone.
func (w *world) fell(pids []int) error {
	for _, pid := range pids {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	if len(pids) > 0 {
		if err := w.kill(); err != nil {
			return err
		}
	}
	for _, pid := range pids {
		for i := 0; i < 500 && syscall.Kill(pid, 0) == nil; i++ {
			time.Sleep(2 * time.Millisecond)
		}
	}
	return nil
}

// powerCut loses the volatile state of disks at one instant.
func (w *world) powerCut(disks ...*lab.Disk) error {
	w.after(50*time.Millisecond, 1500*time.Millisecond)
	resume := w.load.pause()
	pids, err := w.freeze()
	if err != nil {
		resume()
		return err
	}
	w.fault("power cut")
	images := make([]*lab.Image, len(disks))
	for i, d := range disks {
		if images[i], err = d.Snap(); err != nil {
			resume()
			return err
		}
	}
	err = w.fell(pids)
	for i, d := range disks {
		if err == nil {
			err = putBack(d, images[i])
		}
	}
	if err == nil {
		err = w.start()
	}
	resume()
	w.after(0, 300*time.Millisecond)
	return err
}

// putBack mounts an image and removes its file.
func putBack(d *lab.Disk, img *lab.Image) error {
	if err := d.Restore(img); err != nil {
		return err
	}
	return img.Remove()
}

// powerCutRemotes cuts the disk below all remotes; the daemon lives on.
func (w *world) powerCutRemotes() error {
	w.after(200*time.Millisecond, 1500*time.Millisecond)
	w.remotes[0].rsyncd.Stop()
	pids, err := w.freeze() // the local target's receivers are its children
	if err != nil {
		return err
	}
	w.fault("power cut of the remotes")
	img, err := w.far.Snap()
	if err != nil {
		return err
	}
	if err := w.fell(pids); err != nil {
		return err
	}
	if err := putBack(w.far, img); err != nil {
		return err
	}
	if err := w.remotes[0].rsyncd.Start(); err != nil {
		return err
	}
	return w.start()
}

func shutdownHost(w *world) error {
	w.after(50*time.Millisecond, 1000*time.Millisecond)
	resume := w.load.pause()
	defer resume()
	w.fault("shutdown of the file system")
	if err := w.host.Shutdown(); err != nil {
		return err
	}
	w.after(0, 500*time.Millisecond)
	pids, err := w.freeze()
	if err != nil {
		return err
	}
	if err := w.fell(pids); err != nil {
		return err
	}
	// One that died of it by itself has left rsyncs behind, which take their time.
	for i := 0; i < 400 && len(w.host.Users()) > 0; i++ {
		time.Sleep(50 * time.Millisecond)
	}
	for i := 0; ; i++ {
		err := w.host.Remount()
		if err == nil {
			// As long as somebody uses the dead one, it is mounted once more.
			alive := filepath.Join(w.state, ".alive")
			err = errors.Join(os.WriteFile(alive, nil, 0o600), os.Remove(alive))
		}
		if err == nil {
			break
		}
		if i == 200 {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
	return w.start()
}

func rollbackRemotes(w *world) error {
	img, err := w.far.SnapFrozen()
	if err != nil {
		return err
	}
	w.after(300*time.Millisecond, 1500*time.Millisecond)
	w.remotes[0].rsyncd.Stop()
	pids, err := w.freeze()
	if err != nil {
		return err
	}
	if err := w.fell(pids); err != nil {
		return err
	}
	w.fault("remotes set back")
	if err := putBack(w.far, img); err != nil {
		return err
	}
	if err := w.remotes[0].rsyncd.Start(); err != nil {
		return err
	}
	return w.start()
}

func rollbackState(w *world) error {
	img, err := w.stateDisk.SnapFrozen()
	if err != nil {
		return err
	}
	w.after(300*time.Millisecond, 1500*time.Millisecond)
	pids, err := w.freeze()
	if err != nil {
		return err
	}
	if err := w.fell(pids); err != nil {
		return err
	}
	w.fault("state directory set back")
	if err := putBack(w.stateDisk, img); err != nil {
		return err
	}
	return w.start()
}

// verifyRepair has verify find what is wrong and repair it.
func verifyRepair(w *world) error {
	out, code, err := w.daemon.Run("verify", "--checksum", "--repair")
	if err != nil {
		return err
	}
	w.fault("verify ended with %d: %.2000s", code, out)
	return w.quiet()
}
