package watch

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestMkdirStorm(t *testing.T) { onBoth(t, testMkdirStorm) }

func testMkdirStorm(t *testing.T) {
	r := startTree(t)
	r.sh(`for i in $(seq 30); do mkdir -p s$i/a/b/c/d/e/f/g/h/i/j & done; wait
		for i in $(seq 30); do echo x > s$i/a/b/c/d/e/f/g/h/i/j/f; done`)
	r.settled()
	r.sh(`for i in $(seq 30); do echo y >> s$i/a/b/c/d/e/f/g/h/i/j/f; done`)
	r.settled()
}

// TestRenamedDirectoriesAreWatchedUnderTheirNewNames: fsnotify keeps the old
// names of all that lies in a directory that moved (fsnotify#694).
func TestRenamedDirectoriesAreWatchedUnderTheirNewNames(t *testing.T) {
	onBoth(t, testRenamedDirectoriesAreWatchedUnderTheirNewNames)
}

func testRenamedDirectoriesAreWatchedUnderTheirNewNames(t *testing.T) {
	r := startTree(t, func(r *rig) { r.sh(`mkdir -p a/x/sub/deep; echo 1 > a/x/sub/deep/f`) })
	r.sh(`mv a/x a/y`)
	r.settled()
	r.sh(`echo 2 >> a/y/sub/deep/f; echo 3 > a/y/sub/new`)
	r.settled()
	r.sh(`mkdir b; mv a/y b/z; mkdir -p a/y/sub/deep; echo old name > a/y/sub/deep/f`)
	r.settled()
	r.sh(`echo 4 >> b/z/sub/deep/f; echo 5 >> a/y/sub/deep/f`)
	r.settled()
	for i := range 20 {
		r.sh(fmt.Sprintf(`mv b/z b/z%d; echo %d >> b/z%d/sub/deep/f; mv b/z%d b/z`, i, i, i, i))
	}
	r.settled()
	r.sh(`mv b/z ../outside; echo 6 >> ../outside/sub/deep/f`)
	r.settled()
	if got := r.idx.below("b/z"); len(got) > 0 {
		t.Errorf("moved out, still in the index: %q", got)
	}
	if s := r.tree.Status(); s.Watches+s.Marked != s.Dirs || s.Unwatched != 0 {
		t.Errorf("%+v", s)
	}
}

// TestDirectoryThatWasAway: a remote may act on a moment in which a directory
// was elsewhere, and nothing in it looks changed afterwards.
func TestDirectoryThatWasAway(t *testing.T) { onBoth(t, testDirectoryThatWasAway) }

func testDirectoryThatWasAway(t *testing.T) {
	r := startTree(t, func(r *rig) { r.sh(`mkdir -p a/sub; echo 1 > a/sub/f; mkdir b; touch -d 2001-01-01 a/sub/f a/sub a b`) })
	r.settled()
	before := r.idx.Head()
	r.sh(`mv a b/; mv b/a .`)
	r.settled()
	told := map[string]bool{}
	for _, e := range r.idx.entries(before) {
		told[e.Path] = true
	}
	if !told["a"] || !told["a/sub"] || !told["a/sub/f"] {
		t.Errorf("journaled after the directory was away: %v", told)
	}
	before = r.idx.Head()
	r.sh(`echo 2 > a/sub/f`)
	r.settled()
	if n := r.idx.Head() - before; n > 2 {
		t.Errorf("%d entries for one change in a directory that was away long ago", n)
	}
}

