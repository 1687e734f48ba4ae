package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"gorsyncd/bench/testbed"
)

// wanted is what a copy must have at a path.
type wanted struct {
	path        string
	dir, gone   bool
	size, mtime int64 // of files; of directories only the time
}

// expectation is a tree as the observer expects it in copies. It costs each
// racer the same, and little: every path is looked at until it is there, once
// more often than that only the first that is not.
type expectation struct {
	files []wanted // everything but the times of directories
	dirs  []wanted
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
		w := wanted{path: path[min(len(path), len(root)+1):], dir: d.IsDir(), size: st.Size, mtime: st.Mtim.Nano()}
		if w.dir {
			e.dirs = append(e.dirs, w)
			w.mtime = 0
		}
		e.files = append(e.files, w)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the source: %w", err)
	}
	return e, nil
}

func (w *wanted) isIn(dst string) bool {
	var st syscall.Stat_t
	err := syscall.Lstat(filepath.Join(dst, w.path), &st)
	isDir := st.Mode&syscall.S_IFMT == syscall.S_IFDIR
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

// dirTimesWait is how much later than everything else the times of directories
// may come: a racer that gets there at all needs one run more.
const dirTimesWait = 3 * time.Second

// arrival says when copies had what was expected.
type arrival struct {
	took   time.Duration // until everything, or everything but times of directories
	equal  bool          // within the limit
	noDirs bool          // the times of directories were not
}

// wait waits for every copy, at most for limit after begin.
func (e *expectation) wait(dsts []string, begin time.Time, limit time.Duration) arrival {
	if !await(e.files, dsts, begin.Add(limit)) {
		return arrival{took: time.Since(begin)}
	}
	a := arrival{took: time.Since(begin), equal: true}
	if await(e.dirs, dsts, time.Now().Add(dirTimesWait)) {
		a.took = time.Since(begin)
	} else {
		a.noDirs = true
	}
	return a
}

func await(list []wanted, dsts []string, deadline time.Time) bool {
	for _, dst := range dsts {
		for i := range list {
			for !list[i].isIn(dst) {
				if time.Now().After(deadline) {
					return false
				}
				time.Sleep(300 * time.Microsecond)
			}
		}
	}
	return true
}

// judge has the oracle compare everything. wrong counts paths that differ in any
// copy in more than the time of a directory. A racer that is still at work gets
// a moment.
func judge(src string, dsts []string) (wrong int, sample string, err error) {
	want, err := testbed.Snapshot(src, testbed.Options{})
	if err != nil {
		return 0, "", err
	}
	withoutDirTimes(want)
	for _, dst := range dsts {
		var diff []string
		for try := range 10 {
			if try > 0 {
				time.Sleep(500 * time.Millisecond)
			}
			got, err := testbed.Snapshot(dst, testbed.Options{})
			if errors.Is(err, os.ErrNotExist) && try < 9 {
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
