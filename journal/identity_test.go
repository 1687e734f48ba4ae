package journal

import (
	"os"
	"path/filepath"
	"testing"
)

// TestFileSystemID: the same for every directory of a file system, also through
// a handle that cannot be read, and another one elsewhere.
func TestFileSystemID(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "sub"), 0o755))
	id := func(path string, flags int) uint64 {
		f, err := os.OpenFile(path, flags, 0)
		must(t, err)
		defer f.Close()
		n, err := FileSystemID(int(f.Fd()))
		must(t, err)
		return n
	}
	const oPath = 0x200000
	a := id(dir, os.O_RDONLY)
	if b := id(filepath.Join(dir, "sub"), oPath); a != b {
		t.Errorf("%x and %x for one file system", a, b)
	}
	if p := id("/proc", os.O_RDONLY); p == a {
		t.Errorf("%x for two file systems", p)
	}
}
