package replicate_test

import (
	"fmt"
	"os"
	"testing"
	"time"
)

// TestReplacedDirectoryIsLinked gives the name of a directory to another one, as
// a release does: the former one keeps its inodes on the remote, and next to
// nothing goes over the wire, live and across a stop.
func TestReplacedDirectoryIsLinked(t *testing.T) {
	for name, opt := range remotes {
		for _, down := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, down %v", name, down), func(t *testing.T) {
				c := newChain(t, opt).start()
				c.fill("site", 4, 25, 20_000)
				c.fill("site.new", 1, 3, 100)
				c.write("site/index", "the old release")
				c.write("site.new/index", "the new one")
				c.sync()
				before, ino := c.wire(), c.ino("site/d2/f7")
				if down {
					c.stop()
					before = 0 // it is counted anew
				}
				c.rename("site", "site.old")
				c.rename("site.new", "site")
				if down {
					c.start()
				}
				c.sync()
				if got := c.ino("site.old/d2/f7"); got != ino {
					t.Errorf("the remote has inode %d, it was %d", got, ino)
				}
				if sent := c.wire() - before; sent > little {
					t.Errorf("%d bytes on the wire", sent)
				}
			})
		}
	}
}

// TestDirectoriesInARow moves each of several directories to the place of the
// next, the last to a new one; and then all of them in a circle, in which nothing
// can be linked and nothing waits for ever.
func TestDirectoriesInARow(t *testing.T) {
	c := newChain(t, remotes["daemon"]).start()
	var inos []uint64
	for i, dir := range []string{"a", "b", "c"} {
		c.fill(dir, 2, 20, 20_000)
		for f := range 5 {
			c.write(fmt.Sprintf("%s/own%d-%d", dir, i, f), dir)
		}
	}
	c.sync()
	for i, dir := range []string{"a", "b", "c"} {
		inos = append(inos, c.ino(fmt.Sprintf("%s/own%d-0", dir, i)))
	}
	before := c.wire()
	c.rename("c", "d")
	c.rename("b", "c")
	c.rename("a", "b")
	c.sync()
	if got := c.ino("d/own2-0"); got != inos[2] {
		t.Errorf("the last has inode %d, it was %d", got, inos[2])
	}
	// The first two find files of the same names in their new places.
	if sent := c.wire() - before; sent > 2*2*20*21_000 {
		t.Errorf("%d bytes on the wire", sent)
	}
	for _, s := range [][2]string{{"d", "x"}, {"c", "d"}, {"b", "c"}, {"x", "b"}} {
		c.rename(s[0], s[1])
	}
	c.sync()
	for _, s := range [][2]string{{"b", "x"}, {"c", "b"}, {"x", "c"}} {
		c.rename(s[0], s[1])
	}
	c.sync()
}

// TestReplacedBySomethingWithin has the former directory below the one that took
// its place, and the other way round.
func TestReplacedBySomethingWithin(t *testing.T) {
	c := newChain(t, remotes["daemon"]).start()
	c.fill("a", 2, 5, 1000)
	c.fill("b/c", 2, 5, 1000)
	c.sync()
	c.rename("a", "tmp")
	if err := os.Mkdir(c.src+"/a", 0o755); err != nil {
		t.Fatal(err)
	}
	c.rename("tmp", "a/before")
	c.rename("b/c", "tmp")
	if err := os.RemoveAll(c.src + "/b"); err != nil {
		t.Fatal(err)
	}
	c.rename("tmp", "b")
	c.fill("b/c", 1, 2, 100)
	c.sync()
}

// TestGuardCountsWhatReplacedDirectoriesLose: what was in a directory whose name
// another one got is not lost where it is found under the new name; what is not
// found there is.
func TestGuardCountsWhatReplacedDirectoriesLose(t *testing.T) {
	for _, down := range []bool{false, true} {
		t.Run(fmt.Sprintf("down %v", down), func(t *testing.T) {
			c := newChain(t, func(c *chain) { c.o.MaxDelete = 10 })
			c.fill("site", 4, 25, 100)
			c.fill("site.new", 1, 3, 100)
			for i := range 30 {
				c.write(fmt.Sprintf("site/file%d", i), "x")
			}
			c.start()
			c.sync()
			release := func(lose string) {
				t.Helper()
				c.stop()
				if !down {
					c.start()
				}
				c.rename("site", "site.old")
				c.rename("site.new", "site")
				if lose != "" {
					if err := os.RemoveAll(c.src + "/" + lose); err != nil {
						t.Fatal(err)
					}
				}
				if down {
					c.start()
				}
			}
			release("")
			c.sync()
			if st := c.d.Status(); st.Held != nil {
				t.Fatalf("a release holds the remote: %+v", st.Held)
			}
			// And back, with a part of it gone.
			c.rename("site", "site.new")
			c.rename("site.old", "site")
			c.sync()
			release("site.old/d2")
			for end := time.Now().Add(20 * time.Second); c.d.Status().Held == nil; time.Sleep(10 * time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("what a release has lost does not hold the remote: %+v", c.d.Status())
				}
			}
			if _, err := c.tree.Fence(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := c.d.Approve(t.Context()); err != nil {
				t.Fatal(err)
			}
			c.sync()
		})
	}
}
