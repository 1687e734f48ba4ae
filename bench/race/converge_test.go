package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestSeen: what is told of a tree while it is made is what a walk finds, files in
// the order of their paths.
func TestSeen(t *testing.T) {
	for _, tr := range []tree{{files: 23, dirs: 5, size: 100}, {files: 3, dirs: 7, size: 10}} {
		root := t.TempDir()
		if err := tr.make(root); err != nil {
			t.Fatal(err)
		}
		got, err := tr.write(root, 1)
		if err != nil {
			t.Fatal(err)
		}
		want, err := expect(root)
		if err != nil {
			t.Fatal(err)
		}
		byPath := func(a, b wanted) int { return strings.Compare(a.path, b.path) }
		if !slices.IsSortedFunc(got.files[:tr.files], byPath) {
			t.Errorf("files come as %+v", got.files[:tr.files])
		}
		for _, list := range [][]wanted{got.files, got.dirs, want.files, want.dirs} {
			slices.SortFunc(list, byPath)
		}
		if !slices.Equal(got.files, want.files) || !slices.Equal(got.dirs, want.dirs) {
			t.Errorf("made %+v, there is %+v", got, want)
		}
	}
}

// TestObserverAndOracle make one difference of each kind.
func TestObserverAndOracle(t *testing.T) {
	tr := tree{files: 6, dirs: 2, size: 100}
	stamp := time.Unix(1_600_000_000, 1)
	for _, c := range []struct {
		name   string
		do     func(src, dst string) error
		equal  bool // says the observer
		noDirs bool
		wrong  int // says the oracle
	}{
		{"nothing", func(_, _ string) error { return nil }, true, false, 0},
		{"another size", func(_, dst string) error { return os.WriteFile(filepath.Join(dst, tr.path(3)), nil, 0o644) }, false, false, 1},
		{"another time", func(_, dst string) error { return os.Chtimes(filepath.Join(dst, tr.path(5)), stamp, stamp) }, false, false, 1},
		{"missing", func(src, _ string) error { return os.WriteFile(filepath.Join(src, "new"), nil, 0o644) }, false, false, 1},
		{"still there", func(src, dst string) error { return os.Mkdir(filepath.Join(dst, "old"), 0o755) }, false, false, 1},
		{"time of a directory", func(_, dst string) error { return os.Chtimes(filepath.Join(dst, tr.dir(1)), stamp, stamp) }, true, true, 0},
		{"another content", func(src, dst string) error {
			p := filepath.Join(dst, tr.path(0))
			st, err := os.Stat(p)
			if err != nil {
				return err
			}
			if err := os.WriteFile(p, tr.content(0, 0)[1:], 0o644); err != nil {
				return err
			}
			if err := os.Truncate(p, st.Size()); err != nil {
				return err
			}
			return os.Chtimes(p, st.ModTime(), st.ModTime())
		}, true, false, 1},
	} {
		dir := t.TempDir()
		src, dst := filepath.Join(dir, "src"), filepath.Join(dir, "dst")
		if err := tr.make(src); err != nil {
			t.Fatal(err)
		}
		if err := copyTree(src, dst); err != nil {
			t.Fatal(err)
		}
		if err := c.do(src, dst); err != nil {
			t.Fatal(err)
		}
		e, err := expect(src, "old")
		if err != nil {
			t.Fatal(err)
		}
		a := e.wait([]string{dst}, time.Now(), patience{20 * time.Millisecond, 20 * time.Millisecond})
		wrong, sample, err := judge(src, []string{dst}, 1)
		if a.equal != c.equal || a.noDirs != c.noDirs || wrong != c.wrong || err != nil {
			t.Errorf("%s: observer %+v, oracle %d %s %v", c.name, a, wrong, sample, err)
		}
	}
}
