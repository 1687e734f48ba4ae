package replicate_test

import (
	"os"
	"testing"
	"time"
)

// little is more than what a move of the tests' directories costs on the wire,
// and much less than what is in them.
const little = 60 << 10

// TestMovedDirectoryIsLinked moves directories in the ways there are: the remote
// keeps its inodes, and next to nothing goes over the wire.
func TestMovedDirectoryIsLinked(t *testing.T) {
	for name, opt := range remotes {
		t.Run(name, func(t *testing.T) {
			c := newChain(t, opt).start()
			c.fill("p", 4, 25, 20_000)
			c.write("keep/x", "x")
			c.sync()
			step := func(what, at string, move func()) {
				t.Helper()
				const f = "/d2/f7"
				before, ino := c.wire(), c.ino(at+f)
				move()
				c.sync()
				at = map[string]string{"rename": "q", "deep": "new/sub/q", "back": "p", "over": "keep"}[what]
				// What comes back may have been read in a state that nobody saw: it is
				// written anew, from what the remote has; all of it in a local run.
				if got := c.ino(at + f); got != ino && what != "back" {
					t.Errorf("%s: the remote has inode %d, it was %d", what, got, ino)
				}
				if what == "back" && name == "local" {
					return
				}
				if sent := c.wire() - before; sent > little {
					t.Errorf("%s: %d bytes on the wire", what, sent)
				}
			}
			step("rename", "p", func() { c.rename("p", "q") })
			step("deep", "q", func() { c.rename("q", "new/sub/q") })
			step("back", "new/sub/q", func() { c.rename("new/sub/q", "p") })
			step("over", "p", func() {
				if err := os.RemoveAll(c.src + "/keep"); err != nil {
					t.Fatal(err)
				}
				c.rename("p", "keep")
				c.write("keep/d1/new", "an edit after the move")
				c.write("keep/d1/f3", "another")
			})
		})
	}
}

// TestMovedWhileDown does the same while nobody watches; the new path comes
// before or after the old one in the order of a scan.
func TestMovedWhileDown(t *testing.T) {
	c := newChain(t, remotes["daemon"]).start()
	c.fill("m/p", 4, 25, 20_000)
	c.write("a/x", "x")
	c.write("z/x", "x")
	c.sync()
	at := "m/p"
	for _, to := range []string{"m/a", "m/z", "a/q", "z/q", "top", "b/new/q"} {
		c.stop()
		ino := c.ino(at + "/d2/f7")
		c.rename(at, to)
		at = to
		c.start()
		c.sync()
		if got := c.ino(at + "/d2/f7"); got != ino {
			t.Errorf("%s: the remote has inode %d, it was %d", to, got, ino)
		}
		if sent := c.wire(); sent > little {
			t.Errorf("%s: %d bytes on the wire", to, sent)
		}
	}
}

// TestMovedContentIsCompared puts an mtime back after a change of content and
// moves the directory, all between two looks: the remote has a file of that
// name, size and mtime below the old path, and no entry tells that it is
// another.
func TestMovedContentIsCompared(t *testing.T) {
	c := newChain(t, remotes["daemon"])
	c.fill("p", 2, 5, 1000)
	old := time.Now().Add(-time.Hour)
	c.write("p/d1/same", "one content")
	if err := os.Chtimes(c.src+"/p/d1/same", old, old); err != nil {
		t.Fatal(err)
	}
	c.start()
	c.sync()
	c.stop()
	c.write("p/d1/same", "two content")
	if err := os.Chtimes(c.src+"/p/d1/same", old, old); err != nil {
		t.Fatal(err)
	}
	c.rename("p", "q")
	c.start()
	c.sync()
}
