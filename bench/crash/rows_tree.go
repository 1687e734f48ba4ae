package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// treeRows are trees that are hard to follow.
func treeRows() []*row {
	return []*row{
		{name: "rename-storm", what: "files and directories are renamed as fast as the kernel can", inject: renameStorm},
		{name: "swap", what: "two directories swap their names over and over, in three steps and with RENAME_EXCHANGE", inject: swapStorm},
		{name: "moves", what: "SIGKILL where renamed directories are linked on the remotes: chains, over others, back, with edits, while it runs and while it is down", inject: movedDirs},
		{name: "symlink-loop", what: "symlinks to themselves, to their parents and to the root; a directory becomes a symlink and back", inject: symlinkLoops},
		{name: "hardlinks", what: "hard links across directories, made, broken, moved and written through", inject: hardLinks},
		{name: "mmap", what: "files written through memory maps, then touched", inject: mmapWriters},
		{name: "many", what: "100,000 entries in one directory, some of them changed, the directory moved; everything is compared after each fifth", judged: 5, patience: 20 * time.Minute, inject: manyEntries},
		{name: "deep", what: "directories down to PATH_MAX", inject: deepTree},
		{name: "append", what: "a file that is appended to all the time", inject: appendAlways},
		{name: "replace", what: "a large file that is replaced while it is transferred", inject: replaceAlways},
		{name: "sparse", what: "a sparse file of 1 GiB", inject: sparseFile},
		{name: "links-out", what: "a write through a hard link outside the source; found by the next scan", inject: linkOutside},
	}
}

// at returns a directory of the row's own in the source.
func (w *world) at(elem ...string) (string, error) {
	dir := filepath.Join(append([]string{w.src, "own"}, elem...)...)
	return dir, os.MkdirAll(dir, 0o755)
}

func put(path, data string) error { return os.WriteFile(path, []byte(data), 0o644) }

func renameStorm(w *world) error {
	dir, err := w.at("storm")
	if err != nil {
		return err
	}
	for i := range 20 {
		if err := os.MkdirAll(filepath.Join(dir, fmt.Sprint("d", i%5)), 0o755); err != nil {
			return err
		}
		if err := put(filepath.Join(dir, fmt.Sprint("d", i%5), fmt.Sprint("f", i)), fmt.Sprint(i, w.rnd.Uint64())); err != nil {
			return err
		}
	}
	var paths []string
	for end := time.Now().Add(time.Second); time.Now().Before(end); {
		paths = paths[:0]
		err := filepath.WalkDir(dir, func(p string, _ os.DirEntry, err error) error {
			if p != dir {
				paths = append(paths, p)
			}
			return err
		})
		if err != nil {
			return err
		}
		for range 20 {
			from := paths[w.rnd.IntN(len(paths))]
			to := filepath.Join(filepath.Dir(paths[w.rnd.IntN(len(paths))]), fmt.Sprint("r", w.rnd.IntN(30)))
			_ = os.Rename(from, to) // many are impossible
		}
	}
	return nil
}

func swapStorm(w *world) error {
	dir, err := w.at("swap")
	if err != nil {
		return err
	}
	a, b, tmp := filepath.Join(dir, "a"), filepath.Join(dir, "b"), filepath.Join(dir, "tmp")
	for i, d := range []string{a, b} {
		if err := os.MkdirAll(filepath.Join(d, "sub"), 0o755); err != nil {
			return err
		}
		for j := range 5 {
			if err := put(filepath.Join(d, "sub", fmt.Sprint("f", i*3+j)), fmt.Sprint(i, j, w.rnd.Uint64())); err != nil {
				return err
			}
		}
	}
	for end := time.Now().Add(800 * time.Millisecond); time.Now().Before(end); {
		if w.rnd.IntN(2) == 0 {
			if err := unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE); err != nil {
				return err
			}
		} else if err := errors.Join(os.Rename(a, tmp), os.Rename(b, a), os.Rename(tmp, b)); err != nil {
			return err
		}
		if w.rnd.IntN(4) == 0 {
			if err := put(filepath.Join(a, "sub", "f1"), fmt.Sprint(w.rnd.Uint64())); err != nil {
				return err
			}
			time.Sleep(time.Duration(w.rnd.IntN(5)) * time.Millisecond)
		}
	}
	return nil
}