// TestMoveAndRemove: fsnotify sends an error while it holds the lock of Add
// when a watched directory is moved and removed before the event of its move is
// read.
func TestMoveAndRemove(t *testing.T) {
	r := startTree(t, func(r *rig) { r.sh(`echo 1 > f`) })
	for range 100 {
		r.sh(`mkdir d; mv d e; rmdir e; mkdir d; rmdir d`)
	}
	for range 5 {
		r.sh(`for i in $(seq 100); do mkdir d$i; done`)
		r.fence() // all are watched
		for i := range 100 {
			d, e := r.path(fmt.Sprint("d", i+1)), r.path("e")
			if err := errors.Join(os.Rename(d, e), os.Remove(e)); err != nil {
				t.Fatal(err)
			}
		}
		r.fence()
	}
	if n := r.tree.Status().WatchErrors; n > 0 {
		t.Errorf("%d errors of watches that are rightly gone", n)
	}
	r.sh(`mkdir last; echo 1 > last/f`)
	r.settled()
	if r.stop(); r.tree.goneWatches == 0 {
		t.Error("fsnotify had no error to send: this tests nothing")
	}
}

func TestManyPathsInOneDirectory(t *testing.T) { onBoth(t, testManyPathsInOneDirectory) }

func testManyPathsInOneDirectory(t *testing.T) {
	r := startTree(t)
	r.sh(`mkdir d sub; for i in $(seq 5000); do echo $i > d/$i; done`)
	r.settled()
	r.sh(`rm d/1*; for i in $(seq 2000 4000); do echo new >> d/$i; done; mkdir d/dir; echo 1 > d/dir/f; mv sub d/sub; echo 1 > d/sub/x`)
	r.settled()
}

func writeSysctl(t *testing.T, path, value string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(value), 0o644); err != nil {
		t.Fatal(err)
	}
}

// withQueue lowers the limit of the kernel's queue while a tree starts: an
// instance takes it over when it is made.
func withQueue(t *testing.T, limit int, start func()) {
	t.Helper()
	const sysctl = "/proc/sys/fs/inotify/max_queued_events"
	old, err := os.ReadFile(sysctl)
	if err != nil {
		t.Fatal(err)
	}
	before, err := strconv.Atoi(strings.TrimSpace(string(old)))
	if err != nil {
		t.Fatal(err)
	}
	// Another test may have lowered it too: what it was then must not stay.
	defer writeSysctl(t, sysctl, fmt.Sprint(max(before, 16384)))
	writeSysctl(t, sysctl, fmt.Sprint(limit))
	start()
}

func TestOverflow(t *testing.T) {
	r := newRig(t)
	r.sh(`mkdir a b; echo 1 > a/f`)
	withQueue(t, 16, func() {
		r.start()
		r.waitReady()
	})
	for i := range 30 {
		r.sh(`mkdir -p x/$1; for j in $(seq 200); do : > x/$1/$j; done; mv a a2; mv a2 a; rm -f b/*; echo $1 > b/$1; ln -f b/$1 a/l`, fmt.Sprint(i))
		if r.tree.Status().Overflows > 3 {
			break
		}
	}
	r.settled()
	s := r.tree.Status()
	if s.Overflows == 0 {
		t.Fatal("the queue never overflowed")
	}
	if !slices.Contains(s.Hints, hintQueue) {
		t.Errorf("hints %q lack the sysctl", s.Hints)
	}
	t.Log("overflows", s.Overflows)
}

// TestWatchLimit runs itself again in a user namespace, whose own limit of
// watches disturbs nobody else.
func TestWatchLimit(t *testing.T) {
	attr := &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	if !again(t, "WATCH_LIMIT_CHILD", attr) {
		return
	}
	const limit = "/proc/sys/user/max_inotify_watches"
	writeSysctl(t, limit, "12")
	r := startTree(t, func(r *rig) { r.sh(`for i in $(seq 20); do mkdir -p d$i/e; echo 1 > d$i/e/f; done`) })
	r.settled()
	s := r.tree.Status()
	if s.Unwatched == 0 || len(s.UnwatchedSample) == 0 || s.Dirs != 41 {
		t.Fatalf("%+v", s)
	}
	r.sh(`for i in $(seq 20); do echo 2 >> d$i/e/f; mkdir -p d$i/new/x; done; rm -r d7`)
	r.settled() // a fence scans what has no watch
	r.sh(`for i in $(seq 8 20); do echo more >> d$i/e/f; done`)
	r.eventually("unwatched directories are scanned", func() bool { return len(r.diff()) == 0 })
	r.sh(`for i in $(seq 8 20); do mkdir d$i/p d$i/q; echo 1 > d$i/p/f; echo 22 > d$i/q/f; done`)
	r.settled()
	var inside []string
	for i := range 13 {
		inside = append(inside, fmt.Sprintf("d%d/p/f", i+8), fmt.Sprintf("d%d/q/f", i+8))
	}
	swapped(t, r, func() {
		r.sh(`for i in $(seq 8 20); do cd d$i; mv p t; mv q p; mv p q; mv t p; cd ..; done`)
	}, inside...)
	writeSysctl(t, limit, "1000")
	r.eventually("all are watched", func() bool { return r.tree.Status().Unwatched == 0 })
	r.sh(`for i in $(seq 8 20); do echo 3 >> d$i/e/f; done`)
	r.settled()
}

