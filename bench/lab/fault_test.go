package lab

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// tryWrite writes and syncs a small file and says how that failed.
func tryWrite(path string, size int) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(make([]byte, size)); err != nil {
		return err
	}
	return f.Sync()
}

func TestFullDisk(t *testing.T) {
	t.Parallel()
	for _, fs := range []string{"ext4", "xfs", "btrfs", "tmpfs"} {
		t.Run(fs, func(t *testing.T) {
			t.Parallel()
			mb := 128
			if fs == "xfs" {
				mb = 300
			}
			d := newDisk(t, DiskOptions{FS: fs, MB: mb})
			write(t, d.Path+"/before", "x", true)
			start := time.Now()
			must(t, d.Fill())
			t.Logf("filled in %s", time.Since(start))
			wantErrno(t, "large write on a full disk", tryWrite(d.Path+"/large", 1<<20), unix.ENOSPC)
			wantErrno(t, "small write on a full disk", tryWrite(d.Path+"/small", 5000), unix.ENOSPC)
			if fs == "btrfs" { // has space of its own for metadata, where names and attributes go
				err := unix.Setxattr(d.Path+"/before", "user.large", make([]byte, 10_000), 0)
				wantErrno(t, "metadata on a full disk", err, unix.ENOSPC)
			}
			if names, _ := filepath.Glob(d.Path + "/*fill*"); len(names) > 0 {
				t.Errorf("the filler shows in the tree: %q", names)
			}
			if fs != "tmpfs" {
				must(t, d.PowerCut())
				wantErrno(t, "write on a disk full after a power cut", tryWrite(d.Path+"/large", 1<<20), unix.ENOSPC)
			}
			d.Release()
			wantEventually(t, "write after release", func() error { return tryWrite(d.Path+"/large", 20<<20) })

			must(t, d.FillLeave(30<<20))
			must(t, tryWrite(d.Path+"/fits", 10<<20))
			wantErrno(t, "write of more than was left", tryWrite(d.Path+"/over", 60<<20), unix.ENOSPC)
		})
	}
}

