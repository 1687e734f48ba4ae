package replicate_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"
	"time"

	"gorsyncd/bench/testbed"
	"gorsyncd/journal"
	"gorsyncd/replicate"
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

// TestMovedDirectoryThatWasALink moves a directory that the remote never got: it
// has a symbolic link in its place, behind which there are equal files of
// another directory.
func TestMovedDirectoryThatWasALink(t *testing.T) {
	daemon := &testbed.Rsyncd{}
	c := newChain(t, func(c *chain) {
		daemon = testbed.RunRsyncd(t, testbed.Module{Name: "m", Path: c.dst})
		c.to(daemon.Target("m"))
	})
	c.fill("e", 1, 5, 1000)
	if err := os.Symlink("e", c.src+"/p"); err != nil {
		t.Fatal(err)
	}
	c.start()
	c.sync()
	daemon.Stop()
	journaled := func() {
		t.Helper()
		if _, err := c.tree.Fence(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(c.src + "/p"); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("cp", "-a", c.src+"/e", c.src+"/p").CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	journaled()
	c.rename("p", "q")
	journaled()
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	c.sync()
}

// TestMovedAndKept moves a directory on a remote that removes nothing: the old
// path stays there, with files of its own.
func TestMovedAndKept(t *testing.T) {
	c := newChain(t, remotes["daemon"], func(c *chain) { c.o.Delete = replicate.DeleteNone })
	c.fill("p", 2, 10, 20_000)
	c.start()
	c.sync()
	before := c.wire()
	c.rename("p", "q")
	c.fence()
	if sent := c.wire() - before; sent > little {
		t.Errorf("%d bytes on the wire", sent)
	}
	if c.ino("p/d1/f1") == c.ino("q/d1/f1") {
		t.Error("both paths of the remote are one file")
	}
	if diff, err := testbed.DiffTrees(c.src+"/q", c.dst+"/q", testbed.Options{}); err != nil || len(diff) > 0 {
		t.Errorf("the new path differs: %v %q", err, diff)
	}
}

// TestMovedWithoutTheOldPath moves what the remote has lost: it is sent.
func TestMovedWithoutTheOldPath(t *testing.T) {
	c := newChain(t, remotes["daemon"]).start()
	c.fill("p", 2, 10, 1000)
	c.sync()
	if err := os.RemoveAll(c.dst + "/p"); err != nil {
		t.Fatal(err)
	}
	c.rename("p", "q")
	c.sync()
}

// TestMovedWhileUnreachable moves a directory twice, and others that hand their
// names on, while the remote is away: it has the first path.
func TestMovedWhileUnreachable(t *testing.T) {
	daemon := &testbed.Rsyncd{}
	c := newChain(t, func(c *chain) {
		daemon = testbed.RunRsyncd(t, testbed.Module{Name: "m", Path: c.dst})
		c.to(daemon.Target("m"))
	})
	for _, dir := range []string{"a", "b", "p"} {
		c.fill(dir, 2, 10, 2000)
	}
	c.start()
	c.sync()
	ino := c.ino("p/d1/f1")
	daemon.Stop()
	c.write("p/d0/f0", "an edit before the move")
	for _, step := range [][2]string{{"b", "c"}, {"a", "b"}, {"p", "q"}, {"c", "d/e"}, {"q", "x/y"}} {
		c.rename(step[0], step[1])
		if _, err := c.tree.Fence(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	c.until("the remote failed", func() bool { return c.d.Status().Error != nil })
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	c.sync()
	if c.ino("x/y/d1/f1") != ino {
		t.Error("the remote has another file")
	}
}

// TestMovedOverALinkedDirectory moves a directory to where another was that the
// remote has linked to its new path and not yet removed. Their files have the
// same content: what is done to the ones must not be done to the others.
func TestMovedOverALinkedDirectory(t *testing.T) {
	daemon := &testbed.Rsyncd{}
	var open, shut testbed.Module
	c := newChain(t, func(c *chain) {
		open = testbed.Module{Name: "m", Path: c.dst}
		shut = testbed.Module{Name: "m", Path: c.dst, Extra: []string{"refuse options = delete"}}
		daemon = testbed.RunRsyncd(t, open)
		c.to(daemon.Target("m"))
	})
	c.start()
	c.sync()
	c.fill("p", 1, 5, 1000)
	c.sync()
	if out, err := exec.Command("cp", "-r", c.src+"/p", c.src+"/x").CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	c.sync()
	if err := daemon.SetModules(shut); err != nil {
		t.Fatal(err)
	}
	c.rename("p", "q")
	c.until("the removal is refused", func() bool { return c.d.Status().Error != nil })
	if c.ino("p/d0/f1") != c.ino("q/d0/f1") {
		t.Fatal("nothing is linked")
	}
	// The copies have to be younger than what is known of the others: the journal
	// asks for a comparison of content otherwise, which writes them anew.
	begin := time.Now()
	c.until("time passed", func() bool { return time.Since(begin) > 100*time.Millisecond })
	for k := range 5 {
		if err := os.Chtimes(fmt.Sprintf("%s/x/d0/f%d", c.src, k), time.Time{}, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	c.rename("x", "p")
	if _, err := c.tree.Fence(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := daemon.SetModules(open); err != nil {
		t.Fatal(err)
	}
	c.d.RetryNow(nil)
	c.sync()
}

// TestMovedFile renames a big file: within its directory, and to another with the
// same name. With another it is sent.
func TestMovedFile(t *testing.T) {
	for _, name := range []string{"daemon", "daemon without chroot", "old daemon without chroot", "ssh", "local"} {
		t.Run(name, func(t *testing.T) {
			c := newChain(t, remotes[name])
			c.write("a/big", noise(4<<20))
			c.write("b/x", "x")
			c.start()
			c.sync()
			at := "a/big"
			for _, to := range []string{"a/other", "b/other", "b/back", "back", "c/new/back", "c/last"} {
				before := c.wire()
				c.rename(at, to)
				at = to
				c.sync()
				// A local run copies the whole of what has another name.
				if sent := c.wire() - before; sent > little && name != "local" && to != "c/last" {
					t.Errorf("%s: %d bytes on the wire", to, sent)
				}
			}
		})
	}
}

// noise is text that is nowhere like itself.
func noise(size int) string {
	rng := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return string(b)
}

// TestGuardCountsWhatMovedDirectoriesLose: what is still there under a new path is
// not lost.
func TestGuardCountsWhatMovedDirectoriesLose(t *testing.T) {
	c := newChain(t, func(c *chain) { c.o.MaxDelete = 10 })
	c.fill("p", 4, 25, 100)
	c.write("stays", "x")
	c.start()
	c.sync()
	held := func() bool { return c.d.Status().Held != nil }
	c.rename("p", "q")
	c.sync()
	c.stop()
	c.rename("q", "a")
	c.start()
	c.sync()
	if held() {
		t.Fatal("moves hold the remote")
	}
	expectHeld := func(why, still string) {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); !held(); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s does not hold the remote: %+v", why, c.d.Status())
			}
		}
		if _, err := os.Stat(c.dst + "/" + still); err != nil {
			t.Errorf("%s: %v", why, err)
		}
		// What is journaled after an approval is not covered by it.
		if _, err := c.tree.Fence(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := c.d.Approve(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.sync()
	}
	// Moved, and emptied before anybody looked: that is lost.
	c.stop()
	c.rename("a", "b")
	for _, d := range []string{"d1", "d2"} {
		if err := os.RemoveAll(c.src + "/b/" + d); err != nil {
			t.Fatal(err)
		}
	}
	c.start()
	expectHeld("a move that lost half of it", "a/d1/f1")
	c.fill("b", 4, 25, 100)
	c.sync()
	if err := os.Rename(c.src+"/b", c.base+"/elsewhere"); err != nil {
		t.Fatal(err)
	}
	expectHeld("a removal", "b/d1/f1")
}

// TestGuardCountsWhatWasKeptBeforeAKill: the removal was made durable for a move,
// and the process ended before it knew what is under the new path; nothing is.
func TestGuardCountsWhatWasKeptBeforeAKill(t *testing.T) {
	c := newChain(t, func(c *chain) { c.o.MaxDelete = 10 })
	c.fill("p", 4, 25, 100)
	c.write("stays", "x")
	c.start()
	c.sync()
	c.stop()
	if err := os.RemoveAll(c.src + "/p"); err != nil {
		t.Fatal(err)
	}
	c.keep("p")
	c.start()
	for end := time.Now().Add(20 * time.Second); c.d.Status().Held == nil; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(c.dst + "/p/d1/f1"); err != nil || time.Now().After(end) {
			t.Fatalf("the remote is not held: %v, %+v", err, c.d.Status())
		}
	}
	if err := c.d.Approve(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.sync()
}

// keep journals the removal of a path and makes it a record of the retry set, as
// keepMoved does.
func (c *chain) keep(path string) {
	c.tb.Helper()
	j, err := journal.Open(journal.Options{Dir: c.base + "/journal"})
	if err != nil {
		c.tb.Fatal(err)
	}
	defer j.Close()
	source, err := j.Source("s")
	if err != nil {
		c.tb.Fatal(err)
	}
	rem, err := source.Remote("r")
	if err != nil {
		c.tb.Fatal(err)
	}
	now := time.Now()
	res, err := source.Record(c.tb.Context(), []journal.Observation{{Path: path, At: now.UnixNano()}})
	if err != nil {
		c.tb.Fatal(err)
	}
	seq := res[0].Seq
	err = rem.Commit(c.tb.Context(), journal.Update{Cursor: &journal.Cursor{Low: seq},
		PutRetry: []journal.Retry{{Path: path, Seq: seq, Op: journal.OpRemove, First: now, Next: now}}})
	if err != nil {
		c.tb.Fatal(err)
	}
}
