package e2e

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"gorsyncd/bench/testbed"
)

// fill makes n files in root.
func fill(t *testing.T, root string, n int) {
	t.Helper()
	for i := range n {
		write(t, filepath.Join(root, fmt.Sprintf("d%d", i%10), fmt.Sprint(i)), "content")
	}
}

func files(t *testing.T, root string) int {
	t.Helper()
	for {
		nodes, err := testbed.Snapshot(root, testbed.Options{})
		if errors.Is(err, fs.ErrNotExist) {
			continue // something was removed meanwhile
		}
		must(t, err)
		return len(nodes)
	}
}

func TestMassDeletionIsHeld(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	fill(t, src, 300)
	write(t, filepath.Join(src, "keep"), "so that the source is not empty")
	_, r := serve(t, src, dst, "defaults: {guard: {max_delete: 100}}")
	r.start()
	r.flush(30 * time.Second)
	for i := range 10 {
		must(t, os.RemoveAll(filepath.Join(src, fmt.Sprintf("d%d", i))))
	}
	r.waitState("src/r", "held", 20*time.Second)
	if n := files(t, dst); n < 200 {
		t.Errorf("only %d of 311 paths left on a held remote", n)
	}
	// Else a flush tells that the source is not read yet.
	r.waitFor("the source to be read", 20*time.Second, func() bool { return r.status().Sources[0].State != "scanning" })
	out, errOut, code := r.cli("flush", "--timeout", "1s")
	if code != 3 && code != 4 {
		t.Errorf("flush with a held remote: exit %d", code)
	}
	contains(t, out+errOut, "held")
	out, _, _ = r.cli("status")
	contains(t, out, "G-MAXDELETE", "approve")

	// Held survives a restart.
	r.kill9()
	r.start()
	r.waitState("src/r", "held", 20*time.Second)
	r.mustCLI("approve", "src/r")
	r.flush(20 * time.Second)
	testbed.WaitEqual(t, src, dst, time.Second)
	r.waitSync(10 * time.Second)
}

func TestVanishedSourceIsHeld(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	run(t, "mount", "-t", "tmpfs", "tmpfs", src)
	mounted := true
	t.Cleanup(func() {
		if mounted {
			run(t, "umount", src)
		}
	})
	fill(t, src, 50)
	_, r := serve(t, src, dst, "")
	r.start()
	r.flush(30 * time.Second)
	want := files(t, dst)

	held := func() bool { s := r.status().Sources[0]; return s.State == "held" && s.Held != "" }
	run(t, "umount", "-l", src)
	mounted = false
	r.waitFor("the unmounted source to be held", 20*time.Second, held)
	if n := files(t, dst); n != want {
		t.Errorf("%d of %d paths left after the source was unmounted", n, want)
	}
	// The same at a start.
	r.kill9()
	r.start()
	r.waitFor("the unmounted source to be held at start", 20*time.Second, held)
	if n := files(t, dst); n != want {
		t.Errorf("%d of %d paths left after a start on an unmounted source", n, want)
	}
	// A directory that is gone altogether.
	must(t, os.Remove(src))
	r.waitFor("the removed source to be held", 20*time.Second, held)
	if n := files(t, dst); n != want {
		t.Errorf("%d of %d paths left after the source was removed", n, want)
	}
	// Back with its files: goes on by itself.
	mkdir(t, src)
	run(t, "mount", "-t", "tmpfs", "tmpfs", src)
	mounted = true
	fill(t, src, 50)
	write(t, filepath.Join(src, "new"), "x")
	r.flush(40 * time.Second)
	testbed.WaitEqual(t, src, dst, time.Second)
}

func TestEmptiedSourceNeedsApproval(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	fill(t, src, 50)
	_, r := serve(t, src, dst, "")
	r.start()
	r.flush(30 * time.Second)
	r.stop()
	want := files(t, dst)
	entries, err := os.ReadDir(src)
	must(t, err)
	for _, e := range entries {
		must(t, os.RemoveAll(filepath.Join(src, e.Name())))
	}
	r.start()
	r.waitFor("the empty source to be held", 20*time.Second, func() bool { return r.status().Sources[0].State == "held" })
	if n := files(t, dst); n != want {
		t.Errorf("%d of %d paths left", n, want)
	}
	r.mustCLI("approve", "src/r")
	testbed.WaitEqual(t, src, dst, 20*time.Second)
}

// TestHeldSourceIsNotReconciled: a full sync with delete: all must not do what
// the guard of the source has just refused.
func TestHeldSourceIsNotReconciled(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	fill(t, src, 50)
	_, r := serve(t, src, dst, "defaults: {delete: all}")
	r.start()
	r.flush(30 * time.Second)
	want := files(t, dst)
	r.stop()
	for i := range 10 {
		must(t, os.RemoveAll(filepath.Join(src, fmt.Sprintf("d%d", i))))
	}
	r.start()
	r.waitFor("the empty source to be held", 20*time.Second, func() bool { return r.status().Sources[0].State == "held" })
	r.mustCLI("sync", "src/r")
	time.Sleep(2 * time.Second)
	if n := files(t, dst); n != want {
		t.Fatalf("%d of %d paths left", n, want)
	}
	if doc := r.status().remote(t, "src/r"); doc.FullSync == nil {
		t.Error("the full sync that was asked for is gone")
	}
	r.mustCLI("approve", "src/r")
	r.flush(20 * time.Second)
	testbed.WaitEqual(t, src, dst, time.Second)
}
