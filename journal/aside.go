package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"gorsyncd/journal/failpoint"
)

// SetAside renames a lost or damaged journal and its side file to
// DIR.lost-<UTC time> and returns that name, so that Open can begin a new one
// and nothing is deleted. Either of the two may be missing. It returns ErrLocked
// when a process has the journal open.
func SetAside(dir string, now time.Time) (string, error) {
	dir = filepath.Clean(dir)
	if exists(dir) {
		unlock, err := lockDir(dir, syscall.LOCK_EX)
		if err != nil {
			return "", fmt.Errorf("set journal aside: %w", err)
		}
		defer unlock()
	}
	stamp := dir + ".lost-" + now.UTC().Format("20060102T150405Z")
	target := stamp
	for n := 2; exists(target) || exists(sidePath(target)); n++ {
		target = fmt.Sprintf("%s.%d", stamp, n)
	}
	// The side file goes last: a crash in between leaves a journal that is
	// still seen as lost.
	moved := false
	for _, r := range [][2]string{{dir, target}, {sidePath(dir), sidePath(target)}} {
		err := os.Rename(r[0], r[1])
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("set journal aside: %w", err)
		}
		moved = moved || err == nil
		failpoint.Hit("journal.aside.moved")
	}
	if !moved {
		return "", fmt.Errorf("set journal aside: %s: %w", dir, fs.ErrNotExist)
	}
	if err := syncDir(filepath.Dir(dir)); err != nil {
		return "", err
	}
	if exists(target) {
		// Without space for it, it is merely not said.
		_ = markUnusable(target, "set aside")
	}
	return target, nil
}

func exists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}
