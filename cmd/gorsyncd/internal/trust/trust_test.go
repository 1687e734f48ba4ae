package trust

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const nobody = 65534

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("this test needs root to make files of other users")
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// make makes what is described: a mode, "d" in front for a directory or "l" for
// a link, "@" behind for a stranger's.
func put(t *testing.T, path, what string) {
	t.Helper()
	mode := map[string]fs.FileMode{"600": 0o600, "400": 0o400, "640": 0o640, "604": 0o604, "620": 0o620, "602": 0o602, "644": 0o644,
		"700": 0o700, "755": 0o755, "775": 0o775, "777": 0o777, "1777": 0o777 | fs.ModeSticky}[strings.Trim(what, "dl@")]
	switch {
	case strings.HasPrefix(what, "d"):
		must(t, os.MkdirAll(path, 0o755))
	case strings.HasPrefix(what, "l"):
		must(t, os.WriteFile(path+".real", []byte("x"), 0o600))
		must(t, os.Symlink(path+".real", path))
	default:
		must(t, os.WriteFile(path, []byte("hunter2"), 0o600))
	}
	if !strings.HasPrefix(what, "l") {
		must(t, os.Chown(path, 0, 12345))
		must(t, os.Chmod(path, mode))
	}
	if strings.HasSuffix(what, "@") {
		must(t, os.Lchown(path, nobody, nobody))
	}
}

func TestSecret(t *testing.T) {
	needRoot(t)
	for _, c := range []struct {
		dir, file string
		problem   string // "" for none
	}{
		{"d755", "600", ""},
		{"d755", "400", ""},
		{"d1777", "600", ""},
		{"d755", "l", ""}, // a link of root in a directory of root
		{"d755", "640", "read by others"},
		{"d755", "604", "read by others"},
		{"d755", "620", "written to by others"},
		{"d755", "602", "written to by others"},
		{"d755", "600@", "belongs to user 65534"},
		{"d755", "d700", "not a regular file"},
		{"d1777", "l@", "symbolic link of user 65534"},
		{"d777", "600", "written to by others"},
		{"d775", "600", "written to by others"},
		{"d755@", "600", "belongs to user 65534"},
	} {
		dir := filepath.Join(t.TempDir(), "d")
		put(t, dir, c.dir)
		file := filepath.Join(dir, "pass")
		put(t, file, c.file)
		err := Secret(file)
		if c.problem == "" && err != nil || c.problem != "" && (err == nil || !strings.Contains(err.Error(), c.problem)) {
			t.Errorf("%s/%s: %v, want %q", c.dir, c.file, err, c.problem)
		}
		if err != nil && (!Untrusted(err) || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), dir)) {
			t.Errorf("%s/%s: %v", c.dir, c.file, err)
		}
	}
	if err := Secret("/nonexistent/pass"); !errors.Is(err, fs.ErrNotExist) || Untrusted(err) {
		t.Errorf("missing: %v", err)
	}
}

// TestCredential: as Secret, but the group of a file may read: that is how the
// access list of a service that is not root shows.
func TestCredential(t *testing.T) {
	needRoot(t)
	for mode, ok := range map[string]bool{"400": true, "600": true, "640": true, "620": false, "604": false, "602": false, "644": false, "600@": false, "d700": false} {
		file := filepath.Join(t.TempDir(), "pass")
		put(t, file, mode)
		if err := Credential(file); (err == nil) != ok {
			t.Errorf("%s: %v", mode, err)
		}
	}
}

func TestFile(t *testing.T) {
	needRoot(t)
	for what, good := range map[string]bool{"600": true, "644": true, "640": true, "l": true, "620": false, "602": false, "644@": false} {
		file := filepath.Join(t.TempDir(), "f")
		put(t, file, what)
		if err := File(file); (err == nil) != good {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestLoopsEnd(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Symlink("b", filepath.Join(dir, "a")))
	must(t, os.Symlink("a", filepath.Join(dir, "b")))
	if err := File(filepath.Join(dir, "a")); err == nil {
		t.Error("a loop was trusted")
	}
}

func TestWayFollowsLinks(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	must(t, err)
	must(t, os.MkdirAll(filepath.Join(dir, "x/y"), 0o755))
	must(t, os.Symlink("x/../x/y", filepath.Join(dir, "rel")))
	must(t, os.Symlink(filepath.Join(dir, "rel"), filepath.Join(dir, "abs")))
	if got, err := Way(filepath.Join(dir, "abs")); err != nil || got != filepath.Join(dir, "x/y") {
		t.Errorf("%q %v", got, err)
	}
}

func TestPrivate(t *testing.T) {
	needRoot(t)
	for _, c := range []struct {
		what               string
		empty              bool
		tightened, refused bool
	}{
		{"d700", false, false, false},
		{"d755", false, true, false},
		{"d775", false, false, true},
		{"d777", false, false, true},
		{"d1777", false, false, true},
		{"d1777", true, true, false},
		{"d700@", true, false, true},
	} {
		dir := filepath.Join(t.TempDir(), "d")
		put(t, dir, c.what)
		if !c.empty {
			must(t, os.WriteFile(filepath.Join(dir, "f"), nil, 0o600))
		}
		before, err := os.Stat(dir)
		must(t, err)
		tightened, err := Private(dir)
		if (err != nil) != c.refused || err == nil && tightened != c.tightened {
			t.Errorf("%+v: %v %v", c, tightened, err)
		}
		after, serr := os.Stat(dir)
		if want := before.Mode().Perm(); serr != nil || err != nil && after.Mode().Perm() != want || err == nil && after.Mode().Perm() != 0o700 {
			t.Errorf("%+v: now %v %v", c, after.Mode(), serr)
		}
	}
	fresh := filepath.Join(t.TempDir(), "a/b")
	if tightened, err := Private(fresh); err != nil || tightened {
		t.Errorf("%v %v", tightened, err)
	}
	link := filepath.Join(t.TempDir(), "l")
	must(t, os.Symlink(fresh, link))
	if _, err := Private(link); err != nil {
		t.Errorf("through a link of ours: %v", err)
	}
	must(t, os.Lchown(link, nobody, nobody))
	if _, err := Private(link); !Untrusted(err) {
		t.Errorf("through a stranger's link: %v", err)
	}
}