func TestExcludedIsNeitherWatchedNorRemoved(t *testing.T) {
	onBoth(t, testExcludedIsNeitherWatchedNorRemoved)
}

func testExcludedIsNeitherWatchedNorRemoved(t *testing.T) {
	r := startTree(t, func(r *rig) {
		r.sh(`mkdir -p keep cache/deep .gorsyncd-partial; echo 1 > cache/deep/f; echo 1 > keep/f; echo 1 > .gorsyncd-partial/x`)
	})
	r.settled()
	if got := r.idx.below(PartialDir); len(got) > 0 {
		t.Errorf("recorded: %q", got)
	}
	r.stop()
	before := r.idx.Head()
	r.o.Filter = mustFilter(t, "/cache/", "*.tmp")
	r.start()
	r.waitReady()
	if s := r.tree.Status(); s.Dirs != 2 || s.Watches+s.Marked != 2 {
		t.Errorf("watched: %+v", s)
	}
	r.sh(`echo 2 >> cache/deep/f; echo 1 > keep/a.tmp; mv keep/a.tmp keep/b.tmp; rm -r cache`)
	r.settled()
	if got := r.idx.removals(before); len(got) > 0 {
		t.Errorf("what is excluded was journaled as removed: %q", got)
	}
	r.sh(`mkdir cache; mv keep/b.tmp keep/b; mkdir x.tmp; echo 1 > x.tmp/f; mv x.tmp x; echo 1 > x/g`)
	r.settled()
	if len(r.idx.below("x/f")) != 1 || len(r.idx.below("keep/b")) != 1 {
		t.Error("what is no longer excluded by name was not found")
	}
}

// again runs a test a second time in a process with other rights; it returns
// true there.
func again(t *testing.T, env string, attr *syscall.SysProcAttr) bool {
	t.Helper()
	if os.Getenv(env) != "" {
		return true
	}
	cmd := execAgain(t, os.Args[0], env)
	attr.Pdeathsig = syscall.SIGKILL
	cmd.SysProcAttr = attr
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
	return false
}

func execAgain(t *testing.T, binary, env string) *exec.Cmd {
	cmd := exec.Command(binary, "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), env+"=1", "TMPDIR=/tmp")
	cmd.Dir = "/"
	return cmd
}

// TestUnreadableIsNotRemoved runs as a user whom permissions stop.
func TestUnreadableIsNotRemoved(t *testing.T) {
	attr := &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 1000, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 1000, HostID: os.Getgid(), Size: 1}},
	}
	if !again(t, "WATCH_UNREADABLE_CHILD", attr) {
		return
	}
	r := startTree(t, func(r *rig) { r.sh(`mkdir -p d/e c; echo 1 > d/e/f; echo 1 > c/f`) })
	r.settled()
	before := r.idx.Head()
	r.do(os.Chmod(r.path("d/e"), 0))
	t.Cleanup(func() { r.do(os.Chmod(r.path("d/e"), 0o700)) })
	if _, err := os.ReadDir(r.path("d/e")); err == nil {
		t.Fatal("permissions do not stop this process")
	}
	r.tree.Rescan("")
	r.fence()
	r.stop()
	r.start()
	r.waitReady()
	r.sh(`echo 2 >> c/f`)
	r.fence()
	if got := r.idx.removals(before); len(got) > 0 || len(r.idx.below("d/e/f")) != 1 {
		t.Errorf("removed %q", got)
	}
	if s := r.tree.Status(); s.WatchErrors == 0 {
		t.Errorf("not counted: %+v", s)
	}
	r.do(os.Chmod(r.path("d/e"), 0o700))
	r.sh(`echo 2 >> d/e/f`)
	r.eventually("readable again", func() bool { return len(r.diff()) == 0 })
}

