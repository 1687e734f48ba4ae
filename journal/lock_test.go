package journal

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// A child between fork and exec has all descriptors of this process, so that
// what they share stays open when it is closed here.
func TestLockEndsWithClose(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "journal")
	j, err := Open(Options{Dir: dir})
	must(t, err)
	shared := 0
	fds, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	for _, fd := range fds {
		if to, _ := os.Readlink("/proc/self/fd/" + fd.Name()); to != dir {
			continue
		}
		var n int
		_, err := fmt.Sscan(fd.Name(), &n)
		must(t, err)
		child, err := syscall.Dup(n)
		must(t, err)
		defer syscall.Close(child)
		shared++
	}
	if shared == 0 {
		t.Fatal("no descriptor has the directory open")
	}
	must(t, j.Close())
	j, _, err = OpenOffline(dir)
	must(t, err)
	must(t, j.Close())
	reopen(t, Options{Dir: dir})
}

// TestLockedIsNotSetAside: nor is a directory that took the place of another one
// taken for the one that was locked.
func TestLockedIsNotSetAside(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "journal")
	j, err := Open(Options{Dir: dir})
	must(t, err)
	if _, err := SetAside(dir, time.Now()); !errors.Is(err, ErrLocked) {
		t.Error(err)
	}
	must(t, j.Close())
	aside, err := SetAside(dir, time.Now())
	must(t, err)
	d, err := os.Open(aside)
	must(t, err)
	defer d.Close()
	if !isAt(d, aside) || isAt(d, dir) {
		t.Error("where it is, is not known")
	}
	must(t, os.Mkdir(dir, 0o700))
	if isAt(d, dir) {
		t.Error("another directory is taken for it")
	}
}
