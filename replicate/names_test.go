package replicate

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestNamesAsArguments: long lists travel as arguments only where everybody may
// list the names.
func TestNamesAsArguments(t *testing.T) {
	root := openToAll(t)
	write(t, root, map[string]string{"open/a": "", "open/sub/b": "", "shut/c": "", "shut/sub/d": "", "blind/e": ""})
	for dir, mode := range map[string]os.FileMode{"shut": 0o750, "blind": 0o711} {
		if err := os.Chmod(filepath.Join(root, dir), mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		b    Batch
		want bool
	}{
		{Batch{Lane: LaneList, Paths: []string{"open/a", "open/sub/b"}, Parents: []string{"open"}}, true},
		{Batch{Lane: LaneTop, Paths: []string{"shut"}}, true},
		{Batch{Lane: LaneList, Paths: []string{"open/a", "shut/c"}}, false},
		{Batch{Lane: LaneList, Paths: []string{"shut/sub/d"}}, false},
		{Batch{Lane: LaneList, Paths: []string{"blind/e"}}, false},
		{Batch{Lane: LaneList, Paths: []string{"open/a"}, Parents: []string{"shut/sub"}}, false},
		{Batch{Lane: LaneList, Paths: []string{"open/gone/f"}}, false},
		{Batch{Lane: LaneReconcile, Paths: []string{"open"}}, false},
		{Batch{Lane: LaneList, Paths: []string{"open/" + strings.Repeat("x", maxArgList)}}, false},
	} {
		o := Options{Root: root, argsFrom: 1}
		if got := o.byArgs(&c.b, c.b.list()); got != c.want {
			t.Errorf("%s %.50q: %v", c.b.Lane, c.b.Paths, got)
		}
	}
	o := Options{Root: root, argsFrom: minArgList}
	if b := (Batch{Lane: LaneList, Paths: []string{"open/a"}}); o.byArgs(&b, b.list()) {
		t.Error("a short list became arguments")
	}
	if err := os.Chmod(root, 0o700); err != nil {
		t.Fatal(err)
	}
	o.argsFrom = 1
	if b := (Batch{Lane: LaneTop, Paths: []string{"f"}}); o.byArgs(&b, b.list()) {
		t.Error("the names in a root that others may not list became arguments")
	}
}

// TestNamesOfABatch: a batch has no more names than may be arguments, however many
// files one may have.
func TestNamesOfABatch(t *testing.T) {
	p := planner{limits: limits{files: 100_000, bytes: 1 << 30, big: 1 << 20}, look: func(path string) Seen {
		if strings.HasSuffix(path, "f") {
			return Seen{Presence: IsFile, Nlink: 1}
		}
		return Seen{Presence: IsDir}
	}}
	q, all := newQueue(), 0
	for i := range 20_000 {
		path := fmt.Sprintf("%s/%d.f", strings.Repeat("d", 100), i)
		q.push(&Item{Path: path})
		all += len(path)
	}
	b := p.next(q.all(), &Locks{}, true).batch
	if n := len(b.list()); n > maxArgList || n < maxNames || all < maxArgList {
		t.Errorf("a list of %d bytes, of %d; at most %d", n, all, maxArgList)
	}
}

// TestLowStackLimit: where the system takes fewer arguments than usual the list
// goes through stdin.
func TestLowStackLimit(t *testing.T) {
	g := newRig(t)
	files := map[string]string{}
	for i := range 900 {
		files[fmt.Sprintf("d/%s-%d", strings.Repeat("long", 60), i)] = "x"
	}
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_STACK, &was); err != nil {
		t.Fatal(err)
	}
	low := was
	low.Cur = 512 << 10
	if err := syscall.Setrlimit(syscall.RLIMIT_STACK, &low); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Setrlimit(syscall.RLIMIT_STACK, &was) })
	g.start()
	write(t, g.src, files)
	g.sync()
	g.equal()
	g.untroubled()
}

// TestArgumentsMeanTheSame: names that could be options, hosts, patterns or
// several lines are names, and what is gone is removed.
func TestArgumentsMeanTheSame(t *testing.T) {
	for _, from := range []int{1, 1 << 30} {
		g := newRig(t)
		g.o.argsFrom, g.o.Rsync.Warm = from, 0
		g.start()
		files := map[string]string{}
		for _, n := range []string{"--delete", "-e", "host:path", "rsync::m", "a:b", "*", "[x]", "?", "{a,b}", "~", "#c", ";d", "line\nbreak", " space ", "\\back", "\xff\xfe", "$(x)", "--", "@"} {
			files[n], files["d/"+n], files[n+"x/f"] = "1", "2", "3"
		}
		write(t, g.src, files)
		g.sync()
		g.equal()
		for n := range files {
			if err := os.RemoveAll(filepath.Join(g.src, n)); err != nil {
				t.Fatal(err)
			}
		}
		g.sync()
		g.equal()
		g.untroubled()
	}
}
