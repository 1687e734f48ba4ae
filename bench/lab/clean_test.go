package lab

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestCleanStale kills a process that holds everything there is to hold.
func TestCleanStale(t *testing.T) {
	dir := t.TempDir()
	if leave := os.Getenv("LAB_LEAVE"); leave != "" {
		leaveAll(t, leave)
		return
	}
	old, err := os.ReadFile("/proc/sys/vm/stat_interval")
	must(t, err)
	cmd := exec.Command(os.Args[0], "-test.run=^TestCleanStale$")
	cmd.Env = append(os.Environ(), "LAB_LEAVE="+dir)
	cmd.Stderr = os.Stderr
	must(t, cmd.Start())
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(dir + "/ready"); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the process to kill was not ready in time")
		}
	}
	must(t, cmd.Process.Kill())
	_ = cmd.Wait() // killed
	if n := len(leftovers(dir, cmd.Process.Pid)); n < 9 {
		t.Fatalf("only %d things are left to clean", n)
	}

	must(t, CleanStale(dir))
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		left := leftovers(dir, cmd.Process.Pid)
		if len(left) == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("left after the clean-up:\n%s", strings.Join(left, "\n"))
		}
	}
	if now, err := os.ReadFile("/proc/sys/vm/stat_interval"); err != nil || string(now) != string(old) {
		t.Errorf("sysctl %q, was %q", now, old)
	}
	must(t, CleanStale(dir))
}

func leaveAll(t *testing.T, dir string) {
	for _, fs := range []string{"ext4", "btrfs", "tmpfs"} {
		d, err := NewDisk(DiskOptions{Dir: dir, Name: fs + " disk", FS: fs, MB: 128})
		must(t, err)
		must(t, os.Mkdir(d.Path+"/sub", 0o755))
		if fs == "ext4" {
			must(t, os.Mkdir(dir+"/bound", 0o755))
			must(t, d.Bind(d.Path+"/sub", dir+"/bound"))
		}
	}
	_, err := NewLink()
	must(t, err)
	_, err = LimitMemory(os.Getpid(), 1<<30)
	must(t, err)
	_, err = WriteSysctl("vm.stat_interval", "5")
	must(t, err)
	write(t, dir+"/ready", "", false)
	time.Sleep(time.Minute)
}

func TestUnsupportedSaysWhy(t *testing.T) {
	for what, err := range map[string]error{
		"file system": supportedFS("nosuchfs"),
		"image":       func() error { _, err := newDisk(t, DiskOptions{FS: "tmpfs"}).Snap(); return err }(),
		"fill":        newDisk(t, DiskOptions{FS: "ramfs"}).Fill(),
		"sysctl":      func() error { _, err := WriteSysctl("vm.nosuch", "1"); return err }(),
	} {
		var u *UnsupportedError
		if !errors.Is(err, ErrUnsupported) || !errors.As(err, &u) || u.Reason == "" {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := NewDisk(DiskOptions{Dir: t.TempDir(), Name: "../x", FS: "ext4", MB: 10}); err == nil {
		t.Error("a disk outside its directory")
	}
	dir := t.TempDir()
	if _, err := NewDisk(DiskOptions{Dir: dir, Name: "d", FS: "xfs", MB: 10}); err == nil {
		t.Error("an xfs of 10 MiB")
	}
	if names, _ := os.ReadDir(dir); len(names) > 0 {
		t.Errorf("a disk that could not be made left %v", names)
	}
}

// TestUsersKeepTheirDisk closes under a user: the name goes, the content stays.
func TestUsersKeepTheirDisk(t *testing.T) {
	d := newDisk(t, DiskOptions{FS: "ext4", MB: 64})
	write(t, d.Path+"/f", "x", false)
	f, err := os.Open(d.Path + "/f")
	must(t, err)
	if users := d.Users(); len(users) != 1 || users[0] != os.Getpid() {
		t.Errorf("users %v", users)
	}
	must(t, d.Unmount())
	if n, err := unix.Pread(int(f.Fd()), make([]byte, 1), 0); n != 1 || err != nil {
		t.Errorf("read from a detached disk: %d %v", n, err)
	}
	f.Close()
}
