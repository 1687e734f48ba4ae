package e2e

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gorsyncd/bench/testbed"
)

// emptyDirs are the directories of a tree with nothing but directories at and
// below them.
func emptyDirs(t *testing.T, root string) map[string]bool {
	t.Helper()
	empty := map[string]bool{}
	must(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if d.IsDir() && rel != "." {
			empty[rel] = true
		}
		for p := filepath.Dir(rel); !d.IsDir() && p != "."; p = filepath.Dir(p) {
			delete(empty, p)
		}
		return err
	}))
	return empty
}

// equalButEmpty fails unless the trees are equal, but for empty directories of the
// source that the remote does not have, and those of the given names. Times of
// directories that these are in are compared as well.
func equalButEmpty(t *testing.T, src, dst string, also ...string) {
	t.Helper()
	empty := emptyDirs(t, src)
	testbed.WaitEqual(t, src, dst, 5*time.Second, testbed.Options{Skip: func(path string) bool {
		if !empty[path] && !slices.Contains(also, filepath.Base(path)) {
			return false
		}
		_, err := os.Lstat(filepath.Join(dst, path))
		return os.IsNotExist(err)
	}})
}

// TestEmptyDirsKills: whatever is killed in between, all but empty directories is
// equal in the end, and these, too, when they are wanted.
func TestEmptyDirsKills(t *testing.T) {
	t.Parallel()
	for _, extra := range []string{"delete: tracked", "delete: all, attributes: with_content, workers: 2"} {
		t.Run(extra, func(t *testing.T) {
			t.Parallel()
			src, dst := trees(t)
			d := testbed.RunRsyncd(t, testbed.Module{Name: "m", Path: dst})
			r := newRig(t, oneRemote(src, d.Target("m"), "defaults: {empty_dirs: false, "+extra+", retry: {initial: 200ms, max: 2s}, guard: {max_delete: 0}}"))
			churnAndKill(t, r, src, 4)
			r.flush(60 * time.Second)
			if lines, code := r.verify("--checksum"); code != 0 {
				t.Errorf("verify: exit %d: %v", code, told(lines))
			}
			r.mustCLI("sync", "--checksum") // attributes come along
			r.flush(60 * time.Second)
			equalButEmpty(t, src, dst)
			r.setLine("empty_dirs: false", "empty_dirs: true")
			r.mustCLI("reload")
			r.flush(60 * time.Second)
			testbed.WaitEqual(t, src, dst, 5*time.Second)
		})
	}
}

// TestEmptyDirs: a directory arrives with what is in it, with its own attributes
// and those of the directories above; one that becomes empty stays, one that takes
// the place of a file does so at once.
func TestEmptyDirs(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"tracked", "all", "local", "old rsync"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			src, dst := trees(t)
			at := func(root string, names ...string) []string {
				for i := range names {
					names[i] = filepath.Join(root, names[i])
				}
				return names
			}
			absent := func(names ...string) {
				t.Helper()
				for _, p := range at(dst, names...) {
					if _, err := os.Lstat(p); !os.IsNotExist(err) {
						t.Errorf("%s is on the remote: %v", p, err)
					}
				}
			}
			// Before the start: a full sync.
			for _, p := range at(src, "empty/deep/er", "full/in/side", "full/[odd] *", "full/skip") {
				must(t, os.MkdirAll(p, 0o750))
			}
			write(t, filepath.Join(src, "full/f"), "1")
			randomFile(t, filepath.Join(src, "full/in/large"), 3<<20)
			write(t, filepath.Join(src, "full/in/g"), "1")
			write(t, filepath.Join(src, "full/skip/x.tmp"), "1")  // excluded
			must(t, os.Mkdir(filepath.Join(dst, "empty"), 0o700)) // it is there by chance
			extra := "defaults: {empty_dirs: false, exclude: ['*.tmp'], delete: all}"
			if kind == "tracked" {
				extra = strings.Replace(extra, "all", "tracked", 1)
			}
			r := newRig(t, oneRemote(src, dst, extra))
			if kind != "local" {
				var d *testbed.Rsyncd
				if d, r = serve(t, src, dst, extra); kind == "old rsync" {
					d.Stop()
					d.Binary = testbed.OldRsync(t)
					must(t, d.Start())
				}
			}
			r.start()
			sync := func() {
				t.Helper()
				r.flush(20 * time.Second)
				equalButEmpty(t, src, dst, "skip")
			}
			sync()
			absent("empty/deep", "full/in/side", "full/[odd] *", "full/skip")

			// Live: nested, and filled from the bottom.
			must(t, os.MkdirAll(filepath.Join(src, "new/a/b"), 0o710))
			out, _, _ := r.cli("explain", filepath.Join(src, "empty/deep"))
			contains(t, out, "made there with the first thing in it")
			must(t, os.Mkdir(filepath.Join(src, "full/[odd] */more"), 0o700))
			sync()
			absent("new", "full/[odd] *")
			time.Sleep(100 * time.Millisecond)
			write(t, filepath.Join(src, "new/a/b/file"), "1")
			must(t, os.Symlink("x", filepath.Join(src, "full/[odd] */more/link")))
			sync()

			// It stays when it becomes empty, and keeps its attributes.
			must(t, os.Remove(filepath.Join(src, "new/a/b/file")))
			must(t, os.Chmod(filepath.Join(src, "new/a"), 0o700))
			sync()
			if _, err := os.Lstat(filepath.Join(dst, "new/a/b")); err != nil {
				t.Error(err)
			}
			if got := modeOf(t, dst, "new/a"); got != 0o700 {
				t.Errorf("mode %v", got)
			}
			// What a file was is a directory, without anything in it.
			must(t, os.Remove(filepath.Join(src, "full/f")))
			must(t, os.Mkdir(filepath.Join(src, "full/f"), 0o700))
			sync()
			if fi, err := os.Lstat(filepath.Join(dst, "full/f")); err != nil || !fi.IsDir() {
				t.Errorf("the file is still there: %v", err)
			}
			// Moved and removed.
			must(t, os.MkdirAll(filepath.Join(src, "void/void"), 0o700))
			must(t, os.Rename(filepath.Join(src, "full"), filepath.Join(src, "void/full")))
			must(t, os.Rename(filepath.Join(src, "new"), filepath.Join(src, "gone")))
			sync()
			absent("full", "new", "gone", "void/void", "void/full/skip")
			must(t, os.RemoveAll(filepath.Join(src, "gone")))
			sync()
			// A file that is a move of its own, to where the remote has nothing.
			must(t, os.MkdirAll(filepath.Join(src, "hollow/a/b"), 0o711))
			sync()
			absent("hollow")
			must(t, os.Rename(filepath.Join(src, "void/full/in/large"), filepath.Join(src, "hollow/a/b/large")))
			sync()
			if lines, code := r.verify(); code != 0 {
				t.Errorf("verify: exit %d: %v", code, told(lines))
			}
			r.mustCLI("sync")
			sync()
			absent("void/void", "void/full/in/side")
		})
	}
}
