package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestMain fails the package when a test left a mount, a loop device, a
// namespace or a group behind. Temporary files get a directory of this run.
func TestMain(m *testing.M) {
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	if os.Getenv("LAB_LEAVE") != "" { // a child of TestCleanStale
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "gorsyncd-lab-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	os.Setenv("TMPDIR", dir)
	code := m.Run()
	if left := leftovers(dir, os.Getpid()); len(left) > 0 {
		fmt.Fprintln(os.Stderr, "left behind:\n"+strings.Join(left, "\n"))
		return 1
	}
	return code
}

// leftovers lists what is still mounted or attached below dir, and what the
// process pid made elsewhere.
func leftovers(dir string, pid int) []string {
	var left []string
	mounts, _ := os.ReadFile("/proc/mounts")
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, " "+dir+"/") {
			left = append(left, "mount "+strings.TrimSpace(line))
		}
	}
	left = append(left, devicesOver(dir+"/")...)
	for _, pattern := range []string{
		fmt.Sprintf("/run/netns/%s%d-*", linkPrefix, pid),
		"/sys/class/net/glab" + strconv.FormatInt(int64(pid), 36) + "-*",
		noteDir() + "/*",
	} {
		found, _ := filepath.Glob(pattern)
		left = append(left, found...)
	}
	for _, root := range append(groupMounts(true), groupMounts(false)...) {
		_ = filepath.WalkDir(root, func(path string, e os.DirEntry, err error) error {
			if err == nil && strings.HasPrefix(e.Name(), fmt.Sprintf("%s%d-", groupPrefix, pid)) {
				left = append(left, path)
			}
			return nil // groups come and go
		})
	}
	return left
}

// devicesOver lists the loop devices over files whose path starts with prefix.
func devicesOver(prefix string) []string {
	var found []string
	loops, _ := filepath.Glob("/sys/block/loop*")
	for _, l := range loops {
		if dev := "/dev/" + filepath.Base(l); strings.HasPrefix(backingOf(dev), prefix) {
			found = append(found, dev+" over "+backingOf(dev))
		}
	}
	return found
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newDisk makes a disk of a size every file system accepts.
func newDisk(t *testing.T, opt DiskOptions) *Disk {
	t.Helper()
	if opt.Dir == "" {
		opt.Dir = t.TempDir()
	}
	if opt.Name == "" {
		opt.Name = "disk"
	}
	if opt.MB == 0 {
		opt.MB = 320
	}
	d, err := NewDisk(opt)
	must(t, err)
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// write makes a file with that content; synced to the device if durable.
func write(t *testing.T, path, content string, durable bool) {
	t.Helper()
	f, err := os.Create(path)
	must(t, err)
	defer f.Close()
	_, err = f.WriteString(content)
	must(t, err)
	if durable {
		must(t, f.Sync())
	}
}

func wantContent(t *testing.T, path, want string) {
	t.Helper()
	b, err := os.ReadFile(path)
	must(t, err)
	if string(b) != want {
		t.Fatalf("%s holds %d bytes %.20q, want %.20q", path, len(b), b, want)
	}
}

func wantErrno(t *testing.T, what string, err error, want unix.Errno) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("%s: %v, want %v", what, err, want)
	}
}

// eachFS runs f for each kind of disk, side by side: they wait for the device
// under the backing files most of the time.
func eachFS(t *testing.T, f func(t *testing.T, fs string)) {
	t.Parallel()
	for _, fs := range []string{"ext4", "xfs", "btrfs"} {
		t.Run(fs, func(t *testing.T) { t.Parallel(); f(t, fs) })
	}
}
