package watch

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// image makes a file system in a file and mounts it at dir. It returns the loop
// device, which stays until the end of the test: mounted again the file system has
// the same number.
func image(t *testing.T, fs, dir string) (device string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), fs+".img")
	runIn(t, "/", `truncate -s 512M "$1"; mkfs.$2 -q "$1" 2>&1`, file, fs)
	device = attach(t, file)
	mountImage(t, device, dir)
	return device
}

// attach puts a loop device over a file.
func attach(t *testing.T, file string) (device string) {
	t.Helper()
	out, err := exec.Command("losetup", "--find", "--show", file).Output()
	if err != nil {
		t.Fatalf("losetup %s: %v", file, err)
	}
	device = strings.TrimSpace(string(out))
	t.Cleanup(func() { runIn(t, "/", `losetup -d "$1"`, device) })
	return device
}

func mountImage(t *testing.T, device, dir string) {
	t.Helper()
	runIn(t, "/", `mkdir -p "$2"; mount "$1" "$2"`, device, dir)
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
}

// changes does what a tree must follow, in a directory.
func (r *rig) changes(dir string) {
	r.t.Helper()
	for i := range 3 {
		r.sh(`cd "$1"; mkdir -p a/b; echo $2 >> a/b/f; mv a c$2; echo x > c$2/b/g; mkdir -p a/b/c/d; echo y > a/b/c/d/e; ln a/b/c/d/e l$2; rm -rf a`, dir, fmt.Sprint(i))
		r.settled()
		r.sh(`cd "$1"; echo more >> c$2/b/f; chmod 700 c$2/b; echo z >> l$2; mv c$2 m$2`, dir, fmt.Sprint(i))
		r.settled()
	}
}

