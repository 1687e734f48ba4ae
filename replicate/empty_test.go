package replicate

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestPlanWithoutEmptyDirs: what is empty is only made equal where it is, and what
// is sent has the directories above it listed that the remote may not have.
func TestPlanWithoutEmptyDirs(t *testing.T) {
	tree := fakeTree{
		"": aDir, "e": aDir, "e/e": aDir, "top": aFile(1), "a": aDir, "a/b": aDir, "a/b/c": aDir, "a/b/c/f": aFile(1), "a/b/c/big": aFile(501),
		"a/b/c/sym": {Presence: IsOther}, "a/g": aFile(1),
	}
	for _, c := range []struct {
		name     string
		queue    []*Item
		standing standing
		kind     string
		existing bool
		paths    []string
		parents  []string
		restamp  []string
	}{
		{name: "an empty directory", queue: items("e", "e/e"), kind: "list", existing: true, paths: []string{"e", "e/e"}, parents: []string{"e"}},
		{name: "one with something in it", queue: items("a/b/c"), kind: "list", paths: []string{"a/b/c"}, parents: []string{"a/b", "a"}},
		{name: "a file deep down", queue: items("a/b/c/f"), kind: "list", paths: []string{"a/b/c/f"}, parents: []string{"a/b/c", "a/b", "a"}},
		{name: "where the remote has them", queue: items("a/b/c/f"), standing: standing{"a": true, "a/b": true}, kind: "list",
			paths: []string{"a/b/c/f"}, parents: []string{"a/b/c"}},
		{name: "what is no file", queue: items("a/b/c/sym"), kind: "list", paths: []string{"a/b/c/sym"}, parents: []string{"a/b/c", "a/b", "a"}},
		{name: "a big file", queue: items("a/b/c/big"), kind: "big", paths: []string{"a/b/c/big"}, parents: []string{"a/b/c", "a/b", "a"},
			restamp: []string{"a/b/c", "a/b", "a"}},
		{name: "a removal makes nothing", queue: items("-a/b/c/gone", "a/b/c/f"), kind: "list", existing: true, paths: []string{"a/b/c/gone"}, parents: []string{"a/b/c"}},
		{name: "nor do removals beside empty ones", queue: items("e", "-gone"), kind: "top", existing: true, paths: []string{"e"}},
		{name: "directly below the root", queue: items("top", "e"), kind: "top", paths: []string{"top"}},
		{name: "the root", queue: items(""), kind: "root", paths: []string{""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := tree.planner()
			p.empty = func(path string) bool { return path == "e" || path == "e/e" }
			p.standing = c.standing
			var held Locks
			b := p.next(slices.Values(c.queue), &held, true).batch
			if b == nil {
				t.Fatal("no batch")
			}
			if b.Lane.String() != c.kind && !(c.kind == "list" && b.Lane == LaneList) || b.existing != c.existing {
				t.Errorf("lane %v, existing %v", b.Lane, b.existing)
			}
			if !slices.Equal(b.Paths, c.paths) || !slices.Equal(b.Parents, c.parents) || c.restamp != nil && !slices.Equal(b.Restamp, c.restamp) {
				t.Errorf("paths %q parents %q restamp %q", b.Paths, b.Parents, b.Restamp)
			}
			for _, dir := range c.parents {
				if b.Lane != LaneBig && !slices.Contains(b.Locks, Lock{ScopeStamp, dir}) && !slices.Contains(b.Locks, Lock{ScopeDir, dir}) {
					t.Errorf("%s is listed and not locked: %v", dir, b.Locks)
				}
			}
			args := (&Options{Target: Target{Kind: Local, Path: "/x"}}).argv(b, Send)
			if slices.Contains(args, "--existing") != c.existing {
				t.Errorf("arguments %q", args)
			}
		})
	}
}