func symlinkLoops(w *world) error {
	dir, err := w.at("loops")
	if err != nil {
		return err
	}
	for end := time.Now().Add(700 * time.Millisecond); time.Now().Before(end); time.Sleep(time.Duration(w.rnd.IntN(8)) * time.Millisecond) {
		name := filepath.Join(dir, fmt.Sprint("l", w.rnd.IntN(6)))
		_ = os.RemoveAll(name)
		switch target := []string{filepath.Base(name), "..", ".", "/", "l1", "l2/l3", w.src}[w.rnd.IntN(7)]; w.rnd.IntN(3) {
		case 0:
			if err := os.Mkdir(name, 0o755); err != nil {
				return err
			}
			if err := put(filepath.Join(name, "inside"), target); err != nil {
				return err
			}
		default:
			if err := os.Symlink(target, name); err != nil {
				return err
			}
		}
	}
	return nil
}

func hardLinks(w *world) error {
	var dirs []string
	for i := range 3 {
		d, err := w.at("links", fmt.Sprint("d", i))
		if err != nil {
			return err
		}
		dirs = append(dirs, d)
	}
	pick := func() string { return filepath.Join(dirs[w.rnd.IntN(3)], fmt.Sprint("h", w.rnd.IntN(8))) }
	for end := time.Now().Add(800 * time.Millisecond); time.Now().Before(end); time.Sleep(time.Duration(w.rnd.IntN(4)) * time.Millisecond) {
		a, b := pick(), pick()
		switch w.rnd.IntN(6) {
		case 0:
			_ = os.Remove(a)
		case 1:
			_ = os.Rename(a, b)
		case 2:
			if err := put(a, fmt.Sprint(w.rnd.Uint64())); err != nil {
				return err
			}
		case 3:
			_ = os.Chmod(a, []os.FileMode{0o600, 0o644, 0o755}[w.rnd.IntN(3)])
		default:
			_ = os.Remove(b)
			_ = os.Link(a, b) // not if a is missing or is b
		}
	}
	return nil
}

