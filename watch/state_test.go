package watch

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
)

// TestOpenFollowsNoLink: both ways to open a directory below agree.
func TestOpenFollowsNoLink(t *testing.T) {
	dir := t.TempDir()
	deep := strings.Repeat("/"+strings.Repeat("n", 250), 17) // beyond PATH_MAX
	runIn(t, dir, `mkdir -p a/b/c; ln -s a link; ln -s b a/link; ln -s /proc/self/root a/root; echo 1 > a/f; ln -s f a/flink
		mkdir -p deep; cd deep; for i in $(seq 17); do mkdir "$1"; cd "$1"; done`, strings.Repeat("n", 250))
	root, err := openRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.close()
	for rel, ok := range map[string]bool{
		"": true, "a": true, "a/b": true, "a/b/c": true, "link": false, "link/b": false, "a/link": false, "a/link/c": false,
		"a/f": false, "a/f/x": false, "a/flink": false, "a/none": false, "none/b": false, "a/root": false, "a/root/tmp": false, "deep" + deep: true,
	} {
		one, err1 := root.open(rel)
		all, err2 := root.walk(rel)
		if rel == "" {
			all, err2 = openRoot(filepath.Join(dir, rel))
		}
		if (err1 == nil) != ok || (err2 == nil) != ok {
			t.Errorf("%.20q: %v, %v; opened is to be %v", rel, err1, err2, ok)
		}
		if !ok && (!isGone(err1) || !isGone(err2)) {
			t.Errorf("%.20q: %v and %v do not tell that it is no directory of the tree", rel, err1, err2)
		}
		if ok && errors.Join(err1, err2) == nil && keyOf(&one.st) != keyOf(&all.st) {
			t.Errorf("%.20q: two directories", rel)
		}
		one.close()
		all.close()
	}
}