// TestIsEmpty: excluded things are nothing, all but directories is something, and
// no symbolic link is followed.
func TestIsEmpty(t *testing.T) {
	g := newRig(t)
	for _, dir := range []string{"e/e/e", "f/g", "x", "l", "other"} {
		if err := os.MkdirAll(filepath.Join(g.src, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, g.src, map[string]string{"f/g/file": "1", "x/a.tmp": "1", "x/skip/file": "1"})
	if err := os.Symlink("../f", g.src+"/l/link"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("e", g.src+"/toe"); err != nil {
		t.Fatal(err)
	}
	l, err := newLook(&g.o)
	if err != nil {
		t.Fatal(err)
	}
	excluded := func(path string, dir bool) bool {
		return strings.HasSuffix(path, ".tmp") || dir && strings.HasSuffix(path, "skip")
	}
	for path, want := range map[string]bool{"e": true, "e/e/e": true, "f": false, "f/g": false, "f/g/file": false, "x": true, "l": false,
		"other": true, "toe": false, "toe/e": false, "missing": false} {
		if l.isEmpty(path, excluded) != want {
			t.Errorf("%s: %v", path, !want)
		}
	}
	if l.isEmpty("x", excluded); l.empty["x"] != true {
		t.Error("it is looked up again")
	}
	names, whole, err := l.worth("", excluded)
	if slices.Sort(names); err != nil || whole || !slices.Equal(names, []string{"f", "l", "toe"}) {
		t.Errorf("%q %v %v", names, whole, err)
	}
}

// TestReconcileWithoutEmptyDirs: one run where none is empty, else one that makes
// nothing and one that deletes nothing.
func TestReconcileWithoutEmptyDirs(t *testing.T) {
	g := newRig(t, func(g *rig) { g.o.NoEmptyDirs, g.o.Delete = true, DeleteAll })
	write(t, g.src, map[string]string{"full/f": "1", "mixed/f": "1", "mixed/sub/f": "1"})
	for _, dir := range []string{"mixed/e", "e/e"} {
		if err := os.MkdirAll(filepath.Join(g.src, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	tr := newRsyncTransport(&g.o)
	for _, c := range []struct {
		dirs []string
		want []string // lists; "=" for a run that makes nothing
	}{
		{[]string{"full", "mixed/sub"}, []string{"./full/ ./mixed/sub/"}},
		{[]string{"e", "e/e"}, []string{"=./e/ ./e/e/"}},
		{[]string{"full", "mixed"}, []string{"=./full/ ./mixed/", "./full/ ./mixed ./mixed/f ./mixed/sub"}},
		{[]string{""}, []string{"=./", "./full ./mixed"}},
	} {
		runs, err := tr.invocations(&Batch{Lane: LaneReconcile, Paths: c.dirs, Content: true})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, in := range runs {
			list := strings.Fields(strings.ReplaceAll(string(in.list), "\x00", " "))
			if !in.batch.existing {
				slices.Sort(list)
			}
			mark, args := "", in.argv(&g.o, Send, nil)
			if in.batch.existing {
				mark = "="
			}
			got = append(got, mark+strings.Join(list, " "))
			made := in.batch.makes
			if slices.Contains(args, "--delete") == made || slices.Contains(args, "--checksum") == made || slices.Contains(args, "--existing") != in.batch.existing {
				t.Errorf("%q: %q", list, args)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, want %q", c.dirs, got, c.want)
		}
	}
}

// TestBigFileBringsItsDirectories: they were passed over while they were empty.
func TestBigFileBringsItsDirectories(t *testing.T) {
	g := newRig(t, targets["daemon"], func(g *rig) { g.o.NoEmptyDirs, g.o.BigFile = true, 1<<20 }).start()
	write(t, g.src, map[string]string{"d/f": "1"})
	for _, dir := range []string{"a", "a/b", "a/b/c"} {
		if err := os.Mkdir(filepath.Join(g.src, dir), 0o710); err != nil {
			t.Fatal(err)
		}
	}
	g.sync()
	if _, err := os.Lstat(g.dst + "/a"); !os.IsNotExist(err) {
		t.Fatalf("an empty directory was sent: %v", err)
	}
	randomFile(t, g.src+"/a/b/c/big", 2<<20)
	g.sync()
	g.equal()
	// A removal alone makes nothing either.
	if err := os.MkdirAll(g.src+"/x/y", 0o700); err != nil {
		t.Fatal(err)
	}
	g.sync()
	g.j.remove("x/y/never", 1)
	g.wait(g.j.Head())
	if _, err := os.Lstat(g.dst + "/x"); !os.IsNotExist(err) {
		t.Errorf("a removal has made a directory: %v", err)
	}
}
