package journal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"
)

// mounted mounts something on a new directory until the test ends.
func mounted(t *testing.T, args ...string) string {
	t.Helper()
	at := t.TempDir()
	if out, err := exec.Command("mount", append(args, at)...).CombinedOutput(); err != nil {
		t.Fatalf("mount (this test needs root): %v\n%s", err, out)
	}
	t.Cleanup(func() { _ = syscall.Unmount(at, syscall.MNT_DETACH) })
	return at
}

// TestPowerCut copies a disk while a journal on it is open: what the kernel has
// not written yet is lost with the power. All that was acknowledged is there.
func TestPowerCut(t *testing.T) {
	home := t.TempDir()
	disk, cut := filepath.Join(home, "disk"), filepath.Join(home, "cut")
	must(t, os.WriteFile(disk, nil, 0o600))
	must(t, os.Truncate(disk, 512<<20))
	if out, err := exec.Command("mkfs.ext4", "-q", "-F", disk).CombinedOutput(); err != nil {
		t.Fatalf("mkfs.ext4 (Debian: e2fsprogs): %v\n%s", err, out)
	}
	j := reopen(t, Options{Dir: filepath.Join(mounted(t, "-o", "loop", disk), "journal")})
	s := source(t, j)
	r := remote(t, s, "nas")
	record(t, s, dir("", 1), dir("d", 2))
	for i := range 200 {
		record(t, s, file(fmt.Sprint("d/f", i), uint64(i+10), 0))
	}
	ack(t, r, 20, Range{30, 40})
	want := entries(t, s)
	must(t, copySparse(disk, cut))

	o := Options{Dir: filepath.Join(mounted(t, "-o", "loop", cut), "journal")}
	after := source(t, reopen(t, o))
	if got := entries(t, after); !slices.Equal(got, want) {
		t.Errorf("%d entries after the power cut, %d were acknowledged", len(got), len(want))
	}
	equal(t, "cursor", remote(t, after, "nas").Cursor(), Cursor{Low: 20, Done: []Range{{30, 40}}})
}

// TestNoInodes: Badger loses tables when it cannot create a file for a
// compaction, so nothing is written long before that.
func TestNoInodes(t *testing.T) {
	small := mounted(t, "-t", "tmpfs", "-o", fmt.Sprint("size=1g,nr_inodes=", minFreeInodes+20), "tmpfs")
	j := reopen(t, Options{Dir: filepath.Join(small, "journal")})
	s := source(t, j)
	tree(t, s)
	for i := range 30 {
		must(t, os.WriteFile(filepath.Join(small, fmt.Sprint(i)), nil, 0o600))
	}
	if _, err := s.Record(context.Background(), []Observation{file("f", 9, 0)}); !errors.Is(err, ErrNoSpace) {
		t.Errorf("recorded with hardly an inode left: %v", err)
	}
	for i := range 30 {
		must(t, os.Remove(filepath.Join(small, fmt.Sprint(i))))
	}
	equal(t, "seq", record(t, s, file("f", 9, 0))[0].Seq, 5)
}

// TestUnreadableBlock damages one block of a table: Badger's iterators end
// there without an error, so that the rest looks as if it had never been.
func TestUnreadableBlock(t *testing.T) {
	for _, part := range []int64{1, 3, 5} { // eighths: entries first, then the index
		t.Run(fmt.Sprint(part, " eighths"), func(t *testing.T) {
			o := Options{Dir: filepath.Join(t.TempDir(), "journal")}
			j := reopen(t, o)
			s := source(t, j)
			remote(t, s, "nas")
			obs := []Observation{dir("", 1), dir("d", 2)}
			for i := range 3000 {
				obs = append(obs, file(fmt.Sprint("d/f", i), uint64(i+10), int64(i)))
			}
			record(t, s, obs...)
			closeChecked(t, j)
			table := glob(t, o.Dir+"/*.sst")[0]
			f, err := os.OpenFile(table, os.O_RDWR, 0)
			must(t, err)
			info, err := f.Stat()
			must(t, err)
			_, err = f.WriteAt([]byte("damaged"), info.Size()*part/8)
			must(t, errors.Join(err, f.Close()))
			var lost *LostError
			var corrupt *CorruptError
			if _, err := Open(o); !errors.As(err, &lost) && !errors.As(err, &corrupt) {
				t.Errorf("opened with an unreadable block: %v", err)
			}
		})
	}
}

// TestTablesOutliveTheirManifest: without a MANIFEST Badger takes its tables for
// left-overs and deletes them, and with them the last hope.
func TestTablesOutliveTheirManifest(t *testing.T) {
	o := Options{Dir: filepath.Join(t.TempDir(), "journal")}
	j := reopen(t, o)
	tree(t, source(t, j))
	closeChecked(t, j)
	tables := glob(t, o.Dir+"/*.sst")
	must(t, os.Remove(filepath.Join(o.Dir, "MANIFEST")))
	var lost *LostError
	if _, err := Open(o); !errors.As(err, &lost) {
		t.Errorf("opened without a MANIFEST: %v", err)
	}
	if left, err := filepath.Glob(o.Dir + "/*.sst"); err != nil || !slices.Equal(left, tables) {
		t.Errorf("%q are left of %q (%v)", left, tables, err)
	}
}

// TestCloseEnds: a database whose directory is gone would be flushed for ever.
func TestCloseEnds(t *testing.T) {
	defer func(d time.Duration) { closePatience = d }(closePatience)
	closePatience = 200 * time.Millisecond
	dir := filepath.Join(t.TempDir(), "journal")
	j, err := Open(Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	tree(t, source(t, j))
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- j.Close() }()
	select {
	case err := <-ended:
		if !errors.Is(err, errNotClosed) {
			t.Errorf("Close: %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Error("Close does not end")
	}
}
