package main

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"gorsyncd/bench/lab"
)

// sourceRows are what happens to the source as a whole and to the kernel's
// events.
func sourceRows() []*row {
	return []*row{
		{name: "overflow", what: "the kernel's event queue overflows (max_queued_events = 16)", setup: onInotify, inject: overflow, global: true},
		{name: "watch-limit", what: "fewer watches than directories (max_user_watches)", setup: onInotify, inject: watchLimit, global: true},
		{name: "unmount", what: "the source is unmounted, leaving an empty directory, and mounted again", disks: journaling, split: true, idle: true, inject: unmount},
		{name: "unmount-down", what: "the same while the daemon starts", disks: []string{"ext4"}, split: true, idle: true, inject: unmountAtStart},
		{name: "bind-mount", what: "another file system is bound into the source and taken away", disks: []string{"ext4"}, inject: bindMount},
		{name: "root-replaced", what: "the source's root is moved away and back, and something else is there meanwhile", inject: rootReplaced},
		{name: "offline", what: "changes while the daemon is down, with sizes and times kept", inject: offline, idle: true},
		{name: "clock", what: "the clock jumps forth and back by up to an hour", inject: clockJump, global: true},
	}
}

// onInotify is for its limits: fanotify has none.
func onInotify(w *world) error {
	w.settings = defaults + `, watch: {backend: inotify}`
	return nil
}

func overflow(w *world) error {
	// The limit counts for new queues only: the daemon has to start under it.
	w.daemon.Stop()
	restore, err := lab.WriteSysctl("fs.inotify.max_queued_events", "16")
	if err != nil {
		return err
	}
	err = w.start()
	for i := 0; err == nil && i < 100; i++ { // it answers before it has a queue
		var doc statusDoc
		if doc, err = w.status(); err == nil && doc.Sources[0].Watches > 0 {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if rerr := restore(); err == nil {
		err = rerr
	}
	if err != nil {
		return err
	}
	for i := range 30 {
		// The daemon is quick to empty it; in the end it is held up.
		if i > 3 {
			if err := w.daemon.Signal(syscall.SIGSTOP); err != nil {
				return err
			}
		}
		w.load.steps(300)
		if i > 3 {
			if err := w.daemon.Signal(syscall.SIGCONT); err != nil {
				return err
			}
			time.Sleep(100 * time.Millisecond)
		}
		doc, err := w.status()
		if err != nil {
			return err
		}
		if n := doc.Sources[0].Overflows; n > 0 {
			w.fault("%d overflows", n)
			return nil
		}
	}
	return fmt.Errorf("the queue did not overflow")
}

func watchLimit(w *world) error {
	w.daemon.Stop()
	restore, err := lab.WriteSysctl("fs.inotify.max_user_watches", fmt.Sprint(5+w.rnd.IntN(20)))
	if err != nil {
		return err
	}
	if err = w.start(); err == nil {
		w.load.steps(50)
		w.after(500*time.Millisecond, time.Second)
		w.load.steps(50)
	}
	if rerr := restore(); err == nil {
		err = rerr
	}
	return err
}

// held waits until the source is held.
func (w *world) held(limit time.Duration) error {
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		doc, err := w.status()
		if err == nil && len(doc.Sources) > 0 && doc.Sources[0].State == "held" {
			return nil
		}
	}
	return fmt.Errorf("the source is not held %s after it went away", limit)
}

func unmount(w *world) error {
	w.load.steps(40)
	w.after(0, 300*time.Millisecond)
	if err := w.host.Unmount(); err != nil {
		return err
	}
	w.fault("unmounted")
	if err := w.held(5 * time.Second); err != nil {
		return err
	}
	if w.rnd.IntN(2) == 0 {
		if _, _, err := w.daemon.Run("sync"); err != nil {
			return err
		}
	}
	w.after(0, time.Second)
	if err := w.host.Mount(); err != nil {
		return err
	}
	w.load.steps(40)
	return nil
}

func unmountAtStart(w *world) error {
	w.load.steps(40)
	if err := w.kill(); err != nil {
		return err
	}
	if err := w.host.Unmount(); err != nil {
		return err
	}
	if w.rnd.IntN(2) == 0 {
		if err := os.MkdirAll(w.src, 0o755); err != nil { // an empty root in its place
			return err
		}
	}
	w.fault("unmounted")
	if err := w.start(); err != nil {
		return err
	}
	if err := w.held(5 * time.Second); err != nil {
		return err
	}
	if err := w.host.Mount(); err != nil {
		return err
	}
	w.load.steps(40)
	return nil
}

func bindMount(w *world) error {
	from, to := filepath.Join(w.dir, "bound"), filepath.Join(w.src, "bind")
	for _, d := range []string{from, to} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(from, fmt.Sprint("f", w.rnd.IntN(9))), []byte(fmt.Sprint(w.rnd.Uint64())), 0o644); err != nil {
		return err
	}
	if err := unix.Mount(from, to, "", unix.MS_BIND, ""); err != nil {
		return err
	}
	w.fault("bound")
	w.after(200*time.Millisecond, 1500*time.Millisecond)
	if err := unix.Unmount(to, unix.MNT_DETACH); err != nil {
		return err
	}
	w.fault("unbound")
	w.after(2500*time.Millisecond, 3*time.Second) // it looks every second
	// A mount that went away is held below; the daemon is told that it is meant.
	_, _, err := w.daemon.Run("approve", sourceName+"/*")
	return err
}