func TestOnlyMissingIsGone(t *testing.T) {
	for err, gone := range map[error]bool{
		unix.ENOENT: true, unix.ENOTDIR: true, unix.ELOOP: true, unix.EACCES: false, unix.EPERM: false,
		unix.EIO: false, unix.ESTALE: false, unix.EMFILE: false, unix.ENAMETOOLONG: false, unix.ENOMEM: false,
	} {
		if isGone(err) != gone {
			t.Errorf("%v counts as a removal: %v", err, !gone)
		}
	}
}

// TestSilentChanges have no event: only a scan finds them.
func TestSilentChanges(t *testing.T) { onBoth(t, testSilentChanges) }

func testSilentChanges(t *testing.T) {
	r := startTree(t, func(r *rig) { r.sh(`echo 1 > f; head -c 4096 /dev/zero > map; ln f ../outside`) })
	r.settled()
	time.Sleep(2 * confirmAfter)
	f, err := os.OpenFile(r.path("map"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	mem, err := unix.Mmap(int(f.Fd()), 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	copy(mem, "changed")
	if err := unix.Msync(mem, unix.MS_SYNC); err != nil {
		t.Fatal(err)
	}
	if err := unix.Munmap(mem); err != nil {
		t.Fatal(err)
	}
	r.sh(`echo 2 >> ../outside`)
	r.tree.Rescan("")
	r.settled()
}

// TestPolledFileSystem: a file system that does not report what other hosts
// change is scanned from time to time.
func TestPolledFileSystem(t *testing.T) {
	r := newRig(t)
	r.sh(`mkdir d; echo 1 > d/f; ln d/f ../outside`)
	tree, err := New(r.o)
	if err != nil {
		t.Fatal(err)
	}
	tree.every = 50 * time.Millisecond
	tree.magic = func(string) int64 { return unix.NFS_SUPER_MAGIC }
	r.tree = tree
	ctx, stop := contextWithStop(t)
	go func() { stop <- tree.Run(ctx) }()
	r.waitReady()
	r.sh(`echo 2 >> ../outside`) // no event
	r.eventually("found by a scan", func() bool { return len(r.diff()) == 0 })
	if s := tree.Status(); len(s.Hints) == 0 {
		t.Errorf("no hint: %+v", s)
	}
}

// TestLinkOutside: a file with another name outside of the tree is searched for
// once, not with each of its changes.
func TestLinkOutside(t *testing.T) { onBoth(t, testLinkOutside) }

func testLinkOutside(t *testing.T) {
	r := startTree(t, func(r *rig) {
		r.sh(`mkdir -p d; for i in $(seq 50); do mkdir d/$i; done; echo 1 > d/f; ln d/f ../outside`)
		r.passingLinks = true
	})
	for i := range 3 {
		r.sh(`echo $1 >> d/f`, fmt.Sprint(i))
		r.fence()
	}
	before := r.tree.Status().Scans
	for i := range 10 {
		r.sh(`echo $1 >> d/f`, fmt.Sprint(i))
		r.fence()
	}
	if n := r.tree.Status().Scans - before; n > 0 {
		t.Errorf("%d scans of the whole tree for 10 changes of one file", n)
	}
	r.sh(`ln d/f d/7/new`) // another count: its name may be anywhere
	r.settled()
}
