package e2e

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"gorsyncd/bench/testbed"
)

// TestDeleteNone: what is removed, renamed or moved stays on the remote under its
// old name, in all other respects the remote has what the source has.
func TestDeleteNone(t *testing.T) {
	t.Parallel()
	src, dst := trees(t)
	for _, name := range []string{"a/file", "a/gone", "tree/x/y", "tree/z"} {
		write(t, filepath.Join(src, name), name)
	}
	randomFile(t, filepath.Join(src, "a/large"), 2<<20) // a move of its own
	_, r := serve(t, src, dst, "defaults: {delete: none}")
	r.start()
	r.flush(20 * time.Second)
	testbed.WaitEqual(t, src, dst, 2*time.Second)
	before, err := testbed.Snapshot(dst, testbed.Options{})
	must(t, err)

	must(t, os.Rename(filepath.Join(src, "a/file"), filepath.Join(src, "a/renamed")))
	must(t, os.Rename(filepath.Join(src, "a/large"), filepath.Join(src, "tree/large")))
	must(t, os.Rename(filepath.Join(src, "tree"), filepath.Join(src, "forest")))
	must(t, os.Remove(filepath.Join(src, "a/gone")))
	r.flush(20 * time.Second)
	must(t, os.RemoveAll(filepath.Join(src, "forest/x")))
	r.flush(20 * time.Second)
	r.mustCLI("sync")
	r.flush(20 * time.Second)

	got, err := testbed.Snapshot(dst, testbed.Options{})
	must(t, err)
	want, err := testbed.Snapshot(src, testbed.Options{})
	must(t, err)
	for name, n := range want {
		if got[name] != n {
			t.Errorf("%s: %+v on the remote, %+v at the source", name, got[name], n)
		}
	}
	for name, n := range before {
		if now, ok := got[name]; !ok || n.Type == "file" && now.Sum != n.Sum {
			t.Errorf("%s is not kept: %+v", name, now)
		}
	}
	if lines, code := r.verify(); code != 0 {
		t.Errorf("verify: exit %d: %v", code, told(lines))
	}
}