func rootReplaced(w *world) error {
	w.after(0, 300*time.Millisecond)
	resume := w.load.pause()
	defer resume()
	away := w.src + ".away"
	if err := os.Rename(w.src, away); err != nil {
		return err
	}
	if w.rnd.IntN(2) == 0 {
		if err := os.MkdirAll(filepath.Join(w.src, "stranger"), 0o755); err != nil {
			return err
		}
	}
	w.fault("root replaced")
	w.after(200*time.Millisecond, 2500*time.Millisecond)
	if err := os.RemoveAll(w.src); err != nil {
		return err
	}
	return os.Rename(away, w.src)
}

func offline(w *world) error {
	if w.rnd.IntN(2) == 0 {
		w.daemon.Stop()
	} else if err := w.kill(); err != nil {
		return err
	}
	w.load.steps(20 + w.rnd.IntN(200))
	if err := w.secretly(20); err != nil {
		return err
	}
	return w.start()
}

// secretly changes contents and puts size and times back.
func (w *world) secretly(n int) error {
	files, err := w.regularFiles()
	if err != nil || len(files) == 0 {
		return err
	}
	for range n {
		f := files[w.rnd.IntN(len(files))]
		st, err := os.Lstat(f)
		if err != nil || st.Size() == 0 || st.Size() > 1<<20 {
			continue
		}
		data := make([]byte, st.Size())
		for i := range data {
			data[i] = byte('0' + w.rnd.IntN(10))
		}
		if err := overwrite(f, 0, data); err != nil {
			return err
		}
		if err := os.Chtimes(f, time.Time{}, st.ModTime()); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) regularFiles() ([]string, error) {
	var files []string
	err := filepath.WalkDir(filepath.Join(w.src, "tree"), func(path string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			files = append(files, path)
		}
		return err
	})
	return files, err
}

// clockJump sets the clock of the machine and puts it right again by the
// monotonic one.
func clockJump(w *world) error {
	w.after(0, 300*time.Millisecond)
	most := time.Hour
	if w.short {
		most = time.Minute // others on the machine look at its clock, too
	}
	by := time.Duration(w.rnd.Int64N(int64(2*most))) - most
	undo, err := lab.ShiftClock(by)
	if err != nil {
		return err
	}
	w.fault("clock shifted by %s", by)
	w.after(300*time.Millisecond, 1500*time.Millisecond)
	if w.rnd.IntN(3) == 0 {
		if err := w.kill(); err != nil {
			undo()
			return err
		}
		if err := w.daemon.Spawn(); err != nil {
			undo()
			return err
		}
	}
	return undo()
}
