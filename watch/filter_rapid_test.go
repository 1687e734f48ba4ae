package watch

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// forest is many small cases for one run of rsync: each has a tree of its own,
// c0, c1, …, and rules that are anchored there. A few rules are for all.
type forest struct {
	root  string
	rules []Rule
	paths []string // directories with a trailing slash
}

// grow makes the tree of one case and returns its paths without the "/" of
// directories.
func (f *forest) grow(t *rapid.T, top string) []string {
	dirs, all := []string{top}, []string{}
	if err := os.Mkdir(filepath.Join(f.root, top), 0o755); err != nil {
		t.Fatal(err)
	}
	f.paths = append(f.paths, top+"/")
	name := rapid.SampledFrom(append([]string{"aa", "ba", "a/", "ab/", "[ab]/", "a.b/", "b/", "*/"}, filterNames...))
	for range rapid.IntRange(1, 8).Draw(t, "paths") {
		base, isDir := strings.CutSuffix(name.Draw(t, "name"), "/")
		p := join(dirs[rapid.IntRange(0, len(dirs)-1).Draw(t, "in")], base)
		full := filepath.Join(f.root, p)
		if _, err := os.Lstat(full); err == nil {
			continue
		}
		var err error
		if isDir {
			err = os.Mkdir(full, 0o755)
			dirs = append(dirs, p)
			f.paths = append(f.paths, p+"/")
		} else {
			err = os.WriteFile(full, nil, 0o644)
			f.paths = append(f.paths, p)
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

// pattern draws from parts, or takes a path with one of its elements replaced.
func pattern(t *rapid.T, paths []string, top string) string {
	part := rapid.SampledFrom(patternParts)
	var p string
	if len(paths) > 0 && rapid.Bool().Draw(t, "from a path") {
		elems := strings.Split(strings.TrimPrefix(rapid.SampledFrom(paths).Draw(t, "path"), top+"/"), "/")
		i := rapid.IntRange(0, len(elems)).Draw(t, "element")
		if i < len(elems) {
			elems[i] = strings.Join(rapid.SliceOfN(part, 1, 3).Draw(t, "parts"), "")
		}
		p = strings.Join(elems, "/")
	} else {
		p = strings.Join(rapid.SliceOfN(part, 1, 6).Draw(t, "parts"), "")
	}
	return p + rapid.SampledFrom([]string{"", "", "/", "/**", "/***"}).Draw(t, "end")
}

func (f *forest) rule(t *rapid.T, pattern string) {
	sign := rapid.SampledFrom([]string{"-", "-", "+"}).Draw(t, "sign")
	f.rules = append(f.rules, Rule{Text: sign + " " + pattern, Origin: fmt.Sprint("generated:", len(f.rules)+1)})
}

// TestFilterCasesAgainstRsync compares Match with the installed rsync for
// dozens of generated trees and their rules a run.
func TestFilterCasesAgainstRsync(t *testing.T) {
	home, err := os.MkdirTemp("/dev/shm", "watch-filter-") // needs no waiting for a disk
	if err != nil {
		home = t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(home) })
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		f := &forest{root: filepath.Join(home, fmt.Sprint(n))}
		if err := os.Mkdir(f.root, 0o755); err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(f.root)
		var some []string
		for i := range rapid.IntRange(1, 30).Draw(t, "cases") {
			top := fmt.Sprint("c", i)
			paths := f.grow(t, top)
			for range rapid.IntRange(0, 4).Draw(t, "rules") {
				f.rule(t, "/"+top+"/"+pattern(t, paths, top))
			}
			some = append(some, paths...)
		}
		for range rapid.IntRange(0, 2).Draw(t, "rules for all") {
			f.rule(t, pattern(t, some, "c0"))
		}
		compareWithRsync(t, f.rules, f.root, f.paths)
	})
}
