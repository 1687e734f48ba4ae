package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestPowerCutLosesWhatWasNotSynced is the claim that every crash test rests on.
func TestPowerCutLosesWhatWasNotSynced(t *testing.T) {
	eachFS(t, func(t *testing.T, fs string) {
		d := newDisk(t, DiskOptions{FS: fs})
		kept, lost := filepath.Join(d.Path, "kept"), filepath.Join(d.Path, "lost")
		content := strings.Repeat("synced ", 20_000)
		write(t, kept, content, true)
		write(t, kept+"2", "then a small one", true)
		write(t, lost, content, false)
		wantContent(t, lost, content)

		start := time.Now()
		must(t, d.PowerCut())
		t.Logf("power cut in %s", time.Since(start))
		wantContent(t, kept, content)
		wantContent(t, kept+"2", "then a small one")
		if b, err := os.ReadFile(lost); err == nil && string(b) == content {
			t.Fatal("the power cut kept a file that nobody synced")
		}

		// The state after it is a disk like any other.
		write(t, lost, "again", true)
		must(t, d.PowerCut())
		wantContent(t, lost, "again")
		wantContent(t, kept, content)
	})
}

// TestSeveralDisksAtOneMoment cuts two disks as of one instant, under a
// process that still runs, and puts an older image back.
func TestSeveralDisksAtOneMoment(t *testing.T) {
	eachFS(t, func(t *testing.T, fs string) {
		dir := t.TempDir()
		a, b := newDisk(t, DiskOptions{Dir: dir, Name: "a", FS: fs}), newDisk(t, DiskOptions{Dir: dir, Name: "b", FS: fs})
		write(t, a.Path+"/f", "one", true)
		write(t, b.Path+"/f", "one", true)
		oldest, err := a.Snap()
		must(t, err)
		write(t, a.Path+"/f", "two", true)
		write(t, b.Path+"/f", "two", true)

		user := exec.Command("sleep", "60")
		user.Dir = a.Path
		must(t, user.Start())
		must(t, user.Process.Signal(unix.SIGSTOP))
		imgA, err := a.Snap()
		must(t, err)
		imgB, err := b.Snap()
		must(t, err)
		if users := a.Users(); len(users) != 1 || users[0] != user.Process.Pid {
			t.Errorf("users %v, want %d", users, user.Process.Pid)
		}
		must(t, user.Process.Kill())
		_ = user.Wait() // killed
		write(t, a.Path+"/f", "three", true)
		write(t, b.Path+"/g", "three", true)
		must(t, a.Restore(imgA))
		must(t, b.Restore(imgB))
		wantContent(t, a.Path+"/f", "two")
		wantContent(t, b.Path+"/f", "two")
		if _, err := os.Stat(b.Path + "/g"); err == nil {
			t.Error("a file younger than the image came back")
		}
		must(t, a.Restore(oldest))
		wantContent(t, a.Path+"/f", "one")
		must(t, a.Restore(imgA))
		wantContent(t, a.Path+"/f", "two")
	})
}

// appender appends numbered lines to path, each synced before it counts, until
// stop is called.
func appender(t *testing.T, path string) (acked *atomic.Int64, stop func()) {
	t.Helper()
	f, err := os.Create(path)
	must(t, err)
	acked = new(atomic.Int64)
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		defer f.Close()
		for n := int64(1); ; n++ {
			select {
			case <-quit:
				return
			default:
			}
			if _, err := fmt.Fprintf(f, "%08d\n", n); err != nil || f.Sync() != nil {
				t.Errorf("append: %v", err)
				acked.Store(n) // nobody waits for ever
				return
			}
			acked.Store(n)
		}
	}()
	return acked, func() { close(quit); <-done }
}

// TestImageUnderLoad takes images while a program writes, on a directory that
// clones files: each holds all that was acknowledged before.
func TestImageUnderLoad(t *testing.T) {
	t.Parallel()
	pool := newDisk(t, DiskOptions{FS: "xfs", MB: 600})
	for _, fs := range []string{"ext4", "btrfs"} {
		d := newDisk(t, DiskOptions{Dir: pool.Path, Name: fs, FS: fs, MB: 128})
		for round := range 4 {
			path := filepath.Join(d.Path, "log")
			acked, stop := appender(t, path)
			for acked.Load() == 0 {
				time.Sleep(time.Millisecond)
			}
			time.Sleep(time.Duration(30*round) * time.Millisecond)
			before := acked.Load()
			start := time.Now()
			img, err := d.Snap()
			took := time.Since(start)
			after := acked.Load()
			stop()
			must(t, err)
			must(t, d.Restore(img))
			b, err := os.ReadFile(path)
			must(t, err)
			got := int64(strings.Count(string(b), "\n"))
			t.Logf("%s: %d acknowledged before the image, %d in it, %d after it; %s", fs, before, got, after, took)
			if got < before || got > after+1 {
				t.Fatalf("%s: %d lines in the image; %d to %d were acknowledged", fs, got, before, after)
			}
			must(t, img.Remove())
		}
	}
}

// TestNoImageOfAMovingDisk writes during a copy, which then does not count.
func TestNoImageOfAMovingDisk(t *testing.T) {
	d := newDisk(t, DiskOptions{FS: "ext4", MB: 64})
	must(t, tryWrite(d.Path+"/f", 4096))
	tries := 0
	must(t, atRest(d.loop, settle, func() error {
		if tries++; tries > 2 {
			return nil
		}
		return tryWrite(d.Path+"/f", 4096)
	}))
	if tries != 3 {
		t.Errorf("%d copies, of which the third was undisturbed", tries)
	}
	err := atRest(d.loop, 100*time.Millisecond, func() error { return tryWrite(d.Path+"/f", 4096) })
	if !errors.Is(err, ErrBusy) {
		t.Fatalf("copied under load: %v", err)
	}
}

// TestPowerCutUnderASurvivor leaves a process on the dead file system.
func TestPowerCutUnderASurvivor(t *testing.T) {
	t.Parallel()
	d := newDisk(t, DiskOptions{FS: "xfs", MB: 300})
	write(t, d.Path+"/f", "old", true)
	f, err := os.OpenFile(d.Path+"/f", os.O_WRONLY, 0)
	must(t, err)
	defer f.Close()
	must(t, d.PowerCut())
	if _, err := f.WriteAt([]byte("new"), 0); err == nil && f.Sync() == nil {
		t.Error("the survivor can write to the dead file system")
	}
	wantContent(t, d.Path+"/f", "old")
}