// wantEventually gives the file system time to free what was deleted.
func wantEventually(t *testing.T, what string, try func() error) {
	t.Helper()
	err := try()
	for deadline := time.Now().Add(3 * time.Second); err != nil && time.Now().Before(deadline); err = try() {
		time.Sleep(20 * time.Millisecond)
	}
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func TestNoInodeLeft(t *testing.T) {
	t.Parallel()
	for _, fs := range []string{"ext4", "tmpfs"} {
		t.Run(fs, func(t *testing.T) {
			t.Parallel()
			d := newDisk(t, DiskOptions{FS: fs, MB: 64, Inodes: 512})
			write(t, d.Path+"/old", "x", true)
			must(t, d.FillInodes())
			wantErrno(t, "new file", tryWrite(d.Path+"/new", 1), unix.ENOSPC)
			must(t, tryWrite(d.Path+"/old", 1<<20))
			d.Release()
			wantEventually(t, "new file after release", func() error { return tryWrite(d.Path+"/new", 1) })
		})
	}
}

func TestShutdownAndRemount(t *testing.T) {
	eachFS(t, func(t *testing.T, fs string) {
		d := newDisk(t, DiskOptions{FS: fs})
		write(t, d.Path+"/kept", "x", true)
		write(t, d.Path+"/lost", strings.Repeat("y", 100_000), false)
		err := d.Shutdown()
		if fs == "btrfs" && errors.Is(err, ErrUnsupported) { // before Linux 6.19
			wantContent(t, d.Path+"/kept", "x")
			return
		}
		must(t, err)
		wantErrno(t, "write after shutdown", tryWrite(d.Path+"/new", 1), unix.EIO)
		must(t, d.Remount())
		wantContent(t, d.Path+"/kept", "x")
		if b, err := os.ReadFile(d.Path + "/lost"); err == nil && len(b) == 100_000 && b[0] == 'y' {
			t.Error("the shutdown kept what nobody synced")
		}
		must(t, tryWrite(d.Path+"/new", 1))
	})
}

func TestReadErrors(t *testing.T) {
	eachFS(t, func(t *testing.T, fs string) {
		d := newDisk(t, DiskOptions{FS: fs})
		content := strings.Repeat("precious ", 10_000)
		write(t, d.Path+"/f", content, true)
		write(t, d.Path+"/g", content, true)
		open, err := os.Open(d.Path + "/f")
		must(t, err)
		must(t, d.ReadErrors())
		_, err = open.Read(make([]byte, 10))
		open.Close()
		wantErrno(t, "read", err, unix.EIO)
		if b, err := os.ReadFile(d.Path + "/g"); err == nil {
			t.Fatalf("a file was read whole: %d bytes", len(b))
		}
		must(t, d.Heal())
		must(t, d.Remount())
		wantContent(t, d.Path+"/f", content)
		wantContent(t, d.Path+"/g", content)
		must(t, tryWrite(d.Path+"/new", 1<<20))
	})
}

// TestHealKeepsWhatWasWritten writes while reads fail.
func TestHealKeepsWhatWasWritten(t *testing.T) {
	t.Parallel()
	d := newDisk(t, DiskOptions{FS: "ext4"})
	write(t, d.Path+"/f", strings.Repeat("old ", 10_000), true)
	f, err := os.OpenFile(d.Path+"/f", os.O_WRONLY, 0)
	must(t, err)
	defer f.Close()
	must(t, d.ReadErrors())
	next := strings.Repeat("NEW ", 1024) // one whole block, so that nothing is read
	_, err = f.WriteAt([]byte(next), 8192)
	must(t, err)
	must(t, unix.Fdatasync(int(f.Fd())))
	f.Close()
	must(t, d.Heal())
	must(t, d.Remount())
	b, err := os.ReadFile(d.Path + "/f")
	must(t, err)
	if string(b[8192:8192+4096]) != next || !strings.HasPrefix(string(b), "old old ") || len(b) != 40_000 {
		t.Fatalf("after the heal: %d bytes, %q … %q", len(b), b[:8], b[8192:8200])
	}
}

func TestReadOnly(t *testing.T) {
	t.Parallel()
	for _, fs := range []string{"ext4", "xfs", "btrfs", "tmpfs", "ramfs"} {
		t.Run(fs, func(t *testing.T) {
			t.Parallel()
			d := newDisk(t, DiskOptions{FS: fs})
			must(t, d.ReadOnly(true))
			wantErrno(t, "write", tryWrite(d.Path+"/f", 1), unix.EROFS)
			must(t, d.ReadOnly(false))
			f, err := os.Create(d.Path + "/f")
			must(t, err)
			defer f.Close()
			if err := d.ReadOnly(true); !errors.Is(err, ErrBusy) {
				t.Fatalf("read-only under a writer: %v", err)
			}
		})
	}
}

// TestVanishedSource unmounts under a process that sits in the tree.
func TestVanishedSource(t *testing.T) {
	t.Parallel()
	for _, fs := range []string{"ext4", "btrfs"} {
		t.Run(fs, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			d := newDisk(t, DiskOptions{Dir: dir, FS: fs})
			must(t, os.Mkdir(d.Path+"/sub", 0o755))
			write(t, d.Path+"/sub/f", "here", true)
			bound := filepath.Join(dir, "bound")
			must(t, os.Mkdir(bound, 0o755))
			must(t, d.Bind(d.Path+"/sub", bound))
			wantContent(t, bound+"/f", "here")

			user := exec.Command("sleep", "60")
			user.Dir = d.Path + "/sub"
			must(t, user.Start())
			defer func() { _ = user.Process.Kill(); _ = user.Wait() }()

			must(t, d.Unmount())
			for _, p := range []string{d.Path, bound} {
				if names, err := os.ReadDir(p); err != nil || len(names) > 0 {
					t.Fatalf("%s is not an empty directory: %v %v", p, names, err)
				}
			}
			must(t, d.Mount())
			wantContent(t, d.Path+"/sub/f", "here")
			wantContent(t, bound+"/f", "here")
			if devices := devicesOver(d.backing); len(devices) != 1 {
				t.Fatalf("two file systems on one backing file: %v", devices)
			}
			must(t, user.Process.Kill())
			_ = user.Wait() // killed
			must(t, d.PowerCut())
			wantContent(t, bound+"/f", "here")
		})
	}
}

func TestQuota(t *testing.T) {
	t.Parallel()
	d := newDisk(t, DiskOptions{FS: "btrfs"})
	must(t, d.Quota(20<<20))
	must(t, tryWrite(d.Path+"/fits", 5<<20))
	wantErrno(t, "write beyond the quota", tryWrite(d.Path+"/over", 40<<20), unix.EDQUOT)
	must(t, d.Quota(0))
	must(t, tryWrite(d.Path+"/over", 40<<20))
	e := newDisk(t, DiskOptions{FS: "ext4"})
	if err := e.Quota(1 << 20); !errors.Is(err, ErrUnsupported) {
		t.Fatalf("quota on ext4: %v", err)
	}
}
