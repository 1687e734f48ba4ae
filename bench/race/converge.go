package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"gorsyncd/bench/testbed"
)

// wanted is what a copy must have at a path.
type wanted struct {
	path        string
	dir, gone   bool
	size, mtime int64 // of files; of directories only the time
}

// expectation is a tree as the observer expects it in copies. It costs each
// racer the same, bare rsync as well: every path is looked at until it is there,
// once more often than that only the first that is not.
type expectation struct {
	files []wanted // everything but the times of directories
	dirs  []wanted
}

// wantedFile is a file as it is now.
func wantedFile(path string, st *syscall.Stat_t) wanted {
	return wanted{path: path, size: st.Size, mtime: st.Mtim.Nano()}
}

// dir adds a directory, whose time counts when everything in it is there.
func (e *expectation) dir(path string, st *syscall.Stat_t) {
	e.files = append(e.files, wanted{path: path, dir: true})
	e.dirs = append(e.dirs, wanted{path: path, dir: true, mtime: st.Mtim.Nano()})
}

// expect reads a tree that is at rest. gone are paths that copies may have and
// must lose.
func expect(root string, gone ...string) (*expectation, error) {
	e := &expectation{}
	for _, p := range gone {
		e.files = append(e.files, wanted{path: p, gone: true})
	}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st syscall.Stat_t
		if err := syscall.Lstat(path, &st); err != nil {
			return &fs.PathError{Op: "lstat", Path: path, Err: err}
		}
		if rel := path[min(len(path), len(root)+1):]; d.IsDir() {
			e.dir(rel, &st)
		} else {
			e.files = append(e.files, wantedFile(rel, &st))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the source: %w", err)
	}
	return e, nil
}

// isIn looks below the open directory of a copy.
func (w *wanted) isIn(dst int) bool {
	var st unix.Stat_t
	var err error
	if w.path == "" {
		err = unix.Fstat(dst, &st)
	} else {
		err = unix.Fstatat(dst, w.path, &st, unix.AT_SYMLINK_NOFOLLOW)
	}
	isDir := st.Mode&unix.S_IFMT == unix.S_IFDIR
	switch {
	case w.gone:
		return errors.Is(err, fs.ErrNotExist)
	case err != nil || isDir != w.dir:
		return false
	case w.dir:
		return w.mtime == 0 || st.Mtim.Nano() == w.mtime
	}
	return st.Size == w.size && st.Mtim.Nano() == w.mtime
}

// arrival says when copies had what was expected.
type arrival struct {
	took   time.Duration // until everything, or everything but times of directories
	equal  bool          // within the limit
	noDirs bool          // the times of directories were not
}

// patience is how long the observer waits.
type patience struct {
	all  time.Duration // from the end of the change
	dirs time.Duration // for the times of directories, when all else is there: one run more
}

// patienceFor is longer with ours, of which everything is expected.
func (r *rig) patienceFor(rc *racer) patience {
	if rc.gorsyncd() {
		return patience{max(r.o.limit, 10*time.Minute), max(r.o.limit, time.Minute)}
	}
	return patience{r.o.limit, time.Duration(r.size(100, 3000, 3000)) * time.Millisecond}
}

// wait waits for every copy; what is measured began at begin.
func (e *expectation) wait(dsts []string, begin time.Time, p patience) arrival {
	if !await(e.files, dsts, after(p.all)) {
		return arrival{took: time.Since(begin)}
	}
	a := arrival{took: time.Since(begin), equal: true}
	if await(e.dirs, dsts, after(p.dirs)) {
		a.took = time.Since(begin)
	} else {
		a.noDirs = true
	}
	return a
}

// after tells whether a time is over.
func after(d time.Duration) (over func() bool) {
	deadline := time.Now().Add(d)
	return func() bool { return time.Now().After(deadline) }
}

// await looks at one path after the other until it is as expected. It returns
// false when one is not and nothing more is to be expected.
func await(list []wanted, dsts []string, over func() bool) bool {
	return !slices.ContainsFunc(dsts, func(dst string) bool {
		dir, err := os.Open(dst)
		if err != nil {
			return true
		}
		defer dir.Close()
		return !awaitIn(list, int(dir.Fd()), over)
	})
}

func awaitIn(list []wanted, dst int, over func() bool) bool {
	for i := range list {
		for !list[i].isIn(dst) {
			if over() {
				return false
			}
			time.Sleep(500 * time.Microsecond)
		}
	}
	return true
}

// judge has the oracle compare everything. wrong counts paths that differ in any
// copy in more than the time of a directory. A racer that is still at work gets
// so many looks, half a second apart.
func judge(src string, dsts []string, looks int) (wrong int, sample string, err error) {
	want, err := testbed.Snapshot(src, testbed.Options{})
	if err != nil {
		return 0, "", err
	}
	withoutDirTimes(want)
	for _, dst := range dsts {
		var diff []string
		for try := range looks {
			if try > 0 {
				time.Sleep(500 * time.Millisecond)
			}
			got, err := testbed.Snapshot(dst, testbed.Options{})
			if errors.Is(err, os.ErrNotExist) && try < looks-1 {
				continue // a temporary file came and went
			}
			if err != nil {
				return 0, "", err
			}
			withoutDirTimes(got)
			if diff = testbed.Diff(want, got); len(diff) == 0 {
				break
			}
		}
		if len(diff) > 0 {
			wrong += len(diff)
			sample = fmt.Sprintf("%s: %.200s", filepath.Base(dst), diff[0])
		}
	}
	return wrong, sample, nil
}

func withoutDirTimes(nodes map[string]testbed.Node) {
	for path, n := range nodes {
		if n.Type == "dir" {
			n.Mtime = 0
			nodes[path] = n
		}
	}
}