// TestFileSystems: what can be marked is marked, all else is watched, and a fence
// is good for both.
func TestFileSystems(t *testing.T) {
	for _, c := range []struct {
		name, backend, fallback string
		prepare                 func(t *testing.T, r *rig)
	}{
		{"ext4", "fanotify", "", func(t *testing.T, r *rig) { image(t, "ext4", r.path("m")) }},
		{"xfs", "fanotify", "", func(t *testing.T, r *rig) { image(t, "xfs", r.path("m")) }},
		{"tmpfs", "fanotify", "", func(t *testing.T, r *rig) {
			r.sh(`mkdir m`)
			mount(t, "tmpfs", r.path("m"), "tmpfs", 0)
		}},
		{"btrfs", "fanotify", "", func(t *testing.T, r *rig) { image(t, "btrfs", r.path("m")) }},
		{"subvolume", "mixed", "a subvolume", func(t *testing.T, r *rig) {
			image(t, "btrfs", r.path("../all"))
			r.sh(`btrfs -q subvolume create ../all/sub; mkdir m`)
			mount(t, r.path("../all/sub"), r.path("m"), "", unix.MS_BIND)
		}},
		{"subvolume below", "mixed", "a subvolume", func(t *testing.T, r *rig) {
			image(t, "btrfs", r.path("m"))
			r.sh(`btrfs -q subvolume create m/sub; mkdir m/sub/d; echo 1 > m/sub/d/f`)
		}},
		{"overlay", "mixed", "overlay", func(t *testing.T, r *rig) {
			r.sh(`mkdir -p m ../lower/l/k ../upper ../work; echo 1 > ../lower/l/k/f`)
			runIn(t, filepath.Dir(r.root), `mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work root/m`)
			t.Cleanup(func() { _ = unix.Unmount(r.path("m"), unix.MNT_DETACH) })
		}},
		{"twins", "mixed", "same id", func(t *testing.T, r *rig) {
			device := image(t, "ext4", r.path("m"))
			r.sh(`mkdir m/d; sync -f m; cp --sparse=always "$1" ../copy`, device)
			mountImage(t, attach(t, r.path("../copy")), r.path("twin"))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			r.o.Backend, r.fallsBack = BackendFanotify, c.fallback != ""
			c.prepare(t, r)
			r.start()
			r.waitReady()
			r.settled()
			s := r.tree.Status()
			if s.Backend != c.backend || s.Watches+s.Marked != s.Dirs || (s.Watches > 0) != (c.fallback != "") || !strings.Contains(strings.Join(s.Fallbacks, "\n"), c.fallback) {
				t.Fatalf("%+v", s)
			}
			scans := s.Scans
			for _, d := range []string{"m", ".", "twin", "m/sub"} {
				if fi, err := os.Stat(r.path(d)); err == nil && fi.IsDir() {
					r.changes(d)
				}
			}
			if s := r.tree.Status(); s.Watches+s.Marked != s.Dirs || s.Overflows > 0 || s.Scans > scans+12 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// TestRemountIsMarkedAnew: a mark goes with its file system.
func TestRemountIsMarkedAnew(t *testing.T) {
	r := newRig(t)
	r.o.Backend = BackendFanotify
	device := image(t, "ext4", r.path("m"))
	r.sh(`mkdir -p m/a/b; echo 1 > m/a/b/f`)
	r.start()
	r.waitReady()
	r.settled()
	for i := range 2 {
		unmount(t, r.path("m"))
		r.waitHeld("m")
		mountImage(t, device, r.path("m"))
		r.waitState(StateWatching)
		r.settled()
		scans := r.tree.Status().Scans
		r.changes("m/a/b")
		if s := r.tree.Status(); s.Marked != s.Dirs || s.Scans > scans+6 {
			t.Errorf("round %d: %+v", i, s)
		}
		r.sh(`rm -r m/a/b/*`)
		r.settled()
	}
}

// TestWriteThroughAHandle: a server of NFS opens files by their handles, and the
// kernel may not know in which directory they are.
func TestWriteThroughAHandle(t *testing.T) {
	r := newRig(t)
	r.o.Backend = BackendFanotify
	device := image(t, "ext4", r.path("m"))
	r.sh(`mkdir -p m/d; echo 1 > m/d/f; touch -d '1 hour ago' m/d/f`)
	h, _, err := unix.NameToHandleAt(unix.AT_FDCWD, r.path("m/d/f"), 0)
	if err != nil {
		t.Fatal(err)
	}
	unmount(t, r.path("m")) // with all that it knows of names
	mountImage(t, device, r.path("m"))
	m, err := os.Open(r.path("m"))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	fd, err := unix.OpenByHandleAt(int(m.Fd()), h, unix.O_RDWR|unix.O_APPEND)
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fd), "f")
	defer f.Close()
	r.start()
	r.waitReady()
	r.settled()
	if _, err := f.WriteString("more"); err != nil {
		t.Fatal(err)
	}
	r.settled()
}

// TestInodesAreReused: a directory that has the inode number of one that was
// removed, and another handle, at once and under the same name.
func TestInodesAreReused(t *testing.T) { onBoth(t, testInodesAreReused) }

func testInodesAreReused(t *testing.T) {
	r := startTree(t, func(r *rig) { r.sh(`mkdir d; echo 1 > d/f`) })
	reused := 0
	var before unix.Stat_t
	for i := range 200 {
		r.do(unix.Stat(r.path("d"), &before))
		r.do(os.RemoveAll(r.path("d")))
		r.do(os.Mkdir(r.path("d"), 0o755))
		var after unix.Stat_t
		r.do(unix.Stat(r.path("d"), &after))
		if after.Ino == before.Ino {
			reused++
		}
		if i%3 == 0 {
			r.fence()
		}
		r.do(os.WriteFile(r.path("d/f"), []byte(fmt.Sprint(i)), 0o644))
		if i%5 == 0 {
			r.settled()
		}
	}
	r.settled()
	r.remembersOwn()
	if reused == 0 {
		t.Error("no inode number was used again: this tests nothing")
	}
}

// TestDeepRename moves a directory with many below it while it changes.
func TestDeepRename(t *testing.T) { onBoth(t, testDeepRename) }

func testDeepRename(t *testing.T) {
	r := startTree(t, func(r *rig) {
		r.sh(`mkdir a b ../out; for i in $(seq 40); do mkdir -p a/x/$i/{p,q}/{r,s}; echo 1 > a/x/$i/p/r/f; done`)
	})
	r.settled()
	for i := range 4 {
		r.sh(`mv a/x b/y; for i in $(seq 40); do echo $1 >> b/y/$i/p/r/f; mkdir -p b/y/$i/q/s/n; echo $1 > b/y/$i/q/s/n/g$1; done; mv b/y a/x; echo $1 >> a/x/7/p/r/f`, fmt.Sprint(i))
		r.settled()
		r.sh(`mv a/x ../out/; for i in $(seq 40); do echo out >> ../out/x/$i/p/r/f; done`)
		r.settled()
		if got := r.idx.below("a/x"); len(got) > 0 {
			t.Fatalf("moved out, still in the index: %q", got[:1])
		}
		r.sh(`mv ../out/x a/; echo back >> a/x/9/p/r/f; mkdir a/x/9/p/r/new$1; echo 1 > a/x/9/p/r/new$1/f`, fmt.Sprint(i))
		r.settled()
	}
	r.watched(t)
}

// TestQuickRemount: a file system is mounted anew before anybody looks at the
// mount table, under the same number, and the same directories are there.
func TestQuickRemount(t *testing.T) { onBoth(t, testQuickRemount) }

func testQuickRemount(t *testing.T) {
	for _, at := range []string{".", "m"} {
		t.Run(at, func(t *testing.T) {
			r := newRig(t)
			device := image(t, "ext4", r.path(at))
			r.sh(`mkdir -p "$1"/a/b; echo 1 > "$1"/a/b/f`, at)
			r.start()
			r.waitReady()
			r.settled()
			for i := range 3 {
				unmount(t, r.path(at))
				mountImage(t, device, r.path(at))
				r.settled()
				r.waitState(StateWatching)
				r.settled()
				scans := r.tree.Status().Scans
				r.sh(`echo $2 >> "$1"/a/b/f; mkdir "$1"/a/b/$2; echo 1 > "$1"/a/b/$2/f`, at, fmt.Sprint(i))
				r.settled()
				if s := r.tree.Status(); s.Scans > scans || s.Watches+s.Marked != s.Dirs {
					t.Errorf("round %d: %+v", i, s)
				}
			}
		})
	}
}

// TestUnmountedRootIsMarkedAnew: a mark goes with the file system at the root.
func TestUnmountedRootIsMarkedAnew(t *testing.T) { onBoth(t, testUnmountedRootIsMarkedAnew) }

func testUnmountedRootIsMarkedAnew(t *testing.T) {
	r := newRig(t)
	device := image(t, "ext4", r.root)
	r.sh(`mkdir -p a/b; echo 1 > a/b/f`)
	r.start()
	r.waitReady()
	r.settled()
	unmount(t, r.root)
	r.waitHeld("empty")
	mountImage(t, device, r.root)
	r.waitState(StateWatching)
	r.settled()
	scans := r.tree.Status().Scans
	r.sh(`echo 2 >> a/b/f; mkdir a/b/n; echo 1 > a/b/n/f`)
	r.settled()
	if s := r.tree.Status(); s.Scans > scans {
		t.Errorf("found by a scan only: %+v", s)
	}
}

// TestQuietWriteElsewhere: between two mountings a file is written under another
// path, and its mtime put back. No event of a write came, and none could.
func TestQuietWriteElsewhere(t *testing.T) { onBoth(t, testQuietWriteElsewhere) }

func testQuietWriteElsewhere(t *testing.T) {
	r := newRig(t)
	device := image(t, "ext4", r.path("m"))
	r.sh(`mkdir -p m/a/b; echo 1 > m/a/b/f; touch -d '1 hour ago' m/a/b/f`)
	time.Sleep(2 * confirmAfter)
	r.start()
	r.waitReady()
	r.settled()
	compared := r.compares(func() {
		unmount(t, r.path("m"))
		mountImage(t, device, r.path("../else"))
		runIn(t, r.path("../else"), quietWrite+`w a/b/f; chmod 600 a/b/f`)
		unmount(t, r.path("../else"))
		mountImage(t, device, r.path("m"))
		r.waitState(StateWatching)
		r.settled()
	})
	if !compared["m/a/b/f"] {
		t.Errorf("compared by content: %v", compared)
	}
}

// TestTwinComesLater: a copy of a file system with the same id is mounted while
// its original is; and an original comes back as another device.
func TestTwinComesLater(t *testing.T) {
	r := newRig(t)
	r.o.Backend, r.fallsBack = BackendFanotify, true
	device := image(t, "ext4", r.path("m"))
	r.sh(`mkdir -p m/d/e; echo 1 > m/d/e/f; sync -f m; cp --sparse=always "$1" ../copy`, device)
	r.start()
	r.waitReady()
	r.settled()
	twin := attach(t, r.path("../copy"))
	mountImage(t, twin, r.path("twin"))
	r.settled()
	if s := r.tree.Status(); s.Backend != "mixed" || len(s.Fallbacks) != 1 || !strings.Contains(s.Fallbacks[0], "same id") {
		t.Errorf("beside its original: %+v", s)
	}
	for _, d := range []string{"m/d/e", "twin/d/e"} {
		r.changes(d)
	}
	for _, d := range []string{"twin", "m"} {
		unmount(t, r.path(d))
		r.waitHeld(d)
	}
	r.tree.Approve()
	r.waitState(StateWatching)
	mountImage(t, twin, r.path("m"))
	r.settled()
	r.changes("m/d")
	if s := r.tree.Status(); s.Marked != s.Dirs || len(s.Fallbacks) > 0 {
		t.Errorf("in place of its original: %+v", s)
	}
}