func mmapWriters(w *world) error {
	dir, err := w.at("mmap")
	if err != nil {
		return err
	}
	for i := range 10 {
		path := filepath.Join(dir, fmt.Sprint("m", i))
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
		if err != nil {
			return err
		}
		err = f.Truncate(64 << 10)
		var m []byte
		if err == nil {
			m, err = unix.Mmap(int(f.Fd()), 0, 64<<10, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
		}
		if err != nil {
			f.Close()
			return err
		}
		for range 50 {
			m[w.rnd.IntN(len(m))] = byte(w.rnd.IntN(256))
			time.Sleep(100 * time.Microsecond)
		}
		err = errors.Join(unix.Munmap(m), f.Close())
		if err != nil {
			return err
		}
		// No event tells of the map; whoever writes so must touch the file.
		if err := os.Chtimes(path, time.Time{}, time.Now()); err != nil {
			return err
		}
	}
	return nil
}

// many is the size of the large directory.
func (w *world) many() int {
	if w.short {
		return 20_000
	}
	return 100_000
}

func manyEntries(w *world) error {
	dir, err := w.at()
	if err != nil {
		return err
	}
	found, err := filepath.Glob(filepath.Join(dir, "many*"))
	if err != nil {
		return err
	}
	many := filepath.Join(dir, "many0")
	if len(found) == 0 {
		if err := os.Mkdir(many, 0o755); err != nil {
			return err
		}
		for i := range w.many() {
			if err := put(filepath.Join(many, fmt.Sprint("e", i)), fmt.Sprint(i)); err != nil {
				return err
			}
		}
		return nil
	}
	many = found[0]
	for range 500 {
		p := filepath.Join(many, fmt.Sprint("e", w.rnd.IntN(w.many())))
		if w.rnd.IntN(3) == 0 {
			_ = os.Remove(p)
		} else if err := put(p, fmt.Sprint(w.rnd.Uint64())); err != nil {
			return err
		}
	}
	if w.rnd.IntN(10) == 0 {
		return os.Rename(many, filepath.Join(dir, fmt.Sprint("many", w.rnd.IntN(1000))))
	}
	return nil
}

// deepTree makes directories until the kernel refuses the next path.
func deepTree(w *world) error {
	dir, err := w.at("deep")
	if err != nil {
		return err
	}
	top := filepath.Join(dir, fmt.Sprint("t", w.rnd.IntN(3)))
	if err := os.RemoveAll(top); err != nil {
		return err
	}
	name := strings.Repeat("d", 20+w.rnd.IntN(180))
	// The remotes' paths are longer than the source's by some bytes; what does
	// not fit there cannot be copied by anybody.
	most := unix.PathMax - 1 - 400
	path := top
	for len(path) < most {
		if err := os.Mkdir(path, 0o755); err != nil {
			return err
		}
		if err := put(filepath.Join(path, "f"), path); err != nil {
			return err
		}
		path = filepath.Join(path, name)
	}
	w.after(0, 500*time.Millisecond)
	if w.rnd.IntN(2) == 0 {
		moved := filepath.Join(dir, fmt.Sprint("m", w.rnd.IntN(1000)))
		if err := os.RemoveAll(moved); err != nil {
			return err
		}
		return os.Rename(top, moved)
	}
	return nil
}

func appendAlways(w *world) error {
	dir, err := w.at("append")
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(dir, fmt.Sprint("log", w.rnd.IntN(3))), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	line := []byte(strings.Repeat("x", 4000) + "\n")
	for end := time.Now().Add(time.Duration(1+w.rnd.IntN(2500)) * time.Millisecond); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if _, err := f.Write(line); err != nil {
			return err
		}
	}
	return nil
}

func replaceAlways(w *world) error {
	dir, err := w.at("replace")
	if err != nil {
		return err
	}
	data := make([]byte, 24<<20)
	for range 8 {
		for i := 0; i < len(data); i += 512 {
			data[i] = byte(w.rnd.IntN(256))
		}
		tmp := filepath.Join(dir, ".tmp")
		if err := os.WriteFile(tmp, data, 0o644); err != nil {
			return err
		}
		if err := os.Rename(tmp, filepath.Join(dir, "big")); err != nil {
			return err
		}
		w.after(0, 150*time.Millisecond)
	}
	return nil
}

func sparseFile(w *world) error {
	dir, err := w.at("sparse")
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(dir, "disk.img"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := f.Truncate(1 << 30); err != nil {
		return err
	}
	for range 20 {
		if _, err := f.WriteAt([]byte(fmt.Sprint(w.rnd.Uint64())), w.rnd.Int64N(1<<30-100)); err != nil {
			return err
		}
	}
	return nil
}

func linkOutside(w *world) error {
	dir, err := w.at("out")
	if err != nil {
		return err
	}
	in, out := filepath.Join(dir, "in"), filepath.Join(w.dir, "outside")
	_, err = os.Stat(in)
	if err != nil {
		if err := put(in, "first"); err != nil {
			return err
		}
		_ = os.Remove(out)
		if err := os.Link(in, out); err != nil {
			return err
		}
		w.after(0, 500*time.Millisecond)
	}
	if err := put(out, fmt.Sprint(w.rnd.Uint64())); err != nil {
		return err
	}
	w.daemon.Stop()
	return w.start()
}
