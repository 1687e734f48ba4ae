package journal

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
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
