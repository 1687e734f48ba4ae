package watch

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestChurn changes a tree at random, restarts now and then, and compares the
// index with a fresh walk after each fence.
func TestChurn(t *testing.T) { onBoth(t, testChurn) }

func testChurn(t *testing.T) { runChurn(t, nil, func(start func()) { start() }) }

// TestChurnInAGroup does it to three trees at once that share a group, and leave
// and join it at random.
func TestChurnInAGroup(t *testing.T) {
	g := NewGroup()
	for _, name := range []string{"a", "b", "c"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			t.Run(string(BackendFanotify), func(t *testing.T) { runChurn(t, g, func(start func()) { start() }) })
		})
	}
}

// TestChurnWithSmallQueue does the same while events are lost all the time.
func TestChurnWithSmallQueue(t *testing.T) {
	runChurn(t, nil, func(start func()) { withQueue(t, 16, start) })
}

func runChurn(t *testing.T, group *Group, around func(start func())) {
	s := seed(t, "WATCH_CHURN_SEED")
	rnd := rand.New(rand.NewPCG(s, 1))
	r := newRig(t)
	r.passingLinks = true
	r.o.Group = group
	around(func() {
		r.start()
		r.waitReady()
	})
	c := &churn{rnd: rnd, root: r.root, outside: t.TempDir()}
	c.do("keep", os.WriteFile(r.path("keep"), nil, 0o644))
	rounds, ops := 30, 150
	if testing.Short() {
		rounds = 8
	}
	for i := range rounds {
		for range ops {
			c.step()
		}
		r.settled()
		switch rnd.IntN(6) {
		case 0:
			r.stop()
			for range ops {
				c.step()
			}
			around(func() {
				r.start()
				r.waitReady()
			})
			r.settled()
		case 1:
			time.Sleep(2 * confirmAfter)
			r.settled()
		}
		if i%10 == 9 {
			t.Logf("round %d: %d paths, %+v", i, len(r.idx.live()), r.tree.Status())
		}
	}
	if st := r.tree.Status(); st.Watches+st.Marked != st.Dirs || st.Unwatched != 0 {
		t.Errorf("directories without a watch: %+v", st)
	}
	r.watched(t)
	if group == nil {
		r.remembersOwn()
	}
}

// watched asserts that each directory has a live watch under its present name.
func (r *rig) watched(t *testing.T) {
	var dirs []string
	for p, s := range r.walk() {
		if s.Type == 2 {
			dirs = append(dirs, p)
		}
	}
	for _, d := range dirs {
		r.do(os.WriteFile(r.path(join(d, "probe")), nil, 0o644))
	}
	r.settled()
}

func (r *rig) do(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// churn makes random changes. Errors are part of it: a path may be of any type
// or not there.
type churn struct {
	rnd     *rand.Rand
	root    string
	outside string
	n       int
}

// do ignores the error of a change.
func (c *churn) do(string, error) {}

var churnNames = []string{"a", "b", "c", "d", "e\nf", "\xff", "-x", "...", "x]y"}

// pick returns a path that exists more often than not.
func (c *churn) pick() string {
	p := c.root
	for range 1 + c.rnd.IntN(5) {
		var list []os.DirEntry
		if fi, err := os.Stat(p); err == nil && fi.IsDir() { // opening a fifo would wait
			list, _ = os.ReadDir(p)
		}
		if len(list) > 0 && c.rnd.IntN(5) > 0 {
			p = filepath.Join(p, list[c.rnd.IntN(len(list))].Name())
		} else {
			p = p + "/" + churnNames[c.rnd.IntN(len(churnNames))]
		}
	}
	if p == c.root+"/keep" {
		return c.root + "/a"
	}
	return p
}

// write never waits for the reader of a fifo.
func (c *churn) write(p string, flag, n int) {
	f, err := os.OpenFile(p, os.O_WRONLY|os.O_CREATE|unix.O_NONBLOCK|flag, 0o644)
	if err != nil {
		return
	}
	defer f.Close()
	_, err = fmt.Fprint(f, n)
	c.do("write", err)
}

func (c *churn) step() {
	c.n++
	p := c.pick()
	switch c.rnd.IntN(21) {
	case 0, 1, 2:
		c.write(p, os.O_TRUNC, c.n)
	case 3:
		c.write(p, os.O_APPEND, c.n)
	case 4, 5:
		c.do("mkdir", os.MkdirAll(p, 0o755))
	case 6:
		c.do("remove", os.Remove(p))
	case 7:
		if _, err := os.Lstat(p); err == nil { // else its parent may be a fifo, which is opened
			c.do("remove all", os.RemoveAll(p))
		}
	case 8, 9, 10:
		c.do("rename", os.Rename(p, c.pick()))
	case 11:
		c.do("exchange", unix.Renameat2(unix.AT_FDCWD, p, unix.AT_FDCWD, c.pick(), unix.RENAME_EXCHANGE))
	case 12:
		c.do("chmod", unix.Fchmodat(unix.AT_FDCWD, p, uint32(c.rnd.IntN(0o7777))|0o700, unix.AT_SYMLINK_NOFOLLOW))
	case 13:
		c.do("chown", os.Lchown(p, c.rnd.IntN(5), c.rnd.IntN(5)))
	case 14:
		c.do("symlink", os.Symlink(c.pick(), p))
	case 15:
		at := unix.NsecToTimespec(c.rnd.Int64N(2e18))
		c.do("utimes", unix.UtimesNanoAt(unix.AT_FDCWD, p, []unix.Timespec{at, at}, unix.AT_SYMLINK_NOFOLLOW))
	case 16:
		c.do("fifo", syscall.Mkfifo(p, 0o600))
	case 17:
		c.do("move out", os.Rename(p, filepath.Join(c.outside, fmt.Sprint(c.n))))
	case 18:
		if list, err := os.ReadDir(c.outside); err == nil && len(list) > 0 {
			c.do("move in", os.Rename(filepath.Join(c.outside, list[c.rnd.IntN(len(list))].Name()), p))
		}
	case 20:
		c.do("link", os.Link(p, c.pick()))
	case 19: // within one tick of the clock
		for i := range 3 {
			c.write(p, os.O_TRUNC, i)
		}
	}
}
