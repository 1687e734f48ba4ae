package replicate_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// mover changes a tree with few names, so that directories take each other's
// places: what one of its paths was a moment ago is now another.
type mover struct {
	root string
	rng  *rand.Rand
	n    int
}

var moverNames = []string{"a", "b", "c", "d"}

// dir is an existing directory below the root, "" when there is none.
func (m *mover) pick(dirs bool) string {
	var list []string
	_ = filepath.WalkDir(m.root, func(p string, e os.DirEntry, err error) error {
		if err == nil && p != m.root && e.IsDir() == dirs && (dirs || e.Type().IsRegular()) {
			list = append(list, p)
		}
		return nil
	})
	if len(list) == 0 {
		return ""
	}
	return list[m.rng.IntN(len(list))]
}

// place is a name for a directory, which may exist.
func (m *mover) place() string {
	dir := m.root
	for m.rng.IntN(3) == 0 {
		if next := m.pick(true); next != "" {
			dir = next
		}
	}
	return filepath.Join(dir, moverNames[m.rng.IntN(len(moverNames))])
}

// step makes one change; one that is not possible is none.
func (m *mover) step() {
	m.n++
	old := time.Unix(1700000000+int64(m.rng.IntN(3)), 0)
	switch dir, file := m.pick(true), m.pick(false); m.rng.IntN(18) {
	case 0, 1:
		m.fill(m.place())
	case 2, 3, 4, 5:
		_ = os.Rename(dir, m.place())
	case 6: // over what is there
		if to := m.place(); to != dir && !strings.HasPrefix(dir, to+"/") {
			_ = os.RemoveAll(to)
			_ = os.Rename(dir, to)
		}
	case 7:
		_ = unix.Renameat2(unix.AT_FDCWD, dir, unix.AT_FDCWD, m.pick(true), unix.RENAME_EXCHANGE)
	case 8: // a chain
		a, b, c := m.place(), m.place(), m.place()
		_ = os.Rename(b, c)
		_ = os.Rename(a, b)
	case 9:
		m.copy(dir, m.place())
	case 10: // another content with the same size and mtime
		if fi, err := os.Lstat(file); err == nil {
			_ = os.WriteFile(file, []byte(fmt.Sprintf("%-64d", m.n)), 0o644)
			_ = os.Chtimes(file, fi.ModTime(), fi.ModTime())
		}
	case 11:
		_ = os.WriteFile(file, []byte(fmt.Sprintf("%-64d", m.n)), 0o644)
		if m.rng.IntN(2) == 0 {
			_ = os.Chtimes(file, old, old)
		}
	case 12:
		_ = os.Chmod(file, []os.FileMode{0o600, 0o640, 0o644}[m.rng.IntN(3)])
	case 13:
		_ = os.Link(file, m.place()+"-link")
	case 14:
		_ = os.RemoveAll([]string{dir, file}[m.rng.IntN(2)])
	case 15, 16: // the same content at another time
		_ = os.Chtimes(file, old, old)
	case 17:
		to := m.place() + "-file"
		if m.rng.IntN(2) == 0 {
			to = filepath.Join(filepath.Dir(to), filepath.Base(file))
		}
		_ = os.Rename(file, to)
		_ = os.Symlink("nowhere", m.place()+"-sym")
	}
}

func (m *mover) fill(dir string) {
	if os.Mkdir(dir, 0o755) != nil {
		return
	}
	if m.rng.IntN(4) == 0 {
		_ = os.WriteFile(dir+"/big", []byte(strings.Repeat(fmt.Sprintf("%-64d", m.rng.IntN(3)), 1<<14)), 0o644)
	}
	for i := range 1 + m.rng.IntN(4) {
		name := fmt.Sprintf("%s/f%d", dir, i)
		_ = os.WriteFile(name, []byte(fmt.Sprintf("%-64d", m.rng.IntN(3))), 0o644)
		if m.rng.IntN(2) == 0 {
			old := time.Unix(1700000000, 0)
			_ = os.Chtimes(name, old, old)
		}
	}
}

// copy makes a copy with the same times, as cp -a does: an equal file that is
// another.
func (m *mover) copy(from, to string) {
	if from == "" || strings.HasPrefix(to+"/", from+"/") || os.Mkdir(to, 0o755) != nil {
		return
	}
	_ = filepath.WalkDir(from, func(p string, e os.DirEntry, err error) error {
		rel, _ := filepath.Rel(from, p)
		switch {
		case err != nil || rel == ".":
		case e.IsDir():
			_ = os.Mkdir(filepath.Join(to, rel), 0o755)
		case e.Type().IsRegular():
			b, _ := os.ReadFile(p)
			fi, err := e.Info()
			if err != nil || os.WriteFile(filepath.Join(to, rel), b, 0o644) != nil {
				return nil
			}
			_ = os.Chmod(filepath.Join(to, rel), fi.Mode().Perm())
			_ = os.Chtimes(filepath.Join(to, rel), fi.ModTime(), fi.ModTime())
		}
		return nil
	})
}

// killRsync ends one of our rsyncs at once, if there is any.
func killRsync(rng *rand.Rand) {
	var pids []int
	tasks, _ := filepath.Glob("/proc/self/task/*/children")
	for _, name := range tasks {
		b, _ := os.ReadFile(name)
		for _, f := range strings.Fields(string(b)) {
			comm, _ := os.ReadFile("/proc/" + f + "/comm")
			if pid, err := strconv.Atoi(f); err == nil && string(comm) == "rsync\n" && !isDaemon(f) {
				pids = append(pids, pid)
			}
		}
	}
	if len(pids) > 0 {
		slices.Sort(pids)
		_ = syscall.Kill(pids[rng.IntN(len(pids))], syscall.SIGKILL)
	}
}

func isDaemon(pid string) bool {
	b, err := os.ReadFile("/proc/" + pid + "/cmdline")
	return err != nil || strings.Contains(string(b), "--daemon")
}

// TestMovesEndEqual has directories take each other's places in every way, live
// and while nobody watches, with runs that are killed in between. Whatever is
// taken for a move of what: the remote is equal in the end, in contents, in
// attributes, and in which names are one file.
func TestMovesEndEqual(t *testing.T) {
	seed := rand.Uint64()
	if s := os.Getenv("REPLICATE_SEED"); s != "" {
		seed, _ = strconv.ParseUint(s, 10, 64)
	}
	rounds := 6
	if s := os.Getenv("REPLICATE_ROUNDS"); s != "" {
		rounds, _ = strconv.Atoi(s)
	}
	for i, name := range []string{"daemon", "local"} {
		t.Run(name, func(t *testing.T) {
			t.Logf("REPLICATE_SEED=%d", seed)
			rng := rand.New(rand.NewPCG(seed, uint64(i)))
			c := newChain(t, remotes[name])
			m := &mover{root: c.src, rng: rng}
			for range 10 {
				m.step()
			}
			c.start()
			for range rounds {
				down := rng.IntN(4) == 0
				if down {
					c.stop()
				}
				for range 1 + rng.IntN(12) {
					m.step()
					if rng.IntN(4) == 0 {
						time.Sleep(time.Duration(rng.IntN(15)) * time.Millisecond)
					}
					if rng.IntN(6) == 0 {
						killRsync(rng)
					}
				}
				if down {
					c.start()
				}
				if rng.IntN(2) == 0 {
					c.sync()
				}
			}
			c.sync()
		})
	}
}
