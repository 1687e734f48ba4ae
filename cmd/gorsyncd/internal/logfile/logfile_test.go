package logfile

import (
	"os"
	"path/filepath"
	"testing"
)

func TestRotation(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "log")
	w, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	say := func(s string) {
		t.Helper()
		w.checked = w.checked.Add(-checkEvery)
		if _, err := w.Write([]byte(s)); err != nil {
			t.Fatal(err)
		}
	}
	is := func(path, want string) {
		t.Helper()
		if b, err := os.ReadFile(path); err != nil || string(b) != want {
			t.Errorf("%s: %q, %v, want %q", path, b, err, want)
		}
	}
	say("1")
	say("2")
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	say("3")
	is(path+".1", "12")
	is(path, "3")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	say("4")
	is(path, "4")

	// Where no file can be made the old one is written on.
	if err := os.Rename(path, path+".2"); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("elsewhere", path); err != nil {
		t.Fatal(err)
	}
	say("5")
	is(path+".2", "45")
	if _, err := os.Lstat(filepath.Join(dir, "elsewhere")); err == nil {
		t.Error("a link was followed")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	say("6")
	is(path, "6")

	if _, err := Open(filepath.Join(dir, "none", "log")); err == nil {
		t.Error("a directory was made")
	}
}
