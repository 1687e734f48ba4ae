package replicate

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"gorsyncd/journal"
)

// TestTidyRemovesOnlyOurs: after a start that followed a crash, the temporary
// files of what was under way go, and those of others stay.
func TestTidyRemovesOnlyOurs(t *testing.T) {
	g := newRig(t)
	lock := filepath.Join(t.TempDir(), "run")
	g.o.RunLock = lock
	long := strings.Repeat("l", 250)
	for _, p := range []string{"d/f", "d/" + long, "top", ".hidden"} {
		write(t, g.src, map[string]string{p: "content of " + p})
	}
	if err := os.Symlink("f", filepath.Join(g.src, "d/link")); err != nil {
		t.Fatal(err)
	}
	for _, p := range []string{"d/.f.AbCdE1", "d/." + long[:247] + ".x1y2z3", ".top.000000", "..hidden.Zz9Zz9", ".hidden.Zz8Zz8", "d/.f.backup2", "d/.other.AbCdE1", "d/f.AbCdE1", ".toponly", "d/.f.1234", "d/.link.20430"} {
		path := filepath.Join(g.dst, p)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(lock, []byte(running), 0o600); err != nil {
		t.Fatal(err)
	}
	g.j.scan(t, false) // journaled before the start, as what a crash leaves is
	g.start().sync()
	want := []string{".hidden", ".toponly", "d", "d/.f.1234", "d/.f.backup2", "d/.other.AbCdE1", "d/f", "d/f.AbCdE1", "d/" + long, "d/link", "top"}
	slices.Sort(want)
	g.until("the temporary files to go", func() bool {
		var got []string
		err := filepath.WalkDir(g.dst, func(path string, _ os.DirEntry, err error) error {
			if rel, _ := filepath.Rel(g.dst, path); rel != "." {
				got = append(got, rel)
			}
			return err
		})
		slices.Sort(got)
		return err == nil && slices.Equal(got, want)
	})
}

// TestTidyOfARemovedFile: what was under way when we were killed is gone from the
// source by now, and its directory is part of a full sync as well.
func TestTidyOfARemovedFile(t *testing.T) {
	never := func(string) bool { return false }
	for name, steps := range map[string][]func(*leftBehind){
		"entry first":     {func(l *leftBehind) { l.add("d/gone") }, func(l *leftBehind) { l.addAll("d") }},
		"directory first": {func(l *leftBehind) { l.addAll("d") }, func(l *leftBehind) { l.add("d/gone") }},
	} {
		var l leftBehind
		for _, s := range steps {
			s(&l)
			s(&l)
		}
		if !l.of("d/.gone.AbCdE1", never, never) || l.of("d/.other.AbCdE1", never, never) || l.names != 2 {
			t.Errorf("%s: %+v", name, l)
		}
		if !l.of("d/.other.AbCdE1", func(string) bool { return true }, never) {
			t.Errorf("%s: what the index has is not taken for ours", name)
		}
		if l.drop("d"); l.names != 0 || len(l.dirs) != 0 {
			t.Errorf("%s: left after the drop: %+v", name, l)
		}
	}
}

// TestTidyRemembersCutRuns: which ends of rsync leave something behind.
func TestTidyRemembersCutRuns(t *testing.T) {
	b := &Batch{Items: []*Item{{Path: "d/f", Op: journal.OpChange, Size: 1}, {Path: "d/empty", Op: journal.OpChange}, {Path: "d/gone", Op: journal.OpRemove}}}
	for exit, want := range map[int]int{12: 2, 20: 2, 30: 2, -9: 2, 255: 2, 0: 0, 5: 0, 10: 0, 23: 0, 24: 0, -1: 0} {
		var d Dispatcher
		d.cutOff(b, &Result{Exit: exit, Stderr: "rsync: [sender] failed to connect to h: Connection refused (111)"})
		if d.tidy.names != want {
			t.Errorf("exit %d: %d names", exit, d.tidy.names)
		}
	}
	var d Dispatcher
	d.cutOff(b, &Result{Exit: 10, Stderr: "rsync: [sender] read error: Connection reset by peer (104)"})
	if d.tidy.names != 2 {
		t.Errorf("a connection that was reset: %d names", d.tidy.names)
	}
}

// TestTidyOfOtherNames: a changed file travels with all its names, and the first
// of them is the one that is written.
func TestTidyOfOtherNames(t *testing.T) {
	never := func(string) bool { return false }
	b := &Batch{Lane: LaneList, Paths: []string{"d/first", "d/file", "d/gone"}, Items: []*Item{
		{Path: "d/file", Seq: 7, First: 5, Op: journal.OpChange}, {Path: "d/gone", Seq: 6, First: 6, Op: journal.OpRemove}}}
	var cut Dispatcher
	cut.cutOff(b, &Result{Exit: 12})
	var killed, later leftBehind
	killed.uncleanStart(5, nil)
	killed.started(b)
	later.uncleanStart(4, nil)
	later.started(b)
	for name, l := range map[string]*leftBehind{"cut": &cut.tidy, "killed": &killed} {
		if !l.of("d/.first.AbCdE1", never, never) || l.of("d/.gone.AbCdE1", never, never) {
			t.Errorf("%s: %+v", name, l)
		}
	}
	if later.names != 0 {
		t.Errorf("what was journaled after the start cannot have been under way before: %+v", later)
	}
}

// TestCutShort: a clean end leaves no suspicion, a killed process does.
func TestCutShort(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	a := alone{path: path}
	if CutShort(path) {
		t.Error("suspicious before the first run")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, out := a.enter(ctx); out.Class != "" {
		t.Fatal(out)
	}
	if !CutShort(path) {
		t.Error("a process that is killed now would leave no trace")
	}
	a.leave()
	if CutShort(path) {
		t.Error("suspicious after a clean end")
	}
}
